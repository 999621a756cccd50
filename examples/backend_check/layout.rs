//! Random weights in the shape of real models, so that no download is needed: what they draw is noise, and
//! takes as long as a picture. They are written to `target/test-models` (2 and 7 GB), or to `test-models`
//! in `CARGO_TARGET_DIR`.

use crate::Outcome;
use clap::ValueEnum;
use sdcpp::{ImageRequest, ModelConfig, Sampler};
use sdcpp_test_support::{FloatType, Format, Sd1, TextEncoders, UNet, UNetFamily, WeightType};

/// A model of the real size, f16.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Layout {
    None,
    Sd15,
    Sdxl,
}

impl Layout {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sd15 => "sd15",
            Self::Sdxl => "sdxl",
        }
    }

    /// Width and height that the model was trained for.
    pub(crate) fn usual_size(self) -> u32 {
        match self {
            Self::None | Self::Sd15 => 512,
            Self::Sdxl => 1024,
        }
    }

    /// The one of SDXL has a VAE with a narrow decoder: its decoding says nothing.
    pub(crate) fn has_real_decoder(self) -> bool {
        self == Self::Sd15
    }

    /// Nothing of `None`. Writes the model if it is not there.
    pub(crate) fn config(self, device: &str, threads: u32) -> Outcome<Option<ModelConfig>> {
        let config = match self {
            Self::None => return Ok(None),
            Self::Sd15 => {
                let real = Sd1 { width: 320, vae: true };
                ModelConfig::new(sdcpp_test_support::sd1(
                    real,
                    Format::Safetensors(FloatType::F16),
                )?)
            }
            Self::Sdxl => {
                let unet = UNet { family: UNetFamily::Sdxl, width: 320 };
                let unet = sdcpp_test_support::unet(unet, Format::Gguf(WeightType::F16))?;
                let encoders = sdcpp_test_support::text_encoders(TextEncoders::Sdxl)?;
                let mut config = ModelConfig::new(encoders).vae(sdcpp_test_support::vae()?);
                config.diffusion_model = Some(unet);
                config
            }
        };
        Ok(Some(config.backend(device).threads(threads)))
    }
}

/// What is drawn: with guidance, so that a step evaluates the model twice.
pub(crate) fn request(size: u32, steps: u32) -> ImageRequest {
    ImageRequest::new("a lighthouse")
        .size(size, size)
        .steps(steps)
        .cfg_scale(7.0)
        .sampler(Sampler::Euler)
        .seed(1)
}
