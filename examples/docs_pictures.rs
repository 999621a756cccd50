//! Draws every picture of `docs/images` with the demo model; `scripts/docs-pictures.sh` runs it.
//!
//! Names as arguments draw those only: `docs_pictures samplers steps`.

mod common;

use common::{
    exit, save,
    sheet::{Sheet, labelled},
};
use sdcpp::{
    Animation, Canny, Context, EasyCache, Error, HiresFix, HiresUpscaler, ImageRequest, Inpaint,
    InpaintArea, ModelConfig, PreviewKind, PreviewOptions, Sampler, Spectrum, StepCache,
    TaylorSeer, Watch, canny,
    image::{
        GrayImage, Luma, RgbImage,
        codecs::png::{CompressionType, FilterType, PngEncoder},
        imageops,
    },
};
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// A name, and what draws it.
type Entry = (&'static str, fn(&mut Studio) -> Result<(), Error>);

const PICTURES: &[Entry] = &[
    ("samplers", samplers),
    ("steps", steps),
    ("cfg", cfg),
    ("seeds", seeds),
    ("strength", strength),
    ("inpaint", inpaint),
    ("canny", edges),
    ("hires", hires),
    ("step-cache", step_cache),
    ("previews", previews),
    ("eraser", eraser),
    ("edit", edit),
    ("expand", expand),
    ("background", background),
    ("matrix", matrix),
];

fn main() -> ExitCode {
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let draw = || {
        let mut studio = Studio::new()?;
        for (name, draw) in PICTURES {
            if wanted.is_empty() || wanted.iter().any(|w| w == name) {
                eprintln!("{name}");
                draw(&mut studio)?;
            }
        }
        Ok(())
    };
    exit(draw())
}

/// The demo model, and where pictures go.
struct Studio {
    context: Context,
    images: PathBuf,
    /// For pictures on the way.
    scratch: tempfile::TempDir,
}

impl Studio {
    fn new() -> Result<Self, Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let models = root.join("examples/models");
        let config = ModelConfig::new(models.join("demo_q8_0.gguf"))
            .taesd(models.join("demo_tae.gguf"))
            .threads(1);
        let io = |source| Error::Io { doing: "make a folder".to_owned(), source };
        let images = root.join("docs/images");
        std::fs::create_dir_all(&images).map_err(io)?;
        let scratch = tempfile::tempdir().map_err(io)?;
        Ok(Self { context: Context::new(config)?, images, scratch })
    }

    fn draw(&mut self, request: &ImageRequest) -> Result<RgbImage, Error> {
        let generated = self.context.generate(request)?;
        Ok(generated.first().map(|picture| picture.to_rgb()).unwrap_or_default())
    }

    fn save(&self, name: &str, picture: &RgbImage) -> Result<(), Error> {
        // A page loads faster, and nobody sees the difference.
        let mut picture = picture.clone();
        picture.iter_mut().for_each(|value| *value = (*value & 0xf0) | (*value >> 4));
        let path = self.images.join(format!("{name}.png"));
        let doing = || format!("write {}", path.display());
        let file =
            std::fs::File::create(&path).map_err(|source| Error::Io { doing: doing(), source })?;
        let encoder =
            PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive);
        picture
            .write_with_encoder(encoder)
            .map_err(|e| Error::ImageCodec { doing: doing(), reason: e.to_string() })
    }

    /// A row of pictures, one for each value.
    fn row<T: Copy>(
        &mut self,
        name: &str,
        values: &[T],
        label: impl Fn(T) -> String,
        request: impl Fn(T) -> ImageRequest,
    ) -> Result<(), Error> {
        let pictures: Result<Vec<_>, _> = values.iter().map(|v| self.draw(&request(*v))).collect();
        let columns = values.iter().map(|value| label(*value)).collect();
        self.save(name, &Sheet { columns, rows: Vec::new() }.draw(&pictures?))
    }

    /// Pictures beside one another, each under its label.
    fn compare(&self, name: &str, pictures: Vec<(&str, RgbImage)>) -> Result<(), Error> {
        let pictures: Vec<_> = pictures.into_iter().map(|(l, p)| (l.to_owned(), p)).collect();
        self.save(name, &labelled(&pictures, pictures.len()))
    }

    /// Runs another example, which is built beside this one.
    fn example(&self, name: &str, arguments: &[&str]) -> Result<RgbImage, Error> {
        let out = self.scratch.path().join("out.png");
        let io = |source| Error::Io { doing: format!("run the example {name}"), source };
        let program = std::env::current_exe()
            .map_err(io)?
            .with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let status = Command::new(program)
            .args(arguments)
            .args(["--threads", "1", "--output"])
            .arg(&out)
            .current_dir(self.scratch.path())
            .status()
            .map_err(io)?;
        if !status.success() {
            return Err(io(std::io::Error::other(status.to_string())));
        }
        Ok(sdcpp::open_picture(out)?.into_rgb8())
    }

    fn scratch(&self, name: &str, picture: &RgbImage) -> Result<String, Error> {
        let path = self.scratch.path().join(name);
        save(picture, &path)?;
        Ok(path.display().to_string())
    }

    /// A red circle left of a blue square, as a picture of 256 by 128.
    fn scene(&mut self) -> Result<RgbImage, Error> {
        let mut scene = RgbImage::new(256, 128);
        imageops::replace(&mut scene, &self.draw(&demo("a red circle"))?, 0, 0);
        imageops::replace(&mut scene, &self.draw(&demo("a blue square"))?, 128, 0);
        Ok(scene)
    }
}

/// As the demo model was trained.
fn demo(prompt: &str) -> ImageRequest {
    ImageRequest::new(prompt)
        .size(128, 128)
        .steps(12)
        .cfg_scale(3.0)
        .sampler(Sampler::Euler)
        .seed(42)
}

/// A white rectangle on black.
fn mask_of(width: u32, height: u32, from: (u32, u32), to: (u32, u32)) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| {
        let inside = (from.0..to.0).contains(&x) && (from.1..to.1).contains(&y);
        Luma([if inside { 255 } else { 0 }])
    })
}

fn rgb(mask: &GrayImage) -> RgbImage {
    sdcpp::image::DynamicImage::from(mask.clone()).into_rgb8()
}

fn samplers(studio: &mut Studio) -> Result<(), Error> {
    let mut pictures = Vec::new();
    for sampler in Sampler::ALL {
        let request = demo("a red cross").sampler(*sampler);
        pictures.push((sampler.name().to_owned(), studio.draw(&request)?));
    }
    studio.save("samplers", &labelled(&pictures, 6))
}

fn steps(studio: &mut Studio) -> Result<(), Error> {
    let label = |steps| format!("{steps}");
    studio.row("steps", &[1, 2, 4, 8, 12, 20], label, |s| demo("a yellow triangle").steps(s))
}

fn cfg(studio: &mut Studio) -> Result<(), Error> {
    let label = |cfg| format!("{cfg}");
    let values = [1.0, 2.0, 3.0, 5.0, 7.0, 12.0];
    studio.row("cfg", &values, label, |c| demo("a green cross").cfg_scale(c))
}

fn seeds(studio: &mut Studio) -> Result<(), Error> {
    let batch = studio.context.generate(&demo("a purple square").batch(6))?;
    let columns = batch.seeds.iter().map(i64::to_string).collect();
    let pictures: Vec<_> = batch.images.iter().map(|picture| picture.to_rgb()).collect();
    studio.save("seeds", &Sheet { columns, rows: Vec::new() }.draw(&pictures))
}

fn strength(studio: &mut Studio) -> Result<(), Error> {
    let start = studio.draw(&demo("a red circle"))?;
    let mut pictures = vec![("start".to_owned(), start.clone())];
    for strength in [0.3, 0.5, 0.6, 0.75, 0.9] {
        let request = demo("a blue square").init_image(start.clone()).denoising_strength(strength);
        pictures.push((strength.to_string(), studio.draw(&request)?));
    }
    studio.save("strength", &labelled(&pictures, 6))
}

fn inpaint(studio: &mut Studio) -> Result<(), Error> {
    let scene = studio.scene()?;
    let mask = mask_of(256, 128, (136, 8), (248, 120));
    let request = demo("a green circle")
        .init_image(scene.clone())
        .mask(mask.clone())
        .denoising_strength(1.0)
        .inpaint(Inpaint::new().area(InpaintArea::OnlyMasked { padding: 8 }).mask_blur(4));
    let drawn = studio.draw(&request)?;
    studio.compare(
        "inpaint",
        vec![("picture", scene), ("mask", rgb(&mask)), ("\"a green circle\"", drawn)],
    )
}

fn edges(studio: &mut Studio) -> Result<(), Error> {
    let scene = studio.scene()?;
    let found = canny(scene.clone(), &Canny::default())?;
    studio.compare("canny", vec![("picture", scene), ("canny", found)])
}

fn hires(studio: &mut Studio) -> Result<(), Error> {
    let plain = studio.draw(&demo("a red circle"))?;
    let large = imageops::resize(&plain, 256, 256, imageops::FilterType::Lanczos3);
    let fix = HiresFix::scaled_by(2.0).upscaler(HiresUpscaler::Lanczos).denoising_strength(0.25);
    let request = demo("a red circle").hires(fix);
    let fixed = studio.draw(&request)?;
    let direct = studio.draw(&demo("a red circle").size(256, 256))?;
    studio.compare(
        "hires",
        vec![("128x128, enlarged", large), ("hires fix", fixed), ("drawn at 256x256", direct)],
    )
}

fn step_cache(studio: &mut Studio) -> Result<(), Error> {
    let mut pictures = vec![("none".to_owned(), studio.draw(&demo("a black cross").steps(24))?)];
    for cache in [
        StepCache::EasyCache(EasyCache::default()),
        StepCache::TaylorSeer(TaylorSeer::default()),
        StepCache::Spectrum(Spectrum::default()),
    ] {
        let name = cache.name().to_owned();
        let generated =
            studio.context.generate(&demo("a black cross").steps(24).step_cache(cache))?;
        eprintln!("  {name}: sampling {:?}", generated.timings.sampling);
        pictures.extend(generated.first().map(|picture| (name, picture.to_rgb())));
    }
    studio.save("step-cache", &labelled(&pictures, 4))
}

/// The previews of one picture, as a sheet and as an animation.
fn previews(studio: &mut Studio) -> Result<(), Error> {
    let mut sheet = Vec::new();
    let mut frames = Vec::new();
    for kind in [PreviewKind::Projection, PreviewKind::Taesd] {
        let mut seen = Vec::new();
        let watch = Watch::new().on_preview(PreviewOptions::new(kind), |preview| {
            seen.extend(preview.frames.into_iter().next());
        });
        studio.context.generate_with(&demo("a green triangle"), watch)?;
        sheet.extend(
            seen.iter()
                .step_by(2)
                .map(|frame| imageops::resize(frame, 128, 128, imageops::FilterType::Nearest)),
        );
        frames = seen;
    }
    let columns = (1..=12).step_by(2).map(|step| format!("step {step}")).collect();
    let rows = ["Projection", "Taesd"].map(str::to_owned).to_vec();
    studio.save("previews", &Sheet { columns, rows }.draw(&sheet))?;
    Animation::new(&frames, 6.0).save(studio.images.join("previews.gif"))?;
    Ok(())
}

fn eraser(studio: &mut Studio) -> Result<(), Error> {
    let scene = studio.scene()?;
    let mask = rgb(&mask_of(256, 128, (136, 8), (248, 120)));
    let picture = studio.scratch("a.png", &scene)?;
    let masked = studio.scratch("mask.png", &mask)?;
    let erased = studio.example("magic_eraser", &[&picture, &masked])?;
    studio.compare("eraser", vec![("picture", scene), ("mask", mask), ("erased", erased)])
}

fn edit(studio: &mut Studio) -> Result<(), Error> {
    let start = studio.draw(&demo("a red circle"))?;
    let file = studio.scratch("a.png", &start)?;
    let blue = studio.example("magic_edit", &[&file, "a blue circle"])?;
    let square = studio.example("magic_edit", &[&file, "a green square", "--strength", "0.9"])?;
    studio.compare(
        "edit",
        vec![("picture", start), ("a blue circle", blue), ("a green square", square)],
    )
}

fn expand(studio: &mut Studio) -> Result<(), Error> {
    let start = studio.draw(&demo("a red circle"))?;
    let file = studio.scratch("a.png", &start)?;
    let arguments = [&file, "-d", "right", "--pixels", "64", "--prompt", "a red circle"];
    let wide = studio.example("magic_expand", &arguments)?;
    studio.compare("expand", vec![("picture", start), ("expanded to the right", wide)])
}

fn background(studio: &mut Studio) -> Result<(), Error> {
    let arguments = ["--prompt", "a blue square", "--size", "768x256", "--pale", "0.5"];
    let tiled = studio.example("background", &arguments)?;
    studio.save("background", &tiled)
}

fn matrix(studio: &mut Studio) -> Result<(), Error> {
    let prompt = "a {red|green|blue|yellow|purple|black} {circle|square|triangle|cross}";
    let sheet = studio.example("prompt_matrix", &[prompt])?;
    studio.save("matrix", &sheet)
}
