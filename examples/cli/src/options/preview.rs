//! Pictures of the work in progress.

use clap::{Args, ValueEnum};
use sdcpp::{PreviewKind, PreviewOptions};
use std::path::PathBuf;

/// Previews.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Preview")]
pub(crate) struct PreviewArguments {
    /// Show the picture while it is drawn, in the terminal and in --preview-path
    #[arg(long, value_enum, value_name = "KIND")]
    preview: Option<PreviewMethod>,
    /// PNG file to write previews to, each replacing the one before
    #[arg(long, value_name = "FILE")]
    pub(crate) preview_path: Option<PathBuf>,
    /// At every so many steps [default: 1]
    #[arg(long, value_name = "N")]
    preview_interval: Option<u32>,
    /// The latent with its noise
    #[arg(long)]
    preview_noisy: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum PreviewMethod {
    /// No previews
    None,
    /// Rough colours at an eighth of the size, at next to no cost
    #[value(alias = "projection")]
    Proj,
    /// By the TAESD
    #[value(alias = "taesd")]
    Tae,
    /// By the VAE, slow
    Vae,
}

impl PreviewArguments {
    /// What previews are asked for.
    pub(crate) fn options(&self) -> Option<PreviewOptions> {
        let kind = match self.preview? {
            PreviewMethod::None => return None,
            PreviewMethod::Proj => PreviewKind::Projection,
            PreviewMethod::Tae => PreviewKind::Taesd,
            PreviewMethod::Vae => PreviewKind::Vae,
        };
        let every = self.preview_interval.unwrap_or(1);
        Some(PreviewOptions::new(kind).every(every).noisy(self.preview_noisy))
    }
}
