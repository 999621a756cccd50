//! Parameters of a context.

use super::{Strings, count, int, list};
use crate::{
    ModelConfig, Result, VaeFormat, WeightType,
    fit::apply_mode,
    weights::{Prediction, RngKind},
};
use sdcpp_sys::{sd_ctx_params_t, sd_embedding_t};

/// Parameters of a context.
pub(in crate::engine) struct ContextParams {
    raw: sd_ctx_params_t,
    // Pointed to by `raw`.
    _strings: Strings,
    _embeddings: Vec<sd_embedding_t>,
}

impl ContextParams {
    pub(in crate::engine) fn new(config: &ModelConfig, threads: u32) -> Result<Self> {
        let mut strings = Strings::default();
        let mut embeddings = Vec::with_capacity(config.embeddings.len());
        for embedding in &config.embeddings {
            embeddings.push(sd_embedding_t {
                name: strings.text("embeddings", &embedding.name)?,
                path: strings.path("embeddings", Some(&embedding.path))?,
            });
        }
        let mut path =
            |field: &'static str, path: &Option<_>| strings.path(field, Option::as_deref(path));
        // Enums are unsigned or signed by compiler; their values are small either way.
        let raw = sd_ctx_params_t {
            model_path: path("model", &config.model)?,
            clip_l_path: path("clip_l", &config.clip_l)?,
            clip_g_path: path("clip_g", &config.clip_g)?,
            clip_vision_path: path("clip_vision", &config.clip_vision)?,
            t5xxl_path: path("t5xxl", &config.t5xxl)?,
            llm_path: path("llm", &config.llm)?,
            llm_vision_path: path("llm_vision", &config.llm_vision)?,
            diffusion_model_path: path("diffusion_model", &config.diffusion_model)?,
            high_noise_diffusion_model_path: path(
                "high_noise_diffusion_model",
                &config.high_noise_diffusion_model,
            )?,
            uncond_diffusion_model_path: path(
                "uncond_diffusion_model",
                &config.uncond_diffusion_model,
            )?,
            embeddings_connectors_path: path(
                "embeddings_connectors",
                &config.embeddings_connectors,
            )?,
            vae_path: path("vae", &config.vae)?,
            audio_vae_path: path("audio_vae", &config.audio_vae)?,
            taesd_path: path("taesd", &config.taesd)?,
            control_net_path: path("control_net", &config.control_net)?,
            embeddings: list(&mut embeddings).cast_const(),
            embedding_count: count("embeddings", embeddings.len())?,
            photo_maker_path: path("photo_maker", &config.photo_maker)?,
            tensor_type_rules: strings
                .optional("tensor_type_rules", config.tensor_type_rules.as_deref())?,
            n_threads: int("threads", threads)?,
            wtype: config.weight_type.map_or(WeightType::AUTO, WeightType::to_engine) as _,
            rng_type: config.rng.to_engine() as _,
            sampler_rng_type: config.sampler_rng.map_or(RngKind::AUTO, RngKind::to_engine) as _,
            prediction: config.prediction.map_or(Prediction::AUTO, Prediction::to_engine) as _,
            lora_apply_mode: apply_mode(config).to_engine() as _,
            enable_mmap: config.maps(),
            flash_attn: config.flash_attention,
            diffusion_flash_attn: config.diffusion_flash_attention,
            tae_preview_only: config.taesd_preview_only,
            diffusion_conv_direct: config.diffusion_conv_direct.unwrap_or(false),
            vae_conv_direct: config.vae_conv_direct.unwrap_or(false),
            circular_x: config.circular_x,
            circular_y: config.circular_y,
            force_sdxl_vae_conv_scale: config.force_sdxl_vae_conv_scale,
            chroma_use_dit_mask: config.chroma_use_dit_mask,
            chroma_use_t5_mask: config.chroma_use_t5_mask,
            chroma_t5_mask_pad: int("chroma_t5_mask_pad", config.chroma_t5_mask_pad)?,
            qwen_image_zero_cond_t: config.qwen_image_zero_cond_t,
            vae_format: config.vae_format.map_or(VaeFormat::AUTO, VaeFormat::to_engine) as _,
            max_vram: config.max_vram,
            stream_layers: config.stream_layers,
            backend: strings.optional("backend", config.backend.as_deref())?,
            params_backend: strings.optional("params_backend", config.params_backend.as_deref())?,
        };
        Ok(Self { raw, _strings: strings, _embeddings: embeddings })
    }

    pub(in crate::engine) fn as_ptr(&self) -> *const sd_ctx_params_t {
        &self.raw
    }
}

// SAFETY: the pointers lead into memory that this value owns and nobody changes.
unsafe impl Send for ContextParams {}
// SAFETY: as above.
unsafe impl Sync for ContextParams {}
