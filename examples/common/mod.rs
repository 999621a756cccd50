//! What the small examples share: the model's options, and how an error is told.

#![allow(dead_code, reason = "each example uses its own part")]

pub(crate) mod sheet;

use sdcpp::{Context, Error, ImageRequest, ModelConfig, Preset, image::RgbImage};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Which model, and how it draws. Without any of these the demo model draws as it was trained.
#[derive(clap::Args)]
pub(crate) struct Model {
    /// Model file; the demo model otherwise
    #[arg(short, long)]
    model: Option<PathBuf>,
    #[command(flatten)]
    parts: Parts,
    /// Sampling steps; else the preset's, else 20
    #[arg(long)]
    steps: Option<u32>,
    /// How strongly the prompt rules; else the preset's, else 7.5
    #[arg(long)]
    cfg_scale: Option<f32>,
    /// What to avoid
    #[arg(short, long, default_value = "")]
    negative_prompt: String,
    /// Seed
    #[arg(short, long, default_value_t = 42)]
    seed: i64,
    /// CPU threads; the physical cores otherwise
    #[arg(short, long)]
    threads: Option<u32>,
}

/// Parts of a model that are files of their own.
#[derive(clap::Args)]
struct Parts {
    /// The diffusion model alone, in place of a whole model
    #[arg(long)]
    diffusion_model: Option<PathBuf>,
    /// CLIP-L text encoder
    #[arg(long)]
    clip_l: Option<PathBuf>,
    /// T5-XXL text encoder
    #[arg(long)]
    t5xxl: Option<PathBuf>,
    /// Language model as text encoder
    #[arg(long)]
    llm: Option<PathBuf>,
    /// The language model's vision part
    #[arg(long)]
    llm_vision: Option<PathBuf>,
    /// VAE file; else the one in the model or its preset
    #[arg(long)]
    vae: Option<PathBuf>,
    /// TAESD file, a smaller and faster decoder
    #[arg(long)]
    taesd: Option<PathBuf>,
    /// Map weights from the files instead of reading them
    #[arg(long)]
    mmap: bool,
}

impl Model {
    /// The file that names the model, beside which its preset lies.
    fn file(&self) -> PathBuf {
        let demo = || Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/models/demo_q8_0.gguf");
        let given = self.model.as_ref().or(self.parts.diffusion_model.as_ref());
        given.cloned().unwrap_or_else(demo)
    }

    /// The configuration, with the files that the model's preset names.
    pub(crate) fn config(&self) -> Result<ModelConfig, Error> {
        let file = self.file();
        let preset = Preset::for_model(&file)?;
        let parts = &self.parts;
        let mut config = ModelConfig::default();
        config.mmap = parts.mmap.then_some(true);
        config.diffusion_model.clone_from(&parts.diffusion_model);
        if self.model.is_some() || parts.diffusion_model.is_none() {
            config.model = Some(file);
        }
        config.clip_l.clone_from(&parts.clip_l);
        config.t5xxl.clone_from(&parts.t5xxl);
        config.llm.clone_from(&parts.llm);
        config.llm_vision.clone_from(&parts.llm_vision);
        config.vae.clone_from(&parts.vae);
        config.taesd.clone_from(&parts.taesd);
        config.threads = self.threads;
        preset.apply_to_config(&mut config);
        Ok(config)
    }

    pub(crate) fn open(&self) -> Result<Context, Error> {
        Context::new(self.config()?)
    }

    /// A request with the model's own size and settings, and those that were given.
    pub(crate) fn request(&self, prompt: &str) -> Result<ImageRequest, Error> {
        let mut request =
            ImageRequest::new(prompt).negative_prompt(&self.negative_prompt).seed(self.seed);
        Preset::for_model(self.file())?.apply_to_request(&mut request);
        request.sampling.steps = self.steps.unwrap_or(request.sampling.steps);
        request.sampling.cfg_scale = self.cfg_scale.unwrap_or(request.sampling.cfg_scale);
        Ok(request)
    }
}

/// The size to work on a picture in: as many pixels as the model draws well, in the picture's shape,
/// a multiple of 64 a side where the model is a large one.
pub(crate) fn working_size(picture: (u32, u32), model: (u32, u32)) -> (u32, u32) {
    let multiple = if model.0 < 256 { 8 } else { 64 };
    let pixels = f64::from(model.0) * f64::from(model.1);
    let (width, height) = (f64::from(picture.0.max(1)), f64::from(picture.1.max(1)));
    let factor = (pixels / (width * height)).sqrt();
    let side = |length: f64| {
        let multiples = (length * factor / f64::from(multiple)).round() as u32;
        multiples.max(1) * multiple
    };
    (side(width), side(height))
}

/// Writes a picture whose pixels were worked on after drawing.
pub(crate) fn save(picture: &RgbImage, path: &Path) -> Result<(), Error> {
    picture.save(path).map_err(|error| Error::ImageCodec {
        doing: format!("write {}", path.display()),
        reason: error.to_string(),
    })
}

/// Tells an error on stderr, with what to try.
pub(crate) fn exit(result: Result<(), Error>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    if let Some(advice) = error.advice() {
        eprintln!("  try: {advice}");
    }
    ExitCode::FAILURE
}
