//! Parameters of videos.

use super::{
    NO_IMAGE,
    generation::{self, Memory},
    int, list, rgb,
};
use crate::{Lora, Result, Sampler, VideoRequest};
use sdcpp_sys::{sd_image_t, sd_vid_gen_params_t};

/// What the engine gets in place of the request's own.
pub(crate) struct VideoJob<'a> {
    pub(crate) request: &'a VideoRequest,
    pub(crate) prompt: &'a str,
    pub(crate) loras: &'a [Lora],
    pub(crate) init_image: Option<&'a ::image::RgbImage>,
    pub(crate) end_image: Option<&'a ::image::RgbImage>,
    pub(crate) control_frames: Vec<&'a ::image::RgbImage>,
    pub(crate) sampler: Sampler,
    pub(crate) seed: i64,
}

/// Parameters of one video. Borrows the job's pixels.
pub(in crate::engine) struct VideoParams<'a> {
    raw: sd_vid_gen_params_t,
    // Pointed to by `raw`.
    _memory: Memory,
    _control_frames: Vec<sd_image_t>,
    _job: &'a VideoJob<'a>,
}

impl<'a> VideoParams<'a> {
    pub(in crate::engine) fn new(job: &'a VideoJob<'a>) -> Result<Self> {
        let request = job.request;
        let mut memory = Memory::default();
        let mut control_frames: Vec<_> =
            job.control_frames.iter().map(|frame| rgb(frame)).collect();
        let (loras, lora_count) = generation::loras(&mut memory, job.loras)?;
        let raw = sd_vid_gen_params_t {
            loras,
            lora_count,
            prompt: memory.strings.text("prompt", job.prompt)?,
            negative_prompt: memory.strings.text("negative_prompt", &request.negative_prompt)?,
            clip_skip: request.clip_skip.map_or(Ok(-1), |n| int("clip_skip", n))?,
            init_image: job.init_image.map_or(NO_IMAGE, rgb),
            end_image: job.end_image.map_or(NO_IMAGE, rgb),
            control_frames: list(&mut control_frames),
            control_frames_size: super::count("control_frames", control_frames.len())?,
            width: int("width", request.width)?,
            height: int("height", request.height)?,
            sample_params: generation::sampling(&mut memory, &request.sampling, job.sampler)?,
            high_noise_sample_params: generation::high_noise(&mut memory, &request.high_noise)?,
            moe_boundary: request.moe_boundary,
            strength: request.conditioning_strength,
            seed: job.seed,
            video_frames: int("frames", request.frames)?,
            fps: int("fps", request.fps)?,
            vace_strength: request.vace_strength,
            vae_tiling_params: generation::vae_tiling(
                &mut memory,
                request.vae_tiling.as_ref(),
                request.vae_tiling_fallback,
            )?,
            cache: generation::step_cache(&mut memory, request.step_cache.as_ref())?,
            hires: generation::hires(&mut memory, request.hires.as_ref(), &request.sampling)?,
        };
        Ok(Self { raw, _memory: memory, _control_frames: control_frames, _job: job })
    }

    pub(in crate::engine) fn as_ptr(&self) -> *const sd_vid_gen_params_t {
        &self.raw
    }
}

// SAFETY: the pointers lead into memory that this value owns or borrows, and nobody changes it.
unsafe impl Send for VideoParams<'_> {}
// SAFETY: as above.
unsafe impl Sync for VideoParams<'_> {}
