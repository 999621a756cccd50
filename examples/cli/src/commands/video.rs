//! `sdcpp video`

use super::draw::model_json;
use crate::{
    app::App,
    memory,
    options::{
        CacheOptions, EngineOptions, HighNoiseOptions, HiresOptions, ModelOptions, PictureOptions,
        PreviewArguments, RunOptions, SamplingOptions, TilingOptions, is_picture, open_folder,
    },
    output::Names,
    precedence::Base,
    preview,
    report::Report,
};
use clap::Args;
use sdcpp::{
    AnimationFormat, Context, Error, GeneratedVideo, ImageRequest, MemoryEstimate, VideoRequest,
    WavSamples, open_picture,
};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

/// Make a video (Wan, LTX).
#[derive(Args, Debug)]
#[command(after_long_help = crate::exit::HELP)]
pub(crate) struct Video {
    #[command(flatten)]
    picture: PictureOptions,
    #[command(flatten)]
    video: VideoOptions,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    high_noise: HighNoiseOptions,
    #[command(flatten)]
    hires: HiresOptions,
    #[command(flatten)]
    tiling: TilingOptions,
    #[command(flatten)]
    cache: CacheOptions,
    #[command(flatten)]
    preview: PreviewArguments,
    #[command(flatten)]
    engine: EngineOptions,
    #[command(flatten)]
    run: RunOptions,
}

/// What is particular to videos.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Video")]
struct VideoOptions {
    /// File to write: .avi (with sound), .gif, .apng, .webp (where built in), or .png for numbered
    /// frames; sound of the others goes to a .wav beside
    #[arg(short, long, default_value = "output.avi", value_name = "FILE")]
    output: PathBuf,
    /// Quality of .avi and .webp, 1 to 100 [default: 90]
    #[arg(long, value_name = "N")]
    quality: Option<u8>,
    /// Frames; rounded down to what the model can [default: 33]
    #[arg(long, visible_alias = "frames", value_name = "N")]
    video_frames: Option<u32>,
    /// Frames a second [default: 16]
    #[arg(long, value_name = "N")]
    fps: Option<u32>,
    /// First frame
    #[arg(short, long, value_name = "FILE")]
    init_img: Option<PathBuf>,
    /// Last frame
    #[arg(long, value_name = "FILE")]
    end_img: Option<PathBuf>,
    /// How strongly LTX keeps to first and last frame, 0 to 1 [default: 0.75]
    #[arg(long, value_name = "STRENGTH")]
    strength: Option<f32>,
    /// Folder of the frames of a control video (VACE), in the order of their names
    #[arg(long, value_name = "FOLDER")]
    control_video: Option<PathBuf>,
    /// How strongly VACE counts [default: 1]
    #[arg(long, value_name = "STRENGTH")]
    vace_strength: Option<f32>,
    /// Noise level at which Wan 2.2 changes from the high-noise model to the other [default: 0.875]
    #[arg(long, value_name = "LEVEL")]
    moe_boundary: Option<f32>,
}

impl Video {
    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        let format = AnimationFormat::from_path(&self.video.output)?;
        let extensions: Vec<_> = AnimationFormat::ALL.iter().map(|f| f.name()).collect();
        let names = Names::new(&self.video.output, None, &extensions)?;
        let base = Base::read(&self.model, &self.engine)?;
        let time_limit = self.run.time_limit(base.time_limit);
        let request = self.request(base.request)?;
        request.check()?;
        base.config.check()?;
        let engine = app.engine()?;
        if !self.run.dry_run {
            names.prepare_folder()?;
        }
        let mut context = Context::open(&engine, &base.config, app.watch(None))?;
        let mut report = Report::new("video");
        report.set("model", model_json(&context));
        if !context.makes_video() {
            return Err(Error::Unsupported {
                what: format!("a video with {}", context.family()),
                reason: "the model draws pictures only".to_owned(),
            });
        }
        if self.run.dry_run {
            report.set("dry_run", true);
            report.line(format!(
                "would make {} frames of {}x{} with {}",
                request.frames,
                request.width,
                request.height,
                context.family()
            ));
            memory::tell(&mut report, MemoryEstimate::of_video(&base.config, &request))?;
            return Ok(report);
        }
        let watch = preview::show(app, &self.preview, app.watch(time_limit));
        let generated = context.generate_video_with(&request, watch)?;
        let opened = context.load_timings().total;
        self.save(&mut report, &names, format, &generated, opened)?;
        Ok(report)
    }

    /// The request of all sources. Environment and preset are about pictures, and hold here too.
    fn request(&self, base: ImageRequest) -> Result<VideoRequest, Error> {
        let source = &self.picture.source;
        let mut request = VideoRequest::default();
        share(&mut source.picture(base)?, &mut request);
        let mut request = source.json(request)?;
        let mut shared = ImageRequest::default();
        share(&mut shared, &mut request);
        self.picture.apply(&mut shared);
        self.sampling.apply(&mut shared.sampling);
        self.tiling.apply(&mut shared.vae_tiling, &mut shared.vae_tiling_fallback);
        self.cache.apply(&mut shared.step_cache)?;
        self.hires.apply(&mut shared.hires)?;
        share(&mut shared, &mut request);
        self.high_noise.apply(&mut request.high_noise);
        self.video.apply(request, &self.picture)
    }

    fn save(
        &self,
        report: &mut Report,
        names: &Names,
        format: AnimationFormat,
        video: &GeneratedVideo,
        opened: Duration,
    ) -> Result<(), Error> {
        let path = names.file(0, video.seed);
        let mut animation = video.animation()?;
        animation.quality = self.video.quality.unwrap_or(animation.quality);
        let mut sound = Value::Null;
        if let Some(audio) = video.audio.as_ref().filter(|_| !format.has_sound()) {
            let wav = path.with_extension("wav");
            audio.save_wav(&wav, WavSamples::Pcm16)?;
            report.line(wav.display().to_string());
            sound = wav.display().to_string().into();
        }
        let files = animation.save_as(&path, format)?;
        let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        for file in &files {
            report.line(format!("{file} (seed {})", video.seed));
        }
        let (width, height) =
            video.frames.first().map_or((0, 0), |frame| (frame.width(), frame.height()));
        report.set(
            "video",
            json!({
                "files": files,
                "audio": sound,
                "seed": video.seed,
                "width": width,
                "height": height,
                "frames": video.frames.len(),
                "fps": video.fps,
            }),
        );
        report.timings(opened, video.timings);
        report.warnings(&video.warnings);
        Ok(())
    }
}

/// Exchanges what requests of pictures and of videos have in common.
fn share(picture: &mut ImageRequest, video: &mut VideoRequest) {
    use std::mem::swap;
    swap(&mut picture.prompt, &mut video.prompt);
    swap(&mut picture.negative_prompt, &mut video.negative_prompt);
    swap(&mut picture.width, &mut video.width);
    swap(&mut picture.height, &mut video.height);
    swap(&mut picture.sampling, &mut video.sampling);
    swap(&mut picture.seed, &mut video.seed);
    swap(&mut picture.clip_skip, &mut video.clip_skip);
    swap(&mut picture.loras, &mut video.loras);
    swap(&mut picture.vae_tiling, &mut video.vae_tiling);
    swap(&mut picture.vae_tiling_fallback, &mut video.vae_tiling_fallback);
    swap(&mut picture.step_cache, &mut video.step_cache);
    swap(&mut picture.hires, &mut video.hires);
}

impl VideoOptions {
    fn apply(
        &self,
        mut request: VideoRequest,
        picture: &PictureOptions,
    ) -> Result<VideoRequest, Error> {
        request.frames = self.video_frames.unwrap_or(request.frames);
        request.fps = self.fps.unwrap_or(request.fps);
        request.conditioning_strength = self.strength.unwrap_or(request.conditioning_strength);
        request.vace_strength = self.vace_strength.unwrap_or(request.vace_strength);
        request.moe_boundary = self.moe_boundary.unwrap_or(request.moe_boundary);
        if let Some(path) = &self.init_img {
            let first = open_picture(path)?;
            if !picture.has_size() {
                (request.width, request.height) = (first.width(), first.height());
            }
            request = request.init_image(first);
        }
        if let Some(path) = &self.end_img {
            request = request.end_image(open_picture(path)?);
        }
        let Some(folder) = &self.control_video else { return Ok(request) };
        // Frames past the end of the video are of no use.
        let frames = open_folder("control_video", folder)?;
        frames
            .iter()
            .filter(|path| is_picture(path))
            .take(request.frames as usize)
            .try_fold(request, |request, path| Ok(request.control_frame(open_picture(path)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use sdcpp::{HighNoise, Sampler};

    fn request(line: &str) -> VideoRequest {
        let all = "sdcpp video -p x".split_whitespace();
        let Command::Video(options) =
            Cli::try_parse_from(all.chain(line.split_whitespace())).unwrap().command
        else {
            unreachable!()
        };
        options.request(ImageRequest::default()).unwrap()
    }

    #[test]
    fn options_are_those_of_the_request() {
        let expected = VideoRequest::new("x")
            .size(480, 320)
            .frames(17)
            .fps(24)
            .steps(4)
            .cfg_scale(1.0)
            .flow_shift(3.0)
            .moe_boundary(0.9)
            .vace_strength(0.5)
            .seed(3)
            .high_noise(HighNoise::default().steps(2).cfg_scale(3.5).sampler(Sampler::Euler));
        let line = "-W 480 -H 320 --video-frames 17 --fps 24 --steps 4 --cfg-scale 1 --flow-shift 3 \
                    --moe-boundary 0.9 --vace-strength 0.5 -s 3 --high-noise-steps 2 \
                    --high-noise-cfg-scale 3.5 --high-noise-sampling-method euler";
        assert_eq!(request(line), expected);
        assert_eq!(request("--high-noise-steps -1"), VideoRequest::new("x"));
    }

    #[test]
    fn control_frames_are_as_many_as_the_video_has_at_most() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..3 {
            image::RgbImage::new(4, 4).save(folder.path().join(format!("{index}.png"))).unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        let frames = |n| {
            request(&format!("--control-video {} --frames {n}", folder.path().display()))
                .control_frames
                .len()
        };
        assert_eq!((frames(2), frames(9)), (2, 3));
    }
}
