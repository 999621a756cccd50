//! The keys of configurations.

use super::object;
use crate::{Canny, Convert, Embedding, ModelConfig, UpscalerConfig};
use std::path::PathBuf;

object! {
    ModelConfig = ModelConfig::default();
    model;
    diffusion_model;
    high_noise_diffusion_model;
    uncond_diffusion_model;
    clip_l;
    clip_g;
    clip_vision;
    t5xxl;
    llm;
    llm_vision;
    embeddings_connectors;
    vae;
    audio_vae;
    taesd;
    control_net;
    photo_maker;
    embeddings;
    lora_folder;
    threads;
    weight_type;
    tensor_type_rules;
    rng;
    sampler_rng;
    prediction;
    lora_apply_mode;
    mmap;
    flash_attention;
    diffusion_flash_attention;
    diffusion_conv_direct;
    vae_conv_direct;
    taesd_preview_only;
    circular_x;
    circular_y;
    force_sdxl_vae_conv_scale;
    chroma_use_dit_mask;
    chroma_use_t5_mask;
    chroma_t5_mask_pad;
    qwen_image_zero_cond_t;
    vae_format;
    max_vram;
    stream_layers;
    backend;
    params_backend;
    memory_check;
    trust_pickle;
}

object! {
    Embedding = Embedding { name: String::new(), path: PathBuf::new() }, required name path;
    name;
    path;
}

object! {
    UpscalerConfig = UpscalerConfig::new(""), required model;
    model;
    threads;
    tile_size;
    conv_direct;
    backend;
    params_backend;
    trust_pickle;
}

object! {
    Convert = Convert::new("", ""), required input output;
    input;
    output;
    vae;
    weight_type;
    tensor_type_rules;
    convert_names;
    trust_pickle;
}

object! {
    Canny = Canny::default();
    high_threshold;
    low_threshold;
    weak;
    strong;
    invert;
}
