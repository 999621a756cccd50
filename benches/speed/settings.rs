//! Whether another setting than the default is faster: one context with it and one without, by turns in one
//! process.

use crate::{
    Outcome,
    models::{demo, demo_picture, sd15, sd15_picture, threads},
    paired::phases_by_turns,
};
use sdcpp::{Context, ImageRequest, ModelConfig};
use std::time::{Duration, Instant};

/// A name, and what it changes; it is told how many threads there are by default.
type Setting = (&'static str, fn(ModelConfig, u32) -> ModelConfig);

const SETTINGS: [Setting; 6] = [
    ("diffusion_flash_attention", |config, _| config.diffusion_flash_attention(true)),
    ("im2col in the diffusion model", |config, _| config.diffusion_conv_direct(false)),
    ("im2col in the VAE", |config, _| config.vae_conv_direct(false)),
    ("mmap", |config, _| config.mmap(true)),
    ("half the threads", |config, threads| config.threads((threads / 2).max(1))),
    ("twice the threads", |config, threads| config.threads(threads * 2)),
];

pub(crate) fn measure() -> Outcome {
    let threads = threads()?;
    println!("Warm, against the defaults: more than 1 is slower than the default.\n");
    println!("| picture | other | picture, ratio (95 %) | sampling, ratio | decoding, ratio |");
    println!("|---|---|---|---|---|");
    for (name, set) in SETTINGS {
        row("demo, 128², 12 steps", name, 7, (set(demo(), threads), demo()), &demo_picture())?;
    }
    let large = "SD1.5 layout f16, 256², 2 steps";
    for (name, set) in SETTINGS {
        row(large, name, 3, (set(sd15()?, threads), sd15()?), &sd15_picture(256, 2))?;
    }
    Ok(())
}

fn draw(context: &mut Context, request: &ImageRequest) -> Outcome<[Duration; 3]> {
    let begin = Instant::now();
    let timings = context.generate(request)?.timings;
    Ok([begin.elapsed(), timings.sampling, timings.decoding])
}

fn row(
    picture: &str,
    name: &str,
    turns: usize,
    (other, default): (ModelConfig, ModelConfig),
    request: &ImageRequest,
) -> Outcome {
    let (mut other, mut default) = (Context::new(other)?, Context::new(default)?);
    let [whole, sampling, decoding] =
        phases_by_turns(turns, || draw(&mut other, request), || draw(&mut default, request))?;
    println!(
        "| {picture} | {name} | {} | {:.2} | {:.2} |",
        whole.ratio(),
        sampling.ratio().median,
        decoding.ratio().median,
    );
    Ok(())
}
