//! What the shim catches, in a pool in this process: the real engine is given what the checks keep
//! from it.

use super::{
    application::{Pictures, Row, application},
    cases, common,
    kinds::Kinds,
    random_requests::patient,
};
use sdcpp::{ContextPool, Engine, Error, ImageRequest, Watch};
use sdcpp_sys::*;
use std::{
    ffi::{CStr, CString},
    sync::Mutex,
    time::{Duration, Instant},
};

/// What is broken of the parameters: told by the seed, as the one number that passes unchanged.
const BROKEN: &[(i64, &str, &str)] = &[
    (1, "engine_assertion", "a grey init image"),
    (2, "text_encoder", "a weight that is no number"),
    (3, "text_encoder", "a weight that no number can hold"),
    (4, "sampling", "a cache mask that is no number"),
    (5, "out_of_memory", "a picture that no memory holds"),
];

unsafe extern "C" fn generate_broken(
    context: *mut sd_ctx_t,
    params: *const sd_img_gen_params_t,
    hooks: *const sdcpp_hooks,
    out: *mut *mut sd_image_t,
    report: *mut sdcpp_report,
) -> i32 {
    let text = |text: &'static CStr| text.as_ptr();
    // SAFETY: the caller's pointers are passed on, with a copy of its parameters that lives until
    // the call has ended.
    unsafe {
        let mut params = *params;
        match params.seed {
            1 => params.init_image.channel = 1,
            2 => params.prompt = text(c"a (cat:.)"),
            3 => params.prompt = text(c"a (cat:1111111111111111111111111111111111111111111111111)"),
            4 => {
                params.cache.mode = SD_CACHE_CACHE_DIT;
                params.cache.scm_mask = text(c"1,x");
            }
            5 => params.init_image.width = i32::MAX as u32,
            _ => {}
        }
        (Table::linked().unwrap().generate_image)(context, &params, hooks, out, report)
    }
}

#[test]
fn what_the_shim_catches_costs_one_context_and_no_more() {
    application(
        "in_process::what_the_shim_catches_costs_one_context_and_no_more",
        fail_and_replace,
    );
}

fn fail_and_replace(pictures: &mut Pictures) -> Row {
    let rounds = cases(1, 20);
    let table = Table { generate_image: generate_broken, ..Table::linked().unwrap() };
    // SAFETY: every function is the linked engine's, or calls it.
    let engine = unsafe { Engine::from_table(table) };
    let pool = ContextPool::open(&engine, common::demo_config(), patient()).unwrap();
    let whole = common::quick_request("a red circle").steps(1);
    let picture = common::test_picture(64, 64);
    let broken = |seed| -> ImageRequest {
        let mask = common::test_mask(64, 64);
        whole.clone().init_image(picture.clone()).mask(mask).seed(seed)
    };
    let expected = pool.generate(&whole).unwrap();
    let start = Instant::now();
    let mut kinds = Kinds::default();
    for _ in 0..rounds {
        for (seed, kind, what) in BROKEN {
            let came = pool.generate(&broken(*seed));
            assert_eq!(kinds.add(&came), *kind, "{what}: {:?}", came.err());
            pictures.compare(&pool.generate(&whole).unwrap(), &expected);
        }
    }
    let metrics = pool.metrics();
    let failed = kinds.total() as u64;
    assert_eq!(
        (metrics.in_use, metrics.failures, metrics.replaced),
        (0, failed, failed),
        "{metrics:?}"
    );
    Row::new(
        "asserts, exceptions and `std::bad_alloc` of the engine, in a pool in process",
        format!("{} in {:.0} s", kinds.total(), start.elapsed().as_secs_f64()),
        format!("process alive, {} contexts replaced; {kinds}", metrics.replaced),
    )
}

/// Headers that the engine's parsers throw at.
fn broken_headers() -> Vec<(&'static str, Vec<u8>)> {
    let safetensors =
        |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    let gguf = |tensors: u64, keys: u64, rest: &[u8]| {
        [&b"GGUF"[..], &3_u32.to_le_bytes(), &tensors.to_le_bytes(), &keys.to_le_bytes(), rest]
            .concat()
    };
    vec![
        ("a tensor that is a number", safetensors(r#"{"x":5}"#)),
        ("a header that is a list", safetensors("[1]")),
        (
            "a shape that is a text",
            safetensors(r#"{"x":{"dtype":"F16","shape":"a","data_offsets":[0,1]}}"#),
        ),
        ("a header that ends early", safetensors(r#"{"x":{"dtype"#)),
        ("more tensors than there are", gguf(u64::MAX / 2, 0, &[])),
        ("a key without end", gguf(0, 1, &u64::MAX.to_le_bytes())),
        ("a name without end", gguf(1, 0, &(u64::MAX / 4).to_le_bytes())),
    ]
}

/// The file the engine is given in place of the one that was checked.
static GIVEN: Mutex<Option<CString>> = Mutex::new(None);

unsafe extern "C" fn open_given(
    params: *const sd_ctx_params_t,
    hooks: *const sdcpp_hooks,
    out: *mut *mut sd_ctx_t,
    report: *mut sdcpp_report,
) -> i32 {
    let given = GIVEN.lock().unwrap().clone();
    // SAFETY: as in `generate_broken`.
    unsafe {
        let mut params = *params;
        if let Some(path) = &given {
            params.model_path = path.as_ptr();
        }
        (Table::linked().unwrap().context_new)(&params, hooks, out, report)
    }
}

#[test]
fn headers_that_the_engine_throws_at_cost_nothing() {
    application("in_process::headers_that_the_engine_throws_at_cost_nothing", open_broken_headers);
}

fn open_broken_headers(pictures: &mut Pictures) -> Row {
    let table = Table { context_new: open_given, ..Table::linked().unwrap() };
    // SAFETY: every function is the linked engine's, or calls it.
    let engine = unsafe { Engine::from_table(table) };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken");
    let whole = common::quick_request("a red circle").steps(1);
    let expected = common::demo().generate(&whole).unwrap();
    let mut kinds = Kinds::default();
    for _ in 0..cases(1, 20) {
        let pool = ContextPool::open(&engine, common::demo_config(), patient()).unwrap();
        for (what, bytes) in broken_headers() {
            std::fs::write(&path, bytes).unwrap();
            *GIVEN.lock().unwrap() = Some(CString::new(path.to_str().unwrap()).unwrap());
            let came = pool.generate(&whole);
            // The engine's own reader ends some by std::bad_alloc.
            let typed = ["model_load", "out_of_memory"].contains(&kinds.add(&came));
            assert!(typed, "{what}: {:?}", came.err());
        }
        *GIVEN.lock().unwrap() = None;
        pictures.compare(&pool.generate(&whole).unwrap(), &expected);
    }
    Row::new(
        "model headers that the engine's parsers throw at, in process",
        kinds.total(),
        format!("process alive; {kinds}"),
    )
}

/// A model that fails again and again is left alone for a while.
#[test]
fn a_model_that_always_fails_is_not_tried_all_the_time() {
    let table = Table { generate_image: generate_broken, ..Table::linked().unwrap() };
    // SAFETY: as above.
    let engine = unsafe { Engine::from_table(table) };
    let options = patient().failure_limit(2).cool_down(Duration::from_millis(300));
    let pool = ContextPool::open(&engine, common::demo_config(), options).unwrap();
    let broken = common::quick_request("x").init_image(common::test_picture(64, 64)).seed(1);
    for _ in 0..2 {
        let error = pool.generate(&broken).unwrap_err();
        assert!(matches!(error, Error::EngineAssertion { .. }), "{error:?}");
    }
    let error = pool.generate_with(&broken, Watch::new()).unwrap_err();
    assert!(
        matches!(&error, Error::CircuitOpen { failures: 2, cause, .. } if cause.contains("GGML_ASSERT")),
        "{error:?}"
    );
    std::thread::sleep(Duration::from_millis(350));
    assert!(pool.generate(&common::quick_request("x")).is_ok(), "the trial");
    assert!(pool.generate(&common::quick_request("x")).is_ok());
}
