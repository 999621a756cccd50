//! How much arithmetic the phases of Stable Diffusion 1.5 need at the least, as the layers are written down
//! in the paper and its published configuration, and how near the engine is to what the processor can do.

use crate::{
    Outcome,
    models::{sd15, sd15_picture},
    nodes,
    paired::median,
};
use sdcpp::Context;

const WORDS: f64 = 77.0;
const WORD_WIDTH: f64 = 768.0;
const TIME_WIDTH: f64 = 1280.0;

pub(crate) fn measure() -> Outcome {
    let peak = nodes::peak()?;
    println!(
        "The processor's peak is {:.0} GFLOPS in f32, on all threads: multiply-adds in registers.\n",
        peak / 1e9
    );
    println!("| phase | TFLOP | at the peak, s | measured, s | of the peak |");
    println!("|---|---|---|---|---|");
    for side in [256_u32, 512] {
        let mut context = Context::new(sd15()?)?;
        let request = sd15_picture(side, 2);
        context.generate(&request.clone().size(64, 64).steps(1))?;
        let (mut step, mut decode) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let timings = context.generate(&request)?.timings;
            step.push(timings.sampling.as_secs_f64() / f64::from(request.sampling.steps));
            decode.push(timings.decoding.as_secs_f64());
        }
        let places = f64::from(side / 8).powi(2);
        // With and without the prompt.
        for (name, operations, seconds) in [
            ("a step", 2.0 * unet(places), median(step)),
            ("decoding", decoder(places), median(decode)),
        ] {
            let least = operations / peak;
            println!(
                "| {name}, {side}² | {:.3} | {least:.2} | {seconds:.2} | {:.0} % |",
                operations / 1e12,
                100.0 * least / seconds
            );
        }
    }
    Ok(())
}

fn convolution(places: f64, from: f64, to: f64, size: f64) -> f64 {
    2.0 * places * from * to * size * size
}

/// A residual block: two convolutions, the time, and another width for what goes past it.
fn residual(places: f64, from: f64, to: f64, time: f64) -> f64 {
    let past = if from == to { 0.0 } else { convolution(places, from, to, 1.0) };
    convolution(places, from, to, 3.0) + convolution(places, to, to, 3.0) + 2.0 * time * to + past
}

/// A transformer block: attention to the picture and to the words, and a gated layer of four times the width.
fn transformer(places: f64, width: f64) -> f64 {
    let dense = |rows: f64, from: f64, to: f64| 2.0 * rows * from * to;
    let attention = |keys: f64| 2.0 * 2.0 * places * keys * width;
    let itself = 4.0 * dense(places, width, width) + attention(places);
    let words = 2.0 * dense(places, width, width)
        + 2.0 * dense(WORDS, WORD_WIDTH, width)
        + attention(WORDS);
    let gated = dense(places, width, 8.0 * width) + dense(places, 4.0 * width, width);
    2.0 * dense(places, width, width) + itself + words + gated
}

/// One evaluation of the U-Net for a latent picture of so many places.
fn unet(places: f64) -> f64 {
    const WIDTHS: [f64; 4] = [320.0, 640.0, 1280.0, 1280.0];
    let residual = |places, from, to| residual(places, from, to, TIME_WIDTH);
    let mut sum = 2.0 * (320.0 * TIME_WIDTH + TIME_WIDTH * TIME_WIDTH);
    sum += convolution(places, 4.0, 320.0, 3.0) + convolution(places, 320.0, 4.0, 3.0);
    // Down, with what each block leaves for the way up.
    let (mut at, mut width, mut left) = (places, 320.0, vec![320.0]);
    for (level, to) in WIDTHS.into_iter().enumerate() {
        for _ in 0..2 {
            sum += residual(at, width, to);
            if level < 3 {
                sum += transformer(at, to);
            }
            width = to;
            left.push(width);
        }
        if level < 3 {
            at /= 4.0;
            sum += convolution(at, width, width, 3.0);
            left.push(width);
        }
    }
    sum += 2.0 * residual(at, width, width) + transformer(at, width);
    for (level, to) in WIDTHS.into_iter().enumerate().rev() {
        for _ in 0..3 {
            sum += residual(at, width + left.pop().unwrap_or_default(), to);
            if level < 3 {
                sum += transformer(at, to);
            }
            width = to;
        }
        if level > 0 {
            at *= 4.0;
            sum += convolution(at, width, width, 3.0);
        }
    }
    sum
}

/// The VAE's decoder for a latent picture of so many places.
fn decoder(places: f64) -> f64 {
    const WIDTHS: [f64; 4] = [512.0, 512.0, 256.0, 128.0];
    let residual = |places, from, to| residual(places, from, to, 0.0);
    let (mut at, mut width) = (places, 512.0);
    let mut sum = convolution(at, 4.0, 4.0, 1.0) + convolution(at, 4.0, width, 3.0);
    let attention = 4.0 * convolution(at, width, width, 1.0) + 4.0 * at * at * width;
    sum += 2.0 * residual(at, width, width) + attention;
    for (level, to) in WIDTHS.into_iter().enumerate() {
        for _ in 0..3 {
            sum += residual(at, width, to);
            width = to;
        }
        if level < 3 {
            at *= 4.0;
            sum += convolution(at, width, width, 3.0);
        }
    }
    sum + convolution(at, width, 3.0, 3.0)
}
