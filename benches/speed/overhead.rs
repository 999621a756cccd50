//! What the crate adds to the engine's C API: same engine build, same model, same threads.

use crate::{
    Outcome,
    direct::{Direct, Warm},
    models::{demo, demo_picture, threads, tiny, tiny_picture},
    paired::by_turns,
};
use sdcpp::{Context, ImageRequest, ModelConfig};
use std::time::{Duration, Instant};

/// What else the machine does makes a picture slower now and then, by more than what is looked for here.
const REPEAT: u32 = 5;

pub(crate) fn measure() -> Outcome {
    println!(
        "The call that draws, warm: `Context::generate` against `generate_image`; of each turn the fastest of {REPEAT}.\n"
    );
    println!(
        "| picture | crate, ms | C API, ms | ratio (95 %) | added, ms | fastest: crate, ms | C API, ms | added, ms | pixels |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    // About a second.
    let request = demo_picture().steps(24);
    row(&format!("demo, 128², 24 steps, {} threads", threads()), 24, &demo(), &request)?;
    // Threads that wait for each other feel everything else on the machine; one does not.
    row("demo, 128², 24 steps, 1 thread", 24, &demo().threads(1), &request)?;
    row("smallest model, 64², 2 steps, 1 thread", 60, &tiny()?, &tiny_picture())
}

fn row(name: &str, turns: usize, config: &ModelConfig, request: &ImageRequest) -> Outcome {
    let direct = Direct::new()?.repeated(REPEAT);
    let mut context = Context::new(config)?;
    let ours = context.generate(request)?;
    let theirs = direct.draw(config, request, Warm::Same)?;
    if ours.first().ok_or("no picture")?.as_bytes() != theirs.pixels {
        return Err(format!("{name}: the two draw different pictures").into());
    }
    let paired = by_turns(
        turns,
        || {
            // As the program does before: caches and threads are warm for both.
            context.generate(&request.clone().steps(2))?;
            let mut fastest = Duration::MAX;
            for _ in 0..REPEAT {
                let begin = Instant::now();
                let generated = context.generate(request)?;
                fastest = fastest.min(begin.elapsed());
                drop(generated);
            }
            Ok(fastest)
        },
        || Ok(direct.draw(config, request, Warm::Same)?.picture),
    )?;
    let (ours, theirs) = paired.medians();
    let (our_fastest, their_fastest) = paired.fastest();
    println!(
        "| {name} | {:.2} | {:.2} | {} | {:.2} | {:.2} | {:.2} | {:.2} | byte-equal |",
        ours * 1e3,
        theirs * 1e3,
        paired.ratio(),
        paired.added() * 1e3,
        our_fastest * 1e3,
        their_fastest * 1e3,
        (our_fastest - their_fastest) * 1e3,
    );
    Ok(())
}
