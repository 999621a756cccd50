//! The families of diffusion transformers, each on a model file that the engine recognises and runs,
//! draw what the engine draws by itself. The weights are random: the pictures are noise, but every
//! stage runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    compare::Compared,
    test_picture,
    transformers::{
        F16, MAPPED, Q8_0, flux, ltx, parts, qwen_image, qwen2_5_vl, request, sd3, wan,
    },
};
use sdcpp::{Context, ImageRequest, ModelConfig, SkipLayers};
use sdcpp_test_support::{
    self as models, ErnieImage, Flux, FluxKind, Llm, QwenImage, VideoLatent, Wan, ZImage,
};

/// The model is of this family, and draws a picture of several colours.
fn assert_draws(config: ModelConfig, family: &str, request: &ImageRequest) -> Compared {
    let mut compared = Compared::new(config);
    assert_eq!(compared.context().family(), family);
    let picture = compared.draw(family, request);
    let mean = picture.iter().map(|x| f64::from(*x)).sum::<f64>() / picture.len() as f64;
    let variance = picture.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
    let deviation = (variance / picture.len() as f64).sqrt();
    assert!(deviation > 10.0, "{family}: the picture has nearly one colour ({deviation})");
    compared
}

#[test]
fn flux_draws_and_heeds_prompt_and_guidance() {
    let mut flux = assert_draws(flux(FluxKind::Flux), "Flux", &request());
    let mut dog = request();
    dog.prompt = "a dog".to_owned();
    flux.each_changes(
        &request(),
        [
            ("prompt", dog),
            ("distilled_guidance", request().distilled_guidance(8.0)),
            ("cfg_scale", request().cfg_scale(4.0).negative_prompt("a dog")),
        ],
    );
}

#[test]
fn flux_edits_references() {
    let mut flux = Compared::new(flux(FluxKind::Flux));
    let one = request().reference_image(test_picture(64, 64));
    let wide = request().reference_image(test_picture(128, 64));
    let two = one.clone().reference_image(test_picture(48, 64));
    flux.each_changes(&request(), [("reference_images", one.clone())]);
    flux.each_changes(
        &wide,
        [
            ("another reference", one.clone()),
            ("resize_references", wide.clone().resize_references(false)),
            ("image_cfg_scale", wide.clone().image_cfg_scale(2.0)),
        ],
    );
    flux.each_changes(
        &two,
        [
            ("one reference", one),
            ("increase_reference_index", two.clone().increase_reference_index(true)),
        ],
    );
}

#[test]
fn flux_fill_repaints_what_the_mask_shows() {
    let filling =
        request().steps(4).init_image(test_picture(64, 64)).mask(common::test_mask(64, 64));
    let mut fill = assert_draws(flux(FluxKind::Fill), "Flux Fill", &filling);
    let whole = image::GrayImage::from_pixel(64, 64, image::Luma([255]));
    fill.each_changes(&filling, [("mask", filling.clone().mask(whole))]);
}

#[test]
fn flux_control_follows_its_picture() {
    let mut control = assert_draws(flux(FluxKind::Control), "Flux Control", &request());
    let with = request().control_image(test_picture(64, 64));
    control.each_changes(&request(), [("control_image", with)]);
}

#[test]
fn flex_2_draws() {
    let filling = request().init_image(test_picture(64, 64)).mask(common::test_mask(64, 64));
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
fn stable_diffusion_3_draws_and_skips_layers() {
    let base = request();
    let mut sd3 = assert_draws(sd3(), "SD3.x", &base);
    let skip = |layers: SkipLayers| base.clone().skip_layers(layers.start(0.0).end(1.0));
    let all = || SkipLayers::new([0, 1, 2]);
    sd3.each_changes(
        &skip(all()),
        [
            ("none", base.clone()),
            ("layers", skip(SkipLayers::new([5]))),
            ("scale", skip(all().scale(5.0))),
            ("start", base.clone().skip_layers(all().start(0.5).end(1.0))),
            ("end", base.clone().skip_layers(all().start(0.0).end(0.5))),
        ],
    );
    sd3.none_changes(&base, [("a scale of 0", skip(all().scale(0.0)))]);
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
    let tiny = parts(models::qwen_image(QwenImage::default()))
        .llm(qwen2_5_vl())
        .taesd(models::video_tae(VideoLatent::Wan, F16).unwrap());
    let mut tiny = assert_draws(tiny, "Qwen Image", &request().steps(1));
    // Of the two autoencoders only the other sees pictures.
    let from = request().init_image(test_picture(64, 64));
    let error = tiny.context().generate(&from).unwrap_err().to_string();
    assert!(error.contains("only decodes"), "{error}");
}

#[test]
fn qwen_image_edits() {
    let one = request().steps(1);
    let edit = one.clone().reference_image(test_picture(64, 64));
    Compared::new(qwen_image()).each_changes(&one, [("reference_images", edit.clone())]);
    let zero = qwen_image().qwen_image_zero_cond_t(true);
    let plain = common::compare::draw_alone("plain", qwen_image(), &edit);
    let other = common::compare::draw_alone("qwen_image_zero_cond_t", zero, &edit);
    assert!(plain != other, "qwen_image_zero_cond_t changes nothing");
}

/// They take no picture requests; tests/video.rs has what they do.
#[test]
fn video_models_are_recognised_and_draw_no_pictures() {
    for (config, family) in
        [(wan(Wan::T2v1_3B), "Wan 2.x"), (wan(Wan::Ti2v5B), "Wan 2.2 TI2V"), (ltx(), "LTXAV")]
    {
        let mut context = Context::new(config).unwrap();
        assert_eq!(context.family(), family);
        assert!(context.makes_video() && !context.makes_images());
        let error = context.generate(&request()).unwrap_err().to_string();
        assert!(error.contains("use generate_video"), "{error}");
    }
}
