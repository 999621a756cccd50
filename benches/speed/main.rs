//! How fast it is, against other ways of doing the same, measured side by side: by turns in one run, as
//! ratios with their spread. docs/performance.md has the tables and says what they mean.
//!
//! ```text
//! scripts/bench.sh                  # all of them
//! scripts/bench.sh overhead png     # some
//! scripts/bench.sh candle           # against another runtime: only by name
//! ```
//!
//! Run on a machine that does nothing else.

mod arithmetic;
mod builds;
mod cmake;
mod direct;
mod models;
mod nodes;
mod overhead;
mod own_process;
mod paired;
mod pictures;
mod png;
mod pool;
mod program;
mod runtimes;
mod settings;
mod start;
mod together;
mod types;
mod upstream;

#[path = "../../tests/common/native.rs"]
#[allow(
    dead_code,
    clippy::expect_used,
    reason = "it is the tests', and has more than is used here"
)]
mod native;

use std::{error::Error, process::ExitCode};

/// What a measurement comes to.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Prints a table.
type Measurement = fn() -> Outcome;

/// Those that run if none is named.
const ALL: [(&str, Measurement); 11] = [
    ("overhead", overhead::measure),
    ("start", start::measure),
    ("pool", pool::measure),
    ("png", png::measure),
    ("settings", settings::measure),
    ("types", types::measure),
    ("builds", builds::measure),
    ("upstream", upstream::measure),
    ("together", together::measure),
    ("nodes", nodes::measure),
    ("arithmetic", arithmetic::measure),
];

/// Those that run only if they are named: what they are against takes long to build or to install.
const BY_NAME: [(&str, Measurement); 3] = [
    ("candle", runtimes::candle),
    ("pytorch", runtimes::pytorch),
    ("openvino", runtimes::openvino),
];

fn main() -> ExitCode {
    // A worker of `pool`, which does not return, and a process that draws one picture.
    sdcpp::isolated::worker_main();
    if let Some(code) = own_process::run_task() {
        return code;
    }
    // Cargo's own flag, and names of measurements.
    let wanted: Vec<_> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let known = || ALL.iter().chain(&BY_NAME);
    if let Some(unknown) = wanted.iter().find(|name| known().all(|(known, _)| known != name)) {
        let names: Vec<_> = known().map(|(name, _)| *name).collect();
        eprintln!("{unknown} is no measurement; there are: {}", names.join(", "));
        return ExitCode::from(2);
    }
    let chosen: Vec<_> = if wanted.is_empty() {
        ALL.to_vec()
    } else {
        known().filter(|(name, _)| wanted.iter().any(|wanted| wanted == name)).copied().collect()
    };
    for (name, measure) in chosen {
        println!("\n## {name}\n");
        if let Err(error) = measure() {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
