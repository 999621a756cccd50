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
//! - [`Parameters`] are what a picture's file says about how it was made.
//! - An [`Error`] says what failed, on what, and what to try; engine assertions and exceptions are
//!   errors too, and leave the process alive.
//! - With the feature `isolated` the engine runs in worker processes, whose crashes are errors.
//! - Log lines go to [`tracing`] with the target `sdcpp::engine`; nothing is written to stdout.
//!
#![cfg_attr(feature = "serde", doc = include_str!("json/json.md"))]
//!
//! [stable-diffusion.cpp]: https://github.com/leejet/stable-diffusion.cpp

mod animation;
mod backend;
mod blend;
mod cancel;
// Which of them are used depends on the features.
#[cfg(test)]
#[allow(dead_code)]
mod arbitrary;
mod canny;
mod canvas;
mod config;
mod context;
mod convert;
mod engine;
mod error;
mod failure;
mod family;
mod fit;
mod generate;
mod generate_video;
mod generated;
mod generated_video;
mod high_noise;
mod hires;
mod infotext;
mod inpaint;
mod input;
#[cfg(feature = "isolated")]
pub mod isolated;
mod json;
mod lora;
mod memory;
#[cfg(any(test, feature = "mock"))]
pub mod mock;
mod model;
mod model_file;
mod named;
mod outpaint;
mod photo_maker;
mod picture;
mod picture_into;
mod png_encoder;
mod pool;
mod preset;
mod preview;
mod progress;
mod provider;
mod references;
mod request;
mod sampler;
mod sampling;
mod scheduler;
mod setters;
mod settings;
mod stage;
mod step_cache;
mod sync;
mod timings;
pub mod tune;
mod upscaler;
mod vae_tiling;
mod validate;
mod video;
mod warning;
mod weights;
mod whole_file;

pub use animation::{Animation, AnimationFormat, Audio, Frame, WavSamples};
pub use backend::Backend;
#[cfg(feature = "dynamic")]
pub use backend::{Best, LibrarySearch, cuda_available, metal_available, vulkan_available};
pub use cancel::CancelToken;
pub use canny::{Canny, canny, canny_on};
pub use config::{Embedding, ModelConfig};
pub use context::Context;
pub use convert::{Convert, Converted};
pub use crossbeam_channel;
pub use engine::{Device, DeviceKind, Engine};
pub use error::{EngineReport, Error, Result, VaeOperation};
pub use generated::Generated;
pub use generated_video::GeneratedVideo;
pub use high_noise::HighNoise;
pub use hires::{HiresFix, HiresUpscaler};
pub use image;
pub use infotext::Parameters;
pub use inpaint::{Inpaint, InpaintArea, InpaintFill};
pub use lora::{Lora, LoraFolder};
pub use memory::{AvailableMemory, DeviceMemory, MemoryEstimate, PartMemory, ProcessMemory};
pub use model::Model;
pub use model_file::{
    Architecture, Component, ComponentSize, LoraInfo, MetadataValue, Mismatch, MissingParts,
    ModelFile, ModelFormat, Part, TensorInfo, TensorType, TextEncoder, VaeKind,
};
pub use outpaint::{Outpaint, OutpaintFill};
pub use photo_maker::PhotoMaker;
pub use picture::{Picture, PngCompression, open_picture};
pub use pool::{
    BreakerState, ContextPool, Job, JobPool, JobStatus, Lease, Pool, PoolMetrics, PoolOptions,
    Shutdown,
};
pub use preset::{HubFile, KnownModel, Preset};
pub use preview::{Preview, PreviewKind, PreviewOptions};
pub use progress::{Progress, Watch};
pub use provider::{Provider, Unavailable};
pub use request::{ImageRequest, MAX_BATCH, MAX_REFERENCES, MAX_SIDE};
pub use sampler::Sampler;
pub use sampling::{MAX_STEPS, Sampling, SkipLayers};
pub use scheduler::Scheduler;
pub use settings::Settings;
pub use stage::Stage;
pub use step_cache::{DbCache, EasyCache, Spectrum, StepCache, TaylorSeer, UCache};
pub use timings::Timings;
pub use upscaler::{Upscaled, Upscaler, UpscalerConfig};
pub use vae_tiling::VaeTiling;
pub use video::{MAX_FRAMES, VideoRequest};
pub use warning::Warning;
pub use weights::{LoraApplyMode, Prediction, RngKind, VaeFormat, WeightType};
