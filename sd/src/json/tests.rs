use crate::{arbitrary, *};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn refused<T: DeserializeOwned>(text: &str) -> String {
    match serde_json::from_str::<T>(text) {
        Ok(_) => panic!("{text} should be refused"),
        Err(error) => error.to_string(),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(request in arbitrary::image_request()) {
        prop_assert!(request.check().is_ok(), "{:?}", request.check());
        prop_assert_eq!(again(&request), request);
    }

    #[test]
    fn what_is_written_of_videos_is_read(request in arbitrary::video_request()) {
        prop_assert!(request.check().is_ok(), "{:?}", request.check());
        prop_assert_eq!(again(&request), request);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}", value in "[\\[{}\\]0-9\"a-z:,.-]{0,20}", key in 0_usize..40) {
        let keys = <ImageRequest as super::Object>::keys();
        let key = keys[key % keys.len()];
        for text in [text, format!("{{\"{key}\":{value}}}")] {
            let _ = serde_json::from_str::<ImageRequest>(&text);
            let _ = serde_json::from_str::<VideoRequest>(&text);
            let _ = serde_json::from_str::<ModelConfig>(&text);
        }
    }
}

#[test]
fn keys_are_flat_and_defaults_left_out() {
    let request: ImageRequest = serde_json::from_value(json!({
        "prompt": "a cat", "steps": 20, "cfg_scale": 7, "sampler": "Euler a", "seed": 42,
        "scheduler": null, "loras": [{ "path": "ink.gguf" }], "hires": { "target_size": [64, 32] },
        "step_cache": { "end": 0.5, "mode": "easycache" },
    }))
    .unwrap();
    let expected = ImageRequest::new("a cat")
        .cfg_scale(7.0)
        .sampler(Sampler::EulerA)
        .seed(42)
        .lora(Lora::new("ink.gguf"))
        .hires(HiresFix::default().target_size((64, 32)))
        .step_cache(StepCache::EasyCache(EasyCache::default().end(0.5)));
    assert_eq!(request, expected);
    assert_eq!(
        serde_json::to_value(&request).unwrap(),
        json!({
            "prompt": "a cat", "cfg_scale": 7.0, "sampler": "euler_a", "seed": 42,
            "loras": [{ "path": "ink.gguf" }], "hires": { "target_size": [64, 32] },
            "step_cache": { "mode": "easycache", "end": 0.5 },
        })
    );
    assert_eq!(serde_json::to_string(&ImageRequest::default()).unwrap(), "{}");
    assert_eq!(serde_json::from_str::<ImageRequest>("{}").unwrap(), ImageRequest::default());
}

#[test]
fn configurations_are_written_and_read() {
    let config = ModelConfig::new("m.gguf")
        .weight_type(WeightType::Q4K)
        .vae_format(VaeFormat::Sd3)
        .rng(RngKind::Cpu)
        .embedding("toad", "toad.safetensors")
        .chroma_use_dit_mask(false);
    assert_eq!(again(&config), config);
    assert_eq!(
        serde_json::to_value(&config).unwrap(),
        json!({
            "model": "m.gguf", "embeddings": [{ "name": "toad", "path": "toad.safetensors" }],
            "weight_type": "q4_K", "rng": "cpu", "chroma_use_dit_mask": false, "vae_format": "sd3",
        })
    );
    assert_eq!(again(&ModelConfig::default()), ModelConfig::default());
    let upscaler = UpscalerConfig::new("x4.gguf").tile_size(0).backend("cpu");
    assert_eq!(again(&upscaler), upscaler);
    let convert = Convert::new("a", "b.gguf").weight_type(WeightType::Q8_0);
    assert_eq!(again(&convert), convert);
    let canny = Canny::default().invert(true).weak(0.5);
    assert_eq!(again(&canny), canny);
}

#[test]
fn mistakes_are_named() {
    for (text, start) in [
        (r#"{"stepz":1}"#, "unknown key `stepz`; the keys are prompt, negative_prompt, width"),
        (r#"{"sampling":{}}"#, "unknown key `sampling`"),
        (r#"{"steps":"many"}"#, "`steps`: invalid type: string \"many\", expected u32"),
        (r#"{"steps":null}"#, "`steps`: invalid type: null"),
        (r#"{"steps":1,"steps":2}"#, "the key `steps` is there twice"),
        (r#"{"sampler":"fast"}"#, "`sampler`: \"fast\" is none of euler, euler_a"),
        (r#"{"hires":{"scale":"x"}}"#, "`hires.scale`: invalid type"),
        (r#"{"hires":{"size":1}}"#, "`hires`: unknown key `size`; the keys are upscaler"),
        (r#"{"loras":[{"multiplier":1}]}"#, "`loras`: the key `path` is missing"),
        (r#"{"loras":[{"path":"x","weight":1}]}"#, "`loras`: unknown key `weight`"),
        (r#"{"photo_maker":{}}"#, "`photo_maker`: the key `id_images` is missing"),
        (r#"{"step_cache":{}}"#, "`step_cache`: the key `mode` is missing, one of easycache"),
        (r#"{"step_cache":{"mode":"x"}}"#, "`step_cache.mode`: \"x\" is none of easycache"),
        (r#"{"step_cache":{"mode":"ucache","order":1}}"#, "`step_cache`: unknown key `order`"),
        (r#"{"step_cache":{"mode":"cache-dit","blocks":{"x":1}}}"#, "`step_cache.blocks`: unknown"),
        (r#"{"init_image":"!"}"#, "`init_image`: no base64"),
        (r#"{"init_image":"aGVsbG8="}"#, "`init_image`: neither PNG nor JPEG"),
        (r#"{"init_image":"data:image/png,x"}"#, "`init_image`: a data URL without"),
        (r#"{"init_image":"iVBORw0KGgo="}"#, "`init_image`: no usable picture"),
        (r#"{"reference_images":["/etc/passwd"]}"#, "`reference_images`: n"),
        (r#"{"photo_maker":{"id_images":["!"]}}"#, "`photo_maker.id_images`: no base64"),
        ("[]", "invalid type: sequence, expected an object with the keys prompt"),
    ] {
        let error = refused::<ImageRequest>(text);
        assert!(error.starts_with(start), "{error:?} should start with {start:?}");
    }
    assert!(refused::<VideoRequest>(r#"{"high_noise":{"flow_shift":1}}"#).contains("`flow_shift`"));
    assert!(refused::<ModelConfig>(r#"{"modell":1}"#).contains("unknown key `modell`"));
    let long = format!("{{\"width\":\"{}\"}}", "A".repeat(1_000_000));
    let error = refused::<ImageRequest>(&long);
    assert!(error.len() < 2000 && error.contains("at line 1"), "{error}");
    let none =
        serde_json::to_string(&ImageRequest::new("x").init_image(image::RgbImage::new(0, 1)));
    assert!(none.unwrap_err().to_string().starts_with("`init_image`: no PNG"));
}

mod pictures {
    use super::super::codec::{Budget, MOST_BYTES};
    use super::*;
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
    use std::io::Cursor;

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> String {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        STANDARD.encode(bytes.into_inner())
    }

    fn with(picture: &str) -> ImageRequest {
        serde_json::from_value(json!({ "init_image": picture })).unwrap()
    }

    /// A PNG whose bytes are few.
    fn flat_png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&vec![0; (width.div_ceil(8) * height) as usize]).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn png_jpeg_and_data_urls_are_read() {
        let red = DynamicImage::from(RgbImage::from_pixel(8, 4, Rgb([200, 0, 0])));
        let png = encoded(&red, ImageFormat::Png);
        let expected = ImageRequest::default().init_image(red.clone());
        for text in [
            png.clone(),
            png.trim_end_matches('=').to_owned(),
            format!("data:image/png;base64,{png}"),
            format!(" {png}\n"),
        ] {
            assert_eq!(with(&text), expected);
        }
        let jpeg = with(&encoded(&red, ImageFormat::Jpeg)).init_image.unwrap();
        assert!(jpeg.dimensions() == (8, 4) && jpeg.get_pixel(0, 0).0[0] > 150);
        let written = serde_json::to_value(expected).unwrap();
        assert!(written["init_image"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    }

    #[test]
    fn transparency_is_as_the_setters_have_it() {
        let clear = DynamicImage::from(image::RgbaImage::new(2, 2));
        let text = encoded(&clear, ImageFormat::Png);
        let json = json!({ "init_image": text, "mask": text });
        let request: ImageRequest = serde_json::from_value(json).unwrap();
        assert_eq!(request, ImageRequest::default().init_image(clear.clone()).mask(clear));
    }

    #[test]
    fn what_is_too_large_is_not_decoded() {
        let wide = STANDARD.encode(flat_png(MAX_SIDE + 1, 1));
        let error = refused::<ImageRequest>(&json!({ "init_image": wide }).to_string());
        assert!(error.starts_with("`init_image`: "), "{error}");
        // The pictures of a request share a budget, those within a `photo_maker` too.
        let _budget = Budget::open();
        assert!(Budget::take(MOST_BYTES - 5_000_000));
        let megabyte = STANDARD.encode(flat_png(600, 600));
        let json = |more| {
            json!({
                "photo_maker": { "id_images": [megabyte, megabyte] },
                "reference_images": vec![&megabyte; more],
            })
        };
        let error = refused::<ImageRequest>(&json(3).to_string());
        assert!(error.starts_with("`reference_images`: with it, the request's pic"), "{error}");
        #[cfg(feature = "isolated")]
        {
            // Bare pixels take no more than was sent.
            let large = ImageRequest::new("x").init_image(RgbImage::new(2000, 1000));
            let bare = rmp_serde::to_vec(&large).unwrap();
            assert_eq!(rmp_serde::from_slice::<ImageRequest>(&bare).unwrap(), large);
        }
        drop(_budget);
        assert!(serde_json::from_value::<ImageRequest>(json(3)).is_ok());
    }
}
