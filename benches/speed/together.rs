//! Two programs that draw at once, each with a thread for each core: upstream's engine against this one, both by
//! the C API.

use crate::{
    Outcome,
    direct::{Direct, Warm},
    models::{demo, demo_picture, threads},
    paired::by_turns,
    upstream::UPSTREAM,
};
use sdcpp::ModelConfig;
use std::{thread, time::Duration};

pub(crate) fn measure() -> Outcome {
    println!("Two programs that draw at once, each with {} threads.\n", threads());
    println!("| picture | engine, s | upstream, s | upstream's time over ours (95 %) |");
    println!("|---|---|---|---|");
    let program = UPSTREAM.build("direct", &[])?;
    let ours = [Direct::new()?, Direct::new()?];
    let theirs = [Direct::of(program.clone())?, Direct::of(program)?];
    let plain = demo().diffusion_conv_direct(false).vae_conv_direct(false);
    let paired = by_turns(5, || both(&theirs, &plain), || both(&ours, &demo()))?;
    let (upstream, own) = paired.medians();
    println!("| demo, 128², 12 steps | {own:.2} | {upstream:.2} | {} |", paired.ratio());
    Ok(())
}

/// Until the later one has its picture.
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
