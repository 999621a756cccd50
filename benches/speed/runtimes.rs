//! The crate against other runtimes that draw on the processor: Stable Diffusion 1.5 in its real size with
//! random weights, on as many threads, phase by phase. Theirs are the programs of benches/candle and
//! benches/python.

use crate::{
    Outcome,
    models::{sd15, sd15_picture, threads},
    paired::phases_by_turns,
    program::Program,
};
use sdcpp::Context;
use std::{path::Path, process::Command, time::Duration};

/// As many as the picture has, for both.
const STEPS: u32 = 2;

const TURNS: usize = 6;

/// Built first, which takes ten minutes on two cores.
pub(crate) fn candle() -> Outcome {
    against(&["f32", "f16"], |kind| {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["run", "--quiet", "--release", "--locked", "--", kind])
            // Where its .cargo/config.toml counts.
            .current_dir(root().join("benches/candle"))
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTFLAGS");
        Ok(command)
    })
}

pub(crate) fn pytorch() -> Outcome {
    against(&["f32", "bf16"], |kind| python("pytorch", kind))
}

pub(crate) fn openvino() -> Outcome {
    against(&["f32", "bf16"], |kind| python("openvino", kind))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// In the environment that the script makes.
fn python(runtime: &str, kind: &str) -> Outcome<Command> {
    let program = root().join("target/runtimes/bin/python");
    if !program.exists() {
        let missing = program.display();
        return Err(format!("there is no {missing}; `scripts/bench.sh {runtime}` makes it").into());
    }
    let mut command = Command::new(program);
    command.arg(root().join("benches/python/stable_diffusion.py")).args([runtime, kind]);
    Ok(command)
}

/// One program after the other, so that no more than one model of theirs is in memory.
fn against(types: &[&str], command: impl Fn(&str) -> Outcome<Command>) -> Outcome {
    println!("Warm phases of SD1.5's layout, {} threads; ours with f16 weights.\n", threads()?);
    println!("| runtime | phase | ours, s | theirs, s | their time over ours (95 %) |");
    println!("|---|---|---|---|---|");
    let mut context = Context::new(sd15()?)?;
    // Reads the weights.
    context.generate(&sd15_picture(64, 1))?;
    let sides: &[u32] =
        if std::env::var_os("SDCPP_BENCH_LONG").is_some() { &[256, 512] } else { &[256] };
    for kind in types {
        let mut command = command(kind)?;
        let count = threads()?.to_string();
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"] {
            command.env(variable, &count);
        }
        let mut program = Program::start(&mut command)?;
        for side in sides {
            rows(&mut context, &mut program, *side)?;
        }
    }
    Ok(())
}

fn rows(context: &mut Context, program: &mut Program, side: u32) -> Outcome {
    let name = program.name().to_owned();
    let request = sd15_picture(side, STEPS);
    let phases = phases_by_turns(
        TURNS,
        || {
            let steps: Outcome<Duration> = (0..STEPS).map(|_| program.time("step", side)).sum();
            Ok([steps? / STEPS, program.time("decode", side)?])
        },
        || {
            let timings = context.generate(&request)?.timings;
            Ok([timings.sampling / STEPS, timings.decoding])
        },
    )?;
    for (phase, paired) in ["a step", "decoding"].into_iter().zip(phases) {
        let (theirs, ours) = paired.medians();
        println!("| {name} | {phase}, {side}² | {ours:.2} | {theirs:.2} | {} |", paired.ratio());
    }
    Ok(())
}
