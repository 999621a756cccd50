//! What needs no context: upscaling, converting, facts of engine and files.

use crate::{asked::*, common};
use sdcpp_capi::*;
use sdcpp_test_support::{self as models, Format};
use std::{
    ffi::c_char,
    ptr::{null, null_mut},
};

#[test]
fn a_picture_is_enlarged() {
    let model = models::esrgan(2, Format::Gguf(models::WeightType::F16)).unwrap();
    let picture = common::test_picture(48, 32);
    let pixels_in = sdcpp_pixels {
        data: picture.as_ptr(),
        length: picture.len(),
        stride: 0,
        width: 48,
        height: 32,
        channels: 3,
        reserved: 0,
    };
    let file = path(&model);
    let (mut upscaler, mut result, mut factor) = (null_mut(), null_mut(), 0);
    // SAFETY: pointers to what lives, and zeros are a value.
    unsafe {
        let mut config: sdcpp_upscaler_config = std::mem::zeroed();
        works(sdcpp_upscaler_config_init(&raw mut config, size_of::<sdcpp_upscaler_config>()));
        let code = sdcpp_upscaler_open(&raw const config, null(), &raw mut upscaler);
        assert_eq!(fails(code, SDCPP_NULL_POINTER).message, "config.model is NULL");
        (config.model, config.threads) = (file.as_ptr(), common::THREADS);
        works(sdcpp_upscaler_open(&raw const config, null(), &raw mut upscaler));
        works(sdcpp_upscaler_factor(upscaler, &raw mut factor));
        works(sdcpp_upscaler_upscale(upscaler, &raw const pixels_in, null(), &raw mut result));
    }
    let mut same = sdcpp::Upscaler::new(sdcpp::UpscalerConfig::new(model)).unwrap();
    let expected = same.upscale(picture).unwrap().image;
    assert_eq!((factor, image(result, 0).width), (2, 96));
    assert_eq!(pixels(result, 0), expected.as_bytes());
    works(sdcpp_upscaler_free(upscaler));
    works(sdcpp_result_free(result));
}

#[test]
fn a_model_is_converted_and_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let (model, written) = (common::demo_files().1, folder.path().join("x.gguf"));
    let (input, output) = (path(&model), path(&written));
    let mut bytes = 0;
    let mut told: *mut c_char = null_mut();
    // SAFETY: pointers to what lives, and zeros are a value.
    unsafe {
        let mut options: sdcpp_convert_options = std::mem::zeroed();
        works(sdcpp_convert_options_init(&raw mut options, size_of::<sdcpp_convert_options>()));
        (options.input, options.output) = (input.as_ptr(), output.as_ptr());
        options.weight_type = c"f32".as_ptr();
        works(sdcpp_convert(&raw const options, null(), &raw mut bytes));
        works(sdcpp_convert(&raw const options, null(), null_mut()));
        options.output = c"x.txt".as_ptr();
        fails(sdcpp_convert(&raw const options, null(), null_mut()), SDCPP_INVALID_PARAMETER);
        works(sdcpp_model_inspect_json(output.as_ptr(), &raw mut told));
    }
    assert_eq!(bytes, written.metadata().unwrap().len());
    let told = json(told);
    assert_eq!((&told["bytes"], &told["format"]), (&bytes.into(), &"GGUF v3".into()));
    assert_eq!(told["config_field"], "taesd");
    assert_eq!(told["weight_types"][0]["type"], "f32");
}

#[test]
fn memory_is_estimated() {
    let (mut texts, request) = (Texts::default(), quick(1));
    let config = demo_config(&mut texts);
    let (film, mut told, mut video) = (video_request(), null_mut(), null_mut());
    // SAFETY: pointers to what lives.
    unsafe {
        let (config, asked) = (&raw const config, &raw const request);
        works(sdcpp_memory_estimate_json(config, asked, &raw mut told));
        let asked = &raw const film;
        works(sdcpp_memory_estimate_video_json(config, asked, &raw mut video));
    }
    let same = common::quick_request("a red circle").steps(1);
    let expected = sdcpp::MemoryEstimate::of(&common::demo_config(), &same).unwrap();
    let told = json(told);
    assert_eq!(
        (&told["peak"], &told["sampling"]),
        (&expected.peak().into(), &expected.sampling.into())
    );
    assert_eq!(told["devices"].as_array().unwrap().len(), 1);
    assert!(json(video)["peak"].as_u64() > told["peak"].as_u64());
}

#[test]
fn engine_and_names_are_told() {
    let (mut info, mut again, mut devices, mut names) = (null(), null(), null_mut(), null_mut());
    // SAFETY: places for texts.
    unsafe {
        works(sdcpp_system_info(&raw mut info));
        works(sdcpp_system_info(&raw mut again));
        works(sdcpp_devices_json(&raw mut devices));
        works(sdcpp_names_json(&raw mut names));
        assert_eq!(text(sdcpp_version()), env!("CARGO_PKG_VERSION"));
        assert!(text(info).starts_with("stable-diffusion.cpp 9838264 | "), "{}", text(info));
    }
    assert_eq!(info, again, "a static text");
    assert_eq!(json(devices)[0]["kind"], "cpu");
    let names = json(names);
    assert_eq!(names["samplers"].as_array().unwrap().len(), sdcpp::Sampler::ALL.len());
    assert_eq!(names["samplers"][0]["name"], "euler");
    assert_eq!(names["preview_kinds"], serde_json::json!(["proj", "tae", "vae"]));
}
