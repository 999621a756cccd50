//! What the tests of worker processes share.

#![allow(dead_code, reason = "each test binary uses its own part")]

use crate::common::demo_config;
use sdcpp::{
    Progress, Watch,
    isolated::{Worker, WorkerCommand, WorkerOptions},
};
use std::{ops::ControlFlow, process::Command};

pub(crate) fn command() -> WorkerCommand {
    WorkerCommand::program(env!("CARGO_BIN_EXE_sdcpp-worker"))
}

pub(crate) fn worker() -> Worker {
    worker_with(&WorkerOptions::default())
}

pub(crate) fn worker_with(options: &WorkerOptions) -> Worker {
    Worker::start(&command(), demo_config(), options, Watch::new()).unwrap()
}

/// Sends a signal by the program `kill`.
pub(crate) fn send(signal: &str, process: u32) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// A watch that calls `act` at the first sampling step.
pub(crate) fn at_first_step<'a>(mut act: impl FnMut() + Send + 'a) -> Watch<'a> {
    let mut done = false;
    Watch::new().on_progress(move |progress| {
        if matches!(progress, Progress::Sampling { step: 1, .. }) && !done {
            done = true;
            act();
        }
        ControlFlow::Continue(())
    })
}
