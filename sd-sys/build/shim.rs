//! Compiles the C++ shim. It takes seconds, so it lives in `OUT_DIR` and never touches the engine.

use crate::{fail::Fail, headers, source::Source, vars};
use std::fs;

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
        // As in cmake/CMakeLists.txt.
        build.flag("/EHs").flag("/EHc-");
    } else {
        build.flag("-fvisibility=hidden");
    }
    let headers = headers::fingerprint(&source.include, &source.ggml_include)?;
    build.define("SDCPP_HEADERS", format!("\"{headers}\"").as_str());
    for entry in fs::read_dir(&folder).map_err(|e| Fail::io("read", &folder, &e))?.flatten() {
        if entry.path().extension() == Some("cpp".as_ref()) {
            build.file(entry.path());
        }
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
