//! Pictures by [stable-diffusion.cpp] from Rust: SD 1.x, 2.x and XL, SD3, FLUX, Qwen-Image, Z-Image
//! and more, on the CPU or a GPU, without Python.
//!
//! ```no_run
//! use sdcpp::{Context, ImageRequest, ModelConfig};
//!
//! # fn main() -> sdcpp::Result<()> {
//! let mut context = Context::new(ModelConfig::new("sd15.safetensors"))?;
//! let generated = context.generate(&ImageRequest::new("a lighthouse at dusk"))?;
//! generated.images[0].save("lighthouse.png")?;
//! # Ok(())
//! # }
//! ```
//!
//! - A [`Context`] holds a model, built from a [`ModelConfig`]; it is loaded once and reused.
//! - An [`ImageRequest`] says what to draw; every value is checked before the engine sees it.
//! - A [`Watch`] follows an operation and stops it: by closure, channel, token or time limit.
//! - [`Generated`] has the [`Picture`]s, in the engine's own memory, the seeds and the timings.
//! - An [`Error`] says what failed, on what, and what to try; engine assertions and exceptions are
//!   errors too, and leave the process alive.
//! - Log lines go to [`tracing`] with the target `sdcpp::engine`; nothing is written to stdout.
//!
//! [stable-diffusion.cpp]: https://github.com/leejet/stable-diffusion.cpp

mod config;
mod context;
mod engine;
mod error;
mod failure;
mod generated;
mod infotext;
#[cfg(any(test, feature = "mock"))]
pub mod mock;
mod model_file;
mod named;
mod picture;
mod preset;
mod progress;
mod request;
mod sampler;
mod scheduler;
mod setters;
mod settings;
mod stage;
mod timings;
mod validate;
mod weights;

pub use config::{Embedding, ModelConfig};
pub use context::Context;
pub use crossbeam_channel;
pub use engine::{Device, DeviceKind, Engine};
pub use error::{EngineReport, Error, Result, VaeOperation};
pub use generated::Generated;
pub use image;
pub use model_file::{
    Architecture, Component, ComponentSize, LoraInfo, MetadataValue, Mismatch, MissingParts,
    ModelFile, ModelFormat, Part, TensorInfo, TensorType, TextEncoder, VaeKind,
};
pub use picture::{Picture, PngCompression, open_picture};
pub use preset::Preset;
pub use progress::{CancelToken, Progress, Watch};
pub use request::{ImageRequest, MAX_BATCH, MAX_SIDE, MAX_STEPS, VaeTiling};
pub use sampler::Sampler;
pub use scheduler::Scheduler;
pub use settings::Settings;
pub use stage::Stage;
pub use timings::Timings;
pub use weights::{LoraApplyMode, Prediction, RngKind, VaeFormat, WeightType};
