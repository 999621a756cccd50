//! Parameters of pictures.

use super::{
    NO_IMAGE, borrowed,
    generation::{self, Memory},
    grey, int, list, rgb,
};
use crate::{Error, ImageRequest, Lora, PhotoMaker, Result, Sampler};
use sdcpp_sys::{sd_image_t, sd_img_gen_params_t, sd_pm_params_t};
use std::ptr;

/// What the engine gets in place of the request's own: tags looked up, areas cut out, numbers chosen.
pub(crate) struct ImageJob<'a> {
    pub(crate) request: &'a ImageRequest,
    pub(crate) prompt: &'a str,
    pub(crate) loras: &'a [Lora],
    pub(crate) init_image: Option<&'a image::RgbImage>,
    pub(crate) mask: Option<&'a image::GrayImage>,
    pub(crate) control_image: Option<&'a image::RgbImage>,
    pub(crate) references: Vec<&'a image::RgbImage>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) sampler: Sampler,
    pub(crate) seed: i64,
}

/// Parameters of one generation. Borrows the job's pixels.
pub(in crate::engine) struct ImageParams<'a> {
    raw: sd_img_gen_params_t,
    // Pointed to by `raw`.
    _memory: Memory,
    _white: Vec<u8>,
    _references: Vec<sd_image_t>,
    _photographs: Vec<sd_image_t>,
    _job: &'a ImageJob<'a>,
}

impl<'a> ImageParams<'a> {
    pub(in crate::engine) fn new(job: &'a ImageJob<'a>) -> Result<Self> {
        let request = job.request;
        let mut memory = Memory::default();
        let mut white = Vec::new();
        let mask_image = match (job.init_image, job.mask) {
            (None, _) => NO_IMAGE,
            (Some(_), Some(mask)) => grey(mask),
            (Some(init), None) => {
                // The engine wants one; white may change everywhere.
                white = vec![255; init.width() as usize * init.height() as usize];
                borrowed(init.width(), init.height(), 1, &white)
            }
        };
        let mut references: Vec<_> = job.references.iter().map(|picture| rgb(picture)).collect();
        let no_photographs = [];
        let photographs =
            request.photo_maker.as_ref().map_or(&no_photographs[..], |p| &p.id_images);
        let mut photographs: Vec<_> = photographs.iter().map(rgb).collect();
        let (loras, lora_count) = generation::loras(&mut memory, job.loras)?;
        let raw = sd_img_gen_params_t {
            loras,
            lora_count,
            prompt: memory.strings.text("prompt", job.prompt)?,
            negative_prompt: memory.strings.text("negative_prompt", &request.negative_prompt)?,
            clip_skip: request.clip_skip.map_or(Ok(-1), |n| int("clip_skip", n))?,
            init_image: job.init_image.map_or(NO_IMAGE, rgb),
            ref_images: list(&mut references),
            ref_images_count: super::count("reference_images", references.len())?,
            auto_resize_ref_image: request.resize_references,
            increase_ref_index: request.increase_reference_index,
            mask_image,
            width: int("width", job.width)?,
            height: int("height", job.height)?,
            sample_params: generation::sampling(&mut memory, &request.sampling, job.sampler)?,
            strength: request.denoising_strength,
            seed: job.seed,
            batch_count: int("batch", request.batch)?,
            control_image: job.control_image.map_or(NO_IMAGE, rgb),
            control_strength: request.control_strength,
            pm_params: photo_maker(&mut memory, request.photo_maker.as_ref(), &mut photographs)?,
            vae_tiling_params: generation::vae_tiling(
                &mut memory,
                request.vae_tiling.as_ref(),
                request.vae_tiling_fallback,
            )?,
            cache: generation::step_cache(&mut memory, request.step_cache.as_ref())?,
            hires: generation::hires(&mut memory, request.hires.as_ref(), &request.sampling)?,
        };
        Ok(Self {
            raw,
            _memory: memory,
            _white: white,
            _references: references,
            _photographs: photographs,
            _job: job,
        })
    }

    pub(in crate::engine) fn as_ptr(&self) -> *const sd_img_gen_params_t {
        &self.raw
    }
}

fn photo_maker(
    memory: &mut Memory,
    photo_maker: Option<&PhotoMaker>,
    photographs: &mut [sd_image_t],
) -> Result<sd_pm_params_t> {
    let Some(photo_maker) = photo_maker else {
        return Ok(sd_pm_params_t {
            id_images: ptr::null_mut(),
            id_images_count: 0,
            id_embed_path: ptr::null(),
            style_strength: 0.0,
        });
    };
    let embed = photo_maker.id_embed.as_deref();
    Ok(sd_pm_params_t {
        id_images_count: i32::try_from(photographs.len())
            .map_err(|_| Error::invalid("photo_maker.id_images", photographs.len(), "fewer"))?,
        id_images: list(photographs),
        id_embed_path: memory.strings.path("photo_maker.id_embed", embed)?,
        style_strength: photo_maker.style_strength,
    })
}

// SAFETY: the pointers lead into memory that this value owns or borrows, and nobody changes it.
unsafe impl Send for ImageParams<'_> {}
// SAFETY: as above.
unsafe impl Sync for ImageParams<'_> {}
