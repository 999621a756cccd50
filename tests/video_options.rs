//! Options of videos reach the engine: other frames than without, and those of the C++ program.
//!
//! What these models cannot show: Wan's text is all zeros without its text encoder, of which there is
//! no tiny model, so that nothing of guidance changes its frames, for either of its two models.
//! `conditioning_strength` counts for LTX-2 alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    compare::{self, make_video as make},
    test_picture,
    transformers::{ltx, wan},
};
use sdcpp::{Context, EasyCache, HighNoise, Lora, LoraApplyMode, Sampler, StepCache, VideoRequest};
use sdcpp_test_support::Wan;
use std::path::Path;

fn wan_request() -> VideoRequest {
    VideoRequest::new("waves")
        .size(64, 64)
        .frames(5)
        .steps(1)
        .cfg_scale(1.0)
        .seed(3)
        .sampler(Sampler::Euler)
}

fn ltx_request() -> VideoRequest {
    let mut request = wan_request().frames(9).fps(24).steps(2);
    request.prompt = "<unused5>".to_owned();
    request
}

/// Adds to one square projection of a transformer: this one, of this width.
fn write_lora(path: &Path, projection: &str, width: usize) {
    const RANK: usize = 2;
    let mut data = Vec::new();
    let mut header = Vec::new();
    for (part, shape) in [("A", [RANK, width]), ("B", [width, RANK])] {
        let begin = data.len();
        for i in 0..RANK * width {
            data.extend_from_slice(&((i * 37 % 101) as f32 / 101.0 - 0.5).to_le_bytes());
        }
        let name = format!("diffusion_model.{projection}.lora_{part}.weight");
        let offsets = [begin, data.len()];
        header.push(format!(
            "\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":{offsets:?}}}"
        ));
    }
    let header = format!("{{{}}}", header.join(","));
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&length, header.as_bytes(), &data].concat()).unwrap();
}

#[test]
fn ltx_heeds_guidance_prompts_frame_rate_and_loras() {
    let config = ltx();
    let mut context = Context::new(&config).unwrap();
    let mut make = |name: &str, request: &VideoRequest| {
        compare::make_video_with(&mut context, name, &config, request)
    };
    let base = || ltx_request().cfg_scale(4.0).negative_prompt("<unused9>");
    let plain = make("base", &base());
    let folder = tempfile::tempdir().unwrap();
    let lora = folder.path().join("lora.safetensors");
    write_lora(&lora, "transformer_blocks.0.attn1.to_v", 256);
    let with = make("lora", &base().lora(Lora::new(&lora)));
    let half = make("multiplier", &base().lora(Lora::new(&lora).multiplier(0.5)));
    assert!(with != plain && half != plain, "the LoRA changes nothing");
    assert!(half != with, "the multiplier changes nothing");
    for (name, request) in [
        ("cfg_scale", base().cfg_scale(2.0)),
        ("negative_prompt", base().negative_prompt("<unused12>")),
        ("fps", base().fps(8)),
    ] {
        assert!(make(name, &request) != plain, "{name} changes nothing");
    }
}

#[test]
fn ltx_begins_with_a_picture_as_strongly_as_asked() {
    let config = ltx();
    let begins = ltx_request().init_image(test_picture(64, 64)).conditioning_strength(1.0);
    let whole = make("init_image", &config, &begins);
    let weak = make("conditioning_strength", &config, &begins.conditioning_strength(0.3));
    assert!(weak != whole, "conditioning_strength changes nothing");
}

/// Both models are the same here, and the sampler tells which of them draws a step.
#[test]
fn wan_changes_models_at_the_boundary() {
    let mut config = wan(Wan::T2v1_3B);
    config.high_noise_diffusion_model.clone_from(&config.diffusion_model);
    let noisy = || HighNoise::default().cfg_scale(1.0).sampler(Sampler::EulerA);
    let base = || wan_request().steps(3).high_noise(noisy());
    let plain = make("base", &config, &base());
    for (name, request) in [
        ("moe_boundary", base().moe_boundary(0.7)),
        ("high_noise.eta", base().high_noise(noisy().eta(0.2))),
        ("high_noise.steps", base().high_noise(noisy().steps(2)).steps(1)),
    ] {
        assert!(make(name, &config, &request) != plain, "{name} changes nothing");
    }
}

/// Both models are the same file here, and one LoRA is for either.
///
/// A LoRA at run time is dropped where it is for high noise: `apply_loras_at_runtime`
/// (stable-diffusion.cpp) keeps the tensors that `is_diffusion_model_name` (name_conversion.cpp)
/// knows, which are those of the other model. So it counts where it is merged. The tensors of this
/// file share their bytes, so that merging changes more than the LoRA's own: this shows that the
/// engine is told for which model it is, not which weights it changes.
///
/// Distilled guidance shows nothing: in `StableDiffusionGGML::sample` (stable-diffusion.cpp) its
/// tensor is given to the families of FLUX alone.
#[test]
fn wan_takes_loras_and_options_for_high_noise() {
    let mut config = wan(Wan::T2v1_3B).lora_apply_mode(LoraApplyMode::AtRuntime);
    config.high_noise_diffusion_model.clone_from(&config.diffusion_model);
    let noisy = || HighNoise::default().steps(1).cfg_scale(1.0).sampler(Sampler::Lcm);
    let base = || wan_request().high_noise(noisy());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lora.safetensors");
    write_lora(&file, "blocks.0.self_attn.v", 1536);
    let lora = |noisy: bool| base().lora(Lora::new(&file).high_noise(noisy));

    let mut context = Context::new(&config).unwrap();
    let mut at_runtime = |name: &str, request: &VideoRequest| {
        compare::make_video_with(&mut context, name, &config, request)
    };
    let plain = at_runtime("base", &base());
    let args = noisy().extra_sample_args("noise_scale_start=0.5");
    let args = at_runtime("high_noise.extra_sample_args", &base().high_noise(args));
    assert!(args != plain, "high_noise.extra_sample_args changes nothing");
    let ignored = base().high_noise(noisy().distilled_guidance(8.0));
    let ignored = at_runtime("high_noise.distilled_guidance", &ignored);
    assert!(ignored == plain, "the engine makes something of it");
    let error = context.generate_video(&lora(true)).unwrap_err().to_string();
    assert!(error.starts_with("a LoRA for the high-noise model at run time"), "{error}");

    let merging = config.clone().lora_apply_mode(LoraApplyMode::Immediately);
    let high = make("a lora for high noise", &merging, &lora(true));
    let low = make("a lora", &merging, &lora(false));
    assert!(high != plain && low != plain, "the LoRA changes nothing");
    assert!(high != low, "high_noise of a LoRA changes nothing");
}

#[test]
fn wan_skips_steps() {
    let config = wan(Wan::T2v1_3B);
    let base = || wan_request().steps(4);
    let easy = EasyCache::default().reuse_threshold(10.0).start(0.0).end(1.0);
    let cached = base().step_cache(StepCache::EasyCache(easy));
    assert!(make("step_cache", &config, &cached) != make("base", &config, &base()));
}
