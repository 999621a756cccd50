//! Choosing the engine. It is chosen once in a process, so each test has one to itself.

use crate::{
    asked::{self, fails, json, works},
    common, engine_library,
};
use sdcpp_capi::*;
use serde_json::Value;
use std::{ffi::CString, os::unix::ffi::OsStrExt, path::Path, ptr::null_mut};

fn choose(engine: impl AsRef<Path>) -> i32 {
    let engine = CString::new(engine.as_ref().as_os_str().as_bytes()).unwrap();
    // SAFETY: a text that lives during the call, of an engine library or of none at all.
    unsafe { sdcpp_engine_choose(engine.as_ptr()) }
}

fn told() -> Value {
    let mut told = null_mut();
    // SAFETY: a place for a text.
    works(unsafe { sdcpp_engine_json(&raw mut told) });
    json(told)
}

#[test]
fn a_library_is_opened_and_stays_chosen() {
    if !common::alone("engine::a_library_is_opened_and_stays_chosen") {
        return;
    }
    let folder = engine_library::folder("cpu");
    let library = folder.join(engine_library::name("cpu"));
    // What fails chooses nothing.
    let failed = fails(choose(folder.join("none.so")), SDCPP_FILE_NOT_FOUND);
    assert!(failed.message.contains("none.so"), "{failed:?}");
    let failed = fails(choose(file!()), SDCPP_LIBRARY);
    assert!(failed.message.contains(file!()), "{failed:?}");
    let failed = fails(choose("metal"), SDCPP_BACKEND_UNAVAILABLE);
    assert!(failed.message.contains("Apple"), "{failed:?}");
    works(choose(&library));
    let engine = told();
    assert_eq!(engine["library"], library.to_str().unwrap());
    assert_eq!(engine["commit"], "9838264");
    let cpu = engine["backends"].as_array().unwrap().last().unwrap();
    assert_eq!((&cpu["name"], &cpu["usable"]), (&"cpu".into(), &true.into()));
    let cuda = &engine["backends"][0];
    assert_eq!((&cuda["name"], &cuda["usable"]), (&"cuda".into(), &false.into()));
    let why = if sdcpp::cuda_available() { "the engine has only CPU" } else { "driver" };
    assert!(cuda["reason"].as_str().unwrap().contains(why), "{engine}");
    fails(choose("auto"), SDCPP_BUSY);
    let (context, request) = (asked::open(), asked::quick(3));
    let (code, result) = asked::draw(context, &request, None);
    works(code);
    assert!(asked::pixels(result, 0) == asked::expected(), "it draws as the linked engine");
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}

#[test]
fn the_best_is_chosen_on_request() {
    if !common::alone("engine::the_best_is_chosen_on_request") {
        return;
    }
    works(choose("auto"));
    // Whichever it is, it computes on the processor too.
    let engine = told();
    let cpu = engine["backends"].as_array().unwrap().last().unwrap();
    assert_eq!(cpu["usable"], true, "{engine}");
}

/// SYCL's driver is not asked, so that its library is opened wherever it lies.
#[test]
fn why_a_library_was_passed_over_is_told() {
    let test = "engine::why_a_library_was_passed_over_is_told";
    let folder = tempfile::tempdir().unwrap();
    let name = engine_library::name("sycl");
    std::fs::write(folder.path().join(&name), "no library ".repeat(100)).unwrap();
    if !common::alone_with(test, |process| {
        process.env("SDCPP_LIBRARY", folder.path());
    }) {
        return;
    }
    works(choose("auto"));
    let engine = told();
    let backends = engine["backends"].as_array().unwrap();
    let sycl = backends.iter().find(|backend| backend["name"] == "sycl").unwrap();
    let why = sycl["reason"].as_str().unwrap();
    assert!(why.contains(&name) && why.contains("invalid ELF header"), "{engine}");
}
