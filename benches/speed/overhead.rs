//! What the crate adds to the engine's C API: same engine build, same model, same threads, each picture's
//! process as young as the other's.

use crate::{
    Outcome,
    direct::{Direct, Warm},
    models::{demo, demo_picture, threads, tiny, tiny_picture},
    own_process::{OwnProcess, Task},
    paired::by_turns,
};
use sdcpp::{ImageRequest, ModelConfig};

/// What else the machine does makes a picture slower now and then, by more than what is looked for here.
const REPEAT: u32 = 5;

struct Row {
    name: String,
    config: ModelConfig,
    request: ImageRequest,
}

fn rows() -> Outcome<[Row; 3]> {
    // Half a second on two cores.
    let request = demo_picture().steps(24);
    Ok([
        Row {
            name: format!("demo, 128², 24 steps, {} threads", threads()?),
            config: demo(),
            request: request.clone(),
        },
        // Threads that wait for each other feel everything else on the machine; one does not.
        Row { name: "demo, 128², 24 steps, 1 thread".into(), config: demo().threads(1), request },
        Row {
            name: "smallest model, 64², 2 steps, 1 thread".into(),
            config: tiny()?,
            request: tiny_picture(),
        },
    ])
}

pub(crate) fn task(place: usize) -> Outcome<Task> {
    let row = rows()?.into_iter().nth(place).ok_or("there is no such row")?;
    Ok(Task { config: row.config, request: row.request, warm: Warm::Same, repeat: REPEAT })
}

pub(crate) fn measure() -> Outcome {
    println!(
        "The call that draws, warm: `Context::generate` against `generate_image`; of each process the fastest of {REPEAT}.\n"
    );
    println!(
        "| picture | crate, ms | C API, ms | ratio (95 %) | added, ms | fastest: crate, ms | C API, ms | added, ms | pixels |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (place, row) in rows()?.iter().enumerate() {
        compare(place, row)?;
    }
    Ok(())
}

fn compare(place: usize, Row { name, config, request }: &Row) -> Outcome {
    let ours = OwnProcess::new("overhead", place)?;
    let direct = Direct::new()?.repeated(REPEAT);
    if ours.draw()?.pixels != direct.draw(config, request, Warm::Same)?.pixels {
        return Err(format!("{name}: the two draw different pictures").into());
    }
    let paired = by_turns(
        24,
        || Ok(ours.draw()?.picture),
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
