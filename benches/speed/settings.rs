//! Whether another setting than the default is faster: one context with it and one without, by turns in one
//! process.

use crate::{
    Outcome,
    models::{demo, demo_picture, sd15, sd15_picture, threads},
    paired::{by_turns, median_of_turns},
};
use sdcpp::{Context, ImageRequest, ModelConfig};
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

/// A name, and what it changes.
type Setting = (&'static str, fn(ModelConfig) -> ModelConfig);

const SETTINGS: [Setting; 6] = [
    ("diffusion_flash_attention", |config| config.diffusion_flash_attention(true)),
    ("im2col in the diffusion model", |config| config.diffusion_conv_direct(false)),
    ("im2col in the VAE", |config| config.vae_conv_direct(false)),
    ("mmap", |config| config.mmap(true)),
    ("half the threads", |config| config.threads((threads() / 2).max(1))),
    ("twice the threads", |config| config.threads(threads() * 2)),
];

pub(crate) fn measure() -> Outcome {
    println!("Warm, against the defaults: more than 1 is slower than the default.\n");
    println!("| picture | other | picture, ratio (95 %) | sampling, ratio | decoding, ratio |");
    println!("|---|---|---|---|---|");
    for (name, set) in SETTINGS {
        row("demo, 128², 12 steps", name, 7, (set(demo()), demo()), &demo_picture())?;
    }
    let large = "SD1.5 layout f16, 256², 2 steps";
    for (name, set) in SETTINGS {
        row(large, name, 2, (set(sd15()?), sd15()?), &sd15_picture(256, 2))?;
    }
    Ok(())
}

/// Times of the phases of the pictures that one of the two drew.
#[derive(Default)]
struct Phases {
    sampling: RefCell<Vec<f64>>,
    decoding: RefCell<Vec<f64>>,
}

fn draw(context: &mut Context, request: &ImageRequest, phases: &Phases) -> Outcome<Duration> {
    let begin = Instant::now();
    let generated = context.generate(request)?;
    let took = begin.elapsed();
    phases.sampling.borrow_mut().push(generated.timings.sampling.as_secs_f64());
    phases.decoding.borrow_mut().push(generated.timings.decoding.as_secs_f64());
    Ok(took)
}

fn row(
    picture: &str,
    name: &str,
    turns: usize,
    (other, default): (ModelConfig, ModelConfig),
    request: &ImageRequest,
) -> Outcome {
    let (mut other, mut default) = (Context::new(other)?, Context::new(default)?);
    let (ours, theirs) = (Phases::default(), Phases::default());
    let paired = by_turns(
        turns,
        || draw(&mut other, request, &ours),
        || draw(&mut default, request, &theirs),
    )?;
    let median = |times: &RefCell<Vec<f64>>| median_of_turns(&times.borrow());
    println!(
        "| {picture} | {name} | {} | {:.2} | {:.2} |",
        paired.ratio(),
        median(&ours.sampling) / median(&theirs.sampling),
        median(&ours.decoding) / median(&theirs.decoding),
    );
    Ok(())
}
