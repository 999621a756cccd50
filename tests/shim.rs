//! The shim below the safe crate: what it makes of asserts, and which it must let pass.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use sdcpp_sys::*;
use std::{ffi::CString, mem::MaybeUninit, process::Command, ptr};

/// What a call of the table came to, with its report freed.
#[derive(Debug)]
struct Came {
    status: i32,
    message: String,
}

fn report(table: &Table, call: impl FnOnce(*mut sdcpp_report) -> i32) -> Came {
    let mut report =
        sdcpp_report { status: 0, stage: 0, message: ptr::null_mut(), errors: ptr::null_mut() };
    let status = call(&mut report);
    assert_eq!(status, report.status);
    // SAFETY: the shim left NUL-terminated strings; they are copied before they are freed.
    let message = unsafe {
        let message = std::ffi::CStr::from_ptr(report.message).to_string_lossy().into_owned();
        (table.report_clear)(&mut report);
        message
    };
    Came { status, message }
}

/// A grey init image, which the safe crate cannot even express, fails an assert while the graph is
/// built. The context survives it.
#[test]
fn an_assert_outside_compute_is_a_status_and_the_context_draws_on() {
    let table = Table::linked().unwrap();
    let (model, taesd) = common::demo_files();
    let text = |s: &str| CString::new(s).unwrap();
    let (model, taesd) = (text(model.to_str().unwrap()), text(taesd.to_str().unwrap()));
    let prompt = text("a red circle");
    let mut context = ptr::null_mut();
    // SAFETY: parameters are initialised by the engine, and every pointer lives during the calls.
    unsafe {
        let mut params = MaybeUninit::<sd_ctx_params_t>::zeroed();
        (table.context_params_init)(params.as_mut_ptr());
        let mut params = params.assume_init();
        params.model_path = model.as_ptr();
        params.taesd_path = taesd.as_ptr();
        // One under Valgrind, which runs threads in turn.
        params.n_threads = if std::env::var_os("SDCPP_TEST_SLOW").is_some() { 1 } else { 2 };
        let came = report(&table, |r| (table.context_new)(&params, ptr::null(), &mut context, r));
        assert_eq!(came.status, SDCPP_STATUS_OK, "{came:?}");

        let draw = |grey: bool| {
            let mut pixels = vec![128_u8; 64 * 64];
            let mut params = MaybeUninit::<sd_img_gen_params_t>::zeroed();
            (table.image_params_init)(params.as_mut_ptr());
            let mut params = params.assume_init();
            params.prompt = prompt.as_ptr();
            params.negative_prompt = c"".as_ptr();
            (params.width, params.height, params.seed) = (64, 64, 42);
            params.sample_params.sample_steps = 3;
            params.sample_params.sample_method = EULER_SAMPLE_METHOD;
            if grey {
                params.init_image =
                    sd_image_t { width: 64, height: 64, channel: 1, data: pixels.as_mut_ptr() };
                params.mask_image = params.init_image;
            }
            let mut images: *mut sd_image_t = ptr::null_mut();
            let came = report(&table, |r| {
                (table.generate_image)(context, &params, ptr::null(), &mut images, r)
            });
            let bytes = images
                .as_ref()
                .map(|image| std::slice::from_raw_parts(image.data, 64 * 64 * 3).to_vec());
            (table.images_free)(images, 1);
            (came, bytes)
        };
        let (came, expected) = draw(false);
        assert_eq!(came.status, SDCPP_STATUS_OK, "{came:?}");
        for _ in 0..3 {
            let (came, bytes) = draw(true);
            assert_eq!(came.status, SDCPP_STATUS_ASSERT, "{came:?}");
            assert!(came.message.contains("GGML_ASSERT"), "{came:?}");
            assert!(bytes.is_none());
            let (came, bytes) = draw(false);
            assert_eq!((came.status, &bytes), (SDCPP_STATUS_OK, &expected));
        }
        let came = report(&table, |r| (table.context_free)(context, r));
        assert_eq!(came.status, SDCPP_STATUS_OK);
    }
}

/// Gives the real engine a grey init image, in place of what the safe crate passes on.
unsafe extern "C" fn generate_from_grey(
    context: *mut sd_ctx_t,
    params: *const sd_img_gen_params_t,
    hooks: *const sdcpp_hooks,
    out: *mut *mut sd_image_t,
    report: *mut sdcpp_report,
) -> i32 {
    // SAFETY: the caller's pointers are passed on, with a copy of its parameters.
    unsafe {
        let mut params = *params;
        params.init_image.channel = 1;
        (Table::linked().unwrap().generate_image)(context, &params, hooks, out, report)
    }
}

/// The safe crate's side of an assert in the real engine.
#[test]
fn an_assert_poisons_a_context_which_is_dropped_safely() {
    let table = Table { generate_image: generate_from_grey, ..Table::linked().unwrap() };
    // SAFETY: every function is the linked engine's, or calls it.
    let engine = unsafe { sdcpp::Engine::from_table(table) };
    let mut context =
        sdcpp::Context::open(&engine, common::demo_config(), sdcpp::Watch::new()).unwrap();
    let request = common::quick_request("x").init_image(common::test_picture(64, 64));
    let error = context.generate(&request).unwrap_err();
    assert!(matches!(error, sdcpp::Error::EngineAssertion { .. }), "{error:?}");
    assert!(error.to_string().contains("GGML_ASSERT"), "{error}");
    assert!(context.is_poisoned());
    let error = context.generate(&common::quick_request("x")).unwrap_err();
    assert!(matches!(&error, sdcpp::Error::Poisoned { cause } if cause.contains("GGML_ASSERT")));
    drop(context);
    assert!(common::demo().generate(&common::quick_request("x")).is_ok());
}

#[test]
fn null_and_nonsense_arguments_are_refused() {
    let table = Table::linked().unwrap();
    // SAFETY: NULL is what the functions are asked to refuse.
    unsafe {
        let null = ptr::null_mut();
        let hooks = ptr::null();
        let mut context = ptr::null_mut();
        let came = report(&table, |r| (table.context_new)(ptr::null(), hooks, &mut context, r));
        assert_eq!(came.status, SDCPP_STATUS_INVALID);
        let came = report(&table, |r| (table.context_free)(ptr::null_mut(), r));
        assert_eq!(came.status, SDCPP_STATUS_OK);
        let came = report(&table, |r| {
            (table.generate_image)(ptr::null_mut(), ptr::null(), hooks, ptr::null_mut(), r)
        });
        assert_eq!(came.status, SDCPP_STATUS_INVALID);
        let came = report(&table, |r| {
            (table.convert)(ptr::null(), ptr::null(), ptr::null(), 1, ptr::null(), 0, hooks, r)
        });
        assert_eq!(came.status, SDCPP_STATUS_INVALID);
        let came =
            report(&table, |r| (table.preprocess_canny)(null, 0.1, 0.1, 0.1, 0.1, 0, hooks, r));
        assert_eq!(came.status, SDCPP_STATUS_INVALID);
        let came = report(&table, |r| (table.pattern_check)(c"[".as_ptr(), r));
        assert_eq!(came.status, SDCPP_STATUS_EXCEPTION);
        let mut device = MaybeUninit::<sdcpp_device>::zeroed();
        let came = report(&table, |r| (table.device_get)(usize::MAX, device.as_mut_ptr(), r));
        assert_eq!(came.status, SDCPP_STATUS_FAILED);
        (table.images_free)(ptr::null_mut(), 0);
    }
}

fn asserts(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(common::native::program("asserts")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The rule of `callbacks.cpp`, with one thread and with two: thrown outside compute, never inside.
#[test]
fn asserts_are_thrown_outside_graph_compute_only() {
    let (code, out, _) = asserts(&["build"]);
    assert_eq!(code, Some(0), "{out}");
    let caught = format!("status {SDCPP_STATUS_ASSERT} stage {SDCPP_STAGE_SAMPLING} ");
    assert_eq!(out.lines().filter(|l| l.starts_with(&caught)).count(), 2, "{out}");

    for threads in ["1", "2"] {
        let (code, out, err) = asserts(&["compute", threads]);
        assert_eq!(code, None, "the process must end by a signal: {out}");
        assert_eq!(out, "", "nothing may be caught");
        assert!(err.contains("the engine aborts the process: "), "{err}");
        assert!(err.contains("ggml-cpu"), "{err}");
    }
}
