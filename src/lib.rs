//! The C library over `sdcpp`: its types and functions, as `include/sdcpp.h` has them.
//!
//! `docs/c-api.md` says how it is used, and what it promises. The types have their names of C.
//!
//! # Safety
//! What every function asks of its caller, in Rust as in C:
//!
//! - A pointer to a text is NULL, or leads to a string that ends with a NUL and that nobody changes
//!   during the call.
//! - A pointer to a struct that begins with `size` is NULL, or leads to so many bytes, which are
//!   initialised. Pointers in it are as their documentation says.
//! - A pointer named `out…` is NULL, or leads to a place that may be written to.
//! - Callbacks may be called on other threads, with the `user` that came with them, until the
//!   operation ends. They do not unwind.
//!
//! Handles ask nothing: they are looked up and never followed. Where NULL is not allowed it is an
//! error.
//!
//! The files: `error`, `code`, `handle`, `sized`, `pointer`, `memory` and `gate` are what all others
//! use; `config`, `request`, `video`, `pixels` and `watch` read what comes in; `context`, `upscaler`,
//! `convert`, `pool`, `metrics`, `job` and `worker` work; `result`, `info`, `model` and `log` tell.

#![allow(clippy::missing_safety_doc, reason = "the documentation of this crate says it for all")]

// Elsewhere structs have padding, in which old programs' garbage would be read as new fields.
#[cfg(not(target_pointer_width = "64"))]
compile_error!("the C interface is for 64-bit targets only; the crate `sdcpp` is for others too");

mod cancel;
mod code;
mod config;
mod context;
mod convert;
mod engine;
mod error;
mod gate;
mod handle;
mod info;
mod job;
mod log;
mod memory;
mod metrics;
mod model;
mod pixels;
#[cfg(any(feature = "dynamic", feature = "isolated"))]
mod place;
mod pointer;
mod pool;
mod request;
mod result;
mod sized;
mod upscaler;
mod video;
mod watch;
#[cfg(feature = "isolated")]
mod worker;

pub use cancel::*;
pub use code::*;
pub use config::*;
pub use context::*;
pub use convert::*;
pub use engine::*;
pub use error::*;
pub use info::*;
pub use job::*;
pub use log::*;
pub use memory::*;
pub use metrics::*;
pub use model::*;
pub use pixels::*;
pub use pool::*;
pub use request::*;
pub use result::*;
pub use upscaler::*;
pub use video::*;
pub use watch::*;

/// The Rust snippets of the README and of the pages in `docs/` compile.
#[cfg(doctest)]
mod pages {
    macro_rules! page {
        ($name:ident, $file:literal) => {
            #[doc = include_str!($file)]
            struct $name;
        };
    }

    page!(Readme, "../README.md");
    page!(Backends, "../docs/backends.md");
    page!(ImageToImage, "../docs/image-to-image.md");
    #[cfg(feature = "isolated")]
    page!(Isolation, "../docs/isolation.md");
    page!(LargePictures, "../docs/large-pictures.md");
    #[cfg(feature = "dynamic")]
    page!(Linking, "../docs/linking.md");
    page!(LoraAndEmbeddings, "../docs/lora-and-embeddings.md");
    page!(Memory, "../docs/memory.md");
    page!(Metadata, "../docs/metadata.md");
    page!(Models, "../docs/models.md");
    page!(Pool, "../docs/pool.md");
    page!(Progress, "../docs/progress.md");
    page!(Reliability, "../docs/reliability.md");
    page!(ReferencesAndControl, "../docs/references-and-control.md");
    page!(StepCaches, "../docs/step-caches.md");
    page!(TextToImage, "../docs/text-to-image.md");
    page!(Tuning, "../docs/tuning.md");
    page!(Video, "../docs/video.md");
}
