//! The C library and an engine library beside whisper.cpp, which has a ggml of its own, in one process.
//!
//! The program is tests/coexist: a workspace of its own, because there must be no ggml of ours in its
//! link. cargo fetches what that needs (offline: `cargo fetch` in tests/coexist before); the first build,
//! with whisper.cpp, takes two to four minutes on two cores.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/engine_library.rs"]
mod engine_library;
#[allow(dead_code, reason = "only where it is matters here")]
#[path = "capi/library.rs"]
mod library;

use std::{
    ffi::{CStr, c_char},
    path::Path,
    process::{Command, Output},
    sync::LazyLock,
};

unsafe extern "C" {
    fn ggml_version() -> *const c_char;
    fn ggml_tensor_overhead() -> usize;
}

/// What the program draws, by an engine without another ggml beside it.
static EXPECTED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let pictures = common::demo().generate(&common::demo_request("a red circle")).unwrap();
    pictures.images[0].as_bytes().to_vec()
});

/// Builds and runs the program.
fn run(way: &str, opened: &Path, pixels: &Path) -> Output {
    let (model, taesd) = common::demo_files();
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--locked", "--", way])
        .args([opened, &model, &taesd, pixels])
        // Where its .cargo/config.toml counts.
        .current_dir(library::root().join("tests/coexist"))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("SDCPP_LIBRARY")
        .env_remove("SDCPP_LIBRARY_DIR");
    command.output().unwrap()
}

/// Runs the program, which must succeed, and returns what it tells of whisper.cpp's ggml.
fn coexist(way: &str, opened: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let pixels = folder.path().join("pixels");
    let output = run(way, opened, &pixels);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{told}", output.status);
    assert!(std::fs::read(pixels).unwrap() == *EXPECTED, "the picture is another\n{told}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_c_library_and_whisper_cpp_work_in_one_process() {
    let theirs = coexist("c-local", &library::built());
    // SAFETY: neither takes anything; the text is static.
    let (version, overhead) =
        unsafe { (CStr::from_ptr(ggml_version()).to_str().unwrap(), ggml_tensor_overhead()) };
    // If these fail, whisper-rs-sys has come to our ggml, and the test proves less than it says.
    assert!(!theirs.starts_with(&format!("ggml {version},")), "{theirs}; ours is {version}");
    assert!(!theirs.contains(&format!(" {overhead} bytes")), "{theirs}; ours has {overhead}");
    assert!(theirs.ends_with("names of 63"), "{theirs}");
}

#[test]
fn so_they_do_where_the_symbols_of_the_c_library_are_everybodys() {
    coexist("c-global", &library::built());
}

#[test]
fn an_engine_library_and_whisper_cpp_work_in_one_process() {
    let folder = engine_library::folder("cpu");
    coexist("rust", &folder.join(engine_library::name("cpu")));
}

/// That the tests above can fail: this library has the same engine, and hides nothing.
#[test]
fn a_library_that_shows_its_ggml_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libleaky.so");
    let target = env!("SDCPP_NATIVE_TARGET");
    let compiler = cc::Build::new()
        .cpp(true)
        .opt_level(0)
        .target(target)
        .host(target)
        .cargo_metadata(false)
        .get_compiler();
    let mut command = compiler.to_command();
    command.arg("-shared").arg("-o").arg(&path);
    for folder in env!("SDCPP_NATIVE_LIB_DIRS").split(';').chain([env!("SDCPP_NATIVE_SHIM_LIB")]) {
        command.arg(format!("-L{folder}"));
    }
    command.args(["-Wl,--whole-archive", "-lsdcpp_shim"]);
    command.args(env!("SDCPP_NATIVE_LIBS").split(';').map(|name| format!("-l{name}")));
    command.arg("-Wl,--no-whole-archive");
    command.args(env!("SDCPP_NATIVE_SYSTEM_LIBS").split(';').map(|name| format!("-l{name}")));
    library::run(&mut command);
    let output = run("rust", &path, &folder.path().join("pixels"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("shows its ggml"), "{told}");
}
