//! Host and worker in one process, over pipes in memory: with a mock engine, and with workers that
//! do what a worker must not.

mod frames;
mod hostile;
#[cfg(shuttle)]
mod interleavings;
mod mock;
mod round_trips;

use super::{
    frame::{self, MAX_MESSAGE},
    message::{Drawn, FromWorker, PROTOCOL, Ready},
    serve::Server,
    streams::{Stream, Streams},
    worker::{Connected, Worker},
    *,
};
use crate::{ModelConfig, Result, Timings, Watch};
use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

const NONCE: &str = "0123";

/// A process for the host to kill.
fn stand_in() -> std::process::Child {
    let mut command = Command::new("sleep");
    command.arg("60").stdin(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().unwrap()
}

/// A host's connection to a worker that is `body`, in a thread.
fn connected(
    options: &WorkerOptions,
    body: impl FnOnce(UnixStream, UnixStream, UnixStream) + Send + 'static,
) -> Connected {
    let (to, worker_in) = Stream::pair().unwrap();
    let (from, worker_out) = Stream::pair().unwrap();
    let (lines, worker_err) = Stream::pair().unwrap();
    thread::spawn(move || body(worker_in, worker_out, worker_err));
    let streams = Streams { to, from, lines };
    Connected::new(stand_in(), streams, options, "stand-in".into()).unwrap()
}

/// A worker that is this crate's own, with a mock engine.
fn mocked(options: &WorkerOptions, config: &ModelConfig, watch: Watch<'_>) -> Result<Worker> {
    mocked_for(None, options, config, watch)
}

/// The same for a pool of so many.
fn mocked_for(
    models: Option<usize>,
    options: &WorkerOptions,
    config: &ModelConfig,
    watch: Watch<'_>,
) -> Result<Worker> {
    let connected = connected(options, |input, output, _| {
        let server = Server::new(output);
        let outbox = Arc::clone(&server.outbox);
        thread::spawn(move || outbox.run());
        server.serve(|| Ok(crate::mock::engine()), input, NONCE, || {}).unwrap();
    });
    Worker::open(connected, config, models, NONCE, watch)
}

/// Options for tests that wait until a worker is killed.
fn impatient() -> WorkerOptions {
    WorkerOptions::default()
        .start_timeout(Duration::from_millis(300))
        .grace(Duration::from_millis(100))
        .heartbeat_timeout(Duration::from_millis(400))
}

fn hello() -> FromWorker {
    FromWorker::Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        nonce: NONCE.to_owned(),
    }
}

fn drawn() -> FromWorker {
    FromWorker::Drawn(Drawn { timings: Timings::default(), warnings: Vec::new(), seed: 1 })
}

fn frame_of(message: &FromWorker) -> Vec<u8> {
    frame::encode(message, MAX_MESSAGE).unwrap()
}

/// The frame of a picture and its pixels.
fn picture(width: u32, height: u32, channels: u32) -> Vec<u8> {
    let parameters = "as drawn".to_owned();
    let mut bytes = frame_of(&FromWorker::Picture { width, height, channels, seed: 7, parameters });
    let pixels = vec![200; (width * height * channels) as usize];
    frame::write_bytes(&mut bytes, &pixels).unwrap();
    bytes
}

/// Greets and opens, then sends `bytes` as soon as something is asked for, and waits.
fn plays(bytes: Vec<u8>) -> impl FnOnce(UnixStream, UnixStream, UnixStream) + Send + 'static {
    move |mut input, mut output, _stderr| {
        output.write_all(&frame_of(&hello())).unwrap();
        let asked: Result<message::ToWorker<'static>, _> =
            frame::read_message(&mut input, frame::MAX_REQUEST);
        asked.unwrap();
        output.write_all(&frame_of(&FromWorker::Ready(Ready::default()))).unwrap();
        let asked: Result<message::ToWorker<'static>, _> =
            frame::read_message(&mut input, frame::MAX_REQUEST);
        if asked.is_ok() {
            // The host may have killed it by then.
            let _ = output.write_all(&bytes);
            let _ = io::copy(&mut input, &mut io::sink());
        }
    }
}
