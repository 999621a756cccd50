//! The example programs in C, C++, Python and Go, on the library as the install script installs it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "dynamic")]
#[path = "../common/engine_library.rs"]
mod engine_library;
mod install;
mod languages;
