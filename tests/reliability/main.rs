//! What an application lives through: any request, any model file, crashes, cancels and drops, for
//! long. Each test is such an application, in a process of its own. A short run in CI; `scripts/reliability.sh` runs them at full length and prints the table
//! of docs/reliability.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod application;
#[path = "../common/mod.rs"]
mod common;
mod damaged_models;
mod in_process;
mod kinds;
mod random;
mod random_requests;
mod recovery;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod soak;
#[path = "../common/workers.rs"]
mod workers;

/// How many cases to run: few in CI, all where `SDCPP_RELIABILITY` is `full`.
fn cases(short: usize, full: usize) -> usize {
    match std::env::var("SDCPP_RELIABILITY") {
        Ok(how) if how == "full" => full,
        Ok(how) => how.parse().expect("SDCPP_RELIABILITY is `full` or a number"),
        Err(_) => short,
    }
}
