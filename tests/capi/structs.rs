//! Structs of any size, values that are not allowed, JSON beneath typed fields.

use crate::{asked::*, common};
use sdcpp_capi::*;
use std::{
    ffi::c_char,
    ptr::{null, null_mut},
};

#[test]
fn sizes_of_no_version_are_refused() {
    let context = open();
    for size in [0, 8, size_of::<sdcpp_image_request>() - 1, 1 << 20, usize::MAX] {
        let mut request = quick(1);
        request.size = size;
        let failed = fails(draw(context, &request, None).0, SDCPP_UNSUPPORTED_STRUCT);
        let text = format!("the size of sdcpp_image_request is {size}; this version has 136");
        assert!(failed.message.starts_with(&text), "{failed:?}");
        // SAFETY: a size that is not this struct's is not written to.
        let code = unsafe { sdcpp_image_request_init(&raw mut request, size) };
        fails(code, SDCPP_UNSUPPORTED_STRUCT);
    }
    let mut unset = watch();
    unset.size = 1;
    fails(draw(context, &quick(1), Some(&unset)).0, SDCPP_UNSUPPORTED_STRUCT);
    // SAFETY: all zeros are a value, and there is a result in vain.
    unsafe {
        let mut image: sdcpp_image = std::mem::zeroed();
        fails(sdcpp_result_image(null(), 0, &raw mut image), SDCPP_UNSUPPORTED_STRUCT);
    }
    works(sdcpp_context_free(context));
}

/// A request of a program that was compiled against a later version.
#[repr(C)]
#[derive(Clone, Copy)]
struct Later {
    request: sdcpp_image_request,
    new: [u64; 2],
}

#[test]
fn a_later_programs_request_is_drawn_while_it_uses_nothing_new() {
    let context = open();
    let mut later = Later { request: quick(3), new: [7, 7] };
    let size = size_of::<Later>();
    // SAFETY: it has so many bytes.
    works(unsafe { sdcpp_image_request_init(&raw mut later.request, size) });
    assert_eq!((later.request.size, later.new), (size, [0, 0]));
    later.request = sdcpp_image_request { size, ..quick(3) };
    let later_draw = |later: &Later| {
        let mut result = null_mut();
        // SAFETY: as above, and a place for a handle.
        let code = unsafe {
            let request = std::ptr::from_ref(later).cast::<sdcpp_image_request>();
            sdcpp_context_generate(context, request, null(), &raw mut result)
        };
        (code, result)
    };
    let (code, result) = later_draw(&later);
    works(code);
    assert_eq!(pixels(result, 0), expected());
    // A result goes into a later program's struct as well.
    #[repr(C)]
    struct LaterImage {
        image: sdcpp_image,
        new: u64,
    }
    // SAFETY: zeros are a value, and it has as many bytes as it says.
    unsafe {
        let mut image: LaterImage = std::mem::zeroed();
        (image.image.size, image.new) = (size_of::<LaterImage>(), 7);
        works(sdcpp_result_image(result, 0, (&raw mut image).cast()));
        assert_eq!((image.image.size, image.image.width, image.new), (64, 64, 0));
    }
    later.new[1] = 1;
    let failed = fails(later_draw(&later).0, SDCPP_UNSUPPORTED_STRUCT);
    assert!(failed.message.contains("byte 144 of sdcpp_image_request is set"), "{failed:?}");
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}

#[test]
fn what_is_set_overrides_the_json() {
    let context = open();
    let drawn = |json: &std::ffi::CStr, set: fn(&mut sdcpp_image_request)| {
        let mut request = image_request();
        request.json = json.as_ptr();
        set(&mut request);
        let (code, result) = draw(context, &request, None);
        works(code);
        let (pixels, image) = (pixels(result, 0), image(result, 0));
        works(sdcpp_result_free(result));
        (pixels, image.seed)
    };
    let whole = c"{\"prompt\":\"a red circle\",\"width\":64,\"height\":64,\"steps\":3,\
        \"cfg_scale\":3,\"sampler\":\"Euler\",\"seed\":42}";
    assert_eq!(drawn(whole, |_| {}), (expected(), 42));
    let other = c"{\"prompt\":\"a blue square\",\"width\":64,\"height\":64,\"steps\":1,\
        \"cfg_scale\":1,\"sampler\":\"heun\",\"seed\":7}";
    let all = drawn(other, |request| {
        *request = sdcpp_image_request { json: request.json, width: 0, height: 0, ..quick(3) };
    });
    assert_eq!(all, (expected(), 42));
    assert_ne!(drawn(other, |request| request.seed = 42).0, expected());
    works(sdcpp_context_free(context));
}

#[test]
fn json_that_cannot_be_read_says_where() {
    let context = open();
    let fails_with = |json: &str| {
        let (mut request, mut texts) = (quick(1), Texts::default());
        request.json = texts.keep(json);
        fails(draw(context, &request, None).0, SDCPP_INVALID_JSON).message
    };
    assert!(
        fails_with("{\"hires\":{\"size\":2}}").starts_with("request.json: `hires`: unknown key")
    );
    assert!(fails_with("{").contains("line 1 column 1"));
    assert!(fails_with("").starts_with("request.json: EOF"));
    assert!(fails_with("{\"steps\":\"x\"}").starts_with("request.json: `steps`"));
    works(sdcpp_context_free(context));
}

#[test]
fn values_that_are_not_allowed_are_named() {
    let context = open();
    type Set = fn(&mut sdcpp_image_request);
    let cases: [(Set, &str); 9] = [
        (|r| r.steps = 5000, "steps is 5000; allowed: 1..=1000"),
        (|r| r.width = 20_000, "width is 20000"),
        (|r| r.batch = 5000, "batch is 5000"),
        (|r| r.cfg_scale = f32::INFINITY, "cfg_scale is inf"),
        (|r| r.strength = 2.0, "denoising_strength is 2"),
        (|r| r.sampler = c"none".as_ptr(), "sampler is \"none\"; allowed: euler,"),
        (|r| r.scheduler = c"".as_ptr(), "scheduler is \"\""),
        (|r| r.vae_tiling = 2, "vae_tiling is 2; allowed: -1 (as by default), 0 (off), 1 (on)"),
        (|r| r.reference_image_count = 17, "reference_images is a list of 17; allowed: at most 16"),
    ];
    for (set, text) in cases {
        let mut request = quick(1);
        set(&mut request);
        let failed = fails(draw(context, &request, None).0, SDCPP_INVALID_PARAMETER);
        assert!(failed.message.starts_with(text), "{failed:?} should start with {text}");
        assert_eq!(failed.kind, "invalid_parameter");
    }
    let mut request = quick(1);
    request.reference_image_count = 1;
    fails(draw(context, &request, None).0, SDCPP_NULL_POINTER);
    let mut noisy = watch();
    noisy.preview_noisy = 2;
    fails(draw(context, &quick(1), Some(&noisy)).0, SDCPP_INVALID_PARAMETER);
    let mut reserved = watch();
    reserved.reserved = 1;
    fails(draw(context, &quick(1), Some(&reserved)).0, SDCPP_INVALID_PARAMETER);
    works(sdcpp_context_free(context));
}

/// What opening this fails with.
fn refused(config: &sdcpp_model_config, code: i32) -> Failed {
    let mut context = std::ptr::dangling_mut();
    // SAFETY: pointers to what lives.
    let returned = unsafe { sdcpp_context_open(config, null(), &raw mut context) };
    assert!(context.is_null());
    fails(returned, code)
}

#[test]
fn configurations_are_refused_by_name() {
    let mut texts = Texts::default();
    let good = demo_config(&mut texts);
    let failed = refused(&model_config(), SDCPP_INVALID_PARAMETER);
    assert!(failed.message.starts_with("model is not set"), "{failed:?}");
    let text = |text: &'static std::ffi::CStr| -> *const c_char { text.as_ptr() };
    let missing = sdcpp_model_config { model: text(c"/no/such.gguf"), ..good };
    let failed = refused(&missing, SDCPP_FILE_NOT_FOUND);
    assert_eq!(failed.message, "model not found: /no/such.gguf");
    assert!(failed.advice.starts_with("check the path"));
    for (config, code, text) in [
        (sdcpp_model_config { threads: 100_000, ..good }, SDCPP_INVALID_PARAMETER, "threads is"),
        (sdcpp_model_config { mmap: 9, ..good }, SDCPP_INVALID_PARAMETER, "mmap is 9"),
        (
            sdcpp_model_config { max_vram: f32::INFINITY, ..good },
            SDCPP_INVALID_PARAMETER,
            "max_vram is inf",
        ),
        (
            sdcpp_model_config { weight_type: text(c"q9"), ..good },
            SDCPP_INVALID_PARAMETER,
            "weight_type is \"q9\"",
        ),
        (
            sdcpp_model_config { json: text(c"{\"modell\":1}"), ..good },
            SDCPP_INVALID_JSON,
            "config.json: unknown key `modell`",
        ),
        (
            sdcpp_model_config { lora_folder: text(c"/no/such/folder"), ..good },
            SDCPP_FILE_NOT_FOUND,
            "lora_folder not found",
        ),
    ] {
        let failed = refused(&config, code);
        assert!(failed.message.starts_with(text), "{failed:?} should start with {text}");
    }
    let no_model = common::demo_files().0.with_file_name("README.md");
    let no_model = path(&no_model);
    refused(&sdcpp_model_config { model: no_model.as_ptr(), ..good }, SDCPP_NOT_A_MODEL);
}

#[test]
fn a_model_is_described_by_json_alone_or_beneath_fields() {
    let (model, taesd) = common::demo_files();
    let (mut texts, mut config) = (Texts::default(), model_config());
    let json = serde_json::json!({ "model": "/no/such", "taesd": taesd, "threads": 1 });
    config.json = texts.keep(&json.to_string());
    config.model = texts.keep(model.to_str().unwrap());
    let mut context = null_mut();
    // SAFETY: pointers to what lives.
    works(unsafe { sdcpp_context_open(&raw const config, null(), &raw mut context) });
    let (code, result) = draw(context, &quick(3), None);
    works(code);
    assert_eq!(pixels(result, 0), expected());
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}

#[test]
fn pictures_of_a_wrong_length_are_not_read() {
    let context = open();
    let bytes = vec![128_u8; 64 * 64 * 3];
    let good = sdcpp_pixels {
        data: bytes.as_ptr(),
        length: bytes.len(),
        stride: 0,
        width: 64,
        height: 64,
        channels: 3,
        reserved: 0,
    };
    let with = |pixels: &sdcpp_pixels| {
        let mut request = quick(1);
        request.init_image = pixels;
        draw(context, &request, None)
    };
    let (code, result) = with(&good);
    works(code);
    works(sdcpp_result_free(result));
    for (pixels, text) in [
        (sdcpp_pixels { length: bytes.len() - 1, ..good }, "init_image.length is 12287"),
        (sdcpp_pixels { width: 65, ..good }, "init_image.length is 12288; allowed: 12480"),
        (sdcpp_pixels { width: u32::MAX, height: u32::MAX, ..good }, "init_image.width is"),
        (sdcpp_pixels { channels: 0, ..good }, "init_image.channels is 0"),
        (sdcpp_pixels { stride: 1, ..good }, "init_image.stride is 1"),
    ] {
        let failed = fails(with(&pixels).0, SDCPP_INVALID_PARAMETER);
        assert!(failed.message.starts_with(text), "{failed:?} should start with {text}");
    }
    let nothing = sdcpp_pixels { data: null(), ..good };
    assert_eq!(fails(with(&nothing).0, SDCPP_NULL_POINTER).message, "init_image.data is NULL");
    works(sdcpp_context_free(context));
}
