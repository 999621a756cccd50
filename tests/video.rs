//! Videos and their sound are what the engine makes by itself, on models with random weights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    compare::make_video as make,
    test_picture,
    transformers::{F16, MAPPED, flux, ltx, wan},
};
use sdcpp::{AnimationFormat, Context, HighNoise, Progress, Sampler, Stage, VideoRequest, Watch};
use sdcpp_test_support::{self as models, FluxKind, Wan};
use std::ops::ControlFlow;

fn request() -> VideoRequest {
    VideoRequest::new("waves")
        .size(64, 64)
        .frames(5)
        .steps(1)
        .cfg_scale(1.0)
        .seed(3)
        .sampler(Sampler::Euler)
}

#[test]
fn wan_makes_videos_from_text() {
    let config = wan(Wan::T2v1_3B);
    let plain = make("base", &config, &request());
    assert!(make("seed", &config, &request().seed(4)) != plain);
    let mut tiles = sdcpp::VaeTiling::with_tile_size(4, 4);
    tiles.overlap = 0.25;
    assert!(make("vae_tiling", &config, &request().vae_tiling(tiles)) != plain);
}

#[test]
fn wan_draws_with_two_models() {
    let mut config = wan(Wan::T2v1_3B);
    config.high_noise_diffusion_model.clone_from(&config.diffusion_model);
    let two = |noisy: HighNoise| request().steps(1).high_noise(noisy.cfg_scale(1.0));
    let plain = make("high_noise.steps", &config, &two(HighNoise::default().steps(1)));
    let heun = HighNoise::default().steps(1).sampler(Sampler::Heun);
    assert!(make("high_noise.sampler", &config, &two(heun)) != plain);
}

#[test]
fn vace_follows_reference_and_control() {
    let config = wan(Wan::Vace1_3B);
    let controlled = (0..5).fold(request(), |r, _| r.control_frame(test_picture(64, 64)));
    let plain = make("base", &config, &request());
    let followed = make("control_frames", &config, &controlled);
    assert!(followed != plain, "control_frames change nothing");
    let weak = make("vace_strength", &config, &controlled.vace_strength(0.3));
    assert!(weak != followed, "vace_strength changes nothing");
    let with = request().init_image(test_picture(64, 64));
    assert!(make("init_image", &config, &with) != plain, "init_image changes nothing");
}

#[test]
fn wan_2_2_begins_with_a_picture() {
    let config = wan(Wan::Ti2v5B);
    let with = request().init_image(test_picture(64, 64));
    assert!(make("init_image", &config, &with) != make("base", &config, &request()));
}

#[test]
fn wan_image_to_video_sees_by_clip() {
    let config = wan(Wan::I2v1_3B).clip_vision(models::clip_vision(MAPPED).unwrap());
    let begins = request().init_image(test_picture(64, 64));
    let last = image::imageops::rotate180(&test_picture(64, 64));
    let ends = begins.clone().end_image(last);
    assert!(make("init_image", &config, &begins) != make("end_image", &config, &ends));
}

#[test]
fn ltx_makes_sound_with_its_frames() {
    let config = ltx().audio_vae(models::ltx_audio(F16).unwrap());
    let request = VideoRequest::new("<unused5>")
        .size(64, 64)
        .frames(9)
        .fps(24)
        .steps(1)
        .cfg_scale(1.0)
        .sampler(Sampler::Euler)
        .seed(3);
    make("base", &config, &request);
    let mut context = Context::new(&config).unwrap();
    let video = context.generate_video(&request).unwrap();
    let audio = video.audio.as_ref().expect("sound");
    assert_eq!((audio.sample_rate, audio.channels), (16_000, 2));
    assert!(audio.samples.iter().all(|s| s.is_finite()));
    let loud = audio.samples.iter().map(|s| s * s).sum::<f32>() / audio.samples.len() as f32;
    assert!(loud.sqrt() > 0.001, "silence");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.avi");
    let mut animation = video.animation().unwrap();
    animation.audio = Some(audio);
    animation.save_as(&path, AnimationFormat::Avi).unwrap();
    assert!(path.metadata().unwrap().len() > 1000);
}

#[test]
fn a_video_is_watched_and_stopped() {
    let mut context = Context::new(wan(Wan::T2v1_3B)).unwrap();
    let mut steps = Vec::new();
    let watch = Watch::new().on_progress(|event| {
        if let Progress::Sampling { step, .. } = event {
            steps.push(step);
        }
        ControlFlow::Continue(())
    });
    let whole = context.generate_video_with(&request().steps(2), watch).unwrap();
    assert_eq!(whole.frames.len(), 5);
    assert!(steps.contains(&2), "{steps:?}");
    let stop = Watch::new().on_progress(|event| match event {
        Progress::Decoding { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let error = context.generate_video_with(&request(), stop).unwrap_err();
    assert!(matches!(error, sdcpp::Error::Cancelled { stage: Stage::VaeDecoding }), "{error:?}");
    let again = context.generate_video(&request().steps(2)).unwrap();
    assert!(again.frames[4].as_bytes() == whole.frames[4].as_bytes());
}

#[test]
fn what_a_model_would_ignore_is_refused() {
    let mut t2v = Context::new(wan(Wan::T2v1_3B)).unwrap();
    let picture = || test_picture(64, 64);
    for (request, start) in [
        (request().init_image(picture()), "init_image is set with Wan 2.x T2V"),
        (request().end_image(picture()), "end_image is set with Wan 2.x T2V"),
        (request().control_frame(picture()), "control_frames is set with"),
        (request().vace_strength(0.5), "vace_strength is set with"),
        (request().moe_boundary(0.5), "moe_boundary is set without the model"),
        (request().high_noise(HighNoise::default().cfg_scale(1.0)), "high_noise is set without"),
        (request().skip_layers(sdcpp::SkipLayers::default()), "skip-layer guidance with Wan 2.x"),
    ] {
        let error = t2v.generate_video(&request).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error:?} should start with {start:?}");
    }
    let mut i2v = Context::new(wan(Wan::I2v14B)).unwrap();
    let error = i2v.generate_video(&request()).unwrap_err().to_string();
    assert!(error.starts_with("init_image is not set with Wan 2.2 I2V"), "{error}");
}

#[test]
fn a_picture_model_makes_no_videos() {
    let mut context = Context::new(flux(FluxKind::Flux)).unwrap();
    let error = context.generate_video(&request()).unwrap_err().to_string();
    assert!(error.contains("use generate"), "{error}");
}
