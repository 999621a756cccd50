//! How fast pictures of the real size are, and how much memory of the device they need.

use crate::{
    Options, Outcome,
    layout::{self, Layout},
    peak, pixels, runtime, same,
};
use sdcpp::{Context, Engine, ModelConfig, Progress, Watch};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// What was measured of one layout, by one of the two callers.
#[derive(Default)]
struct Times {
    steps: Vec<Duration>,
    pictures: Vec<Duration>,
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
    println!("\nMedians; ratios are times of the crate over those of the C API alone.\n");
    println!(
        "| layout, f16 | flash attention | memory, MB | steps a second | a step, ms | text, ms | decoding, s | picture, s | step, ratio | picture, ratio | pixels |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut compared = Vec::new();
    for layout in layouts {
        let Some(config) = layout.config(device)? else { continue };
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
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    let (mut text, mut decoding, mut pictures) = (Vec::new(), Vec::new(), "–".to_owned());
    for _ in 0..options.rounds {
        let watch = Watch::new().on_progress(|progress| {
            if let Progress::Sampling { step: 1.., step_time, .. } = progress {
                ours.steps.push(step_time);
            }
            ControlFlow::Continue(())
        });
        let begin = Instant::now();
        let generated = context.generate_with(&request, watch)?;
        ours.pictures.push(begin.elapsed());
        text.push(generated.timings.text_encoding);
        decoding.push(generated.timings.decoding);
        if let Some(direct) = options.direct() {
            let drawn = direct.draw(config, &request, true)?;
            theirs.steps.extend(drawn.steps);
            theirs.pictures.push(drawn.picture);
            pictures = same(name, pixels(&generated)?, &drawn.pixels, options)?;
        }
    }
    let (step, picture) = (median(&mut ours.steps)?, median(&mut ours.pictures)?);
    let (mut step_ratio, mut picture_ratio) = ("–".to_owned(), "–".to_owned());
    if options.direct.is_some() {
        step_ratio = format!("{:.3}", step / median(&mut theirs.steps)?);
        picture_ratio = format!("{:.3}", picture / median(&mut theirs.pictures)?);
    }
    Ok(format!(
        "{:.2} | {:.1} | {:.1} | {:.2} | {picture:.2} | {step_ratio} | {picture_ratio} | {pictures}",
        1.0 / step,
        step * 1e3,
        median(&mut text)? * 1e3,
        median(&mut decoding)?,
    ))
}

fn median(times: &mut [Duration]) -> Outcome<f64> {
    times.sort_unstable();
    Ok(times.get(times.len() / 2).ok_or("nothing was measured")?.as_secs_f64())
}
