//! The same layouts by another program, as PyTorch's of `benches/python`, phase by phase and by turns.

use crate::{
    Options, Outcome,
    layout::{self, Layout},
    paired::phases_by_turns,
    program::Program,
};
use sdcpp::Context;
use std::{process::Command, time::Duration};

/// The table's head, and the rows of all comparisons.
pub(crate) fn print(rows: &[String]) {
    println!(
        "\nMedians by turns. Their memory is what they say of themselves: without text encoders, and without what the driver keeps; so it is no measure against ours, which is what the card has less.\n"
    );
    println!(
        "| runtime | layout | flash attention of ours | phase | ours, ms | theirs, ms | their time over ours | their memory, MB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!("{row}");
    }
}

/// Rows of one program for one layout; `ours` names that and its flash attention.
pub(crate) fn rows(
    context: &mut Context,
    layout: Layout,
    size: u32,
    ours: &str,
    command: &str,
    options: &Options,
) -> Outcome<String> {
    let mut words = command.split_whitespace();
    let program = words.next().ok_or("--runtime has an empty command")?;
    let mut command = Command::new(program);
    command.args(words).args(["--layout", layout.name()]);
    let mut program =
        Program::start(&mut command).map_err(|error| format!("--runtime {program}: {error}"))?;
    let request = layout::request(size, options.steps);
    let (turns, steps) = (usize::try_from(options.rounds)?, options.steps.max(1));
    let phases = phases_by_turns(
        turns,
        || {
            let all: Outcome<Duration> = (0..steps).map(|_| program.time("step", size)).sum();
            Ok([all? / steps, program.time("decode", size)?])
        },
        || {
            let timings = context.generate(&request)?.timings;
            Ok([timings.sampling / steps, timings.decoding])
        },
    )?;
    let memory = program.ask("memory", size)? / 1e6;
    let counted = if layout.has_real_decoder() { 2 } else { 1 };
    let rows =
        ["a step", "decoding"].into_iter().zip(&phases).take(counted).map(|(phase, paired)| {
            let (theirs, mine) = paired.medians();
            format!(
                "| {} | {ours} | {phase} | {:.1} | {:.1} | {} | {memory:.0} |",
                program.name(),
                mine * 1e3,
                theirs * 1e3,
                paired.ratio()
            )
        });
    Ok(rows.collect::<Vec<_>>().join("\n"))
}
