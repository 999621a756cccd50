//! Rust structs as the engine's, with the memory that their pointers lead to.

use crate::{
    Error, ImageRequest, ModelConfig, Result, Sampler, Scheduler, VaeFormat, WeightType,
    weights::{Prediction, RngKind},
};
use sdcpp_sys::{
    Table, sd_ctx_params_t, sd_embedding_t, sd_image_t, sd_img_gen_params_t, sd_tiling_params_t,
};
use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    path::Path,
    ptr,
};

/// Keeps C strings alive while the engine reads them.
#[derive(Debug, Default)]
struct Strings(Vec<CString>);

impl Strings {
    fn text(&mut self, field: &'static str, text: &str) -> Result<*const c_char> {
        let text = CString::new(text)
            .map_err(|_| Error::invalid(field, format!("{text:?}"), "text without NUL"))?;
        // Moving a CString does not move its bytes.
        let pointer = text.as_ptr();
        self.0.push(text);
        Ok(pointer)
    }

    fn optional(&mut self, field: &'static str, text: Option<&str>) -> Result<*const c_char> {
        text.map_or(Ok(ptr::null()), |text| self.text(field, text))
    }

    fn path(
        &mut self,
        field: &'static str,
        path: &Option<std::path::PathBuf>,
    ) -> Result<*const c_char> {
        let Some(path) = path else { return Ok(ptr::null()) };
        let bytes = path_bytes(field, path)?;
        let text = CString::new(bytes)
            .map_err(|_| Error::invalid(field, path.display(), "a path without NUL"))?;
        let pointer = text.as_ptr();
        self.0.push(text);
        Ok(pointer)
    }
}

/// A path as the engine's `fopen` wants it: the system's bytes on Unix, whatever they are.
#[cfg(unix)]
fn path_bytes(_: &'static str, path: &Path) -> Result<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(path.as_os_str().as_bytes().to_vec())
}

/// The engine takes UTF-8 on Windows; a path that is none cannot be handed over.
#[cfg(not(unix))]
fn path_bytes(field: &'static str, path: &Path) -> Result<Vec<u8>> {
    path.to_str()
        .map(|s| s.as_bytes().to_vec())
        .ok_or_else(|| Error::invalid(field, path.display(), "a path that is valid Unicode"))
}

/// A number the caller's check has bounded, for C's int.
fn int(field: &'static str, value: u32) -> Result<i32> {
    i32::try_from(value).map_err(|_| Error::invalid(field, value, format!("at most {}", i32::MAX)))
}

/// Parameters of a context.
pub(super) struct ContextParams {
    raw: sd_ctx_params_t,
    // Pointed to by `raw`.
    _strings: Strings,
    _embeddings: Vec<sd_embedding_t>,
}

impl ContextParams {
    pub(super) fn new(table: Table, config: &ModelConfig, threads: u32) -> Result<Self> {
        let mut strings = Strings::default();
        let mut embeddings = Vec::with_capacity(config.embeddings.len());
        for embedding in &config.embeddings {
            embeddings.push(sd_embedding_t {
                name: strings.text("embeddings", &embedding.name)?,
                path: strings.path("embeddings", &Some(embedding.path.clone()))?,
            });
        }
        let mut raw = MaybeUninit::<sd_ctx_params_t>::zeroed();
        // SAFETY: a writable struct; all zeroes are valid for its numbers, bools and pointers, so it
        // is initialised whatever the function leaves out.
        let mut raw = unsafe {
            (table.context_params_init)(raw.as_mut_ptr());
            raw.assume_init()
        };
        raw.model_path = strings.path("model", &config.model)?;
        raw.clip_l_path = strings.path("clip_l", &config.clip_l)?;
        raw.clip_g_path = strings.path("clip_g", &config.clip_g)?;
        raw.clip_vision_path = strings.path("clip_vision", &config.clip_vision)?;
        raw.t5xxl_path = strings.path("t5xxl", &config.t5xxl)?;
        raw.llm_path = strings.path("llm", &config.llm)?;
        raw.llm_vision_path = strings.path("llm_vision", &config.llm_vision)?;
        raw.diffusion_model_path = strings.path("diffusion_model", &config.diffusion_model)?;
        raw.high_noise_diffusion_model_path =
            strings.path("high_noise_diffusion_model", &config.high_noise_diffusion_model)?;
        raw.uncond_diffusion_model_path =
            strings.path("uncond_diffusion_model", &config.uncond_diffusion_model)?;
        raw.embeddings_connectors_path =
            strings.path("embeddings_connectors", &config.embeddings_connectors)?;
        raw.vae_path = strings.path("vae", &config.vae)?;
        raw.audio_vae_path = strings.path("audio_vae", &config.audio_vae)?;
        raw.taesd_path = strings.path("taesd", &config.taesd)?;
        raw.control_net_path = strings.path("control_net", &config.control_net)?;
        raw.photo_maker_path = strings.path("photo_maker", &config.photo_maker)?;
        raw.embeddings = if embeddings.is_empty() { ptr::null() } else { embeddings.as_ptr() };
        raw.embedding_count = u32::try_from(embeddings.len())
            .map_err(|_| Error::invalid("embeddings", embeddings.len(), "fewer"))?;
        raw.tensor_type_rules =
            strings.optional("tensor_type_rules", config.tensor_type_rules.as_deref())?;
        raw.n_threads = int("threads", threads)?;
        // The engine's enums are unsigned or signed by compiler; the values are small either way.
        raw.wtype = config.weight_type.map_or(WeightType::AUTO, WeightType::to_engine) as _;
        raw.rng_type = config.rng.to_engine() as _;
        raw.sampler_rng_type = config.sampler_rng.map_or(RngKind::AUTO, RngKind::to_engine) as _;
        raw.prediction = config.prediction.map_or(Prediction::AUTO, Prediction::to_engine) as _;
        raw.lora_apply_mode = config.lora_apply_mode.to_engine() as _;
        raw.enable_mmap = config.mmap;
        raw.flash_attn = config.flash_attention;
        raw.diffusion_flash_attn = config.diffusion_flash_attention;
        raw.tae_preview_only = config.taesd_preview_only;
        raw.diffusion_conv_direct = config.diffusion_conv_direct;
        raw.vae_conv_direct = config.vae_conv_direct;
        raw.circular_x = config.circular_x;
        raw.circular_y = config.circular_y;
        raw.force_sdxl_vae_conv_scale = config.force_sdxl_vae_conv_scale;
        raw.chroma_use_dit_mask = config.chroma_use_dit_mask;
        raw.chroma_use_t5_mask = config.chroma_use_t5_mask;
        raw.chroma_t5_mask_pad = int("chroma_t5_mask_pad", config.chroma_t5_mask_pad)?;
        raw.qwen_image_zero_cond_t = config.qwen_image_zero_cond_t;
        raw.vae_format = config.vae_format.map_or(VaeFormat::AUTO, VaeFormat::to_engine) as _;
        raw.max_vram = config.max_vram;
        raw.stream_layers = config.stream_layers;
        raw.backend = strings.optional("backend", config.backend.as_deref())?;
        raw.params_backend =
            strings.optional("params_backend", config.params_backend.as_deref())?;
        Ok(Self { raw, _strings: strings, _embeddings: embeddings })
    }

    pub(super) fn as_ptr(&self) -> *const sd_ctx_params_t {
        &self.raw
    }
}

// SAFETY: the pointers lead into memory that this value owns and nobody changes.
unsafe impl Send for ContextParams {}
// SAFETY: as above.
unsafe impl Sync for ContextParams {}

/// Parameters of one generation. Borrows the request's pixels and sigmas.
pub(super) struct ImageParams<'a> {
    raw: sd_img_gen_params_t,
    // Pointed to by `raw`.
    _strings: Strings,
    _sigmas: Vec<f32>,
    _white: Vec<u8>,
    _request: &'a ImageRequest,
}

impl<'a> ImageParams<'a> {
    pub(super) fn new(
        table: Table,
        request: &'a ImageRequest,
        sampler: Sampler,
        seed: i64,
    ) -> Result<Self> {
        let mut strings = Strings::default();
        let mut sigmas = request.custom_sigmas.clone();
        let mut white = Vec::new();
        let mut raw = MaybeUninit::<sd_img_gen_params_t>::zeroed();
        // SAFETY: as in `ContextParams::new`.
        let mut raw = unsafe {
            (table.image_params_init)(raw.as_mut_ptr());
            raw.assume_init()
        };
        raw.prompt = strings.text("prompt", &request.prompt)?;
        raw.negative_prompt = strings.text("negative_prompt", &request.negative_prompt)?;
        raw.width = int("width", request.width)?;
        raw.height = int("height", request.height)?;
        raw.batch_count = int("batch", request.batch)?;
        raw.seed = seed;
        raw.clip_skip = request.clip_skip.map_or(Ok(-1), |n| int("clip_skip", n))?;
        raw.strength = request.denoising_strength;

        let sample = &mut raw.sample_params;
        sample.sample_method = sampler.to_engine() as _;
        sample.scheduler = request.scheduler.map_or(Scheduler::AUTO, Scheduler::to_engine) as _;
        sample.sample_steps = int("steps", request.steps)?;
        sample.guidance.txt_cfg = request.cfg_scale;
        sample.guidance.img_cfg = request.image_cfg_scale.unwrap_or(f32::INFINITY);
        sample.guidance.distilled_guidance = request.distilled_guidance;
        sample.eta = request.eta.unwrap_or(f32::INFINITY);
        sample.flow_shift = request.flow_shift.unwrap_or(f32::INFINITY);
        sample.shifted_timestep = int("shifted_timestep", request.shifted_timestep)?;
        sample.extra_sample_args =
            strings.optional("extra_sample_args", request.extra_sample_args.as_deref())?;
        if !sigmas.is_empty() {
            sample.custom_sigmas = sigmas.as_mut_ptr();
            sample.custom_sigmas_count = i32::try_from(sigmas.len())
                .map_err(|_| Error::invalid("custom_sigmas", sigmas.len(), "fewer"))?;
            // The engine warns unless the two agree.
            sample.sample_steps = sample.custom_sigmas_count - 1;
        }
        if let Some(init) = &request.init_image {
            raw.init_image = borrowed(init.width(), init.height(), 3, init.as_raw());
            raw.mask_image = match &request.mask {
                Some(mask) => borrowed(mask.width(), mask.height(), 1, mask.as_raw()),
                None => {
                    // The engine wants one; white may change everywhere.
                    white = vec![255; init.width() as usize * init.height() as usize];
                    borrowed(init.width(), init.height(), 1, &white)
                }
            };
        }
        if let Some(tiling) = &request.vae_tiling {
            raw.vae_tiling_params = sd_tiling_params_t {
                enabled: true,
                tile_size_x: int("vae_tiling.tile_size", tiling.tile_size.0)?,
                tile_size_y: int("vae_tiling.tile_size", tiling.tile_size.1)?,
                target_overlap: tiling.overlap,
                ..raw.vae_tiling_params
            };
        }
        Ok(Self { raw, _strings: strings, _sigmas: sigmas, _white: white, _request: request })
    }

    pub(super) fn as_ptr(&self) -> *const sd_img_gen_params_t {
        &self.raw
    }
}

// SAFETY: the pointers lead into memory that this value owns or borrows, and nobody changes it.
unsafe impl Send for ImageParams<'_> {}
// SAFETY: as above.
unsafe impl Sync for ImageParams<'_> {}

/// Pixels the engine only reads, whatever the type of its pointer.
fn borrowed(width: u32, height: u32, channel: u32, pixels: &[u8]) -> sd_image_t {
    sd_image_t { width, height, channel, data: pixels.as_ptr().cast_mut() }
}
