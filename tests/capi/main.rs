//! The C library: by its functions from Rust, and by C programs that are linked to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod arguments;
mod asked;
#[path = "../common/mod.rs"]
mod common;
mod contexts;
#[cfg(all(target_os = "linux", feature = "dynamic"))]
mod engine;
#[cfg(all(target_os = "linux", feature = "dynamic"))]
#[path = "../common/engine_library.rs"]
mod engine_library;
mod header;
mod jobs;
mod library;
mod logs;
mod pools;
#[cfg(target_os = "linux")]
mod programs;
mod results;
mod structs;
mod tools;
