//! Pointers that are NULL, handles that are none, texts that are no UTF-8.

use crate::{asked::*, common};
use sdcpp_capi::*;
use std::{
    ffi::{CStr, c_char},
    mem::MaybeUninit,
    ptr::{self, null, null_mut},
};

/// A place that a pointer goes to.
fn place<T>() -> *mut T {
    Box::leak(Box::new(MaybeUninit::<T>::zeroed())).as_mut_ptr()
}

#[test]
fn null_is_an_error_wherever_it_is_not_allowed() {
    let mut texts = Texts::default();
    let config: *const _ = &demo_config(&mut texts);
    let request: *const _ = &quick(1);
    let video: *const _ = &video_request();
    let context = open();
    let (_, result) = draw(context, &quick(1), None);
    let model = common::demo_files().0;
    let model = path(&model);
    let model = model.as_ptr();
    let pixels: *const _ = &sdcpp_pixels {
        data: [0; 3].as_ptr(),
        length: 3,
        stride: 0,
        width: 1,
        height: 1,
        channels: 3,
        reserved: 0,
    };
    let no_file = c"/no/such/file".as_ptr();
    // SAFETY: every pointer is NULL or leads to what lives; places are leaked.
    let refused: Vec<(i32, &str)> = unsafe {
        vec![
            (sdcpp_engine_choose(null()), "engine"),
            (sdcpp_engine_json(null_mut()), "out"),
            (sdcpp_system_info(null_mut()), "out"),
            (sdcpp_devices_json(null_mut()), "out"),
            (sdcpp_names_json(null_mut()), "out"),
            (sdcpp_picture_read(null(), place()), "path"),
            (sdcpp_picture_read(no_file, null_mut()), "out"),
            (sdcpp_cancel_new(null_mut()), "out"),
            (sdcpp_watch_init(null_mut(), size_of::<sdcpp_watch>()), "watch"),
            (sdcpp_model_config_init(null_mut(), size_of::<sdcpp_model_config>()), "config"),
            (sdcpp_image_request_init(null_mut(), size_of::<sdcpp_image_request>()), "request"),
            (sdcpp_video_request_init(null_mut(), size_of::<sdcpp_video_request>()), "request"),
            (sdcpp_pool_options_init(null_mut(), size_of::<sdcpp_pool_options>()), "options"),
            (sdcpp_upscaler_config_init(null_mut(), 48), "config"),
            (sdcpp_convert_options_init(null_mut(), 56), "options"),
            (sdcpp_context_open(null(), null(), place()), "config"),
            (sdcpp_context_open(config, null(), null_mut()), "out"),
            (sdcpp_context_generate(context, null(), null(), place()), "request"),
            (sdcpp_context_generate(context, request, null(), null_mut()), "out"),
            (sdcpp_context_generate_video(context, null(), null(), place()), "request"),
            (sdcpp_context_generate_video(context, video, null(), null_mut()), "out"),
            (sdcpp_context_info_json(context, null_mut()), "out"),
            (sdcpp_result_count(result, null_mut()), "out"),
            (sdcpp_result_image(result, 0, null_mut()), "out"),
            (sdcpp_result_png(result, 0, null(), null_mut(), place()), "out"),
            (sdcpp_result_png(result, 0, null(), place(), null_mut()), "out_length"),
            (sdcpp_result_save(result, 0, null()), "path"),
            (sdcpp_result_save_animation(result, 1.0, null()), "path"),
            (sdcpp_result_save_audio(result, null()), "path"),
            (sdcpp_result_audio(result, null_mut()), "out"),
            (sdcpp_result_info_json(result, null_mut()), "out"),
            (sdcpp_pool_open(null(), null(), place()), "config"),
            (sdcpp_pool_open(config, null(), null_mut()), "out"),
            (sdcpp_pool_metrics_get(null(), null_mut()), "out"),
            (sdcpp_pool_generate(null(), request, null(), null_mut()), "out"),
            (sdcpp_pool_generate_video(null(), video, null(), null_mut()), "out"),
            (sdcpp_pool_submit(null(), request, null(), null_mut()), "out"),
            (sdcpp_pool_submit_video(null(), video, null(), null_mut()), "out"),
            (sdcpp_job_status(null(), null_mut(), place()), "out_status"),
            (sdcpp_job_wait(null(), 0, null_mut()), "out"),
            (sdcpp_upscaler_open(null(), null(), place()), "config"),
            (sdcpp_upscaler_open(place(), null(), null_mut()), "out"),
            (sdcpp_upscaler_factor(null(), null_mut()), "out"),
            (sdcpp_upscaler_upscale(null(), null(), null(), place()), "picture"),
            (sdcpp_upscaler_upscale(null(), pixels, null(), null_mut()), "out"),
            (sdcpp_convert(null(), null(), null_mut()), "options"),
            (sdcpp_model_inspect_json(null(), place()), "path"),
            (sdcpp_model_inspect_json(model, null_mut()), "out"),
            (sdcpp_memory_estimate_json(null(), request, place()), "config"),
            (sdcpp_memory_estimate_json(config, null(), place()), "request"),
            (sdcpp_memory_estimate_json(config, request, null_mut()), "out"),
            (sdcpp_memory_estimate_video_json(null(), video, place()), "config"),
            (sdcpp_memory_estimate_video_json(config, null(), place()), "request"),
            (sdcpp_memory_estimate_video_json(config, video, null_mut()), "out"),
        ]
    };
    for (at, (code, name)) in refused.iter().enumerate() {
        assert_eq!(*code, SDCPP_NULL_POINTER, "{at}: {name}");
    }
    // SAFETY: as above.
    let failed = fails(unsafe { sdcpp_cancel_new(null_mut()) }, SDCPP_NULL_POINTER);
    assert_eq!((failed.kind.as_str(), failed.message.as_str()), ("null_pointer", "out is NULL"));
    // Freeing nothing is nothing.
    works(sdcpp_free(null_mut()));
    works(sdcpp_cancel_free(null_mut()));
    works(sdcpp_result_free(null_mut()));
    works(sdcpp_context_free(null_mut()));
    works(sdcpp_pool_free(null_mut()));
    works(sdcpp_job_free(null_mut()));
    works(sdcpp_upscaler_free(null_mut()));
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}

/// Calls every function that takes a handle with these.
fn with_handles(
    context: *mut sdcpp_context,
    result: *mut sdcpp_result,
    pool: *mut sdcpp_pool,
    job: *mut sdcpp_job,
    cancel: *mut sdcpp_cancel,
    upscaler: *mut sdcpp_upscaler,
) -> Vec<i32> {
    let request: *const _ = &quick(1);
    let video: *const _ = &video_request();
    let no_file = c"/no/such/folder/x.png".as_ptr();
    let pixels: *const _ = &sdcpp_pixels {
        data: [0; 3].as_ptr(),
        length: 3,
        stride: 0,
        width: 1,
        height: 1,
        channels: 3,
        reserved: 0,
    };
    let mut cancelled = watch();
    cancelled.cancel = cancel;
    let mut image = MaybeUninit::<sdcpp_image>::zeroed();
    let mut audio = MaybeUninit::<sdcpp_audio>::zeroed();
    let mut metrics = MaybeUninit::<sdcpp_pool_metrics>::zeroed();
    let good = open();
    // SAFETY: places are leaked, sizes are set, and handles are not followed.
    let mut codes = unsafe {
        (*image.as_mut_ptr()).size = size_of::<sdcpp_image>();
        (*audio.as_mut_ptr()).size = size_of::<sdcpp_audio>();
        (*metrics.as_mut_ptr()).size = size_of::<sdcpp_pool_metrics>();
        vec![
            sdcpp_context_generate(context, request, null(), place()),
            sdcpp_context_generate_video(context, video, null(), place()),
            sdcpp_context_info_json(context, place()),
            sdcpp_result_count(result, place()),
            sdcpp_result_image(result, 0, image.as_mut_ptr()),
            sdcpp_result_png(result, 0, null(), place(), place()),
            sdcpp_result_save(result, 0, no_file),
            sdcpp_result_save_animation(result, 1.0, no_file),
            sdcpp_result_audio(result, audio.as_mut_ptr()),
            sdcpp_result_save_audio(result, no_file),
            sdcpp_result_info_json(result, place()),
            sdcpp_pool_generate(pool, request, null(), place()),
            sdcpp_pool_generate_video(pool, video, null(), place()),
            sdcpp_pool_submit(pool, request, null(), place()),
            sdcpp_pool_submit_video(pool, video, null(), place()),
            sdcpp_pool_metrics_get(pool, metrics.as_mut_ptr()),
            sdcpp_pool_shutdown(pool, SDCPP_SHUTDOWN_CANCEL, 0),
            sdcpp_job_status(job, place(), null_mut()),
            sdcpp_job_wait(job, 0, place()),
            sdcpp_job_cancel(job),
            sdcpp_cancel_now(cancel),
            sdcpp_upscaler_factor(upscaler, place()),
            sdcpp_upscaler_upscale(upscaler, pixels, null(), place()),
        ]
    };
    // A token that is none; NULL is no token.
    if !cancel.is_null() {
        // SAFETY: as above.
        codes.push(unsafe { sdcpp_context_generate(good, request, &raw const cancelled, place()) });
    }
    works(sdcpp_context_free(good));
    codes
}

fn frees(
    context: *mut sdcpp_context,
    result: *mut sdcpp_result,
    pool: *mut sdcpp_pool,
    job: *mut sdcpp_job,
    cancel: *mut sdcpp_cancel,
    upscaler: *mut sdcpp_upscaler,
) -> Vec<i32> {
    vec![
        sdcpp_context_free(context),
        sdcpp_result_free(result),
        sdcpp_pool_free(pool),
        sdcpp_job_free(job),
        sdcpp_cancel_free(cancel),
        sdcpp_upscaler_free(upscaler),
    ]
}

#[test]
fn handles_that_are_none_are_errors_and_nothing_worse() {
    let refused = |codes: Vec<i32>| {
        for (at, code) in codes.iter().enumerate() {
            assert_eq!(*code, SDCPP_INVALID_HANDLE, "{at}");
        }
    };
    refused(with_handles(null_mut(), null_mut(), null_mut(), null_mut(), null_mut(), null_mut()));
    // Foreign: addresses of this test's own memory, and numbers that were never given out.
    let mut local = [0_u64; 8];
    for address in [local.as_mut_ptr().addr(), 2, usize::MAX, usize::MAX - 1] {
        fn of<T>(address: usize) -> *mut T {
            ptr::without_provenance_mut(address)
        }
        let a = address;
        refused(with_handles(of(a), of(a), of(a), of(a), of(a), of(a)));
        refused(frees(of(a), of(a), of(a), of(a), of(a), of(a)));
    }
    assert_eq!(local, [0; 8], "nobody wrote there");
    // Of another kind: a token in place of everything, and a result in place of a token.
    let mut cancel = null_mut();
    // SAFETY: a place for a handle.
    works(unsafe { sdcpp_cancel_new(&raw mut cancel) });
    let context = open();
    let (_, result) = draw(context, &quick(1), None);
    let of = cancel;
    refused(with_handles(of.cast(), of.cast(), of.cast(), of.cast(), result.cast(), of.cast()));
    refused(frees(of.cast(), of.cast(), of.cast(), of.cast(), result.cast(), of.cast()));
    let failed = fails(sdcpp_result_free(cancel.cast()), SDCPP_INVALID_HANDLE);
    assert!(failed.message.ends_with("is a sdcpp_cancel, and no sdcpp_result"), "{failed:?}");
    // Freed, and freed again.
    works(sdcpp_cancel_free(cancel));
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
    let failed = fails(sdcpp_cancel_free(cancel), SDCPP_INVALID_HANDLE);
    assert!(failed.message.ends_with("was freed"), "{failed:?}");
    refused(with_handles(context, result, of.cast(), of.cast(), of, of.cast()));
    refused(frees(context, result, of.cast(), of.cast(), of, of.cast()));
}

#[test]
fn texts_that_are_no_utf8_are_named() {
    let bad: &CStr = c"ab\xff";
    let context = open();
    let request = |set: fn(&mut sdcpp_image_request, *const c_char)| {
        let mut request = quick(1);
        set(&mut request, bad.as_ptr());
        draw(context, &request, None).0
    };
    for (code, name) in [
        (request(|r, text| r.prompt = text), "prompt"),
        (request(|r, text| r.negative_prompt = text), "negative_prompt"),
        (request(|r, text| r.sampler = text), "sampler"),
        (request(|r, text| r.scheduler = text), "scheduler"),
        (request(|r, text| r.json = text), "request.json"),
    ] {
        assert_eq!(code, SDCPP_INVALID_UTF8, "{name}");
    }
    let mut wrong = quick(1);
    wrong.prompt = bad.as_ptr();
    let failed = fails(draw(context, &wrong, None).0, SDCPP_INVALID_UTF8);
    assert_eq!(failed.message, "prompt is not UTF-8 from byte 2 on");
    for set in [
        |config: &mut sdcpp_model_config, text| config.json = text,
        |config: &mut sdcpp_model_config, text| config.backend = text,
        |config: &mut sdcpp_model_config, text| config.weight_type = text,
    ] {
        let (mut config, mut out) = (model_config(), place::<sdcpp_context>());
        set(&mut config, bad.as_ptr());
        // SAFETY: pointers to what lives.
        let code = unsafe { sdcpp_context_open(&raw const config, null(), &raw mut out) };
        fails(code, SDCPP_INVALID_UTF8);
        assert!(out.is_null());
    }
    let mut kind = watch();
    kind.preview_kind = bad.as_ptr();
    fails(draw(context, &quick(1), Some(&kind)).0, SDCPP_INVALID_UTF8);
    works(sdcpp_context_free(context));
}

#[cfg(unix)]
#[test]
fn a_path_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let (model, taesd) = common::demo_files();
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"m\xff.gguf"));
    std::fs::copy(model, &odd).unwrap();
    let odd = std::ffi::CString::new(odd.as_os_str().as_bytes()).unwrap();
    let taesd = path(&taesd);
    let mut config = model_config();
    (config.model, config.taesd) = (odd.as_ptr(), taesd.as_ptr());
    let mut context = null_mut();
    // SAFETY: pointers to what lives.
    works(unsafe { sdcpp_context_open(&raw const config, null(), &raw mut context) });
    works(sdcpp_context_free(context));
}
