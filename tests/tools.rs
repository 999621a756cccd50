//! Enlarging pictures, converting models, and looking at latents on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo, demo_files, direct, quick_request, test_picture};
use sdcpp::{
    CancelToken, Context, Convert, Engine, Error, ImageRequest, Inpaint, InpaintArea, ModelConfig,
    ModelFile, Outpaint, PreviewKind, PreviewOptions, Progress, Upscaler, UpscalerConfig, Watch,
    WeightType,
};
use sdcpp_test_support::{self as models, Format};
use std::{ops::ControlFlow, path::PathBuf, time::Duration};

fn esrgan(scale: usize) -> PathBuf {
    models::esrgan(scale, Format::Gguf(models::WeightType::F16)).unwrap()
}

fn upscaler(scale: usize) -> UpscalerConfig {
    UpscalerConfig::new(esrgan(scale)).threads(common::THREADS)
}

#[test]
fn pictures_are_enlarged_as_the_engine_does() {
    let picture = test_picture(48, 32);
    for (scale, tile_size) in [(4, 128), (2, 16), (2, 0)] {
        let mut upscaler = Upscaler::new(upscaler(scale).tile_size(tile_size)).unwrap();
        assert_eq!(upscaler.factor() as usize, scale);
        let mut tiles = 0;
        let watch = Watch::new().on_progress(|event| {
            if let Progress::Upscaling { tiles: all, .. } = event {
                tiles = all;
            }
            ControlFlow::Continue(())
        });
        let large = upscaler.upscale_with(picture.clone(), watch).unwrap().image;
        let (width, height, pixels) = direct::upscaled(&esrgan(scale), tile_size, &picture);
        assert_eq!((large.width(), large.height()), (48 * scale as u32, 32 * scale as u32));
        assert_eq!((large.width(), large.height()), (width, height));
        assert!(large.as_bytes() == pixels.as_slice(), "{scale} {tile_size}");
        assert_eq!(tiles > 1, tile_size == 16, "{tiles} tiles of {tile_size}");
    }
}

#[test]
fn enlarging_is_stopped_between_tiles_and_goes_on() {
    let mut upscaler = Upscaler::new(upscaler(2).tile_size(16)).unwrap();
    let picture = test_picture(64, 64);
    let whole = upscaler.upscale(picture.clone()).unwrap();
    let stop = Watch::new().on_progress(|event| match event {
        Progress::Upscaling { tile: 2.., .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let error = upscaler.upscale_with(picture.clone(), stop).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    let again = upscaler.upscale(picture).unwrap();
    assert!(again.image.as_bytes() == whole.image.as_bytes());
}

/// In a process of its own, as what other tests allocate would count.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_stop_leaves_none_of_the_memory_for_a_tile() {
    if !common::alone("a_stop_leaves_none_of_the_memory_for_a_tile") {
        return;
    }
    const MIB: usize = 1 << 20;
    let mut upscaler = Upscaler::new(upscaler(2).tile_size(64)).unwrap();
    let picture = test_picture(160, 160);
    drop(upscaler.upscale(picture.clone()).unwrap());
    let before = common::Memory::now().in_use_bytes;
    let mut between_tiles = 0;
    let stop = Watch::new().on_progress(|event| match event {
        Progress::Upscaling { tile: 2.., .. } => {
            between_tiles = common::Memory::now().in_use_bytes;
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    assert!(upscaler.upscale_with(picture, stop).unwrap_err().is_stopped());
    let after = common::Memory::now().in_use_bytes;
    println!("{before} before, {between_tiles} between two tiles, {after} after");
    assert!(between_tiles > before + 4 * MIB, "a tile takes memory");
    assert!(after < before + MIB, "{before} → {after}");
}

#[test]
fn a_model_that_enlarges_nothing_is_refused() {
    let error = Upscaler::new(UpscalerConfig::new(demo_files().1)).unwrap_err();
    assert!(matches!(error, Error::ModelLoad { .. } | Error::Unsupported { .. }), "{error:?}");
    let error = Context::new(ModelConfig::new(esrgan(2))).unwrap_err().to_string();
    assert!(error.contains("lacks a diffusion model"), "{error}");
}

#[test]
fn a_converted_model_draws_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("demo.gguf");
    let mut events = 0;
    let watch = Watch::new().on_progress(|event| {
        events += u32::from(matches!(event, Progress::Converting { .. }));
        ControlFlow::Continue(())
    });
    let convert = Convert::new(demo_files().0, &output).weight_type(WeightType::Q4_0);
    let converted = convert.run_with(&Engine::linked().unwrap(), watch).unwrap();
    assert!(events > 0, "no progress");
    assert_eq!(converted.bytes, output.metadata().unwrap().len());
    let file = ModelFile::open(&output).unwrap();
    assert_eq!(file.quantisation().unwrap().name(), "q4_0");

    let request = quick_request("a red circle");
    let draw = |model: &std::path::Path| {
        let config = ModelConfig::new(model).taesd(demo_files().1).threads(common::THREADS);
        Context::new(config).unwrap().generate(&request).unwrap().images[0].as_bytes().to_vec()
    };
    let original = draw(&demo_files().0);
    assert!(draw(&output) != original, "fewer bits draw the same");
    // Rules may ask for more than the type.
    let large = folder.path().join("large.gguf");
    let rules = Convert::new(demo_files().0, &large).weight_type(WeightType::Q4_0);
    rules.tensor_type_rules("layers=f32").run().unwrap();
    assert!(large.metadata().unwrap().len() > 2 * output.metadata().unwrap().len());
    // As it is.
    let same = folder.path().join("same.gguf");
    Convert::new(demo_files().0, &same).run().unwrap();
    assert!(draw(&same) == original);
    // safetensors holds floats alone.
    let safetensors = folder.path().join("tae.safetensors");
    Convert::new(demo_files().1, &safetensors).weight_type(WeightType::F16).run().unwrap();
    let parameters = |path: &std::path::Path| ModelFile::open(path).unwrap().parameters();
    assert_eq!(parameters(&safetensors), parameters(&demo_files().1));
    let quantised = folder.path().join("demo.safetensors");
    let error = Convert::new(demo_files().0, &quantised).run().unwrap_err().to_string();
    assert!(error.starts_with("weight_type is not set, and the input holds q8_0"), "{error}");
    assert!(!quantised.exists());
}

#[test]
fn a_stopped_or_failed_conversion_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("demo.gguf");
    let token = CancelToken::new();
    token.cancel();
    let engine = Engine::linked().unwrap();
    let convert = Convert::new(demo_files().0, &output);
    let error = convert.run_with(&engine, Watch::new().cancel_with(token)).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    let nowhere = Convert::new(demo_files().0, folder.path().join("no/such/demo.gguf"));
    assert!(matches!(nowhere.run(), Err(Error::Io { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn previews(options: PreviewOptions, request: &ImageRequest) -> (Vec<(u32, u32)>, Vec<u8>) {
    let mut seen = Vec::new();
    let watch = Watch::new().on_preview(options, |preview| {
        assert_eq!(preview.frames.len(), 1);
        seen.push((preview.step, preview.frames[0].width()));
    });
    let generated = demo().generate_with(request, watch).unwrap();
    (seen, generated.images[0].as_bytes().to_vec())
}

#[test]
fn previews_come_as_often_as_asked_and_change_nothing() {
    let request = quick_request("a red circle").steps(4);
    let plain = demo().generate(&request).unwrap().images[0].as_bytes().to_vec();
    let (small, pixels) = previews(PreviewOptions::new(PreviewKind::Projection), &request);
    assert_eq!(small.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(small.iter().all(|(_, width)| *width < 64), "{small:?}");
    assert!(pixels == plain);
    let (full, pixels) = previews(PreviewOptions::new(PreviewKind::Taesd).every(2), &request);
    assert_eq!(full, [(2, 64), (4, 64)]);
    assert!(pixels == plain);
    let rarely = PreviewOptions::new(PreviewKind::Vae).min_interval(Duration::from_secs(3600));
    assert_eq!(previews(rarely, &request).0.len(), 1);
    let noisy = PreviewOptions::new(PreviewKind::Projection).noisy(true);
    assert!(!previews(noisy, &request).0.is_empty());
}

#[test]
fn a_panic_in_a_preview_is_an_error_and_no_more() {
    let mut context = demo();
    let request = quick_request("a red circle");
    let watch = Watch::new()
        .on_preview(PreviewOptions::new(PreviewKind::Projection), |_| panic!("preview broke"));
    let error = context.generate_with(&request, watch).unwrap_err();
    assert!(matches!(&error, Error::CallbackPanicked { message } if message == "preview broke"));
    assert!(context.generate(&request).is_ok());
}

#[test]
fn repainting_keeps_what_is_not_masked() {
    let picture = image::RgbImage::from_pixel(96, 80, image::Rgb([200, 180, 160]));
    let mask = image::GrayImage::from_fn(96, 80, |x, y| {
        image::Luma([if (40..60).contains(&x) && (30..50).contains(&y) { 255 } else { 0 }])
    });
    let request = quick_request("a red circle")
        .init_image(picture)
        .mask(mask)
        .inpaint(Inpaint::new().mask_blur(2).area(InpaintArea::OnlyMasked { padding: 8 }));
    let generated = demo().generate(&request).unwrap();
    let drawn = generated.images[0].to_rgb();
    assert_eq!(drawn.dimensions(), (96, 80));
    assert_eq!((generated.width, generated.height), (96, 80));
    assert_eq!(drawn.get_pixel(5, 5).0, [200, 180, 160]);
    assert_ne!(drawn.get_pixel(50, 40).0, [200, 180, 160]);
    assert!(generated.images[0].parameters().contains("Inpaint area: Only masked"));
}

#[test]
fn a_picture_is_continued_to_the_size_asked_for() {
    let picture = test_picture(64, 64);
    let request = quick_request("a red circle")
        .init_image(picture.clone())
        .denoising_strength(0.9)
        .outpaint(Outpaint::new(10, 40, 0, 20).feather(8));
    let drawn = demo().generate(&request).unwrap().images[0].to_rgb();
    assert_eq!(drawn.dimensions(), (64 + 50, 84));
    assert_eq!(drawn.get_pixel(10 + 30, 30), picture.get_pixel(30, 30));
}
