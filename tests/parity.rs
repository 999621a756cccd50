//! The crate draws what the engine's C API draws, byte for byte: a C++ program that knows neither
//! the shim nor Rust is given the same parameters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use sdcpp::{
    Context, Generated, ImageRequest, ModelConfig, RngKind, Sampler, Scheduler, VaeTiling,
};

fn compare(config: ModelConfig, request: &ImageRequest) -> Generated {
    let generated = Context::new(&config).unwrap().generate(request).unwrap();
    let direct = common::direct::images(&config, request);
    assert_eq!(generated.images.len(), direct.len());
    for (picture, (width, height, pixels)) in generated.images.iter().zip(&direct) {
        assert_eq!((picture.width(), picture.height()), (*width, *height));
        assert!(picture.as_bytes() == pixels.as_slice(), "pixels differ for {picture:?}");
    }
    generated
}

#[test]
fn demo_model_text_to_image() {
    compare(common::demo_config().threads(2), &common::demo_request("a red circle"));
}

#[test]
fn demo_model_batch_negative_prompt_sampler_scheduler_and_rng() {
    let request = common::quick_request("a green cross")
        .negative_prompt("blue")
        .sampler(Sampler::Dpmpp2m)
        .scheduler(Scheduler::Karras)
        .batch(2)
        .seed(5);
    let generated = compare(common::demo_config().rng(RngKind::Cpu).mmap(true), &request);
    assert_eq!(generated.seeds, [5, 6]);
    assert_ne!(generated.images[0].as_bytes(), generated.images[1].as_bytes());
}

#[test]
fn demo_model_image_to_image_and_inpainting() {
    let start = common::quick_request("a blue square").init_image(common::test_picture(64, 64));
    let whole = compare(common::demo_config(), &start.clone().denoising_strength(0.6));
    let masked = compare(
        common::demo_config(),
        &start.denoising_strength(0.6).mask(common::test_mask(64, 64)),
    );
    assert_ne!(whole.images[0].as_bytes(), masked.images[0].as_bytes());
}

#[test]
fn demo_model_tiled_decoding() {
    let tiled = common::quick_request("a red circle")
        .size(128, 128)
        .vae_tiling(VaeTiling::with_tile_size(8, 8));
    compare(common::demo_config(), &tiled);
}

#[test]
fn sd1_unet_in_one_file_and_in_parts() {
    compare(
        ModelConfig::new(common::sdxs_file()).threads(common::THREADS),
        &common::unet_request(),
    );
    let request = common::unet_request().negative_prompt("a dog").clip_skip(2);
    compare(common::sd1_config(), &request);
}
