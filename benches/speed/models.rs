//! What is drawn with, and what.

use crate::Outcome;
use sdcpp::{Engine, ImageRequest, ModelConfig, Sampler};
use sdcpp_test_support::{FloatType, Format, Sd1, WeightType};
use std::path::Path;

/// The crate's default, physical cores: who is compared with it is given the same number.
pub(crate) fn threads() -> Outcome<u32> {
    Ok(Engine::auto()?.physical_cores())
}

fn demo_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/models").join(name)
}

/// The demo model, whose picture takes a third of a second on two cores.
pub(crate) fn demo() -> ModelConfig {
    ModelConfig::new(demo_file("demo_q8_0.gguf")).taesd(demo_file("demo_tae.gguf")).backend("cpu")
}

/// Its usual picture.
pub(crate) fn demo_picture() -> ImageRequest {
    ImageRequest::new("a red circle")
        .size(128, 128)
        .steps(12)
        .cfg_scale(3.0)
        .sampler(Sampler::Euler)
        .seed(42)
}

/// The smallest model that the engine loads, with random weights: of what it draws, the caller's part is the
/// largest.
pub(crate) fn tiny() -> Outcome<ModelConfig> {
    let file = sdcpp_test_support::sd1(Sd1::default(), Format::Gguf(WeightType::Q8_0))?;
    let decoder = sdcpp_test_support::tae(4, Format::Gguf(WeightType::F16))?;
    Ok(ModelConfig::new(file).taesd(decoder).threads(1).backend("cpu"))
}

/// Two steps in the smallest size.
pub(crate) fn tiny_picture() -> ImageRequest {
    demo_picture().size(64, 64).steps(2).cfg_scale(1.0)
}

/// Stable Diffusion 1.5 with the real shape of every tensor, and random weights: 2 GB.
pub(crate) fn sd15() -> Outcome<ModelConfig> {
    let real = Sd1 { width: 320, vae: true };
    let file = sdcpp_test_support::sd1(real, Format::Safetensors(FloatType::F16))?;
    Ok(ModelConfig::new(file).backend("cpu"))
}

/// What it draws is noise, and takes as long as a picture.
pub(crate) fn sd15_picture(side: u32, steps: u32) -> ImageRequest {
    ImageRequest::new("a lighthouse")
        .size(side, side)
        .steps(steps)
        .cfg_scale(7.0)
        .sampler(Sampler::Euler)
        .seed(1)
}
