//! Drawing with a context: the same pictures, progress, stops, and who may use it when.

use crate::{asked::*, common};
use sdcpp_capi::*;
use std::{
    ffi::c_void,
    ptr::{null, null_mut, without_provenance, without_provenance_mut},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Handles are numbers: what threads pass to each other.
fn context_of(number: usize) -> *mut sdcpp_context {
    without_provenance_mut(number)
}

#[test]
fn it_draws_what_the_safe_crate_draws() {
    let context = open();
    let mut request = quick(3);
    request.batch = 2;
    let (code, result) = draw(context, &request, None);
    works(code);
    let expected =
        common::demo().generate(&common::quick_request("a red circle").batch(2)).unwrap();
    for (index, picture) in expected.images.iter().enumerate() {
        let image = image(result, index);
        assert_eq!(pixels(result, index), picture.as_bytes());
        assert_eq!((image.width, image.height, image.channels), (64, 64, 3));
        assert_eq!(image.seed, 42 + index as i64);
        // SAFETY: the result's own.
        assert_eq!(unsafe { text(image.parameters) }, picture.parameters());
    }
    let mut info = null_mut();
    // SAFETY: a place for a text.
    works(unsafe { sdcpp_context_info_json(context, &raw mut info) });
    let info = json(info);
    assert_eq!((&info["makes_images"], &info["makes_video"]), (&true.into(), &false.into()));
    assert_eq!(info["family"], common::demo().family());
    works(sdcpp_context_free(context));
    // A result does not need its context.
    assert_eq!(pixels(result, 0), expected.images[0].as_bytes());
    works(sdcpp_result_free(result));
}

#[test]
fn a_picture_is_drawn_from_pictures() {
    let (start, mask) = (common::test_picture(100, 80), common::test_mask(100, 80));
    let of = |data: &[u8], channels| sdcpp_pixels {
        data: data.as_ptr(),
        length: data.len(),
        stride: 0,
        width: 100,
        height: 80,
        channels,
        reserved: 0,
    };
    let (start_pixels, mask_pixels) = (of(&start, 3), of(&mask, 1));
    let mut request = quick(3);
    (request.init_image, request.mask) = (&raw const start_pixels, &raw const mask_pixels);
    request.strength = 0.6;
    let context = open();
    let (code, result) = draw(context, &request, None);
    works(code);
    let same = common::quick_request("a red circle").init_image(start).mask(mask);
    let expected = common::demo().generate(&same.denoising_strength(0.6)).unwrap();
    assert_eq!(pixels(result, 0), expected.images[0].as_bytes());
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}

#[test]
fn progress_is_told_and_stops_and_the_context_draws_again() {
    let context = open();
    let mut told = Vec::new();
    let mut follow: Box<OnProgress<'_>> = Box::new(|progress| {
        assert_eq!(progress.size, size_of::<sdcpp_progress>());
        // SAFETY: a text of the library.
        let name = unsafe { text(progress.stage_name) };
        told.push((progress.stage, name, progress.done, progress.total));
        0
    });
    let (code, result) = draw(context, &quick(3), Some(&telling(&mut follow)));
    works(code);
    drop(follow);
    works(sdcpp_result_free(result));
    for step in 1..=3 {
        let event = (SDCPP_STAGE_SAMPLING, "sampling".to_owned(), step, 3);
        assert!(told.contains(&event), "{told:?}");
    }
    assert!(told.iter().any(|t| t.0 == SDCPP_STAGE_LOADING && t.2 > 0), "{told:?}");

    let mut steps = 0;
    let mut stop: Box<OnProgress<'_>> = Box::new(|progress| {
        steps += i32::from(progress.stage == SDCPP_STAGE_SAMPLING && progress.done > 0);
        i32::from(steps == 2)
    });
    let code = draw(context, &quick(1000), Some(&telling(&mut stop))).0;
    drop(stop);
    let failed = fails(code, SDCPP_CANCELLED);
    assert_eq!((failed.kind.as_str(), failed.stage.as_str(), steps), ("cancelled", "sampling", 2));
    let (code, result) = draw(context, &quick(3), None);
    works(code);
    assert_eq!(pixels(result, 0), expected());
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}

#[test]
fn a_token_and_a_time_limit_stop_it() {
    let context = open();
    let mut cancel = null_mut();
    // SAFETY: a place for a handle.
    works(unsafe { sdcpp_cancel_new(&raw mut cancel) });
    let number = cancel.addr();
    // From another thread, when it draws; the token may be freed meanwhile.
    let (begun, has_begun) = mpsc::channel();
    let other = thread::spawn(move || {
        has_begun.recv().unwrap();
        works(sdcpp_cancel_now(without_provenance(number)));
        works(sdcpp_cancel_free(without_provenance_mut(number)));
    });
    let mut tell: Box<OnProgress<'_>> = Box::new(move |progress| {
        if progress.stage == SDCPP_STAGE_SAMPLING {
            let _ = begun.send(());
        }
        0
    });
    let mut watch = telling(&mut tell);
    watch.cancel = cancel;
    let start = Instant::now();
    fails(draw(context, &quick(1000), Some(&watch)).0, SDCPP_CANCELLED);
    other.join().unwrap();
    let limited = sdcpp_watch { time_limit_ms: 100, ..crate::asked::watch() };
    let failed = fails(draw(context, &quick(1000), Some(&limited)).0, SDCPP_DEADLINE_EXCEEDED);
    assert!(failed.message.contains("100ms") && failed.advice.contains("raise the limit"));
    assert!(start.elapsed() < Duration::from_secs(20));
    works(sdcpp_context_free(context));
}

#[test]
fn previews_are_shown() {
    static SHOWN: Mutex<Vec<(u32, i32, usize, u32)>> = Mutex::new(Vec::new());
    unsafe extern "C" fn show(user: *mut c_void, preview: *const sdcpp_preview) {
        assert!(user.is_null());
        // SAFETY: the library's, during the call.
        let (preview, frame) = unsafe { (&*preview, &*(*preview).frames) };
        // SAFETY: as above.
        let bytes = unsafe { std::slice::from_raw_parts(frame.data, frame.length) };
        assert!(bytes.iter().any(|byte| *byte != bytes[0]));
        assert_eq!(frame.length, (frame.width * frame.height * frame.channels) as usize);
        let told = (preview.step, preview.noisy, preview.frame_count, frame.width);
        SHOWN.lock().unwrap().push(told);
    }
    let context = open();
    let mut watch = watch();
    watch.on_preview = Some(show);
    watch.preview_kind = c"tae".as_ptr();
    watch.preview_every = 2;
    let (code, result) = draw(context, &quick(4), Some(&watch));
    works(code);
    assert_eq!(*SHOWN.lock().unwrap(), [(2, 0, 1, 64), (4, 0, 1, 64)]);
    watch.preview_kind = c"nothing".as_ptr();
    let failed = fails(draw(context, &quick(4), Some(&watch)).0, SDCPP_INVALID_PARAMETER);
    assert_eq!(failed.message, "preview_kind is \"nothing\"; allowed: proj, tae, vae");
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}

#[test]
fn a_second_call_is_refused_at_once_from_a_thread_and_from_a_callback() {
    let context = open().addr();
    let mut codes = Vec::new();
    let mut tell: Box<OnProgress<'_>> = Box::new(|progress| {
        if progress.stage == SDCPP_STAGE_SAMPLING && codes.is_empty() {
            let start = Instant::now();
            let here = draw(context_of(context), &quick(1), None).0;
            assert_eq!((here, last().kind.as_str()), (SDCPP_BUSY, "busy"));
            let there = thread::spawn(move || draw(context_of(context), &quick(1), None).0);
            codes.extend([here, there.join().unwrap()]);
            assert!(start.elapsed() < Duration::from_secs(5));
            // What does not use the model works meanwhile.
            let mut info = null_mut();
            // SAFETY: a place for a text.
            works(unsafe { sdcpp_context_info_json(context_of(context), &raw mut info) });
            json(info);
        }
        0
    });
    let (code, result) = draw(context_of(context), &quick(3), Some(&telling(&mut tell)));
    drop(tell);
    works(code);
    assert_eq!(codes, [SDCPP_BUSY, SDCPP_BUSY]);
    assert_eq!(pixels(result, 0), expected());
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context_of(context)));
}

#[test]
fn freed_while_it_draws_it_draws_to_the_end() {
    let context = open().addr();
    let mut free: Box<OnProgress<'_>> = Box::new(|progress| {
        if progress.stage == SDCPP_STAGE_SAMPLING && progress.done == 1 {
            works(sdcpp_context_free(context_of(context)));
            fails(sdcpp_context_free(context_of(context)), SDCPP_INVALID_HANDLE);
        }
        0
    });
    let (code, result) = draw(context_of(context), &quick(3), Some(&telling(&mut free)));
    drop(free);
    works(code);
    assert_eq!(pixels(result, 0), expected());
    fails(draw(context_of(context), &quick(3), None).0, SDCPP_INVALID_HANDLE);
    works(sdcpp_result_free(result));
}

#[test]
fn a_video_is_made() {
    let config = common::transformers::wan(sdcpp_test_support::Wan::T2v1_3B);
    let (mut texts, mut asked) = (Texts::default(), model_config());
    asked.json = texts.keep(&serde_json::to_string(&config).unwrap());
    let mut request = video_request();
    request.prompt = c"waves".as_ptr();
    (request.width, request.height, request.frames, request.steps) = (64, 64, 5, 1);
    (request.cfg_scale, request.seed) = (1.0, 3);
    let (mut context, mut result) = (null_mut(), null_mut());
    // SAFETY: pointers to what lives.
    unsafe {
        works(sdcpp_context_open(&raw const asked, null(), &raw mut context));
        let request = &raw const request;
        works(sdcpp_context_generate_video(context, request, null(), &raw mut result));
    }
    let same = sdcpp::VideoRequest::new("waves").size(64, 64).frames(5).steps(1).seed(3);
    let expected =
        sdcpp::Context::new(&config).unwrap().generate_video(&same.cfg_scale(1.0)).unwrap();
    let mut count = 0;
    // SAFETY: a place for a number.
    works(unsafe { sdcpp_result_count(result, &raw mut count) });
    assert_eq!(count, expected.frames.len());
    for (index, frame) in expected.frames.iter().enumerate() {
        assert_eq!(pixels(result, index), frame.as_bytes());
    }
    let folder = tempfile::tempdir().unwrap();
    let gif = path(&folder.path().join("x.gif"));
    // SAFETY: a text that lives; the result's sound, which it does not have.
    unsafe {
        works(sdcpp_result_save_animation(result, 0.0, gif.as_ptr()));
        let mut audio: sdcpp_audio = std::mem::zeroed();
        audio.size = size_of::<sdcpp_audio>();
        fails(sdcpp_result_audio(result, &raw mut audio), SDCPP_UNSUPPORTED);
    }
    assert!(folder.path().join("x.gif").metadata().unwrap().len() > 100);
    // A picture is not what this model makes.
    fails(draw(context, &quick(1), None).0, SDCPP_UNSUPPORTED);
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}
