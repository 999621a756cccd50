//! What picture to draw.

use crate::{
    error::{self, Result},
    pixels::{self, sdcpp_pixels},
    pointer,
    sized::{self, sized},
};
use sdcpp::{ImageRequest, MAX_REFERENCES, Sampling};
use std::{ffi::c_char, ptr};

/// What picture to draw: `json` first, then the fields that are set, which override it.
///
/// Fill it by `sdcpp_image_request_init`. Texts and pixels are copied by the call it is given to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_image_request {
    /// `sizeof(sdcpp_image_request)`.
    pub size: usize,
    /// A JSON object with any of the keys of `sdcpp::ImageRequest`, as in
    /// `{"clip_skip":2,"hires":{"scale":2}}`; pictures in it are base64 of PNG or JPEG. NULL: none.
    pub json: *const c_char,
    /// What to draw. NULL, here and below: not set.
    pub prompt: *const c_char,
    /// What to avoid.
    pub negative_prompt: *const c_char,
    /// The sampler, as in `euler_a` or `DPM++ 2M`; `sdcpp_names_json` has all.
    pub sampler: *const c_char,
    /// The scheduler, as in `karras`.
    pub scheduler: *const c_char,
    /// The seed of the first picture; each next one has one more. Negative: not set, which is
    /// drawn at random. Default -1.
    pub seed: i64,
    /// Width in pixels, 1 to 16384; 0, here and below: not set.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Sampling steps, 1 to 1000.
    pub steps: u32,
    /// How many pictures, 1 to 1024.
    pub batch: u32,
    /// How strongly the prompt rules, -100 to 100; NAN, here and below: not set.
    pub cfg_scale: f32,
    /// Guidance of distilled models (FLUX), 0 to 100.
    pub distilled_guidance: f32,
    /// How much of `init_image` may change, 0 to 1.
    pub strength: f32,
    /// How strongly a ControlNet counts, 0 to 10.
    pub control_strength: f32,
    /// A picture to start from.
    pub init_image: *const sdcpp_pixels,
    /// Where `init_image` may change: white repaints, black keeps. Of the same size as it.
    pub mask: *const sdcpp_pixels,
    /// The picture that a ControlNet follows.
    pub control_image: *const sdcpp_pixels,
    /// Pictures that the model edits or takes things from.
    pub reference_images: *const sdcpp_pixels,
    /// How many there are, 0 to 16; 0: not set.
    pub reference_image_count: usize,
    /// Decodes in tiles, for less memory: 1 on, 0 off, -1 not set.
    pub vae_tiling: i32,
    /// Decodes again in tiles if memory runs out: 1 on, 0 off, -1 not set.
    pub vae_tiling_fallback: i32,
}

sized!(sdcpp_image_request, first 136, {
    json: ptr::null(),
    prompt: ptr::null(),
    negative_prompt: ptr::null(),
    sampler: ptr::null(),
    scheduler: ptr::null(),
    seed: -1,
    width: 0,
    height: 0,
    steps: 0,
    batch: 0,
    cfg_scale: f32::NAN,
    distilled_guidance: f32::NAN,
    strength: f32::NAN,
    control_strength: f32::NAN,
    init_image: ptr::null(),
    mask: ptr::null(),
    control_image: ptr::null(),
    reference_images: ptr::null(),
    reference_image_count: 0,
    vae_tiling: -1,
    vae_tiling_fallback: -1,
});

/// Fills `request` with defaults: no field is set. `size` is `sizeof(sdcpp_image_request)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_image_request_init(
    request: *mut sdcpp_image_request,
    size: usize,
) -> i32 {
    // SAFETY: the pointers are as the documentation of this crate asks.
    error::call(|| unsafe { sized::init(request, size, "request") })
}

/// What pictures and videos have in common.
pub(crate) struct Common {
    pub(crate) prompt: *const c_char,
    pub(crate) negative_prompt: *const c_char,
    pub(crate) sampler: *const c_char,
    pub(crate) scheduler: *const c_char,
    pub(crate) steps: u32,
    pub(crate) cfg_scale: f32,
    pub(crate) distilled_guidance: f32,
}

impl Common {
    /// Sets what is set.
    ///
    /// # Safety
    /// Pointers are NULL or lead to texts.
    pub(crate) unsafe fn apply(
        &self,
        prompt: &mut String,
        negative_prompt: &mut String,
        sampling: &mut Sampling,
    ) -> Result<()> {
        for (text, name, field) in [
            (self.prompt, "prompt", prompt),
            (self.negative_prompt, "negative_prompt", negative_prompt),
        ] {
            // SAFETY: the caller vouches for it.
            if let Some(text) = unsafe { pointer::optional_text(text, name) }? {
                text.clone_into(field);
            }
        }
        // SAFETY: as above.
        let (sampler, scheduler) = unsafe {
            (
                pointer::optional_name(self.sampler, "sampler")?,
                pointer::optional_name(self.scheduler, "scheduler")?,
            )
        };
        sampling.sampler = sampler.or(sampling.sampler);
        sampling.scheduler = scheduler.or(sampling.scheduler);
        set(&mut sampling.steps, self.steps);
        set_float(&mut sampling.cfg_scale, self.cfg_scale);
        set_float(&mut sampling.distilled_guidance, self.distilled_guidance);
        Ok(())
    }
}

/// Sets a number, unless it is 0.
pub(crate) fn set(field: &mut u32, value: u32) {
    if value != 0 {
        *field = value;
    }
}

/// Sets a number, unless it is NAN.
pub(crate) fn set_float(field: &mut f32, value: f32) {
    if !value.is_nan() {
        *field = value;
    }
}

/// The request that the caller's struct stands for.
///
/// # Safety
/// `pointer` is NULL or leads to a struct whose pointers are as its documentation says.
pub(crate) unsafe fn read(pointer: *const sdcpp_image_request) -> Result<ImageRequest> {
    // SAFETY: the caller vouches for it.
    let asked = unsafe { sized::read(pointer, "request") }?;
    // SAFETY: as above.
    let base = unsafe { pointer::optional_json::<ImageRequest>(asked.json, "request.json") }?;
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
    let ImageRequest { prompt, negative_prompt, sampling, .. } = &mut request;
    // SAFETY: as above.
    unsafe { common.apply(prompt, negative_prompt, sampling) }?;
    if asked.seed >= 0 {
        request.seed = Some(asked.seed);
    }
    set(&mut request.width, asked.width);
    set(&mut request.height, asked.height);
    set(&mut request.batch, asked.batch);
    set_float(&mut request.denoising_strength, asked.strength);
    set_float(&mut request.control_strength, asked.control_strength);
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
        if let Some(picture) = pixels::optional(asked.mask, "mask")? {
            request = request.mask(picture);
        }
        if let Some(picture) = pixels::optional(asked.control_image, "control_image")? {
            request = request.control_image(picture);
        }
        let references = pixels::list(
            asked.reference_images,
            asked.reference_image_count,
            MAX_REFERENCES,
            "reference_images",
        )?;
        if !references.is_empty() {
            request = request.reference_images(references);
        }
    }
    Ok(request)
}
