//! Workers: the same pictures from another process, and a host that survives whatever happens there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

mod common;

use common::{demo, demo_config, quick_request};
use sdcpp::{
    Error, Progress, Watch,
    isolated::{Worker, WorkerCommand, WorkerOptions},
};

fn command() -> WorkerCommand {
    WorkerCommand::program(env!("CARGO_BIN_EXE_sdcpp-worker"))
}

fn worker() -> Worker {
    Worker::start(&command(), demo_config(), &WorkerOptions::default(), Watch::new()).unwrap()
}

#[test]
fn a_worker_draws_the_same_pictures() {
    let request = quick_request("a red circle").batch(2);
    let expected = demo().generate(&request).unwrap();
    let mut worker = worker();
    assert_eq!(worker.family(), demo().family());
    for _ in 0..2 {
        let drawn = worker.generate(&request).unwrap();
        assert_eq!(drawn.images.len(), 2);
        for (drawn, expected) in drawn.images.iter().zip(&expected.images) {
            assert_eq!(drawn.as_bytes(), expected.as_bytes());
            assert_eq!(drawn.parameters(), expected.parameters());
        }
        assert_eq!(drawn.seeds, expected.seeds);
        assert_eq!(drawn.warnings, expected.warnings);
        assert_eq!((drawn.width, drawn.height), (64, 64));
    }
}
