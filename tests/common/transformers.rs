//! Configurations of transformer models with random weights.

use sdcpp::{ImageRequest, ModelConfig, Sampler};
use sdcpp_test_support::{
    self as models, Flux, FluxKind, Format, Llm, Ltx, QwenImage, Sd3, VideoLatent, Wan, WeightType,
};
use std::{io, path::PathBuf};

pub(crate) const Q8_0: Format = Format::Gguf(WeightType::Q8_0);
pub(crate) const Q4_0: Format = Format::Gguf(WeightType::Q4_0);
pub(crate) const F16: Format = Format::Gguf(WeightType::F16);
/// Large models of which the memory is shared.
pub(crate) const MAPPED: Format = Format::SafetensorsMapped;

pub(crate) fn parts(transformer: io::Result<PathBuf>) -> ModelConfig {
    // Not only for memory: copying the large text encoders takes longer than running them.
    ModelConfig::from_parts(transformer.unwrap()).mmap(true).threads(super::THREADS)
}

/// A FLUX.1 model, or one that takes the same text encoder and autoencoder.
pub(crate) fn flux(kind: FluxKind) -> ModelConfig {
    parts(models::flux(Flux::of(kind), Q8_0))
        .clip_l(models::clip_l(Q4_0).unwrap())
        .taesd(models::tae(16, F16).unwrap())
}

pub(crate) fn sd3() -> ModelConfig {
    parts(models::sd3(Sd3::default(), MAPPED))
        .clip_l(models::clip_l(Q4_0).unwrap())
        .clip_g(models::clip_g(MAPPED).unwrap())
        .taesd(models::tae(16, F16).unwrap())
}

/// Qwen2.5-VL is little more than a table here, but that has 545 million entries.
pub(crate) fn qwen2_5_vl() -> PathBuf {
    models::llm(Llm::Qwen2_5Vl { layers: 0 }, Q4_0).unwrap()
}

/// Qwen-Image with the autoencoder that encodes pictures too.
pub(crate) fn qwen_image() -> ModelConfig {
    parts(models::qwen_image(QwenImage::default()))
        .llm(qwen2_5_vl())
        .vae(models::wan_vae().unwrap())
}

/// A Wan model with the tiny decoder for its latents.
pub(crate) fn wan(model: Wan) -> ModelConfig {
    let latent = match model {
        Wan::Ti2v5B => VideoLatent::Wan2_2,
        _ => VideoLatent::Wan,
    };
    parts(models::wan(model)).taesd(models::video_tae(latent, F16).unwrap())
}

/// LTX-2, whose text encoder knows 512 tokens: prompts such as `<unused5>`.
pub(crate) fn ltx() -> ModelConfig {
    let projection = models::ltx_projection(Format::Gguf(WeightType::Q1_0)).unwrap();
    parts(models::ltx(Ltx::default(), Q8_0))
        .llm(models::llm(Llm::Gemma3, Q4_0).unwrap())
        .embeddings_connectors(projection)
        .taesd(models::video_tae(VideoLatent::Ltx, F16).unwrap())
}

/// A request for the random transformers.
pub(crate) fn request() -> ImageRequest {
    ImageRequest::new("a cat").size(64, 64).steps(2).cfg_scale(1.0).sampler(Sampler::Euler).seed(42)
}
