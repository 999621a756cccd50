//! The crate with its defaults, against the engine as its own build makes it by default: the same source,
//! the same model, the same threads.

use crate::{
    Outcome,
    cmake::{Engine, Project},
    direct::{Direct, Warm},
    models::{demo, demo_picture, sd15, sd15_picture},
    paired::{by_turns, median_of_turns},
};
use sdcpp::{Context, ImageRequest, ModelConfig};
use std::time::Instant;

pub(crate) fn measure() -> Outcome {
    let direct = Direct::of(UPSTREAM.build("direct", &[])?)?;
    println!("`Context::generate`, warm, against the C API of upstream's own build.\n");
    println!(
        "| picture | crate, s | a step, s | decoding, s | upstream, s | upstream's time over ours (95 %) | mean difference |"
    );
    println!("|---|---|---|---|---|---|---|");
    row(&direct, "demo, 128², 12 steps", 9, &demo(), &demo_picture())?;
    row(&direct, "SD1.5 layout f16, 256², 3 steps", 3, &sd15()?, &sd15_picture(256, 3))?;
    // A quarter of an hour on two cores.
    if std::env::var_os("SDCPP_BENCH_LONG").is_some() {
        row(&direct, "SD1.5 layout f16, 512², 3 steps", 3, &sd15()?, &sd15_picture(512, 3))?;
    }
    Ok(())
}

/// The engine as it is, with the options that it has by itself.
pub(crate) const UPSTREAM: Project =
    Project { source: "benches/upstream", folder: "upstream", engine: Engine::Upstream };

fn row(
    direct: &Direct,
    name: &str,
    turns: usize,
    config: &ModelConfig,
    request: &ImageRequest,
) -> Outcome {
    let mut context = Context::new(config)?;
    // Reads the weights.
    context.generate(&request.clone().size(64, 64).steps(1))?;
    let ours = context.generate(request)?;
    // As the engine has it by default.
    let plain = &config.clone().diffusion_conv_direct(false).vae_conv_direct(false);
    let theirs = direct.draw(plain, request, Warm::Small)?;
    let difference = mean_difference(ours.first().ok_or("no picture")?.as_bytes(), &theirs.pixels)?;
    let (mut sampling, mut decoding) = (Vec::new(), Vec::new());
    let paired = by_turns(
        turns,
        || Ok(direct.draw(plain, request, Warm::Small)?.picture),
        || {
            let begin = Instant::now();
            let generated = context.generate(request)?;
            let took = begin.elapsed();
            sampling.push(generated.timings.sampling.as_secs_f64());
            decoding.push(generated.timings.decoding.as_secs_f64());
            Ok(took)
        },
    )?;
    let (upstream, own) = paired.medians();
    println!(
        "| {name} | {own:.2} | {:.3} | {:.2} | {upstream:.2} | {} | {difference:.2} |",
        median_of_turns(&sampling) / f64::from(request.sampling.steps),
        median_of_turns(&decoding),
        paired.ratio(),
    );
    Ok(())
}

/// Of values of 0 to 255.
fn mean_difference(a: &[u8], b: &[u8]) -> Outcome<f64> {
    if a.len() != b.len() {
        return Err("the pictures have different sizes".into());
    }
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    Ok(sum as f64 / a.len() as f64)
}
