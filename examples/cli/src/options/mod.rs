//! Groups of options, and what each sets.

mod cache;
mod control;
mod engine;
mod high_noise;
mod hires;
mod image;
mod model;
mod output;
mod preview;
mod sampling;
mod tiling;
mod tuned;
mod upscaler;

pub(crate) use cache::CacheOptions;
pub(crate) use control::{ControlOptions, PhotoMakerOptions, ReferenceOptions, is_picture};
pub(crate) use engine::EngineOptions;
pub(crate) use high_noise::HighNoiseOptions;
pub(crate) use hires::HiresOptions;
pub(crate) use image::{BatchOptions, InitOptions, PictureOptions, open_folder};
pub(crate) use model::ModelOptions;
pub(crate) use output::{OutputOptions, RunOptions, seconds};
pub(crate) use preview::PreviewArguments;
pub(crate) use sampling::SamplingOptions;
pub(crate) use tiling::TilingOptions;
pub(crate) use tuned::{TunedOptions, settings_json};
pub(crate) use upscaler::{UpscaleOptions, UpscalerOptions};
