//! Tries a backend on this machine: are its pictures those of the processor, and how fast is it? With
//! `--direct`, also against the engine's C API without this binding. `scripts/gpu-check.sh` runs it on a
//! machine that has no Rust.
//!
//! ```text
//! SDCPP_LIBRARY=engines cargo run --release --example backend_check -- --backend vulkan
//! ```
//!
//! The demo model's picture is compared with the one that the same engine draws on the processor. The
//! layouts have the real shape of every tensor and random weights, so that no download is needed: what
//! they draw is noise, and takes as long as a picture; but `sdxl` has a VAE with a narrow decoder, so its
//! decoding says nothing. They are written to `target/test-models` (2 and 7 GB), or to `test-models` in
//! `CARGO_TARGET_DIR`. The program can be built elsewhere: it needs no more than the engine's library.

mod direct;

use clap::Parser;
use direct::Direct;
use sdcpp::{
    Backend, Context, Engine, Generated, ImageRequest, ModelConfig, Progress, Sampler, Watch,
};
use sdcpp_test_support::{FloatType, Format, Sd1, TextEncoders, UNet, UNetFamily, WeightType};
use std::{
    error::Error,
    ops::ControlFlow,
    path::PathBuf,
    time::{Duration, Instant},
};

#[derive(Parser)]
struct Options {
    /// cuda, hip, sycl, metal, vulkan or cpu; the best there is if it is left out
    #[arg(long)]
    backend: Option<Backend>,
    /// Real-size layouts to measure: sd15, sdxl, or none; by default both, on the processor sd15 alone
    #[arg(long, value_delimiter = ',')]
    layouts: Vec<String>,
    /// Steps of each measured picture
    #[arg(long, default_value_t = 10)]
    steps: u32,
    /// Width and height of measured pictures; by default 512, for sdxl 1024
    #[arg(long)]
    size: Option<u32>,
    /// Pictures of the demo model may differ by so much from the processor's, on average over all
    /// values of 0 to 255
    #[arg(long, default_value_t = 1.0)]
    tolerance: f64,
    /// Folder of the demo model
    #[arg(long, default_value = "examples/models")]
    models: PathBuf,
    /// The program that tests/native/direct.cpp makes, for the same engine and backend
    #[arg(long)]
    direct: Option<PathBuf>,
    /// Pictures to measure of each layout, by turns with the program's
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Diffusion with flash attention
    #[arg(long)]
    flash_attention: bool,
}

impl Options {
    fn direct(&self) -> Option<Direct> {
        self.direct.clone().map(|program| Direct { program })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    let (engine, backend) = match options.backend {
        Some(backend) => (backend.engine()?, backend),
        None => {
            let best = Backend::best()?;
            println!("{best}\n");
            (best.engine, best.backend)
        }
    };
    if options.layouts.is_empty() {
        // SDXL would take hours on a processor.
        let usual: &[&str] = if backend == Backend::Cpu { &["sd15"] } else { &["sd15", "sdxl"] };
        options.layouts = usual.iter().map(|layout| (*layout).to_owned()).collect();
    }
    let device = device(&engine, backend)?;
    println!("engine {}, device {device}\n", engine.commit());
    compare(&engine, &device, &options)?;
    println!("\nMedians; ratios are times of the crate over those of the C API alone.\n");
    println!(
        "| layout | weights | size | steps a second | a step, ms | text, ms | decoding, s | picture, s | step, ratio | picture, ratio | pixels |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for layout in options.layouts.iter().filter(|layout| *layout != "none") {
        measure(&engine, &device, layout, &options)?;
    }
    Ok(())
}

/// The first device of a backend.
fn device(engine: &Engine, backend: Backend) -> Result<String, Box<dyn Error>> {
    backend.check(engine)?;
    // The engine's names of ROCm's and Metal's devices are others than the features'.
    let prefix = match backend {
        Backend::Hip => "rocm",
        Backend::Metal => "mtl",
        other => other.name(),
    };
    let devices = engine.devices()?;
    let named = |device: &&sdcpp::Device| device.name.to_lowercase().starts_with(prefix);
    let device = devices.iter().find(named).ok_or("the backend has no device")?;
    println!("{}: {}", device.name, device.description);
    Ok(device.name.clone())
}

/// Draws the demo picture on the device and on the processor.
fn compare(engine: &Engine, device: &str, options: &Options) -> Result<(), Box<dyn Error>> {
    let config = |device: &str| {
        ModelConfig::new(options.models.join("demo_q8_0.gguf"))
            .taesd(options.models.join("demo_tae.gguf"))
            .backend(device)
            .threads(threads())
    };
    let request = |prompt: &str| {
        ImageRequest::new(prompt)
            .size(128, 128)
            .steps(12)
            .cfg_scale(3.0)
            .sampler(Sampler::Euler)
            .seed(42)
    };
    let draw = |device: &str, prompt: &str| -> Result<Generated, sdcpp::Error> {
        Context::open(engine, config(device), Watch::new())?.generate(&request(prompt))
    };
    let (drawn, expected) = (draw(device, "a red circle")?, draw("cpu", "a red circle")?);
    let other = draw("cpu", "a blue square")?;
    for (name, generated) in [("device", &drawn), ("processor", &expected)] {
        let path = format!("backend_check-{name}.png");
        generated.first().ok_or("no picture")?.save(&path)?;
        println!("saved {path}");
    }
    let (drawn, expected, other) = (pixels(&drawn)?, pixels(&expected)?, pixels(&other)?);
    let (mean, most) = difference(drawn, expected)?;
    let (apart, _) = difference(other, expected)?;
    println!("demo on {device} and on the processor: mean difference {mean:.3}, largest {most}");
    println!("(another prompt's picture differs by {apart:.1} on average)");
    if mean > options.tolerance {
        return Err(format!("{device} draws another picture than the processor").into());
    }
    if let Some(direct) = options.direct() {
        let theirs = direct.draw(&config(device), &request("a red circle"), false)?;
        println!("demo by the C API alone: {}", same("demo", drawn, &theirs.pixels, options)?);
    }
    Ok(())
}

/// Says how near the picture of the C API is to the crate's.
fn same(
    name: &str,
    ours: &[u8],
    theirs: &[u8],
    options: &Options,
) -> Result<String, Box<dyn Error>> {
    if ours == theirs {
        return Ok("byte-equal".to_owned());
    }
    // Only where a device adds in another order each time.
    let (mean, most) = difference(ours, theirs)?;
    if mean > options.tolerance {
        return Err(format!("{name}: the C API draws another picture (mean {mean:.3})").into());
    }
    Ok(format!("mean difference {mean:.3}, largest {most}"))
}

fn pixels(generated: &Generated) -> Result<&[u8], Box<dyn Error>> {
    Ok(generated.first().ok_or("no picture")?.as_bytes())
}

/// The same number for both, as pictures of the processor may depend on it.
fn threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// The mean and the largest difference of two pictures' values.
fn difference(a: &[u8], b: &[u8]) -> Result<(f64, u8), Box<dyn Error>> {
    if a.len() != b.len() {
        return Err("the pictures have different sizes".into());
    }
    let apart = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    let (sum, most) = apart.fold((0_u64, 0), |(sum, most), d| (sum + u64::from(d), d.max(most)));
    Ok((sum as f64 / a.len() as f64, most))
}

/// Random weights in the shape of a real model.
fn layout(name: &str) -> Result<(ModelConfig, u32), Box<dyn Error>> {
    Ok(match name {
        "sd15" => {
            let real = Sd1 { width: 320, vae: true };
            let file = sdcpp_test_support::sd1(real, Format::Safetensors(FloatType::F16))?;
            (ModelConfig::new(file), 512)
        }
        "sdxl" => {
            let unet = UNet { family: UNetFamily::Sdxl, width: 320 };
            let unet = sdcpp_test_support::unet(unet, Format::Gguf(WeightType::F16))?;
            let encoders = sdcpp_test_support::text_encoders(TextEncoders::Sdxl)?;
            let vae = sdcpp_test_support::vae()?;
            let mut config = ModelConfig::new(encoders).vae(vae);
            config.diffusion_model = Some(unet);
            (config, 1024)
        }
        other => return Err(format!("--layouts is {other}; allowed: sd15, sdxl, none").into()),
    })
}

/// What was measured of one layout, by one of the two callers.
#[derive(Default)]
struct Times {
    steps: Vec<Duration>,
    pictures: Vec<Duration>,
}

fn median(times: &mut [Duration]) -> Result<f64, Box<dyn Error>> {
    times.sort_unstable();
    Ok(times.get(times.len() / 2).ok_or("nothing was measured")?.as_secs_f64())
}

fn measure(
    engine: &Engine,
    device: &str,
    name: &str,
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    let (config, usual) = layout(name)?;
    let mut config = config.backend(device).threads(threads());
    config.diffusion_flash_attention = options.flash_attention;
    let size = options.size.unwrap_or(usual);
    let mut context = Context::open(engine, config.clone(), Watch::new())?;
    let request = ImageRequest::new("a lighthouse")
        .size(size, size)
        .steps(options.steps)
        .cfg_scale(7.0)
        .sampler(Sampler::Euler)
        .seed(1);
    // Weights are read, and kernels compiled, with the first picture.
    context.generate(&request.clone().steps(2))?;
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    let (mut text, mut decoding, mut pictures) = (Vec::new(), Vec::new(), "–".to_owned());
    for _ in 0..options.rounds {
        let watch = Watch::new().on_progress(|progress| {
            if let Progress::Sampling { step: 1.., step_time, .. } = progress {
                ours.steps.push(step_time);
            }
            ControlFlow::Continue(())
        });
        let begin = Instant::now();
        let generated = context.generate_with(&request, watch)?;
        ours.pictures.push(begin.elapsed());
        text.push(generated.timings.text_encoding);
        decoding.push(generated.timings.decoding);
        if let Some(direct) = options.direct() {
            let drawn = direct.draw(&config, &request, true)?;
            theirs.steps.extend(drawn.steps);
            theirs.pictures.push(drawn.picture);
            pictures = same(name, pixels(&generated)?, &drawn.pixels, options)?;
        }
    }
    let (step, picture) = (median(&mut ours.steps)?, median(&mut ours.pictures)?);
    let (mut step_ratio, mut picture_ratio) = ("–".to_owned(), "–".to_owned());
    if options.direct.is_some() {
        step_ratio = format!("{:.3}", step / median(&mut theirs.steps)?);
        picture_ratio = format!("{:.3}", picture / median(&mut theirs.pictures)?);
    }
    println!(
        "| {name} | f16 | {size}² | {:.2} | {:.1} | {:.1} | {:.2} | {picture:.2} | {step_ratio} | {picture_ratio} | {pictures} |",
        1.0 / step,
        step * 1e3,
        median(&mut text)? * 1e3,
        median(&mut decoding)?,
    );
    Ok(())
}
