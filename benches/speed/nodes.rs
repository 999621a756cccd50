//! Single nodes of the engine's graphs: with the kernels of this project and direct convolution, against the
//! engine as its own build makes it, with im2col. And how far both are from what the processor can do.

use crate::{
    Outcome,
    models::threads,
    native,
    paired::{Paired, median},
    upstream::UPSTREAM,
};
use std::{collections::BTreeMap, path::Path, process::Command};

/// By name: seconds of each turn, and operations.
type Times = BTreeMap<String, (Vec<f64>, f64)>;

const TURNS: usize = 5;

pub(crate) fn measure() -> Outcome {
    let ours = native::program_for_this_processor("nodes");
    let theirs = UPSTREAM.build("nodes", &[])?;
    let (mut own, mut upstream) = (Times::new(), Times::new());
    for turn in 0..TURNS {
        if turn % 2 == 0 {
            run(&ours, "direct", &mut own)?;
        }
        run(&theirs, "im2col", &mut upstream)?;
        if turn % 2 != 0 {
            run(&ours, "direct", &mut own)?;
        }
    }
    println!(
        "| node | ours, ms | GFLOPS | upstream, ms | GFLOPS | upstream's time over ours (least to most) |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, (times, operations)) in &own {
        let (other, _) = upstream.get(name).ok_or("the two programs differ")?;
        let paired = Paired::of(other.clone(), times.clone());
        let (upstream, own) = paired.medians();
        println!(
            "| {name} | {:.2} | {:.0} | {:.2} | {:.0} | {} |",
            own * 1e3,
            operations / own / 1e9,
            upstream * 1e3,
            operations / upstream / 1e9,
            paired.ratio()
        );
    }
    Ok(())
}

/// Operations a second that the processor can do at the most, on all threads.
pub(crate) fn peak() -> Outcome<f64> {
    let mut times = Times::new();
    run(&native::program_for_this_processor("nodes"), "direct", &mut times)?;
    let (times, operations) = times
        .iter()
        .find(|(name, _)| name.contains("peak"))
        .map(|(_, found)| found)
        .ok_or("no peak")?;
    Ok(operations / median(times.clone()))
}

fn run(program: &Path, way: &str, times: &mut Times) -> Outcome {
    let output = Command::new(program).arg(threads()?.to_string()).arg(way).output()?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", program.display(), output.status).into());
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let mut words = line.splitn(3, ' ');
        let mut next = || words.next().ok_or("a line is too short");
        let (seconds, operations, name) = (next()?.parse()?, next()?.parse()?, next()?);
        let (turns, known) = times.entry(name.to_owned()).or_default();
        turns.push(seconds);
        *known = operations;
    }
    Ok(())
}
