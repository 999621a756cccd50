//! Opt-in: a real checkpoint, named by `SD_MODEL_PATH`, draws. Takes minutes on a CPU.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use sdcpp::{Context, ImageRequest, ModelConfig, Preset, Settings};

#[test]
fn a_real_checkpoint_draws_the_same_twice() {
    let settings = Settings::from_env().unwrap();
    let Some(model) = settings.model_path.clone() else {
        println!("skipped: SD_MODEL_PATH is not set");
        return;
    };
    let preset = Preset::beside(&model).unwrap();
    let mut config = ModelConfig::new(&model);
    settings.apply_to_config(&mut config);
    preset.apply_to_config(&mut config);
    let mut context = Context::new(config).unwrap();
    let mut request =
        ImageRequest::new("a photo of a red apple on a table").size(256, 256).steps(4);
    preset.apply_to_request(&mut request);
    let request = request.seed(1);
    let first = context.generate(&request).unwrap();
    let second = context.generate(&request).unwrap();
    println!("{}: {:?}", context.family(), second.timings);
    assert_eq!(first.images[0].as_bytes(), second.images[0].as_bytes());
    let pixels = first.images[0].as_bytes();
    assert!(pixels.iter().any(|p| *p != pixels[0]), "the picture is of one colour");
}
