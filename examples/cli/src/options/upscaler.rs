//! Enlarging by an ESRGAN model.

use super::EngineOptions;
use clap::Args;
use sdcpp::UpscalerConfig;
use std::path::{Path, PathBuf};

/// The upscaler's settings.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Upscaling")]
pub(crate) struct UpscalerOptions {
    /// How many times in a row it enlarges
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8), value_name = "N")]
    pub(crate) upscale_repeats: u32,
    /// Side of its tiles in pixels; 0: the whole picture at once
    #[arg(long, default_value_t = 128, value_name = "PIXELS")]
    upscale_tile_size: u32,
}

impl UpscalerOptions {
    /// What the upscaler in `model` is built from.
    pub(crate) fn config(&self, model: &Path, engine: &EngineOptions) -> UpscalerConfig {
        let mut config = UpscalerConfig::new(model)
            .tile_size(self.upscale_tile_size)
            .trust_pickle(engine.trust_pickle());
        config.threads = engine.threads();
        config.backend = engine.backend();
        config.params_backend = engine.params_backend();
        config
    }
}

/// Enlarging what was drawn.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Upscaling")]
pub(crate) struct UpscaleOptions {
    /// ESRGAN model that enlarges the pictures once they are drawn
    #[arg(long, value_name = "FILE")]
    pub(crate) upscale_model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) upscaler: UpscalerOptions,
}
