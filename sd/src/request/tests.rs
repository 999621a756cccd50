use super::*;
use crate::{EasyCache, Scheduler, SkipLayers};
use proptest::prelude::*;

fn refused(request: ImageRequest) -> String {
    request.check().unwrap_err().to_string()
}

#[test]
fn defaults_are_valid() {
    assert!(ImageRequest::new("a cat").check().is_ok());
}

#[test]
fn every_field_is_checked_by_name() {
    let new = || ImageRequest::new("x");
    let sigmas = |s: &[f32]| new().custom_sigmas(s.to_vec());
    let cases = [
        (ImageRequest::new("a\0b"), "prompt is"),
        (new().negative_prompt("(a:.)"), "negative_prompt is"),
        (new().size(0, 64), "width is 0"),
        (new().size(64, 0), "height is 0"),
        (new().size(u32::MAX, 64), "width is 4294967295"),
        (new().steps(0), "steps is 0"),
        (new().steps(5000), "steps is 5000"),
        (new().batch(0), "batch is 0"),
        (new().cfg_scale(f32::NAN), "cfg_scale is NaN"),
        (new().distilled_guidance(-1.0), "distilled_guidance is -1"),
        (new().denoising_strength(1.5), "denoising_strength is 1.5"),
        (new().denoising_strength(-0.1), "denoising_strength is -0.1"),
        (new().image_cfg_scale(f32::INFINITY), "image_cfg_scale is inf"),
        (new().eta(-1.0), "eta is -1"),
        (new().flow_shift(0.0), "flow_shift is 0"),
        (new().clip_skip(0), "clip_skip is 0"),
        (new().seed(i64::MAX), "seed is 9223372036854775807"),
        (sigmas(&[1.0]), "custom_sigmas is a list of 1"),
        (sigmas(&[1.0, f32::NAN]), "custom_sigmas is a list with NaN"),
        (sigmas(&[1.0, 2.0]), "custom_sigmas is a list that does not fall"),
        (new().steps(1).scheduler(Scheduler::Karras), "steps is 1; allowed: at least 2"),
        (new().steps(1).scheduler(Scheduler::Gits), "steps is 1"),
        (new().steps(1).scheduler(Scheduler::Exponential), "steps is 1"),
        (new().mask(GrayImage::new(4, 4)), "mask is set without init_image"),
        (
            new().init_image(RgbImage::new(8, 8)).mask(GrayImage::new(4, 4)),
            "mask is 4x4; allowed: the size of init_image, 8x8",
        ),
        (new().init_image(RgbImage::new(0, 0)), "init_image is 0x0"),
        (new().vae_tiling(VaeTiling::with_tile_size(1, 32)), "vae_tiling.tile_size is 1"),
        (new().skip_layers(SkipLayers::new([])), "skip_layers.layers is a list of 0"),
        (new().lora(Lora::new("x").multiplier(f32::INFINITY)), "loras.multiplier is inf"),
        (new().control_strength(-1.0), "control_strength is -1"),
        (new().control_image(RgbImage::new(0, 8)), "control_image is 0x8"),
        (new().reference_image(RgbImage::new(8, 0)), "reference_images is 8x0"),
        (
            (0..17).fold(new(), |r, _| r.reference_image(RgbImage::new(8, 8))),
            "reference_images is a list of 17",
        ),
        (
            new().photo_maker(PhotoMaker::new([RgbImage::new(8, 8)])),
            "prompt is \"x\"; allowed: with photo_maker",
        ),
        (
            new().step_cache(StepCache::EasyCache(EasyCache::default().end(2.0))),
            "step_cache.end is 2",
        ),
        (new().hires(HiresFix::scaled_by(0.0)), "hires.scale is 0"),
        (new().inpaint(Inpaint::new().invert(true)), "inpaint is set without mask"),
        (new().inpaint(Inpaint::new().mask_blur(99)), "inpaint.mask_blur is 99"),
        (new().outpaint(Outpaint::all(8)), "outpaint is set without init_image"),
        (new().init_image(RgbImage::new(8, 8)).outpaint(Outpaint::all(0)), "outpaint"),
        (
            new()
                .init_image(RgbImage::new(8, 8))
                .mask(GrayImage::new(8, 8))
                .outpaint(Outpaint::all(8)),
            "outpaint is set together with a mask",
        ),
        (
            new()
                .init_image(RgbImage::new(8, 8))
                .hires(HiresFix::default())
                .outpaint(Outpaint::all(8)),
            "outpaint is set together with hires",
        ),
    ];
    for (request, start) in cases {
        let text = refused(request);
        assert!(text.starts_with(start), "{text:?} should start with {start:?}");
    }
}

#[test]
fn one_step_is_fine_where_the_scheduler_can() {
    assert!(ImageRequest::new("x").steps(1).scheduler(Scheduler::Discrete).check().is_ok());
    let own = ImageRequest::new("x").steps(1).custom_sigmas(vec![1.0, 0.0]);
    assert!(own.check().is_ok());
    let both = refused(own.scheduler(Scheduler::Karras));
    assert!(both.contains("together with the scheduler karras"), "{both}");
}

proptest! {
    #[test]
    fn no_request_panics(
        width: u32, height: u32, steps: u32, batch: u32, cfg: f32, strength: f32, seed: i64,
        sigmas in proptest::collection::vec(any::<f32>(), 0..5), prompt in "\\PC{0,40}",
    ) {
        let request = ImageRequest::new(prompt)
            .size(width, height).steps(steps).batch(batch).cfg_scale(cfg)
            .denoising_strength(strength).seed(seed).custom_sigmas(sigmas);
        let _ = request.check();
    }
}
