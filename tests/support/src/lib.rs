//! Tiny model files with random weights, for tests.
//!
//! The pictures made with them are noise, but the engine loads them like real ones and every
//! stage runs: tokeniser, text encoder, denoiser, autoencoder, sampler. The functions here
//! return the path of a cached file and generate it first if need be; [`TinyModel`] also
//! chooses another seed or another place.
//!
//! ```no_run
//! use sdcpp_test_support::{Format, WeightType, ZImage, tae, zimage};
//!
//! # fn main() -> std::io::Result<()> {
//! let model = zimage(ZImage::default(), Format::Gguf(WeightType::Q4_0))?;
//! let taesd = tae(16, Format::Gguf(WeightType::F16))?;
//! # Ok(())
//! # }
//! ```

mod cache;
mod clip;
mod clip_large;
mod ernie;
mod esrgan;
mod flux;
mod gguf;
mod llm;
mod lora;
mod ltx;
mod ltx_audio;
mod mapped;
mod model;
mod quantize;
mod qwen_image;
mod safetensors;
mod sd3;
mod tae;
mod tae_video;
mod tensor;
mod transformers;
mod unet;
mod vae;
mod values;
mod wan;
mod wan_vae;
mod zimage;

pub use cache::directory;
pub use ernie::ErnieImage;
pub use flux::{Flux, FluxKind};
pub use llm::Llm;
pub use lora::ZImageLora;
pub use ltx::Ltx;
pub use model::{Architecture, Format, TinyModel};
pub use quantize::WeightType;
pub use qwen_image::QwenImage;
pub use safetensors::FloatType;
pub use sd3::Sd3;
pub use tae_video::VideoLatent;
pub use tensor::{Init, Layout, Tensor};
pub use transformers::{
    clip_g, clip_l, clip_vision, ernie_image, flux, llm, ltx, ltx_audio, ltx_projection,
    qwen_image, sd3, video_tae, wan, wan_vae,
};
pub use unet::Sd1;
pub use wan::Wan;
pub use zimage::ZImage;

use std::io;
use std::path::PathBuf;

/// A Z-Image model with its text encoder, and perhaps a tiny autoencoder.
///
/// # Errors
///
/// For sizes the engine does not load, and if the file cannot be written.
pub fn zimage(spec: ZImage, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::ZImage(spec), format).cached()
}

/// A tiny autoencoder (TAESD) for a latent of 4 (SD 1, SD 2, SDXL), 16 (Z-Image, FLUX, SD 3)
/// or 32 (FLUX.2) channels.
///
/// # Errors
///
/// For other channels, and if the file cannot be written.
pub fn tae(latent_channels: usize, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Tae { latent_channels }, format).cached()
}

/// A Stable Diffusion 1 checkpoint. Its text encoder always has the real size (123 M
/// parameters: 70 MB in q4_0, 131 MB in q8_0).
///
/// # Errors
///
/// For sizes the engine does not load, and if the file cannot be written.
pub fn sd1(spec: Sd1, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Sd1(spec), format).cached()
}

/// A Stable Diffusion 1.5 checkpoint with the real shape of every tensor, in a file of 38 MB.
///
/// # Errors
///
/// If the file cannot be written.
pub fn sd1_real_size_aliased() -> io::Result<PathBuf> {
    let real = Sd1 { width: 320, vae: true };
    sd1(real, Format::SafetensorsAliased)
}

/// An SDXS-512 checkpoint: a tiny UNet of this width, a multiple of 32, with a text encoder of
/// the real size and a built-in TAESD.
///
/// # Errors
///
/// For other widths, and if the file cannot be written.
pub fn sdxs(width: usize, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Sdxs { width }, format).cached()
}

/// A RealESRGAN upscaler by 1, 2 or 4.
///
/// # Errors
///
/// For other scales, and if the file cannot be written.
pub fn esrgan(scale: usize, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Esrgan { scale }, format).cached()
}

/// A LoRA for the transformer of a [`zimage`] of the same width.
///
/// # Errors
///
/// For sizes which fit no model, and if the file cannot be written.
pub fn zimage_lora(spec: ZImageLora, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::ZImageLora(spec), format).cached()
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason.into())
}
