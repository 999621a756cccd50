//! From the start of a process to its first picture.

use crate::{
    Outcome,
    direct::{Direct, Warm},
    models::{demo, demo_picture},
    paired::by_turns,
    upstream::UPSTREAM,
};
use sdcpp::{Context, ModelConfig};
use std::{
    env,
    process::{Command, ExitCode},
    time::Instant,
};

/// A process with this set draws the demo picture into the file that it names.
const DRAW_ONCE: &str = "SDCPP_BENCH_DRAW_ONCE";

/// In such a process, its exit code.
pub(crate) fn draw_once() -> Option<ExitCode> {
    let path = env::var_os(DRAW_ONCE)?;
    let draw = || -> Outcome {
        let generated = Context::new(demo())?.generate(&demo_picture())?;
        std::fs::write(path, generated.first().ok_or("no picture")?.as_bytes())?;
        Ok(())
    };
    Some(match draw() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

pub(crate) fn measure() -> Outcome {
    println!("A process that opens the demo model, draws once, writes bare pixels and ends.\n");
    println!("| demo, 128², 12 steps, against | crate, ms | the other, ms | ratio (95 %) |");
    println!("|---|---|---|---|");
    // As each has it by default.
    let im2col = demo().diffusion_conv_direct(false).vae_conv_direct(false);
    row("the C API of the same build", &Direct::new()?, &demo())?;
    row("the C API of upstream's own build", &Direct::of(UPSTREAM.build("direct", &[])?)?, &im2col)
}

fn row(name: &str, direct: &Direct, config: &ModelConfig) -> Outcome {
    let folder = tempfile::tempdir()?;
    let program = env::current_exe()?;
    let paired = by_turns(
        15,
        || {
            let begin = Instant::now();
            let output =
                Command::new(&program).env(DRAW_ONCE, folder.path().join("rgb")).output()?;
            let took = begin.elapsed();
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            Ok(took)
        },
        || Ok(direct.draw(config, &demo_picture(), Warm::No)?.process),
    )?;
    let (ours, theirs) = paired.medians();
    println!("| {name} | {:.0} | {:.0} | {} |", ours * 1e3, theirs * 1e3, paired.ratio());
    Ok(())
}
