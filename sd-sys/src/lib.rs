//! Native build and raw bindings of [stable-diffusion.cpp], behind a C++ shim that stops every
//! exception.
//!
//! This crate makes no promise of safety; use `sdcpp`. It has three parts:
//! - the build script, which fetches the pinned engine source and builds it once for all profiles;
//! - [`bindings`], the structs and constants of the engine's header and the shim's;
//! - [`Table`], every function the engine is reached through. `Table::linked` (feature `static`) fills
//!   it from the engine linked into the program, `Table::open` (feature `dynamic`) from a library that
//!   is opened at run time; a mock fills the same table.
//!
//! C enums are integers here: a value from C is validated before it becomes a Rust enum.
//!
//! [stable-diffusion.cpp]: https://github.com/leejet/stable-diffusion.cpp

#[cfg(feature = "dynamic")]
mod library;
mod table;

/// Vector extensions of x86-64 that the linked engine's code needs, as `is_x86_feature_detected!` names them, with
/// spaces between; empty if that is not known. To be looked at before any function of the engine is called.
#[cfg(feature = "static")]
pub const NEEDED_FEATURES: &str = match option_env!("SDCPP_NEEDED_FEATURES") {
    Some(features) => features,
    None => "",
};

pub use bindings::*;
#[cfg(feature = "dynamic")]
pub use library::LibraryError;
pub use table::{Table, TableError};

/// Generated from `stable-diffusion.h`, `ggml-backend.h` and `shim/sdcpp_shim.h`.
///
/// Names, types and meanings are upstream's; read the headers for documentation.
#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    clippy::all,
    clippy::restriction
)]
pub mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
