//! The families of diffusion transformers, each on a model file that the engine recognises and runs.
//! The weights are random: the pictures are noise, but every stage runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use sdcpp::{Context, ImageRequest, ModelConfig, Sampler};
use sdcpp_test_support::{
    self as models, ErnieImage, Flux, FluxKind, Format, Llm, Ltx, QwenImage, Sd3, VideoLatent, Wan,
    WeightType, ZImage,
};
use std::{io, path::PathBuf};

const Q8_0: Format = Format::Gguf(WeightType::Q8_0);
const Q4_0: Format = Format::Gguf(WeightType::Q4_0);
const F16: Format = Format::Gguf(WeightType::F16);
/// Large models of which the memory is shared.
const MAPPED: Format = Format::SafetensorsMapped;

fn parts(transformer: io::Result<PathBuf>) -> ModelConfig {
    // Not only for memory: copying the large text encoders takes longer than running them.
    ModelConfig::from_parts(transformer.unwrap()).mmap(true).threads(common::THREADS)
}

/// A FLUX.1 model, or one that takes the same text encoder and autoencoder.
fn flux(kind: FluxKind) -> ModelConfig {
    parts(models::flux(Flux::of(kind), Q8_0))
        .clip_l(models::clip_l(Q4_0).unwrap())
        .taesd(models::tae(16, F16).unwrap())
}

fn sd3() -> ModelConfig {
    parts(models::sd3(Sd3::default(), MAPPED))
        .clip_l(models::clip_l(Q4_0).unwrap())
        .clip_g(models::clip_g(MAPPED).unwrap())
        .taesd(models::tae(16, F16).unwrap())
}

/// Qwen2.5-VL is little more than a table here, but that has 545 million entries.
fn qwen2_5_vl() -> PathBuf {
    models::llm(Llm::Qwen2_5Vl { layers: 0 }, Q4_0).unwrap()
}

fn request() -> ImageRequest {
    ImageRequest::new("a cat").size(64, 64).steps(2).cfg_scale(1.0).sampler(Sampler::Euler).seed(42)
}

fn draw(context: &mut Context, request: &ImageRequest) -> Vec<u8> {
    let generated = context.generate(request).unwrap();
    let picture = &generated.images[0];
    assert_eq!((picture.width(), picture.height(), picture.channels()), (64, 64, 3));
    picture.as_bytes().to_vec()
}

/// The model is of this family, and draws the same picture of several colours twice.
fn assert_draws(config: ModelConfig, family: &str, request: &ImageRequest) -> (Context, Vec<u8>) {
    let mut context = Context::new(config).unwrap();
    assert_eq!(context.family(), family);
    let picture = draw(&mut context, request);
    let mean = picture.iter().map(|x| f64::from(*x)).sum::<f64>() / picture.len() as f64;
    let variance = picture.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
    let deviation = (variance / picture.len() as f64).sqrt();
    assert!(deviation > 10.0, "{family}: the picture has nearly one colour ({deviation})");
    assert!(draw(&mut context, request) == picture, "{family}: another picture at the same seed");
    (context, picture)
}

#[test]
fn flux_draws_and_heeds_prompt_and_guidance() {
    let (mut context, picture) = assert_draws(flux(FluxKind::Flux), "Flux", &request());
    let mut dog = request();
    dog.prompt = "a dog".to_owned();
    for (what, changed) in [
        ("prompt", dog),
        ("distilled guidance", request().distilled_guidance(8.0)),
        ("classifier-free guidance", request().cfg_scale(4.0).negative_prompt("a dog")),
    ] {
        assert!(draw(&mut context, &changed) != picture, "{what} has no effect");
    }
}

#[test]
fn flux_fill_repaints_what_the_mask_shows() {
    let filling =
        request().steps(4).init_image(common::test_picture(64, 64)).mask(common::test_mask(64, 64));
    let (mut context, picture) = assert_draws(flux(FluxKind::Fill), "Flux Fill", &filling);
    let whole = image::GrayImage::from_pixel(64, 64, image::Luma([255]));
    assert!(draw(&mut context, &filling.mask(whole)) != picture, "the mask has no effect");
}

#[test]
fn flux_control_and_flex_2_draw() {
    assert_draws(flux(FluxKind::Control), "Flux Control", &request());
    let filling =
        request().init_image(common::test_picture(64, 64)).mask(common::test_mask(64, 64));
    assert_draws(flux(FluxKind::Flex2), "Flex.2", &filling);
}

/// Its sizes are fixed in part, so that one step is enough.
#[test]
fn chroma_radiance_draws_without_text_encoder_and_autoencoder() {
    let radiance = parts(models::flux(Flux::of(FluxKind::ChromaRadiance), MAPPED));
    assert_draws(radiance, "Chroma Radiance", &request().steps(1));
}

#[test]
fn ovis_image_draws() {
    let ovis = parts(models::flux(Flux::of(FluxKind::Ovis { text: 32 }), Q8_0))
        .llm(models::llm(Llm::Qwen3 { width: 32, layers: 1 }, Q8_0).unwrap())
        .taesd(models::tae(16, F16).unwrap());
    assert_draws(ovis, "Ovis Image", &request());
}

#[test]
fn longcat_image_draws() {
    let longcat = parts(models::flux(Flux::of(FluxKind::LongCat), Q8_0))
        .llm(qwen2_5_vl())
        .taesd(models::tae(16, F16).unwrap());
    assert_draws(longcat, "Longcat-Image", &request());
}

#[test]
fn flux_2_draws() {
    let text = 32;
    let flux2 = parts(models::flux(Flux::of(FluxKind::Flux2 { text }), Q8_0))
        .llm(models::llm(Llm::Mistral { width: text, layers: 30 }, Q8_0).unwrap())
        .taesd(models::tae(32, F16).unwrap());
    assert_draws(flux2, "Flux.2", &request().steps(1));
}

#[test]
fn ernie_image_draws() {
    let ernie = parts(models::ernie_image(ErnieImage::default(), Q8_0))
        .llm(models::llm(Llm::Mistral { width: 32, layers: 30 }, Q8_0).unwrap())
        .taesd(models::tae(32, F16).unwrap());
    assert_draws(ernie, "Ernie Image", &request());
}

#[test]
fn flux_2_klein_draws() {
    let klein = parts(models::flux(Flux::of(FluxKind::Flux2Klein { text: 32 }), Q8_0))
        .llm(models::llm(Llm::Qwen3 { width: 32, layers: 28 }, Q8_0).unwrap())
        .taesd(models::tae(32, F16).unwrap());
    assert_draws(klein, "Flux.2 klein", &request());
}

#[test]
fn stable_diffusion_3_draws() {
    assert_draws(sd3(), "SD3.x", &request());
}

#[test]
fn z_image_draws() {
    let zimage = ModelConfig::new(models::zimage(ZImage::default(), Q8_0).unwrap())
        .taesd(models::tae(16, F16).unwrap())
        .threads(common::THREADS);
    assert_draws(zimage, "Z-Image", &request());
}

#[test]
fn qwen_image_draws() {
    let qwen = parts(models::qwen_image(QwenImage::default())).llm(qwen2_5_vl());
    let tiny = qwen.clone().taesd(models::video_tae(VideoLatent::Wan, F16).unwrap());
    assert_draws(tiny, "Qwen Image", &request().steps(1));
    // Of the two autoencoders only this one sees pictures.
    let mut context = Context::new(qwen.vae(models::wan_vae().unwrap())).unwrap();
    let from = request().init_image(common::test_picture(64, 64)).denoising_strength(0.6).steps(3);
    assert!(draw(&mut context, &from) != draw(&mut context, &request().steps(3)));
}

/// They take no picture requests; the family shows that their files are recognised.
#[test]
fn video_models_are_recognised() {
    for (model, latent, family) in [
        (Wan::T2v1_3B, VideoLatent::Wan, "Wan 2.x"),
        (Wan::Vace1_3B, VideoLatent::Wan, "Wan 2.x"),
        (Wan::Ti2v5B, VideoLatent::Wan2_2, "Wan 2.2 TI2V"),
        (Wan::I2v14B, VideoLatent::Wan, "Wan 2.2 I2V"),
    ] {
        let config = parts(models::wan(model)).taesd(models::video_tae(latent, F16).unwrap());
        assert_eq!(Context::new(config).unwrap().family(), family, "{model:?}");
    }
    let projection = models::ltx_projection(Format::Gguf(WeightType::Q1_0)).unwrap();
    let ltx = parts(models::ltx(Ltx::default(), Q8_0))
        .llm(models::llm(Llm::Gemma3, Q4_0).unwrap())
        .embeddings_connectors(projection)
        .taesd(models::video_tae(VideoLatent::Ltx, F16).unwrap());
    assert_eq!(Context::new(ltx).unwrap().family(), "LTXAV");
}
