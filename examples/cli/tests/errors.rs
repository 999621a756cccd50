//! Exit codes and errors as JSON, and stopping.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Place, demo_model};

#[test]
fn what_cannot_be_used_is_code_2() {
    let place = Place::new();
    let json = place.draw("txt2img", &["--steps", "0", "--json"]).failed(2, "steps is 0").json();
    let error = &json["error"];
    assert_eq!((&json["ok"], &json["exit_code"]), (&false.into(), &2.into()));
    assert_eq!((&error["kind"], &error["field"]), (&"invalid_parameter".into(), &"steps".into()));
    let json = place.run(&["txt2img", "--json", "--bogus"]).failed(2, "--bogus").json();
    assert_eq!(
        (&json["error"]["kind"], &json["error"]["field"]),
        (&"usage".into(), &"--bogus".into())
    );
    place.run(&["txt2img", "--bogus"]).failed(2, "--help");
    place.run(&["txt2img", "-p", "x"]).failed(2, "SD_MODEL_PATH");
    place.run(&["txt2img", "-m", "m.gguf"]).failed(2, "--prompt");
    place.draw("txt2img", &["-o", "x.bmp"]).failed(2, "output is x.bmp");
    place.draw("txt2img", &["--sampler", "none such"]).failed(2, "euler_a");
    place.draw("img2img", &["-i", "none.png"]).failed(2, "picture not found");
    std::fs::write(place.path("text.png"), "no picture").unwrap();
    place.draw("img2img", &["-i", "text.png"]).failed(2, "text.png");
    place.draw("txt2img", &["--cache-mode", "ucache"]).failed(2, "made for UNets");
    place.picture("in.png", 8);
    place.draw("outpaint", &["-i", "in.png"]).failed(2, "outpaint");
    assert_eq!(place.files(), ["in.png", "text.png"]);
}

#[test]
fn a_model_that_cannot_be_loaded_is_code_3() {
    let place = Place::new();
    std::fs::write(place.path("bad.gguf"), "GGUF, but no more").unwrap();
    let run = |model| place.run(&["txt2img", "-p", "x", "-m", model, "--json"]);
    assert_eq!(run("none.gguf").failed(3, "").json()["error"]["kind"], "file_not_found");
    let json = run("bad.gguf").failed(3, "").json();
    assert_eq!(
        (&json["error"]["kind"], &json["error"]["path"]),
        (&"not_a_model".into(), &"bad.gguf".into())
    );
    place.run(&["inspect", "bad.gguf"]).failed(3, "no usable model");
    place.run(&["convert", "-m", "none.gguf", "-o", "x.gguf"]).failed(3, "not found");
    let model = demo_model();
    // A diffusion model is no upscaler.
    place.picture("in.png", 8);
    let line = ["upscale", "-i", "in.png", "--model", model.to_str().unwrap()];
    place.run(&line).failed(3, "could not be loaded");
}

#[test]
fn a_time_limit_is_code_5() {
    let place = Place::new();
    let more = ["--steps", "1000", "--timeout", "0.5", "--json"];
    let json = place.draw("txt2img", &more).failed(5, "").json();
    assert_eq!(json["error"]["kind"], "deadline_exceeded");
    assert_eq!(json["error"]["limit_seconds"], 0.5);
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn a_file_that_cannot_be_written_is_code_1() {
    let place = Place::new();
    std::fs::write(place.path("file"), "").unwrap();
    let ran = place.draw("txt2img", &["-o", "file/out.png", "--json"]).failed(1, "");
    assert_eq!(ran.json()["error"]["kind"], "io");
}

/// Starts a long drawing, and returns when sampling has begun.
#[cfg(unix)]
fn sampling(place: &Place, more: &[&str]) -> std::process::Child {
    use std::time::{Duration, Instant};
    let mut program = place.program();
    program
        .args(["txt2img", "--model", demo_model().to_str().unwrap()])
        .args(common::QUICK)
        .args(["--steps", "1000", "--preview", "proj", "--preview-path", "preview.png"])
        .args(more)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = program.spawn().unwrap();
    let start = Instant::now();
    while !place.path("preview.png").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "sampling does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[cfg(unix)]
fn signal(child: &std::process::Child, name: &str) {
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args([name, &id]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_and_leaves_no_file() {
    let place = Place::new();
    let child = sampling(&place, &["--json"]);
    signal(&child, "-INT");
    let ran = common::Ran::from(child.wait_with_output().unwrap()).failed(130, "");
    let json = ran.json();
    assert_eq!((&json["error"]["kind"], &json["exit_code"]), (&"cancelled".into(), &130.into()));
    assert!(ran.err.contains("once more to end at once"), "{}", ran.err);
    // No picture, and no temporary file.
    assert_eq!(place.files(), ["preview.png"]);
}

#[cfg(unix)]
#[test]
fn a_second_interrupt_ends_at_once() {
    let place = Place::new();
    // Operations of this size are slow, and both signals are there when it goes on, so that the second
    // counts before the first is obeyed. Two of one kind would be one.
    let child = sampling(&place, &["-W", "1024", "-H", "1024"]);
    for name in ["-STOP", "-INT", "-TERM", "-CONT"] {
        signal(&child, name);
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("once more") && !err.contains("error: cancelled"), "{err}");
    assert!(!place.path("output.png").exists());
}
