//! Draws a picture from words.
//!
//! ```sh
//! cargo run --release --example txt2img -- --prompt "a red circle" -o out.png
//! ```
//!
//! Without `--model` and `SD_MODEL_PATH` it uses the small demo model of the repository, which knows
//! coloured shapes. Options rank before the environment (`SD_*`, see [`Settings`]), that before the
//! model's preset, that before the general defaults.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use sdcpp::{
    CancelToken, Context, Engine, Error, Generated, ImageRequest, ModelConfig, Preset, Progress,
    Sampler, Scheduler, Settings, VaeTiling, Watch, WeightType, open_picture,
};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Draw a picture from words.
#[derive(Parser)]
#[command(version, about)]
struct Options {
    /// What to draw
    #[arg(short, long)]
    prompt: String,
    /// What to avoid
    #[arg(short, long)]
    negative_prompt: Option<String>,
    /// PNG file to write; pictures of a batch get numbers
    #[arg(short, long, default_value = "out.png")]
    output: PathBuf,
    /// Model file (safetensors or GGUF); else SD_MODEL_PATH, else the demo model
    #[arg(short, long)]
    model: Option<PathBuf>,
    /// VAE file; else SD_VAE_PATH, else the one in the model
    #[arg(long)]
    vae: Option<PathBuf>,
    /// TAESD file, a smaller and faster decoder
    #[arg(long)]
    taesd: Option<PathBuf>,
    /// Width in pixels
    #[arg(short = 'W', long)]
    width: Option<u32>,
    /// Height in pixels
    #[arg(short = 'H', long)]
    height: Option<u32>,
    /// Sampling steps
    #[arg(long)]
    steps: Option<u32>,
    /// How strongly the prompt rules
    #[arg(long)]
    cfg_scale: Option<f32>,
    /// Sampler, as "euler_a" or "DPM++ 2M Karras"
    #[arg(long, alias = "sampler", value_parser = sampler)]
    sampling_method: Option<(Sampler, Option<Scheduler>)>,
    /// Scheduler, as "karras"
    #[arg(long)]
    scheduler: Option<Scheduler>,
    /// Seed; negative for a random one
    #[arg(short, long, allow_negative_numbers = true)]
    seed: Option<i64>,
    /// How many pictures
    #[arg(short, long, default_value_t = 1)]
    batch_count: u32,
    /// Picture to start from
    #[arg(short, long)]
    init_img: Option<PathBuf>,
    /// How much of it may change, 0 to 1
    #[arg(long, default_value_t = 0.75)]
    strength: f32,
    /// Where it may change: white repaints, black keeps
    #[arg(long)]
    mask: Option<PathBuf>,
    /// Decode in tiles, for less memory
    #[arg(long)]
    vae_tiling: bool,
    /// Weight type, as f16, q8_0 or q4_0
    #[arg(long = "type")]
    weight_type: Option<WeightType>,
    /// CPU threads; the physical cores otherwise
    #[arg(short, long)]
    threads: Option<u32>,
    /// Devices to compute on, as "cuda0" or "vulkan0,te=cpu"
    #[arg(long)]
    backend: Option<String>,
    /// Map weights from the file instead of reading them
    #[arg(long)]
    mmap: bool,
    /// Allow pickle checkpoints (.ckpt), which can crash the program if hostile
    #[arg(long)]
    trust_pickle: bool,
    /// Show the engine's log
    #[arg(short, long)]
    verbose: bool,
}

/// Lines of the engine shown with an error.
const MAX_LINES: usize = 5;

fn sampler(text: &str) -> Result<(Sampler, Option<Scheduler>), Error> {
    Sampler::with_scheduler(text)
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.verbose {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(std::io::stderr)
            .init();
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let lines = error.engine_lines();
            for line in lines.iter().take(MAX_LINES) {
                eprintln!("  engine: {line}");
            }
            if lines.len() > MAX_LINES {
                eprintln!("  … and {} more lines (all with --verbose)", lines.len() - MAX_LINES);
            }
            if let Some(advice) = error.advice() {
                eprintln!("  try: {advice}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let model =
        options.model.clone().or_else(|| settings.model_path.clone()).unwrap_or_else(demo_model);
    let preset = Preset::for_model(&model)?;
    let config = config(options, &settings, &preset, model);
    let request = request(options, &settings, &preset)?;
    request.check()?;

    let cancel = CancelToken::new();
    let on_signal = cancel.clone();
    if let Err(error) = ctrlc::set_handler(move || on_signal.cancel()) {
        eprintln!("warning: Ctrl-C will end the program at once: {error}");
    }

    let mut context = Context::open(&Engine::auto()?, config, Watch::new())?;
    let opened = context.load_timings().total;
    let mut bar = Bar::new();
    let mut watch =
        Watch::new().on_progress(|progress| bar.show(progress)).cancel_with(cancel.clone());
    if let Some(limit) = settings.time_limit() {
        watch = watch.time_limit(limit);
    }
    let generated = context.generate_with(&request, watch);
    bar.finish();
    let generated = generated?;

    for (index, picture) in generated.images.iter().enumerate() {
        let path = numbered(&options.output, index, generated.images.len());
        picture.save(&path)?;
        println!("{} ({}, seed {})", path.display(), context.family(), picture.seed());
    }
    report(&generated, opened);
    Ok(())
}

fn demo_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/models/demo_q8_0.gguf")
}

fn config(options: &Options, settings: &Settings, preset: &Preset, model: PathBuf) -> ModelConfig {
    let mut config = ModelConfig::new(model).trust_pickle(options.trust_pickle);
    config.mmap = options.mmap.then_some(true);
    config.vae.clone_from(&options.vae);
    config.taesd.clone_from(&options.taesd);
    config.threads = options.threads;
    config.weight_type = options.weight_type;
    config.backend.clone_from(&options.backend);
    settings.apply_to_config(&mut config);
    preset.apply_to_config(&mut config);
    config
}

fn request(options: &Options, settings: &Settings, preset: &Preset) -> Result<ImageRequest, Error> {
    let mut request = ImageRequest::new(&options.prompt).batch(options.batch_count);
    // The later of these rank higher.
    preset.apply_to_request(&mut request);
    settings.apply_to_request(&mut request);
    if let Some(text) = &options.negative_prompt {
        request.negative_prompt.clone_from(text);
    }
    request.width = options.width.unwrap_or(request.width);
    request.height = options.height.unwrap_or(request.height);
    request.sampling.steps = options.steps.unwrap_or(request.sampling.steps);
    request.sampling.cfg_scale = options.cfg_scale.unwrap_or(request.sampling.cfg_scale);
    if let Some((sampler, scheduler)) = options.sampling_method {
        request.sampling.sampler = Some(sampler);
        request.sampling.scheduler = scheduler.or(request.sampling.scheduler);
    }
    request.sampling.scheduler = options.scheduler.or(request.sampling.scheduler);
    request.seed = options.seed;
    request.denoising_strength = options.strength;
    if options.vae_tiling {
        request.vae_tiling = Some(VaeTiling::default());
    }
    if let Some(path) = &options.init_img {
        request = request.init_image(open_picture(path)?);
    }
    if let Some(path) = &options.mask {
        request = request.mask(open_picture(path)?);
    }
    Ok(request)
}

/// `out.png` of several pictures is `out-1.png`, `out-2.png`, …
fn numbered(path: &Path, index: usize, count: usize) -> PathBuf {
    if count == 1 {
        return path.to_path_buf();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{}.png", index + 1))
}

fn report(generated: &Generated, opened: Duration) {
    let seconds = |d: Duration| format!("{:.2} s", d.as_secs_f32());
    let timings = generated.timings;
    eprintln!(
        "open {}, load {}, text {}, sampling {}, decode {}, in all {}",
        seconds(opened),
        seconds(timings.load),
        seconds(timings.text_encoding),
        seconds(timings.sampling),
        seconds(timings.decoding),
        seconds(opened + timings.total),
    );
    for warning in &generated.warnings {
        eprintln!("warning: {warning}");
    }
}

/// One bar whose label says the phase.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg:10} {bar:40} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn show(&mut self, progress: Progress) -> ControlFlow<()> {
        let (label, at, of) = match progress {
            Progress::Loading { tensors, total } => ("loading", tensors, total),
            Progress::Encoding { tile, tiles } => ("encoding", tile, tiles),
            Progress::Sampling { step, steps, image, images, .. } => {
                ("sampling", step + (image.saturating_sub(1)) * steps, steps * images.max(1))
            }
            Progress::Decoding { tile, tiles } => ("decoding", tile, tiles),
            _ => return ControlFlow::Continue(()),
        };
        if self.0.message() != label {
            self.0.reset();
            self.0.set_message(label);
        }
        self.0.set_length(u64::from(of));
        self.0.set_position(u64::from(at));
        ControlFlow::Continue(())
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
