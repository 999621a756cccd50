//! Draws a picture in a process of its own: this program, started once more.
//!
//! ```sh
//! cargo run --release --example isolated -- --prompt "a red circle" -o out.png
//! ```
//!
//! If the engine crashes, is killed or hangs, the picture is drawn again by a fresh worker. Without
//! `--model` it uses the demo model of the repository, which knows coloured shapes.

use clap::Parser;
use sdcpp::{
    Error, ImageRequest, ModelConfig, Result, Watch,
    isolated::{Worker, WorkerCommand, WorkerOptions, worker_main},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Draw a picture in a process of its own.
#[derive(Parser)]
struct Options {
    /// What to draw
    #[arg(short, long)]
    prompt: String,
    /// PNG file to write
    #[arg(short, long, default_value = "out.png")]
    output: PathBuf,
    /// Model file (safetensors or GGUF); else the demo model
    #[arg(short, long)]
    model: Option<PathBuf>,
    /// The worker program; else this program is its own worker
    #[arg(long)]
    worker: Option<PathBuf>,
    /// Width and height in pixels
    #[arg(long, default_value_t = 128)]
    size: u32,
    /// Sampling steps
    #[arg(long, default_value_t = 12)]
    steps: u32,
    /// Threads of the engine; else one for each core
    #[arg(short, long)]
    threads: Option<u32>,
    /// Seconds a picture may take; a worker that does not stop then is killed
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Bytes of memory the worker may have (Linux)
    #[arg(long)]
    memory_limit: Option<u64>,
}

fn main() -> ExitCode {
    // First of all: in a worker this does not return.
    worker_main();
    match draw(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if let Some(advice) = error.advice() {
                eprintln!("{advice}");
            }
            ExitCode::FAILURE
        }
    }
}

fn draw(options: &Options) -> Result<()> {
    let request = ImageRequest::new(&options.prompt)
        .size(options.size, options.size)
        .steps(options.steps)
        .cfg_scale(3.0)
        .seed(42);
    let mut worker = start(options)?;
    eprintln!("worker {} with {}", worker.process_id(), worker.family());
    let watch = || Watch::new().time_limit(Duration::from_secs(options.seconds));
    let generated = match worker.generate_with(&request, watch()) {
        Err(error @ Error::WorkerCrashed { .. }) => {
            eprintln!("{error}; once more");
            worker = start(options)?;
            worker.generate_with(&request, watch())?
        }
        result => result?,
    };
    for picture in &generated.images {
        picture.save(&options.output)?;
    }
    println!("{} in {:?}", options.output.display(), generated.timings.total);
    Ok(())
}

fn start(options: &Options) -> Result<Worker> {
    let command = match &options.worker {
        Some(path) => WorkerCommand::program(path),
        None => WorkerCommand::this_program(),
    };
    let mut config = match &options.model {
        Some(model) => ModelConfig::new(model),
        None => {
            let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/models");
            ModelConfig::new(models.join("demo_q8_0.gguf")).taesd(models.join("demo_tae.gguf"))
        }
    };
    config.threads = options.threads;
    let mut limits = WorkerOptions::default();
    limits.memory_limit = options.memory_limit;
    Worker::start(&command, config, &limits, Watch::new())
}
