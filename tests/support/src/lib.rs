//! What tests start and load: tiny model files with random weights, and programs that heed signals.
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
mod controlnet;
mod embedding;
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
mod photomaker;
mod pickle;
mod quantize;
mod qwen_image;
mod safetensors;
mod sd;
mod sd3;
#[cfg(unix)]
pub mod signals;
mod tae;
mod tae_video;
mod tensor;
mod transformers;
mod unet;
mod unet_lora;
mod vae;
mod values;
mod wan;
mod wan_vae;
mod zimage;

pub use cache::directory;
pub use clip::TextEncoders;
pub use embedding::Embedding;
pub use ernie::ErnieImage;
pub use flux::{Flux, FluxKind};
pub use llm::Llm;
pub use lora::ZImageLora;
pub use ltx::Ltx;
pub use model::{Architecture, Format, TinyModel};
pub use photomaker::{PhotoMaker, write_id_embeds};
pub use quantize::WeightType;
pub use qwen_image::QwenImage;
pub use safetensors::FloatType;
pub use sd::{Sd1, UNet, UNetFamily};
pub use sd3::Sd3;
pub use tae_video::VideoLatent;
pub use tensor::{Init, Layout, Tensor};
pub use transformers::{
    clip_g, clip_l, clip_vision, ernie_image, flux, llm, ltx, ltx_audio, ltx_projection,
    qwen_image, sd3, video_tae, wan, wan_vae,
};
pub use unet_lora::Sd1Lora;
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

/// A UNet alone, to be given as the diffusion model.
///
/// # Errors
///
/// For widths the engine does not load, and if the file cannot be written.
pub fn unet(spec: UNet, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::UNet(spec), format).cached()
}

/// Text encoders alone, to be given as the model beside a [`unet`]. They always have the real
/// size, so their tensors share their data.
///
/// # Errors
///
/// If the file cannot be written.
pub fn text_encoders(encoders: TextEncoders) -> io::Result<PathBuf> {
    let format = Format::GgufAliased(WeightType::Q4_0);
    TinyModel::new(Architecture::TextEncoders(encoders), format).cached()
}

/// The autoencoder of Stable Diffusion 1, 2 and XL with a decoder of the least width. Its
/// encoder always has the real size, so its tensors share their data.
///
/// # Errors
///
/// If the file cannot be written.
pub fn vae() -> io::Result<PathBuf> {
    let format = Format::GgufAliased(WeightType::F16);
    TinyModel::new(Architecture::Vae { decoder_width: 32 }, format).cached()
}

/// A ControlNet for Stable Diffusion 1. The engine loads those of the real width alone, so the
/// [`unet`] must have the width 320.
///
/// # Errors
///
/// If the file cannot be written.
pub fn control_net() -> io::Result<PathBuf> {
    TinyModel::new(Architecture::ControlNet, Format::GgufAliased(WeightType::Q4_0)).cached()
}

/// A LoRA for an [`Sd1`] of the same width.
///
/// # Errors
///
/// For an empty LoRA, and if the file cannot be written.
pub fn sd1_lora(spec: Sd1Lora) -> io::Result<PathBuf> {
    let format = Format::Safetensors(FloatType::F16);
    TinyModel::new(Architecture::Sd1Lora(spec), format).cached()
}

/// A textual inversion.
///
/// # Errors
///
/// For an embedding without vectors, and if the file cannot be written.
pub fn embedding(spec: Embedding) -> io::Result<PathBuf> {
    let format = Format::Safetensors(FloatType::F32);
    TinyModel::new(Architecture::Embedding(spec), format).cached()
}

/// PhotoMaker for an SDXL UNet of the least width. The prompt must name the person and then
/// say `img`, as in `a man img`: without that word the engine fails an assertion.
///
/// # Errors
///
/// If the file cannot be written.
pub fn photo_maker(version: PhotoMaker) -> io::Result<PathBuf> {
    let unet_width = UNetFamily::Sdxl.smallest_width();
    let architecture = Architecture::PhotoMaker { version, unet_width };
    TinyModel::new(architecture, Format::GgufAliased(WeightType::Q4_0)).cached()
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
