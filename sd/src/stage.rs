//! What the engine is busy with.

use std::fmt;

/// A stage of loading or drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Waiting for a model of a pool.
    Queued,
    /// Between stages, or in one the engine does not tell.
    Preparing,
    /// Reading headers and choosing backends.
    Opening,
    /// Reading weights.
    Loading,
    /// Running the text encoder on the prompts.
    TextEncoding,
    /// Turning input pictures into latents.
    VaeEncoding,
    /// Running the diffusion model.
    Sampling,
    /// Turning latents into pictures.
    VaeDecoding,
    /// Enlarging.
    Upscaling,
    /// Converting a model file.
    Converting,
    /// Preparing a control picture.
    Preprocessing,
}

impl Stage {
    /// Its name, for logs and protocols, as in `vae_decoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Preparing => "preparing",
            Self::Opening => "opening",
            Self::Loading => "loading",
            Self::TextEncoding => "text_encoding",
            Self::VaeEncoding => "vae_encoding",
            Self::Sampling => "sampling",
            Self::VaeDecoding => "vae_decoding",
            Self::Upscaling => "upscaling",
            Self::Converting => "converting",
            Self::Preprocessing => "preprocessing",
        }
    }

    /// An unknown number is a stage this crate has no name for.
    pub(crate) fn from_shim(value: i32) -> Self {
        match value {
            sdcpp_sys::SDCPP_STAGE_OPENING => Self::Opening,
            sdcpp_sys::SDCPP_STAGE_LOADING => Self::Loading,
            sdcpp_sys::SDCPP_STAGE_TEXT_ENCODING => Self::TextEncoding,
            sdcpp_sys::SDCPP_STAGE_VAE_ENCODING => Self::VaeEncoding,
            sdcpp_sys::SDCPP_STAGE_SAMPLING => Self::Sampling,
            sdcpp_sys::SDCPP_STAGE_VAE_DECODING => Self::VaeDecoding,
            sdcpp_sys::SDCPP_STAGE_UPSCALING => Self::Upscaling,
            sdcpp_sys::SDCPP_STAGE_CONVERTING => Self::Converting,
            sdcpp_sys::SDCPP_STAGE_PREPROCESSING => Self::Preprocessing,
            _ => Self::Preparing,
        }
    }
}

impl fmt::Display for Stage {
    /// As in "out of memory while …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "waiting for a free model",
            Self::Preparing => "preparing",
            Self::Opening => "opening the model",
            Self::Loading => "loading weights",
            Self::TextEncoding => "encoding the prompt",
            Self::VaeEncoding => "encoding with the VAE",
            Self::Sampling => "sampling",
            Self::VaeDecoding => "decoding with the VAE",
            Self::Upscaling => "upscaling",
            Self::Converting => "converting",
            Self::Preprocessing => "preprocessing",
        })
    }
}
