//! What the type of the weights costs and brings: Stable Diffusion 1.5 of the real size, converted as it is
//! loaded, against its f16 file as it is.

use crate::{
    Outcome,
    models::{sd15, sd15_picture},
    paired::{by_turns, median_of_turns},
};
use sdcpp::{Context, ImageRequest, WeightType};
use std::time::{Duration, Instant};

const TYPES: [WeightType; 6] = [
    WeightType::F32,
    WeightType::Bf16,
    WeightType::Q8_0,
    WeightType::Q5_0,
    WeightType::Q4_0,
    WeightType::Q4K,
];

pub(crate) fn measure() -> Outcome {
    println!("Warm, against f16: more than 1 is slower. Steps with and without the prompt.\n");
    println!(
        "| size | weights | a step, s | f16, s | decoding, s | f16, s | picture, ratio (95 %) |"
    );
    println!("|---|---|---|---|---|---|---|");
    for kind in TYPES {
        row(256, 2, 3, kind)?;
    }
    // Ten minutes each on two cores.
    if std::env::var_os("SDCPP_BENCH_LONG").is_some() {
        for kind in [WeightType::Q8_0, WeightType::Q4_0] {
            row(512, 2, 2, kind)?;
        }
    }
    Ok(())
}

/// A context, and the times of the phases of what it drew.
struct Timed {
    context: Context,
    steps: Vec<f64>,
    decoding: Vec<f64>,
}

impl Timed {
    /// Opened, and its weights read.
    fn open(config: &sdcpp::ModelConfig, request: &ImageRequest) -> Outcome<Self> {
        let mut context = Context::new(config)?;
        context.generate(&request.clone().size(64, 64).steps(1))?;
        Ok(Self { context, steps: Vec::new(), decoding: Vec::new() })
    }

    fn draw(&mut self, request: &ImageRequest) -> Outcome<Duration> {
        let begin = Instant::now();
        let timings = self.context.generate(request)?.timings;
        let took = begin.elapsed();
        self.steps.push(timings.sampling.as_secs_f64() / f64::from(request.sampling.steps));
        self.decoding.push(timings.decoding.as_secs_f64());
        Ok(took)
    }
}

fn row(side: u32, steps: u32, turns: usize, kind: WeightType) -> Outcome {
    let request = sd15_picture(side, steps);
    let mut other = Timed::open(&sd15()?.weight_type(kind), &request)?;
    let mut f16 = Timed::open(&sd15()?, &request)?;
    let paired = by_turns(turns, || other.draw(&request), || f16.draw(&request))?;
    println!(
        "| {side}² | {kind} | {:.2} | {:.2} | {:.2} | {:.2} | {} |",
        median_of_turns(&other.steps),
        median_of_turns(&f16.steps),
        median_of_turns(&other.decoding),
        median_of_turns(&f16.decoding),
        paired.ratio()
    );
    Ok(())
}
