//! What the crate adds to the engine's C API: same engine build, same model, same threads, each picture's
//! process as young as the other's.

use crate::{
    Outcome,
    direct::{Direct, Warm},
    models::{demo, demo_picture, threads, tiny, tiny_picture},
    paired::by_turns,
};
use sdcpp::{Context, ImageRequest, ModelConfig};
use std::{
    env,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

/// What else the machine does makes a picture slower now and then, by more than what is looked for here.
const REPEAT: u32 = 5;

/// A process with this set draws the picture of that place in [`rows`], and prints seconds.
const DRAW_ROW: &str = "SDCPP_BENCH_DRAW_ROW";

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
            name: format!("demo, 128², 24 steps, {} threads", threads()),
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

/// In such a process, its exit code.
pub(crate) fn draw_row() -> Option<ExitCode> {
    let place = env::var(DRAW_ROW).ok()?;
    Some(match place.parse().map_err(Into::into).and_then(draw) {
        Ok(fastest) => {
            println!("{}", fastest.as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

fn draw(place: usize) -> Outcome<Duration> {
    let rows = rows()?;
    let Row { config, request, .. } = rows.get(place).ok_or("there is no such row")?;
    let mut context = Context::new(config)?;
    // As the program does before.
    context.generate(&request.clone().steps(2))?;
    let mut fastest = Duration::MAX;
    for _ in 0..REPEAT {
        let begin = Instant::now();
        let generated = context.generate(request)?;
        fastest = fastest.min(begin.elapsed());
        drop(generated);
    }
    Ok(fastest)
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
    let direct = Direct::new()?.repeated(REPEAT);
    let ours = Context::new(config)?.generate(request)?;
    let theirs = direct.draw(config, request, Warm::Same)?;
    if ours.first().ok_or("no picture")?.as_bytes() != theirs.pixels {
        return Err(format!("{name}: the two draw different pictures").into());
    }
    let paired = by_turns(
        24,
        || in_a_process(place),
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

fn in_a_process(place: usize) -> Outcome<Duration> {
    let output = Command::new(env::current_exe()?).env(DRAW_ROW, place.to_string()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let seconds = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}
