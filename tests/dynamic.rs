//! Engines in libraries that are opened at run time, beside the linked one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/engine_library.rs"]
mod engine_library;

use sdcpp::{Backend, Context, Engine, Error, LibrarySearch, ModelConfig, Watch};
use std::{
    ffi::CString,
    path::{Path, PathBuf},
    process::Command,
};

fn draw(engine: &Engine, seed: i64) -> Vec<u8> {
    let mut context = Context::open(engine, common::demo_config(), Watch::new()).unwrap();
    let request = common::quick_request("a red circle").seed(seed);
    context.generate(&request).unwrap().images[0].as_bytes().to_vec()
}

fn library() -> PathBuf {
    engine_library::folder("cpu").join(engine_library::name("cpu"))
}

fn load(path: &Path) -> Result<Engine, Error> {
    // SAFETY: the libraries are of this repository, or none of an engine at all.
    unsafe { Engine::load(path) }
}

#[test]
fn a_library_draws_what_the_linked_engine_draws_at_the_same_time() {
    let opened = load(&library()).unwrap();
    let linked = Engine::linked().unwrap();
    assert_eq!(opened.commit(), linked.commit());
    assert_eq!(opened.system_info(), linked.system_info());
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| draw(&opened, 1));
        let b = scope.spawn(|| draw(&linked, 1));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert!(a == b, "the pictures differ");
    assert!(draw(&opened, 2) != a, "another seed gives another picture");
}

#[test]
fn a_library_reports_progress_stops_and_fails_in_words() {
    let engine = load(&library()).unwrap();
    let mut context = Context::open(&engine, common::demo_config(), Watch::new()).unwrap();
    let request = common::quick_request("a red circle");
    let mut steps = 0;
    let watch = Watch::new().on_progress(|progress| match progress {
        sdcpp::Progress::Sampling { step: 2, .. } => {
            steps += 1;
            std::ops::ControlFlow::Break(())
        }
        _ => std::ops::ControlFlow::Continue(()),
    });
    let error = context.generate_with(&request, watch).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    assert_eq!(steps, 1);
    assert!(context.generate(&request).is_ok(), "the context can be used again");
    let error = Context::open(&engine, ModelConfig::new(file!()), Watch::new()).unwrap_err();
    assert!(matches!(error, Error::NotAModel { .. }), "{error}");
}

#[test]
fn its_symbols_stay_its_own() {
    load(&library()).unwrap();
    for name in ["sdcpp_shim_api", "ggml_init", "generate_image", "new_sd_ctx"] {
        let symbol = CString::new(name).unwrap();
        // SAFETY: a NUL-terminated name, and a handle that stands for the whole process.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, symbol.as_ptr()) };
        assert!(found.is_null(), "{name} is seen by the whole process");
    }
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(names, ["sdcpp_shim_api"]);
}

#[test]
fn a_search_finds_it_and_tells_why_not_another_backend() {
    let search = LibrarySearch::new().folder(engine_library::folder("cpu"));
    assert!(search.engine(Backend::Cpu).is_ok());
    let best = search.best().unwrap();
    let told = best.to_string();
    for (backend, why) in &best.passed_over {
        assert!(told.contains(&backend.to_string()), "{told} lacks {backend}: {why}");
    }
    // Apple's is on no Linux machine.
    let metal = best.passed_over.iter().find(|(backend, _)| *backend == Backend::Metal);
    assert!(matches!(metal, Some((_, Error::BackendUnavailable { .. }))), "{told}");
    assert!(!sdcpp::metal_available());
    assert_eq!(sdcpp::cuda_available(), Backend::Cuda.check_driver().is_ok());
    if !Path::new("/proc/driver/nvidia").exists() {
        let error = Backend::Cuda.check_driver().unwrap_err();
        assert!(error.to_string().contains("NVIDIA driver is not installed"), "{error}");
    }
}

/// Where the table's functions begin, in bytes.
const FIRST_FUNCTION: usize = std::mem::offset_of!(sdcpp_sys::sdcpp_api, version);

/// Compiles a library that is no engine of this version.
fn false_engine(folder: &Path, defines: &[&str]) -> PathBuf {
    let path = folder.join("libfalse.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native/false_engine.c");
    let mut command = common::native::c_compiler();
    let functions = size_of::<sdcpp_sys::sdcpp_api>() - FIRST_FUNCTION;
    let functions = functions / size_of::<usize>();
    command.args(["-shared", "-fPIC", "-o"]).arg(&path).arg(source);
    command.arg(format!("-DFUNCTIONS={functions}"));
    command.args(defines.iter().map(|define| format!("-D{define}")));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

#[test]
fn what_is_no_engine_of_this_version_is_told() {
    let abi = format!("ABI={}", sdcpp_sys::SDCPP_SHIM_ABI);
    let size = format!("SIZE={}", size_of::<sdcpp_sys::sdcpp_api>());
    let cases: [(&[&str], &str); 6] = [
        (&["NO_FUNCTION"], "has no function `sdcpp_shim_api`"),
        (&["NO_TABLE"], "no function table"),
        (&["ABI=1", &size, "HEADERS=\"x\""], "ABI 1"),
        (&[&abi, "SIZE=8", "HEADERS=\"x\""], "has 8 bytes"),
        (&[&abi, &size, "HEADERS=\"0123\""], "other headers (0123)"),
        (&[&abi, &size, "HEADERS=NULL"], "other headers (none)"),
    ];
    for (defines, part) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = false_engine(folder.path(), defines);
        let error = load(&path).unwrap_err();
        assert_eq!(error.kind(), "library");
        let told = error.to_string();
        assert!(told.contains(part) && told.contains("libfalse.so"), "{defines:?}: {told}");
    }
}

#[test]
fn a_table_that_lacks_a_function_is_told_by_its_name() {
    let abi = format!("ABI={}", sdcpp_sys::SDCPP_SHIM_ABI);
    let size = format!("SIZE={}", size_of::<sdcpp_sys::sdcpp_api>());
    let load_with = |headers: &str, missing: usize| {
        let folder = tempfile::tempdir().unwrap();
        let headers = format!("HEADERS=\"{headers}\"");
        let missing = format!("MISSING={missing}");
        load(&false_engine(folder.path(), &[&abi, &size, &headers, &missing])).map(|_| ())
    };
    // The headers that this program was built with are told where a library has others.
    let told = load_with("0123", 0).unwrap_err().to_string();
    let (_, headers) = told.split_once("than this crate (").unwrap();
    let (headers, _) = headers.split_once(')').unwrap();

    use std::mem::offset_of;
    for (name, offset) in [
        ("version", offset_of!(sdcpp_sys::sdcpp_api, version)),
        ("context_free", offset_of!(sdcpp_sys::sdcpp_api, context_free)),
        ("preprocess_canny", offset_of!(sdcpp_sys::sdcpp_api, preprocess_canny)),
    ] {
        let missing = (offset - FIRST_FUNCTION) / size_of::<usize>();
        let error = load_with(headers, missing).unwrap_err();
        assert_eq!(error.kind(), "library");
        let told = error.to_string();
        assert!(told.contains(&format!("the engine's table lacks `{name}`")), "{told}");
    }
}

#[test]
fn what_cannot_be_loaded_is_told_by_path_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.so");
    std::fs::write(&text, "no library ".repeat(100)).unwrap();
    let told = load(&text).unwrap_err().to_string();
    assert!(told.contains("text.so") && told.contains("invalid ELF header"), "{told}");
    let error = load(&folder.path().join("none.so")).unwrap_err();
    assert!(matches!(error, Error::FileNotFound { .. }), "{error}");
    // A library of another processor.
    let mut other = std::fs::read(library()).unwrap();
    // `e_machine` in the ELF header: 183 is arm64, 62 x86-64.
    other[18] = if cfg!(target_arch = "x86_64") { 183 } else { 62 };
    let path = folder.path().join("other.so");
    std::fs::write(&path, other).unwrap();
    let told = load(&path).unwrap_err().to_string();
    assert!(told.contains("other.so"), "{told}");
    // One that needs another library which is not there.
    std::fs::write(folder.path().join("part.c"), "int part(void) { return 1; }").unwrap();
    std::fs::write(
        folder.path().join("whole.c"),
        "int part(void); int whole(void) { return part(); }",
    )
    .unwrap();
    let compile = |arguments: &[&str]| {
        let mut command = common::native::c_compiler();
        let status = command.current_dir(folder.path()).args(arguments).status().unwrap();
        assert!(status.success());
    };
    compile(&["-shared", "-fPIC", "part.c", "-o", "libpart.so"]);
    compile(&["-shared", "-fPIC", "whole.c", "-L.", "-lpart", "-o", "libwhole.so"]);
    std::fs::remove_file(folder.path().join("libpart.so")).unwrap();
    let told = load(&folder.path().join("libwhole.so")).unwrap_err().to_string();
    assert!(told.contains("libpart.so"), "{told}");
}
