//! The crate with its defaults, against the engine as its own build makes it by default: the same source,
//! the same model, the same threads, each picture's process as young as the other's.

use crate::{
    Outcome,
    cmake::{Engine, Project},
    direct::{Direct, Warm},
    models::{demo, demo_picture, sd15, sd15_picture},
    own_process::{OwnProcess, Task},
    paired::{by_turns, median_of_turns},
};
use sdcpp::{ImageRequest, ModelConfig};

struct Row {
    name: &'static str,
    turns: usize,
    config: ModelConfig,
    request: ImageRequest,
}

fn rows() -> Outcome<Vec<Row>> {
    let real = |name, side| -> Outcome<Row> {
        Ok(Row { name, turns: 3, config: sd15()?, request: sd15_picture(side, 3) })
    };
    let mut rows = vec![
        Row { name: "demo, 128², 12 steps", turns: 9, config: demo(), request: demo_picture() },
        real("SD1.5 layout f16, 256², 3 steps", 256)?,
    ];
    // A quarter of an hour on two cores.
    if std::env::var_os("SDCPP_BENCH_LONG").is_some() {
        rows.push(real("SD1.5 layout f16, 512², 3 steps", 512)?);
    }
    Ok(rows)
}

pub(crate) fn task(place: usize) -> Outcome<Task> {
    let row = rows()?.into_iter().nth(place).ok_or("there is no such row")?;
    Ok(Task { config: row.config, request: row.request, warm: Warm::Small, repeat: 1 })
}

pub(crate) fn measure() -> Outcome {
    let direct = Direct::of(UPSTREAM.build("direct", &[])?)?;
    println!("`Context::generate`, warm, against the C API of upstream's own build.\n");
    println!(
        "| picture | crate, s | a step, s | decoding, s | upstream, s | upstream's time over ours (95 %) | mean difference |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (place, row) in rows()?.iter().enumerate() {
        compare(&direct, place, row)?;
    }
    Ok(())
}

/// The engine as it is, with the options that it has by itself.
pub(crate) const UPSTREAM: Project =
    Project { source: "benches/upstream", folder: "upstream", engine: Engine::Upstream };

fn compare(direct: &Direct, place: usize, Row { name, turns, config, request }: &Row) -> Outcome {
    let ours = OwnProcess::new("upstream", place)?;
    // As the engine has it by default.
    let plain = &config.clone().diffusion_conv_direct(false).vae_conv_direct(false);
    let (mut sampling, mut decoding) = (Vec::new(), Vec::new());
    let (mut our_pixels, mut their_pixels) = (Vec::new(), Vec::new());
    let paired = by_turns(
        *turns,
        || {
            let drawn = direct.draw(plain, request, Warm::Small)?;
            their_pixels = drawn.pixels;
            Ok(drawn.picture)
        },
        || {
            let drawn = ours.draw()?;
            sampling.push(drawn.sampling.as_secs_f64());
            decoding.push(drawn.decoding.as_secs_f64());
            our_pixels = drawn.pixels;
            Ok(drawn.picture)
        },
    )?;
    let difference = mean_difference(&our_pixels, &their_pixels)?;
    let (upstream, own) = paired.medians();
    println!(
        "| {name} | {own:.2} | {:.3} | {:.2} | {upstream:.2} | {} | {difference:.2} |",
        median_of_turns(&sampling) / f64::from(request.sampling.steps),
        median_of_turns(&decoding),
        paired.ratio(),
    );
    Ok(())
}

/// Of values of 0 to 255.
fn mean_difference(a: &[u8], b: &[u8]) -> Outcome<f64> {
    if a.len() != b.len() {
        return Err("the pictures have different sizes".into());
    }
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    Ok(sum as f64 / a.len() as f64)
}
