//! Compiles the C++ shim. It takes seconds, so it lives in `OUT_DIR` and never touches the engine.

use crate::{fail::Fail, source::Source, vars};

const FILES: [&str; 8] = [
    "api.cpp",
    "call.cpp",
    "callbacks.cpp",
    "context.cpp",
    "devices.cpp",
    "names.cpp",
    "stage.cpp",
    "tools.cpp",
];

/// Destructors run on unwinding, and functions declared `extern "C"` may throw: the engine's do.
pub(crate) const MSVC_EXCEPTIONS: &str = "/EHs";

pub(crate) fn build(source: &Source) -> Result<(), Fail> {
    let folder = vars::manifest_dir().join("shim");
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .warnings(true)
        .extra_warnings(true)
        .include(&folder)
        .include(&source.include)
        .include(&source.ggml_include)
        .define("GGML_MAX_NAME", "128");
    if vars::target_is("msvc") {
        build.flag(MSVC_EXCEPTIONS);
    } else {
        build.flag("-fvisibility=hidden");
    }
    for file in FILES {
        build.file(folder.join(file));
    }
    build.try_compile("sdcpp_shim").map_err(|e| {
        let fail = Fail::new(format!("the C++ shim does not compile: {e}"));
        if source.pinned {
            fail
        } else {
            fail.advise(
                "the C API of SDCPP_SOURCE_DIR differs too much from the pin's for this crate",
            )
        }
    })
}
