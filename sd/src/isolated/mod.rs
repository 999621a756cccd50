//! The engine in worker processes: a crash of the engine, or memory that runs out, ends a worker and
//! one operation, and not the program. An engine that hangs is ended by the time limit of the
//! operation ([`Watch::time_limit`](crate::Watch::time_limit)), or by cancelling; a worker that is
//! stopped or swapped out, by its silence.
//!
//! A [`Worker`] is used as a [`Context`](crate::Context) is; both are a [`Model`](crate::Model). A
//! [`WorkerCommand`] says which program the worker is: `sdcpp-worker`, or the program itself, if its
//! `main` calls [`worker_main`] first thing. [`WorkerOptions`] say how long a host waits before it
//! kills, and how much memory a worker may have.
//!
//! What a worker sends is not trusted: sizes are compared with what was asked for before memory is
//! taken for them, and one that sends anything else is killed. A worker trusts its host.
//!
//! The files:
//! - `frame`, `message`, `wire`: what crosses the streams;
//! - `command`, `process`, `streams`, `link`, `operation`, `worker`: the host's side;
//! - `serve`, `outbox`, `system`: the worker's side;
//! - `allowance`, `lines`, `log`: bounds, and log lines.

mod allowance;
mod command;
mod frame;
#[cfg(feature = "mock")]
mod fuzz;
mod lines;
mod link;
mod log;
mod message;
mod operation;
mod options;
mod outbox;
mod pool;
mod process;
mod serve;
mod streams;
mod system;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod wire;
mod wire_error;
mod worker;

pub use command::WorkerCommand;
#[cfg(feature = "mock")]
#[doc(hidden)]
pub use fuzz::{read_any_from_host, read_any_from_worker};
pub use options::WorkerOptions;
pub use pool::WorkerPool;
pub use serve::worker_main;
pub use worker::Worker;
