//! What a model is opened from.

use crate::{
    error::{self, Result},
    pointer,
    sized::{self, sized},
};
use sdcpp::ModelConfig;
use std::{ffi::c_char, ptr};

/// What a model is opened from: `json` first, then the fields that are set, which override it.
///
/// Fill it by `sdcpp_model_config_init`. Texts and paths are copied by the call it is given to.
/// Paths are bytes as the system has them on Unix, and UTF-8 on Windows; relative ones start at the
/// current folder.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_model_config {
    /// `sizeof(sdcpp_model_config)`.
    pub size: usize,
    /// A JSON object with any of the keys of `sdcpp::ModelConfig`, as in
    /// `{"vae_conv_direct":true}`; NULL: none.
    pub json: *const c_char,
    /// A file with everything in it, or a folder in diffusers layout. NULL, here and below: not set.
    pub model: *const c_char,
    /// The diffusion model alone, in place of `model`.
    pub diffusion_model: *const c_char,
    /// The second diffusion model of Wan 2.2, for high noise.
    pub high_noise_diffusion_model: *const c_char,
    /// The VAE; the one in the model file otherwise.
    pub vae: *const c_char,
    /// A small decoder in place of the VAE.
    pub taesd: *const c_char,
    /// The CLIP-L text encoder.
    pub clip_l: *const c_char,
    /// The CLIP-G text encoder.
    pub clip_g: *const c_char,
    /// The CLIP image encoder.
    pub clip_vision: *const c_char,
    /// The T5-XXL text encoder.
    pub t5xxl: *const c_char,
    /// The language model of families that use one as text encoder.
    pub llm: *const c_char,
    /// A ControlNet.
    pub control_net: *const c_char,
    /// The folder that `<lora:name:multiplier>` in prompts is looked up in.
    pub lora_folder: *const c_char,
    /// Converts the weights at loading: `f16`, `q8_0`, `q4_0` and so on. NULL: as in the file.
    pub weight_type: *const c_char,
    /// Devices to compute on: `cpu`, `cuda0`, or by part as in `vulkan0,te=cpu`.
    pub backend: *const c_char,
    /// Devices to keep weights on, in the same form; also `disk`.
    pub params_backend: *const c_char,
    /// CPU threads; 0: the physical cores, in a pool shared out. Default 0.
    pub threads: u32,
    /// Device memory to use, in GiB; negative: what is free less that much; NAN: not set.
    /// Default NAN.
    pub max_vram: f32,
    /// Maps weights from the file instead of reading them. Switches are 1 (on), 0 (off), and
    /// -1: not set, which is the default of all.
    pub mmap: i32,
    /// Flash attention in all parts.
    pub flash_attention: i32,
    /// Flash attention in the diffusion model only.
    pub diffusion_flash_attention: i32,
    /// Uses `taesd` for previews only.
    pub taesd_preview_only: i32,
    /// Refuses what by estimate does not fit into memory. On unless set.
    pub memory_check: i32,
    /// Allows pickle checkpoints (`.ckpt`), which can crash the process if hostile.
    pub trust_pickle: i32,
}

sized!(sdcpp_model_config, first 168, {
    json: ptr::null(),
    model: ptr::null(),
    diffusion_model: ptr::null(),
    high_noise_diffusion_model: ptr::null(),
    vae: ptr::null(),
    taesd: ptr::null(),
    clip_l: ptr::null(),
    clip_g: ptr::null(),
    clip_vision: ptr::null(),
    t5xxl: ptr::null(),
    llm: ptr::null(),
    control_net: ptr::null(),
    lora_folder: ptr::null(),
    weight_type: ptr::null(),
    backend: ptr::null(),
    params_backend: ptr::null(),
    threads: 0,
    max_vram: f32::NAN,
    mmap: -1,
    flash_attention: -1,
    diffusion_flash_attention: -1,
    taesd_preview_only: -1,
    memory_check: -1,
    trust_pickle: -1,
});

/// Fills `config` with defaults: no field is set. `size` is `sizeof(sdcpp_model_config)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_model_config_init(
    config: *mut sdcpp_model_config,
    size: usize,
) -> i32 {
    // SAFETY: the pointers are as the documentation of this crate asks.
    error::call(|| unsafe { sized::init(config, size, "config") })
}

/// The configuration that the caller's struct stands for.
///
/// # Safety
/// `pointer` is NULL or leads to a struct whose pointers are as its documentation says.
pub(crate) unsafe fn read(pointer: *const sdcpp_model_config) -> Result<ModelConfig> {
    // SAFETY: the caller vouches for it.
    let asked = unsafe { sized::read(pointer, "config") }?;
    // SAFETY: as above.
    let base = unsafe { pointer::optional_json::<ModelConfig>(asked.json, "config.json") }?;
    let mut config = base.unwrap_or_default();
    for (path, name, field) in [
        (asked.model, "model", &mut config.model),
        (asked.diffusion_model, "diffusion_model", &mut config.diffusion_model),
        (
            asked.high_noise_diffusion_model,
            "high_noise_diffusion_model",
            &mut config.high_noise_diffusion_model,
        ),
        (asked.vae, "vae", &mut config.vae),
        (asked.taesd, "taesd", &mut config.taesd),
        (asked.clip_l, "clip_l", &mut config.clip_l),
        (asked.clip_g, "clip_g", &mut config.clip_g),
        (asked.clip_vision, "clip_vision", &mut config.clip_vision),
        (asked.t5xxl, "t5xxl", &mut config.t5xxl),
        (asked.llm, "llm", &mut config.llm),
        (asked.control_net, "control_net", &mut config.control_net),
        (asked.lora_folder, "lora_folder", &mut config.lora_folder),
    ] {
        // SAFETY: as above.
        if let Some(path) = unsafe { pointer::optional_path(path, name) }? {
            *field = Some(path);
        }
    }
    for (text, name, field) in [
        (asked.backend, "backend", &mut config.backend),
        (asked.params_backend, "params_backend", &mut config.params_backend),
    ] {
        // SAFETY: as above.
        if let Some(text) = unsafe { pointer::optional_text(text, name) }? {
            *field = Some(text.to_owned());
        }
    }
    // SAFETY: as above.
    let weight_type = unsafe { pointer::optional_name(asked.weight_type, "weight_type") }?;
    config.weight_type = weight_type.or(config.weight_type);
    if asked.threads > 0 {
        config.threads = Some(asked.threads);
    }
    if !asked.max_vram.is_nan() {
        config.max_vram = asked.max_vram;
    }
    config.mmap = pointer::switch(asked.mmap, "mmap")?.or(config.mmap);
    for (value, name, field) in [
        (asked.flash_attention, "flash_attention", &mut config.flash_attention),
        (
            asked.diffusion_flash_attention,
            "diffusion_flash_attention",
            &mut config.diffusion_flash_attention,
        ),
        (asked.taesd_preview_only, "taesd_preview_only", &mut config.taesd_preview_only),
        (asked.memory_check, "memory_check", &mut config.memory_check),
        (asked.trust_pickle, "trust_pickle", &mut config.trust_pickle),
    ] {
        *field = pointer::switch(value, name)?.unwrap_or(*field);
    }
    Ok(config)
}
