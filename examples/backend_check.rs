//! Tries a backend on this machine: are its pictures those of the processor, and how fast is it?
//!
//! ```text
//! SDCPP_LIBRARY=engines cargo run --release --example backend_check -- --backend vulkan --layouts sd15,sdxl
//! ```
//!
//! The demo model's picture is compared with the one that the same engine draws on the processor. The
//! layouts have the real shape of every tensor and random weights, so that no download is needed: what
//! they draw is noise, and takes as long as a picture; but `sdxl` has a VAE with a narrow decoder, so its
//! decoding says nothing. They are written to `target/test-models` (2 and 7 GB), or to `test-models` in
//! `CARGO_TARGET_DIR`. The program can be built elsewhere: it needs no more than the engine's library.

use clap::Parser;
use sdcpp::{
    Backend, Context, Engine, Generated, ImageRequest, ModelConfig, Progress, Sampler, Watch,
};
use sdcpp_test_support::{FloatType, Format, Sd1, TextEncoders, UNet, UNetFamily, WeightType};
use std::{error::Error, ops::ControlFlow, path::PathBuf, time::Duration};

#[derive(Parser)]
struct Options {
    /// cuda, hip, sycl, metal, vulkan or cpu; the best there is if it is left out
    #[arg(long)]
    backend: Option<Backend>,
    /// Real-size layouts to measure: sd15, sdxl, or none
    #[arg(long, value_delimiter = ',', default_value = "sd15")]
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
}

fn main() -> Result<(), Box<dyn Error>> {
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
    println!(
        "\n| layout | weights | size | steps a second | a step, ms | text, ms | decoding, s |"
    );
    println!("|---|---|---|---|---|---|---|");
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
    let draw = |device: &str, prompt: &str| -> Result<Generated, sdcpp::Error> {
        let config = ModelConfig::new(options.models.join("demo_q8_0.gguf"))
            .taesd(options.models.join("demo_tae.gguf"))
            .backend(device);
        let mut context = Context::open(engine, config, Watch::new())?;
        let request = ImageRequest::new(prompt)
            .size(128, 128)
            .steps(12)
            .cfg_scale(3.0)
            .sampler(Sampler::Euler)
            .seed(42);
        context.generate(&request)
    };
    let (drawn, expected) = (draw(device, "a red circle")?, draw("cpu", "a red circle")?);
    let other = draw("cpu", "a blue square")?;
    for (name, generated) in [("device", &drawn), ("processor", &expected)] {
        let path = format!("backend_check-{name}.png");
        generated.images.first().ok_or("no picture")?.save(&path)?;
        println!("saved {path}");
    }
    let (mean, most) = difference(&drawn, &expected)?;
    let (apart, _) = difference(&other, &expected)?;
    println!("demo on {device} and on the processor: mean difference {mean:.3}, largest {most}");
    println!("(another prompt's picture differs by {apart:.1} on average)");
    if mean > options.tolerance {
        return Err(format!("{device} draws another picture than the processor").into());
    }
    Ok(())
}

/// The mean and the largest difference of two pictures' values.
fn difference(a: &Generated, b: &Generated) -> Result<(f64, u8), Box<dyn Error>> {
    let (a, b) = (a.first().ok_or("no picture")?, b.first().ok_or("no picture")?);
    if a.as_bytes().len() != b.as_bytes().len() {
        return Err("the pictures have different sizes".into());
    }
    let apart = a.as_bytes().iter().zip(b.as_bytes()).map(|(a, b)| a.abs_diff(*b));
    let (sum, most) = apart.fold((0_u64, 0), |(sum, most), d| (sum + u64::from(d), d.max(most)));
    Ok((sum as f64 / a.as_bytes().len() as f64, most))
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

fn measure(
    engine: &Engine,
    device: &str,
    name: &str,
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    let (config, usual) = layout(name)?;
    let size = options.size.unwrap_or(usual);
    let mut context = Context::open(engine, config.backend(device), Watch::new())?;
    let request = ImageRequest::new("a lighthouse")
        .size(size, size)
        .steps(options.steps)
        .cfg_scale(7.0)
        .sampler(Sampler::Euler)
        .seed(1);
    // Weights are read, and kernels compiled, with the first picture.
    context.generate(&request.clone().steps(2))?;
    let mut steps: Vec<Duration> = Vec::new();
    let watch = Watch::new().on_progress(|progress| {
        if let Progress::Sampling { step: 1.., step_time, .. } = progress {
            steps.push(step_time);
        }
        ControlFlow::Continue(())
    });
    let timings = context.generate_with(&request, watch)?.timings;
    steps.sort_unstable();
    let step = steps.get(steps.len() / 2).ok_or("no step was reported")?.as_secs_f64();
    println!(
        "| {name} | f16 | {size}² | {:.2} | {:.0} | {:.0} | {:.2} |",
        1.0 / step,
        step * 1e3,
        timings.text_encoding.as_secs_f64() * 1e3,
        timings.decoding.as_secs_f64(),
    );
    Ok(())
}
