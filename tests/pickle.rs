//! Pickle checkpoints: refused unless trusted, and then the same model as in any other file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{compare::draw_alone, family_config, test_picture, transformers, unet_request};
use sdcpp::{
    Architecture, Context, Convert, Error, ImageRequest, Lora, ModelConfig, ModelFile, ModelFormat,
    Upscaler, UpscalerConfig,
};
use sdcpp_test_support::{
    self as models, Embedding, FloatType, Format, Sd1Lora, TextEncoders, TinyModel, UNet,
    UNetFamily, ZImage,
};
use std::path::PathBuf;

/// The same model as safetensors and as a pickle checkpoint.
fn both(made: impl Fn(Format) -> std::io::Result<PathBuf>, float_type: FloatType) -> [PathBuf; 2] {
    let pickle = made(Format::Pickle(float_type)).unwrap();
    let file = ModelFile::open(&pickle).unwrap();
    assert_eq!(file.format(), ModelFormat::Pickle);
    assert_eq!(file.tensors().len(), 0);
    [made(Format::Safetensors(float_type)).unwrap(), pickle]
}

fn tae(format: Format) -> std::io::Result<PathBuf> {
    models::tae(4, format)
}

fn draw(config: &ModelConfig, request: &ImageRequest) -> Vec<u8> {
    Context::new(config).unwrap().generate(request).unwrap().images[0].as_bytes().to_vec()
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("trust_pickle"), "{error}");
}

/// With the pickle the model is refused, and once trusted draws the picture of the safetensors.
fn same_picture(
    [plain, pickle]: [PathBuf; 2],
    config: impl Fn(PathBuf) -> ModelConfig,
    request: &ImageRequest,
) {
    let pickled = config(pickle);
    assert_refused(Context::new(&pickled));
    let expected = draw(&config(plain), request);
    assert!(draw(&pickled.trust_pickle(true), request) == expected, "another picture");
}

#[test]
fn decoders_draw_the_same_in_either_type() {
    let request = unet_request().steps(1).cfg_scale(1.0);
    let config = |file| family_config(UNetFamily::Sd1).taesd(file);
    for float_type in [FloatType::F16, FloatType::F32] {
        same_picture(both(tae, float_type), config, &request);
    }
}

#[test]
fn a_unet_draws_the_same_and_as_in_cpp() {
    let spec = UNet::smallest(UNetFamily::Sd1);
    let files = both(|format| models::unet(spec, format), FloatType::F16);
    let config = |file| {
        let mut config = family_config(UNetFamily::Sd1);
        config.diffusion_model = Some(file);
        config
    };
    let request = unet_request().steps(1);
    let pickle = files[1].clone();
    same_picture(files, config, &request);
    draw_alone("a pickle", config(pickle).trust_pickle(true), &request);
}

#[test]
fn a_whole_model_draws_the_same() {
    let files = both(|format| models::zimage(ZImage::default(), format), FloatType::F16);
    let taesd = models::tae(16, transformers::F16).unwrap();
    let config = |file| ModelConfig::new(file).taesd(&taesd).threads(common::THREADS);
    same_picture(files, config, &transformers::request());
}

#[test]
fn embeddings_draw_the_same() {
    let spec = Embedding { encoders: TextEncoders::Sd1, vectors: 2 };
    let made = |format| TinyModel::new(models::Architecture::Embedding(spec), format).cached();
    let mut request = unet_request().steps(1).cfg_scale(1.0);
    request.prompt = "a sks cat".to_owned();
    let config = |file| family_config(UNetFamily::Sd1).embedding("sks", file);
    same_picture(both(made, FloatType::F32), config, &request);
}

#[test]
fn loras_draw_the_same() {
    let spec = Sd1Lora::default();
    let made =
        |format| TinyModel::new(models::Architecture::Sd1Lora(spec.clone()), format).cached();
    let [plain, pickle] = both(made, FloatType::F16);
    let with = |file| unet_request().steps(1).cfg_scale(1.0).lora(Lora::new(file));
    let config = common::sd1_config();
    let expected = draw(&config, &with(plain));
    let mut context = Context::new(&config).unwrap();
    assert_refused(context.generate(&with(pickle.clone())));
    assert!(!context.is_poisoned());
    assert!(draw(&config.trust_pickle(true), &with(pickle)) == expected);
}

#[test]
fn upscalers_enlarge_the_same() {
    let [plain, pickle] = both(|format| models::esrgan(2, format), FloatType::F16);
    let config = |file| UpscalerConfig::new(file).threads(common::THREADS);
    assert_refused(Upscaler::new(config(pickle.clone())));
    let enlarge = |config| {
        let enlarged = Upscaler::new(config).unwrap().upscale(test_picture(24, 16)).unwrap();
        enlarged.image.as_bytes().to_vec()
    };
    assert!(enlarge(config(pickle).trust_pickle(true)) == enlarge(config(plain)));
}

/// What the documentation advises to do with them.
#[test]
fn converted_they_need_no_trust() {
    let [plain, pickle] = both(tae, FloatType::F16);
    let folder = tempfile::tempdir().unwrap();
    for name in ["tae.gguf", "tae.safetensors"] {
        let output = folder.path().join(name);
        let convert = Convert::new(&pickle, &output);
        assert_refused(convert.run());
        assert!(!output.exists());
        convert.trust_pickle(true).run().unwrap();
        let file = ModelFile::open(&output).unwrap();
        assert_eq!(file.architecture(), Architecture::Taesd);
        assert_eq!(file.tensors().len(), ModelFile::open(&plain).unwrap().tensors().len());
        let request = unet_request().steps(1).cfg_scale(1.0);
        let config = |file: &PathBuf| family_config(UNetFamily::Sd1).taesd(file);
        assert!(draw(&config(&output), &request) == draw(&config(&plain), &request), "{name}");
    }
}
