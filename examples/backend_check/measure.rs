//! How fast pictures of the real size are, and how much memory of the device they need.

use crate::{
    Options, Outcome,
    layout::{self, Layout},
    paired::phases_by_turns,
    peak, pixels, runtime, same,
};
use sdcpp::{Context, Engine, ImageRequest, ModelConfig, Progress, Watch};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// A picture by the crate.
struct Drawn {
    /// The median.
    step: Duration,
    picture: Duration,
    text: Duration,
    decoding: Duration,
    pixels: Vec<u8>,
}

/// Prints a table of the layouts, against the C API where its program is named; and one against each
/// other program.
pub(crate) fn tables(
    engine: &Engine,
    device: &str,
    layouts: &[Layout],
    flash_attention: &[bool],
    options: &Options,
) -> Outcome {
    println!(
        "\nMedians by turns; ratios are times of the crate over those of the C API alone (of fewer than six turns, the least and the most).\n"
    );
    println!(
        "| layout, f16 | flash attention | memory, MB | steps a second | a step, ms | text, ms | decoding, s | picture, s | step, ratio | picture, ratio | pixels |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut compared = Vec::new();
    for layout in layouts {
        let Some(config) = layout.config(device, engine.physical_cores())? else { continue };
        let size = options.size.unwrap_or(layout.usual_size());
        for flash in flash_attention {
            let config = config.clone().diffusion_flash_attention(*flash);
            let (mut context, memory) = peak::during(engine, device, || {
                let mut context = Context::open(engine, config.clone(), Watch::new())?;
                // Weights are read, and kernels compiled, with the first picture.
                context.generate(&layout::request(size, 2))?;
                Ok(context)
            })?;
            let name = format!("{}, {size}²", layout.name());
            let set = if *flash { "on" } else { "off" };
            let row = row(&mut context, &config, &name, size, options)?;
            println!("| {name} | {set} | {:.0} | {row} |", memory as f64 / 1e6);
            for command in &options.runtime {
                let ours = format!("{name} | {set}");
                compared.push(runtime::rows(&mut context, *layout, size, &ours, command, options)?);
            }
        }
    }
    if !compared.is_empty() {
        runtime::print(&compared);
    }
    Ok(())
}

fn row(
    context: &mut Context,
    config: &ModelConfig,
    name: &str,
    size: u32,
    options: &Options,
) -> Outcome<String> {
    let request = layout::request(size, options.steps);
    let mut drawn = Vec::new();
    let mut compared = ["–", "–", "–"].map(str::to_owned);
    if let Some(direct) = options.direct() {
        let mut theirs = Vec::new();
        let [step, picture] = phases_by_turns(
            usize::try_from(options.rounds)?,
            || {
                let ours = draw(context, &request)?;
                let times = [ours.step, ours.picture];
                drawn.push(ours);
                Ok(times)
            },
            || {
                let mut drawn = direct.draw(config, &request, true)?;
                theirs.push(drawn.pixels);
                Ok([median(&mut drawn.steps)?, drawn.picture])
            },
        )?;
        let [step_ratio, picture_ratio, pictures] = &mut compared;
        *step_ratio = step.ratio().to_string();
        *picture_ratio = picture.ratio().to_string();
        for (ours, theirs) in drawn.iter().zip(&theirs) {
            *pictures = same(name, &ours.pixels, theirs, options)?;
        }
    } else {
        for _ in 0..options.rounds {
            drawn.push(draw(context, &request)?);
        }
    }
    let of = |time: fn(&Drawn) -> Duration| median(&mut drawn.iter().map(time).collect::<Vec<_>>());
    let step = of(|drawn| drawn.step)?;
    Ok(format!(
        "{:.2} | {:.1} | {:.1} | {:.2} | {:.2} | {}",
        1.0 / step.as_secs_f64(),
        step.as_secs_f64() * 1e3,
        of(|drawn| drawn.text)?.as_secs_f64() * 1e3,
        of(|drawn| drawn.decoding)?.as_secs_f64(),
        of(|drawn| drawn.picture)?.as_secs_f64(),
        compared.join(" | "),
    ))
}

fn draw(context: &mut Context, request: &ImageRequest) -> Outcome<Drawn> {
    let mut steps = Vec::new();
    let watch = Watch::new().on_progress(|progress| {
        if let Progress::Sampling { step: 1.., step_time, .. } = progress {
            steps.push(step_time);
        }
        ControlFlow::Continue(())
    });
    let begin = Instant::now();
    let generated = context.generate_with(request, watch)?;
    Ok(Drawn {
        picture: begin.elapsed(),
        step: median(&mut steps)?,
        text: generated.timings.text_encoding,
        decoding: generated.timings.decoding,
        pixels: pixels(&generated)?.to_vec(),
    })
}

fn median(times: &mut [Duration]) -> Outcome<Duration> {
    times.sort_unstable();
    Ok(*times.get(times.len() / 2).ok_or("nothing was measured")?)
}
