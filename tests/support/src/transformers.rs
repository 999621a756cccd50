//! Cached files of the transformer families and of what they need besides.

use crate::{
    Architecture, ErnieImage, Flux, Format, Llm, Ltx, QwenImage, Sd3, TinyModel, VideoLatent, Wan,
};
use std::io;
use std::path::PathBuf;

/// FLUX or a family built like it, without text encoders and autoencoder. FLUX.1 needs
/// [`clip_l`]: without any text encoder the engine crashes.
///
/// # Errors
///
/// For sizes the engine does not load, and if the file cannot be written.
pub fn flux(spec: Flux, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Flux(spec), format).cached()
}

/// Stable Diffusion 3 without text encoders and autoencoder. It needs [`clip_l`] and [`clip_g`]:
/// the engine fails with one of them alone, and crashes without any text encoder.
///
/// # Errors
///
/// For sizes the engine does not load, and if the file cannot be written.
pub fn sd3(spec: Sd3, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Sd3(spec), format).cached()
}

/// A Wan model of the real size, in a file whose tensors share their data. The engine has to map
/// it into memory. It runs without a text encoder, and then knows nothing of the prompt.
///
/// # Errors
///
/// If the file cannot be written.
pub fn wan(model: Wan) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Wan(model), Format::SafetensorsMapped).cached()
}

/// A Qwen-Image model, in a file whose tensors share their data. The engine has to map it into
/// memory.
///
/// # Errors
///
/// For sizes the engine does not load, and if the file cannot be written.
pub fn qwen_image(spec: QwenImage) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::QwenImage(spec), Format::SafetensorsMapped).cached()
}

/// The tiny autoencoder of videos, which Qwen-Image takes for pictures too.
///
/// # Errors
///
/// If the file cannot be written.
pub fn video_tae(latent: VideoLatent, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::VideoTae(latent), format).cached()
}

/// The autoencoder of Wan 2.1 and of Qwen-Image, of the real size (127 M parameters), in a file
/// whose tensors share their data. With the tiny autoencoder Qwen-Image cannot see pictures: the
/// engine encodes videos alone with it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn wan_vae() -> io::Result<PathBuf> {
    TinyModel::new(Architecture::WanVae, Format::SafetensorsMapped).cached()
}

/// An ERNIE-Image model without text encoder and autoencoder.
///
/// # Errors
///
/// For sizes the engine does not load, and if the file cannot be written.
pub fn ernie_image(spec: ErnieImage, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::ErnieImage(spec), format).cached()
}

/// An LTX-2 transformer. It needs [`Llm::Gemma3`] and [`ltx_projection`].
///
/// # Errors
///
/// For sizes the engine does not load, and if the file cannot be written.
pub fn ltx(spec: Ltx, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Ltx(spec), format).cached()
}

/// What takes a prompt from Gemma 3 to LTX-2, always of the real size (723 M parameters: 100 MB
/// in q1_0). The engine loads it as the embeddings' connectors.
///
/// # Errors
///
/// If the file cannot be written.
pub fn ltx_projection(format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::LtxProjection, format).cached()
}

/// The audio autoencoder of LTX-2, without its encoder and the extension to 48 kHz.
///
/// # Errors
///
/// If the file cannot be written.
pub fn ltx_audio(format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::LtxAudio, format).cached()
}

/// The text encoder CLIP-L, always of the real size (123 M parameters).
///
/// # Errors
///
/// If the file cannot be written.
pub fn clip_l(format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::ClipL, format).cached()
}

/// The text encoder CLIP-G, always of the real size (695 M parameters).
///
/// # Errors
///
/// If the file cannot be written.
pub fn clip_g(format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::ClipG, format).cached()
}

/// The picture encoder of CLIP, always of the real size (632 M parameters): Wan 2.1 sees its
/// start picture with it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn clip_vision(format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::ClipVision, format).cached()
}

/// A language model which serves as a text encoder.
///
/// # Errors
///
/// For sizes the engine does not load, and if the file cannot be written.
pub fn llm(model: Llm, format: Format) -> io::Result<PathBuf> {
    TinyModel::new(Architecture::Llm(model), format).cached()
}
