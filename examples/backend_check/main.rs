//! Tries a backend on this machine: are its pictures those of the processor, and how fast is it? With
//! `--direct`, also against the engine's C API without this binding. `scripts/gpu-check.sh` runs it on a
//! machine that has no Rust.
//!
//! ```text
//! SDCPP_LIBRARY=engines cargo run --release --example backend_check -- --backend vulkan
//! ```
//!
//! The demo model's picture is compared with the one that the same engine draws on the processor. Then
//! layouts of the real size are measured, and with `--runtime` the same by another program, by turns.
//! The program can be built elsewhere: it needs no more than the engine's library.

mod direct;
mod layout;
mod measure;
#[path = "../../benches/speed/paired.rs"]
#[allow(dead_code, reason = "it is the benchmarks', and has more than is used here")]
mod paired;
mod peak;
#[path = "../../benches/speed/program.rs"]
mod program;
mod runtime;

use clap::{Parser, ValueEnum};
use direct::Direct;
use layout::Layout;
use sdcpp::{Backend, Context, Engine, Generated, ImageRequest, ModelConfig, Sampler, Watch};
use std::{error::Error, path::PathBuf};

/// What a check comes to.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Whether the diffusion model computes attention without the table of all scores.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum FlashAttention {
    Off,
    On,
    Both,
}

#[derive(Parser)]
struct Options {
    /// cuda, hip, sycl, metal, vulkan or cpu; the best there is if it is left out
    #[arg(long)]
    backend: Option<Backend>,
    /// Real-size layouts to measure, or none of them; by default both, on the processor sd15 alone
    #[arg(long, value_delimiter = ',')]
    layouts: Vec<Layout>,
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
    /// Diffusion with flash attention; by default both with and without, on the processor without
    #[arg(long)]
    flash_attention: Option<FlashAttention>,
    /// Another program to measure by turns: its command line, to which --layout and the layout are added.
    /// It answers as benches/python/stable_diffusion.py does
    #[arg(long, value_name = "COMMAND")]
    runtime: Vec<String>,
}

impl Options {
    fn direct(&self) -> Option<Direct> {
        self.direct.clone().map(|program| Direct { program })
    }

    /// SDXL would take hours on a processor.
    fn layouts(&self, backend: Backend) -> Vec<Layout> {
        match self.layouts.as_slice() {
            [] if backend == Backend::Cpu => vec![Layout::Sd15],
            [] => vec![Layout::Sd15, Layout::Sdxl],
            named => named.to_vec(),
        }
    }

    fn flash_attention(&self, backend: Backend) -> &'static [bool] {
        match self.flash_attention {
            Some(FlashAttention::Off) => &[false],
            Some(FlashAttention::On) => &[true],
            None if backend == Backend::Cpu => &[false],
            Some(FlashAttention::Both) | None => &[false, true],
        }
    }
}

fn main() -> Outcome {
    let options = Options::parse();
    let (engine, backend) = match options.backend {
        Some(backend) => (backend.engine()?, backend),
        None => {
            let best = Backend::best()?;
            println!("{best}\n");
            (best.engine, best.backend)
        }
    };
    let device = device(&engine, backend)?;
    println!("engine {}, device {device}\n", engine.commit());
    compare(&engine, &device, &options)?;
    let layouts = options.layouts(backend);
    measure::tables(&engine, &device, &layouts, options.flash_attention(backend), &options)
}

/// The first device of a backend.
fn device(engine: &Engine, backend: Backend) -> Outcome<String> {
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
fn compare(engine: &Engine, device: &str, options: &Options) -> Outcome {
    let config = |device: &str| {
        ModelConfig::new(options.models.join("demo_q8_0.gguf"))
            .taesd(options.models.join("demo_tae.gguf"))
            .backend(device)
            .threads(engine.physical_cores())
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
fn same(name: &str, ours: &[u8], theirs: &[u8], options: &Options) -> Outcome<String> {
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

fn pixels(generated: &Generated) -> Outcome<&[u8]> {
    Ok(generated.first().ok_or("no picture")?.as_bytes())
}

/// The mean and the largest difference of two pictures' values.
fn difference(a: &[u8], b: &[u8]) -> Outcome<(f64, u8)> {
    if a.len() != b.len() {
        return Err("the pictures have different sizes".into());
    }
    let apart = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    let (sum, most) = apart.fold((0_u64, 0), |(sum, most), d| (sum + u64::from(d), d.max(most)));
    Ok((sum as f64 / a.len() as f64, most))
}
