//! A picture while something else wants the same cores, by the C API: upstream's engine, and this one with other
//! ways for its threads to wait, against this one as it is.

use crate::{
    Outcome, builds,
    direct::{Direct, Warm},
    models::{demo, demo_picture, threads},
    paired::by_turns,
    upstream::UPSTREAM,
};
use sdcpp::ModelConfig;
use std::{
    hint,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// What else runs.
#[derive(Debug, Clone, Copy)]
enum Beside {
    /// A thread that computes without end.
    Busy,
    /// The same picture; until the later one is there.
    Same,
}

pub(crate) fn measure() -> Outcome {
    println!("Demo, 128², 12 steps, with {} threads, beside something else.\n", threads()?);
    println!("| beside | other | other, s | engine, s | its time over ours (least to most) |");
    println!("|---|---|---|---|---|");
    let mut others: Vec<(&str, PathBuf, ModelConfig)> = Vec::new();
    for (name, program) in builds::other_threads()? {
        others.push((name, program, demo()));
    }
    let plain = demo().diffusion_conv_direct(false).vae_conv_direct(false);
    others.push(("upstream's own build", UPSTREAM.build("direct", &[])?, plain));
    let default = builds::default_build()?;
    let ours = [Direct::of(default.clone())?, Direct::of(default)?];
    for (name, beside) in [
        ("a program that computes without end", Beside::Busy),
        ("a second one of the same", Beside::Same),
    ] {
        for (other, program, config) in &others {
            let theirs = [Direct::of(program.clone())?, Direct::of(program.clone())?];
            let paired =
                by_turns(5, || draw(&theirs, config, beside), || draw(&ours, &demo(), beside))?;
            let (their, own) = paired.medians();
            println!("| {name} | {other} | {their:.2} | {own:.2} | {} |", paired.ratio());
        }
    }
    Ok(())
}

fn draw(programs: &[Direct; 2], config: &ModelConfig, beside: Beside) -> Outcome<Duration> {
    match beside {
        Beside::Busy => beside_busy(programs, config),
        Beside::Same => both(programs, config),
    }
}

fn beside_busy([program, _]: &[Direct; 2], config: &ModelConfig) -> Outcome<Duration> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                hint::black_box(0_u64);
            }
        });
        let drawn = program.draw(config, &demo_picture(), Warm::Same);
        done.store(true, Ordering::Relaxed);
        Ok(drawn?.picture)
    })
}

fn both(programs: &[Direct; 2], config: &ModelConfig) -> Outcome<Duration> {
    let request = demo_picture();
    thread::scope(|scope| {
        let drawn = programs.each_ref().map(|direct| {
            let request = &request;
            scope.spawn(move || match direct.draw(config, request, Warm::Same) {
                Ok(drawn) => Ok(drawn.picture),
                // What it is made of need not be sent to another thread.
                Err(error) => Err(error.to_string()),
            })
        });
        let mut longest = Duration::ZERO;
        for thread in drawn {
            longest = longest.max(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(longest)
    })
}
