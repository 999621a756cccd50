//! The keys of requests, and of what is in them.

use super::object;
use crate::{HighNoise, ImageRequest, PhotoMaker, Sampling, VideoRequest};

object! {
    ImageRequest = ImageRequest::default(), flat sampling: Sampling;
    prompt => text();
    negative_prompt => text();
    width => range(1..=crate::MAX_SIDE);
    height => range(1..=crate::MAX_SIDE);
    seed => range(crate::validate::SEEDS);
    batch => range(1..=crate::MAX_BATCH);
    clip_skip => range(1_u32..=12);
    loras => list(0..=crate::lora::MOST_LORAS);
    init_image as picture;
    denoising_strength => range(0.0_f32..=1.0);
    mask as mask;
    inpaint;
    outpaint;
    reference_images as pictures => list(0..=crate::MAX_REFERENCES);
    resize_references;
    increase_reference_index;
    control_image as picture;
    control_strength => range(0.0_f32..=10.0);
    photo_maker;
    vae_tiling;
    vae_tiling_fallback;
    step_cache;
    hires;
}

object! {
    VideoRequest = VideoRequest::default(), flat sampling: Sampling;
    prompt => text();
    negative_prompt => text();
    width => range(1..=crate::MAX_SIDE);
    height => range(1..=crate::MAX_SIDE);
    frames => range(1..=crate::MAX_FRAMES);
    fps => range(1_u32..=240);
    high_noise;
    moe_boundary => range(0.0_f32..=1.0);
    seed => range(crate::validate::SEEDS);
    clip_skip => range(1_u32..=12);
    loras => list(0..=crate::lora::MOST_LORAS);
    init_image as picture;
    end_image as picture;
    conditioning_strength => range(0.0_f32..=1.0);
    control_frames as pictures => list(0..=crate::MAX_FRAMES as usize);
    vace_strength => range(0.0_f32..=10.0);
    vae_tiling;
    vae_tiling_fallback;
    step_cache;
    hires;
}

object! {
    Sampling = Sampling::default();
    steps => range(1..=crate::MAX_STEPS);
    cfg_scale => range(-100.0_f32..=100.0);
    image_cfg_scale => range(-100.0_f32..=100.0);
    distilled_guidance => range(0.0_f32..=100.0);
    skip_layers;
    sampler;
    scheduler;
    eta => range(0.0_f32..=100.0);
    flow_shift => range(f32::MIN_POSITIVE..=100.0);
    shifted_timestep => range(0_u32..=1000);
    custom_sigmas => list(0..=crate::MAX_STEPS as usize + 1).each(0.0..=f32::MAX);
    extra_sample_args => text();
}

object! {
    HighNoise = HighNoise::default();
    steps => range(1..=crate::MAX_STEPS);
    cfg_scale => range(-100.0_f32..=100.0);
    image_cfg_scale => range(-100.0_f32..=100.0);
    distilled_guidance => range(0.0_f32..=100.0);
    skip_layers;
    sampler;
    eta => range(0.0_f32..=100.0);
    extra_sample_args => text();
}

object! {
    PhotoMaker = PhotoMaker::new(Vec::<image::RgbImage>::new()), required id_images;
    id_images as pictures => list(1..=crate::photo_maker::MOST_IMAGES);
    id_embed;
    style_strength => range(0.0_f32..=100.0);
}
