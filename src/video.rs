//! What video to make.

use crate::{
    error::{self, Result},
    pixels::{self, sdcpp_pixels},
    pointer,
    request::{Common, set, set_float},
    sized::{self, sized},
};
use sdcpp::{MAX_FRAMES, VideoRequest};
use std::{ffi::c_char, ptr};

/// What video to make: `json` first, then the fields that are set, which override it.
///
/// Fill it by `sdcpp_video_request_init`. Texts and pixels are copied by the call it is given to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_video_request {
    /// `sizeof(sdcpp_video_request)`.
    pub size: usize,
    /// A JSON object with any of the keys of `sdcpp::VideoRequest`; pictures in it are base64 of PNG
    /// or JPEG. NULL: none.
    pub json: *const c_char,
    /// What to show. NULL, here and below: not set.
    pub prompt: *const c_char,
    /// What to avoid.
    pub negative_prompt: *const c_char,
    /// The sampler; `sdcpp_names_json` has all.
    pub sampler: *const c_char,
    /// The scheduler.
    pub scheduler: *const c_char,
    /// The seed. Negative: not set, which is drawn at random. Default -1.
    pub seed: i64,
    /// Width in pixels, 1 to 16384; 0, here and below: not set.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Sampling steps, 1 to 1000.
    pub steps: u32,
    /// Frames, 1 to 4096.
    pub frames: u32,
    /// Frames a second, 1 to 240.
    pub fps: u32,
    /// How strongly the prompt rules, -100 to 100; NAN, here and below: not set.
    pub cfg_scale: f32,
    /// Guidance of distilled models, 0 to 100.
    pub distilled_guidance: f32,
    /// How strongly LTX keeps to `init_image` and `end_image`, 0 to 1.
    pub conditioning_strength: f32,
    /// The first frame.
    pub init_image: *const sdcpp_pixels,
    /// The last frame.
    pub end_image: *const sdcpp_pixels,
    /// Frames of a control video, for VACE models.
    pub control_frames: *const sdcpp_pixels,
    /// How many there are, at most as many as the video has; 0: not set.
    pub control_frame_count: usize,
    /// Decodes in tiles, for less memory: 1 on, 0 off, -1 not set.
    pub vae_tiling: i32,
    /// Decodes again in tiles if memory runs out: 1 on, 0 off, -1 not set.
    pub vae_tiling_fallback: i32,
}

sized!(sdcpp_video_request, first 128, {
    json: ptr::null(),
    prompt: ptr::null(),
    negative_prompt: ptr::null(),
    sampler: ptr::null(),
    scheduler: ptr::null(),
    seed: -1,
    width: 0,
    height: 0,
    steps: 0,
    frames: 0,
    fps: 0,
    cfg_scale: f32::NAN,
    distilled_guidance: f32::NAN,
    conditioning_strength: f32::NAN,
    init_image: ptr::null(),
    end_image: ptr::null(),
    control_frames: ptr::null(),
    control_frame_count: 0,
    vae_tiling: -1,
    vae_tiling_fallback: -1,
});

/// Fills `request` with defaults: no field is set. `size` is `sizeof(sdcpp_video_request)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_video_request_init(
    request: *mut sdcpp_video_request,
    size: usize,
) -> i32 {
    // SAFETY: the pointers are as the documentation of this crate asks.
    error::call(|| unsafe { sized::init(request, size, "request") })
}

/// The request that the caller's struct stands for.
///
/// # Safety
/// `pointer` is NULL or leads to a struct whose pointers are as its documentation says.
pub(crate) unsafe fn read(pointer: *const sdcpp_video_request) -> Result<VideoRequest> {
    // SAFETY: the caller vouches for it.
    let asked = unsafe { sized::read(pointer, "request") }?;
    // SAFETY: as above.
    let base = unsafe { pointer::optional_json::<VideoRequest>(asked.json, "request.json") }?;
    let mut request = base.unwrap_or_default();
    let common = Common {
        prompt: asked.prompt,
        negative_prompt: asked.negative_prompt,
        sampler: asked.sampler,
        scheduler: asked.scheduler,
        steps: asked.steps,
        cfg_scale: asked.cfg_scale,
        distilled_guidance: asked.distilled_guidance,
    };
    let VideoRequest { prompt, negative_prompt, sampling, .. } = &mut request;
    // SAFETY: as above.
    unsafe { common.apply(prompt, negative_prompt, sampling) }?;
    if asked.seed >= 0 {
        request.seed = Some(asked.seed);
    }
    set(&mut request.width, asked.width);
    set(&mut request.height, asked.height);
    set(&mut request.frames, asked.frames);
    set(&mut request.fps, asked.fps);
    set_float(&mut request.conditioning_strength, asked.conditioning_strength);
    match pointer::switch(asked.vae_tiling, "vae_tiling")? {
        Some(true) => request.vae_tiling = Some(request.vae_tiling.unwrap_or_default()),
        Some(false) => request.vae_tiling = None,
        None => {}
    }
    request.vae_tiling_fallback =
        pointer::switch(asked.vae_tiling_fallback, "vae_tiling_fallback")?
            .unwrap_or(request.vae_tiling_fallback);
    // SAFETY: as above.
    unsafe {
        if let Some(picture) = pixels::optional(asked.init_image, "init_image")? {
            request = request.init_image(picture);
        }
        if let Some(picture) = pixels::optional(asked.end_image, "end_image")? {
            request = request.end_image(picture);
        }
        let control = pixels::list(
            asked.control_frames,
            asked.control_frame_count,
            MAX_FRAMES as usize,
            "control_frames",
        )?;
        if !control.is_empty() {
            request = request.control_frames(control);
        }
    }
    Ok(request)
}
