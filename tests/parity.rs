//! The crate draws what the engine's C API draws, byte for byte: a C++ program that knows neither
//! the shim nor Rust is given the same parameters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::native::draw_directly;
use sdcpp::{
    Context, Generated, ImageRequest, ModelConfig, RngKind, Sampler, Scheduler, VaeTiling,
};
use std::fs;

type Arguments = Vec<(&'static str, String)>;

/// The same request as arguments of the C++ program.
fn arguments(config: &ModelConfig, request: &ImageRequest) -> Arguments {
    let path = |p: &Option<std::path::PathBuf>| p.as_ref().map(|p| p.display().to_string());
    let mut arguments = vec![
        ("prompt", request.prompt.clone()),
        ("negative", request.negative_prompt.clone()),
        ("width", request.width.to_string()),
        ("height", request.height.to_string()),
        ("steps", request.sampling.steps.to_string()),
        ("cfg", request.sampling.cfg_scale.to_string()),
        ("batch", request.batch.to_string()),
        ("strength", request.denoising_strength.to_string()),
        ("method", request.sampling.sampler.expect("a sampler").name().to_owned()),
        ("seed", request.seed.expect("a seed").to_string()),
        ("rng", config.rng.name().to_owned()),
        ("threads", config.threads.expect("a number of threads").to_string()),
        ("mmap", u8::from(config.mmap).to_string()),
    ];
    let optional = [
        ("model", path(&config.model)),
        ("vae", path(&config.vae)),
        ("taesd", path(&config.taesd)),
        ("scheduler", request.sampling.scheduler.map(|s| s.name().to_owned())),
        ("clip_skip", request.clip_skip.map(|n| n.to_string())),
        ("tile", request.vae_tiling.as_ref().map(|t| t.tile_size.0.to_string())),
    ];
    arguments.extend(optional.into_iter().filter_map(|(key, value)| Some((key, value?))));
    arguments
}

fn assert_same(generated: &Generated, direct: &[(u32, u32, Vec<u8>)]) {
    assert_eq!(generated.images.len(), direct.len());
    for (picture, (width, height, pixels)) in generated.images.iter().zip(direct) {
        assert_eq!((picture.width(), picture.height()), (*width, *height));
        assert!(picture.as_bytes() == pixels.as_slice(), "pixels differ for {:?}", picture);
    }
}

fn compare(config: ModelConfig, request: &ImageRequest) -> Generated {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = arguments(&config, request);
    let init = request.init_image.as_ref().map(|p| (p.dimensions(), p.as_raw()));
    let mask = request.mask.as_ref().map(|p| (p.dimensions(), p.as_raw()));
    for (key, width, height, picture) in
        [("init", "init_width", "init_height", init), ("mask", "mask_width", "mask_height", mask)]
    {
        if let Some((size, pixels)) = picture {
            let path = folder.path().join(key);
            fs::write(&path, pixels).unwrap();
            arguments.push((key, path.display().to_string()));
            arguments.push((width, size.0.to_string()));
            arguments.push((height, size.1.to_string()));
        }
    }
    let generated = Context::new(config).unwrap().generate(request).unwrap();
    assert_same(&generated, &draw_directly(&arguments, request.batch as usize));
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
    let start = common::quick_request("a blue square").init_image(common::test_picture(96, 80));
    let whole = compare(common::demo_config(), &start.clone().denoising_strength(0.6));
    let masked = compare(
        common::demo_config(),
        &start.denoising_strength(0.6).mask(common::test_mask(96, 80)),
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
