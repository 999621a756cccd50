//! A program that has no engine of its own: the command line, built with `dynamic` alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/engine_library.rs"]
mod engine_library;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};
use tempfile::TempDir;

/// The program, built once.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A folder of its own, for other features than the tests' are wanted.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dynamic-program");
    let output = Command::new(env!("CARGO"))
        .current_dir(repository)
        .args(["build", "--quiet", "--locked", "-p", "sdcpp-cli", "--no-default-features"])
        .args(["--features", "dynamic", "--target-dir"])
        .arg(&folder)
        // Were anything native built, it would fail.
        .env("CMAKE", "/no/such/program")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("debug/sdcpp")
});

/// A copy of the program in a folder that holds nothing else.
fn alone() -> (TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("sdcpp");
    std::fs::copy(&*PROGRAM, &program).unwrap();
    let mut command = Command::new(program);
    command.env_remove("SDCPP_LIBRARY").env_remove("LD_LIBRARY_PATH");
    (folder, command)
}

fn library() -> PathBuf {
    engine_library::folder("cpu").join(engine_library::name("cpu"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn it_has_no_engine_in_it() {
    let output = Command::new("nm").arg(&*PROGRAM).output().unwrap();
    let names = String::from_utf8_lossy(&output.stdout);
    assert!(names.contains("sdcpp"), "nm tells the program's symbols");
    for part in ["ggml_init", "sdcpp_shim_api", "generate_image"] {
        let own = names.lines().filter_map(|line| line.split(' ').next_back()).any(|n| n == part);
        assert!(!own, "{part} is in the program");
    }
}

#[test]
fn without_a_library_it_says_where_it_looked() {
    let (folder, mut command) = alone();
    let output = command.arg("devices").output().unwrap();
    let told = text(&output);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("libsdcpp_engine_cpu.so was not found in"), "{told}");
    assert!(told.contains(&folder.path().canonicalize().unwrap().display().to_string()), "{told}");
    assert!(told.contains("SDCPP_LIBRARY"), "what to do is said: {told}");
}

#[test]
fn a_library_that_is_named_and_is_none_is_told() {
    let (folder, mut command) = alone();
    let text_file = folder.path().join("engine.so");
    std::fs::write(&text_file, "no library ".repeat(100)).unwrap();
    let output = command.env("SDCPP_LIBRARY", &text_file).arg("devices").output().unwrap();
    let told = text(&output);
    assert!(!output.status.success() && told.contains("engine.so"), "{told}");
}

#[test]
fn with_a_library_beside_it_it_draws_what_the_linked_engine_draws() {
    let (folder, mut command) = alone();
    std::fs::copy(library(), folder.path().join(engine_library::name("cpu"))).unwrap();
    let (model, taesd) = common::demo_files();
    let picture = folder.path().join("circle.png");
    let output = command
        .args(["txt2img", "--threads", "1", "--seed", "42", "--steps", "3", "--cfg-scale", "3"])
        .args(["--sampler", "euler", "--width", "64", "--height", "64", "-p", "a red circle"])
        .arg("--model")
        .arg(model)
        .arg("--taesd")
        .arg(taesd)
        .arg("-o")
        .arg(&picture)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let drawn = image::open(&picture).unwrap().into_rgb8();
    let mut context = common::demo();
    let expected = context.generate(&common::quick_request("a red circle")).unwrap();
    assert!(drawn.as_raw() == expected.images[0].as_bytes(), "the pictures differ");
}

#[test]
fn it_says_why_no_better_backend_was_chosen() {
    let (_folder, mut command) = alone();
    let output =
        command.env("SDCPP_LIBRARY", library()).args(["devices", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["best"], "cpu", "{told}");
    let passed_over = told["passed_over"].as_array().unwrap();
    assert_eq!(passed_over.len(), sdcpp::Backend::ALL.len() - 1);
    for passed in passed_over {
        assert!(passed["reason"].as_str().unwrap().contains("cannot be used"), "{told}");
    }
}

/// A driver that has a device, for programs of CUDA 12.4, and the library of an engine that sees none.
#[test]
fn an_old_driver_is_told_by_its_version() {
    let (folder, mut command) = alone();
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native/false_driver.c");
    let mut compiler = common::native::c_compiler();
    compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.path().join("libcuda.so.1")).arg(driver);
    let output = compiler.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let engines = folder.path().join("engines");
    std::fs::create_dir(&engines).unwrap();
    for backend in ["cpu", "cuda"] {
        std::fs::copy(library(), engines.join(engine_library::name(backend))).unwrap();
    }
    let output = command
        .env("LD_LIBRARY_PATH", folder.path())
        .env("SDCPP_LIBRARY", &engines)
        .args(["devices", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let passed_over = told["passed_over"].as_array().unwrap();
    let cuda = passed_over.iter().find(|passed| passed["backend"] == "cuda").unwrap();
    let why = cuda["reason"].as_str().unwrap();
    assert!(
        why.contains("the engine has only CPU; the driver runs programs of CUDA 12.4"),
        "{told}"
    );
}
