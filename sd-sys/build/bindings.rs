//! The raw bindings: the committed file for the pin's headers, or generated ones with the feature
//! `bindgen`.

use crate::{fail::Fail, headers, pin::Pin, source::Source, vars};
use std::{fs, path::Path};

/// The file that `src/lib.rs` includes, in `OUT_DIR`.
const OUT_FILE: &str = "bindings.rs";

pub(crate) fn use_committed(pin: &Pin) -> Result<(), Fail> {
    made_from(&pin.headers);
    let committed = vars::manifest_dir().join("src").join("bindings.rs");
    let out = vars::out_dir().join(OUT_FILE);
    fs::copy(&committed, &out).map_err(|e| Fail::io("copy bindings to", &out, &e))?;
    Ok(())
}

/// Tells the crate which headers its bindings are of: a library that is opened at run time must have
/// the same.
fn made_from(headers: &str) {
    println!("cargo::rustc-env=SDCPP_HEADERS={headers}");
}

pub(crate) fn provide(pin: &Pin, source: &Source) -> Result<(), Fail> {
    let found = headers::fingerprint(&source.include, &source.ggml_include)?;
    if vars::feature("bindgen") {
        // For scripts/check-bindings.sh.
        let hash = vars::out_dir().join("headers.sha256");
        fs::write(&hash, &found).map_err(|e| Fail::io("write", &hash, &e))?;
        made_from(&found);
        return generate(source, &vars::out_dir().join(OUT_FILE));
    }
    if found != pin.headers {
        let whose = if source.pinned { "the pinned source's" } else { "this source's" };
        return Err(Fail::new(format!(
            "{whose} C API differs from the one that src/bindings.rs was generated from"
        ))
        .advise("generate bindings for it: build with the feature `bindgen` (needs libclang)")
        .advise(format!("headers found: {found}"))
        .advise(format!("headers expected (vendor/engine-source.toml): {}", pin.headers)));
    }
    use_committed(pin)
}

#[cfg(not(feature = "bindgen"))]
fn generate(_: &Source, _: &Path) -> Result<(), Fail> {
    Err(Fail::new("the feature `bindgen` is set for the crate but not for its build script"))
}

#[cfg(feature = "bindgen")]
fn generate(source: &Source, out: &Path) -> Result<(), Fail> {
    let shim = vars::manifest_dir().join("shim").join("sdcpp_shim.h");
    let builder = bindgen::Builder::default()
        .header(shim.to_string_lossy())
        .clang_args([
            format!("-I{}", source.include.display()),
            format!("-I{}", source.ggml_include.display()),
        ])
        .clang_args(compiler_headers())
        .allowlist_type("(sd|sdcpp)_.*")
        .allowlist_type("(rng_type|sample_method|scheduler|prediction|preview|lora_apply_mode)_t")
        .allowlist_type("ggml_backend_dev_type")
        .allowlist_var("(SD|SDCPP)_.*")
        // The engine is reached through the shim's table only, so no other function is bound.
        .allowlist_function("sdcpp_shim_api")
        // C enums are integers until validated: a value outside the list must not be undefined.
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .layout_tests(true)
        .generate_comments(false)
        .derive_default(false)
        .derive_debug(true)
        .use_core()
        .formatter(bindgen::Formatter::Prettyplease);
    let no_bindings = |why: String| {
        Fail::new(format!("bindgen failed: {why}"))
            .advise("it needs libclang: apt install libclang-dev, or brew install llvm")
            .advise(
                "or from PyPI: pip install libclang, and LIBCLANG_PATH set to its folder `native`",
            )
            .advise("or build without the feature `bindgen`, on the committed bindings")
    };
    // Without libclang bindgen panics.
    let bindings = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builder.generate()))
        .map_err(|_| no_bindings("libclang was not found".to_owned()))?
        .map_err(|e| no_bindings(e.to_string()))?;
    fs::write(out, bindings.to_string()).map_err(|e| Fail::io("write", out, &e))
}

/// A libclang from PyPI comes without `stdbool.h` and its like; the C compiler has them. Searched
/// last, so that a complete clang uses its own.
#[cfg(feature = "bindgen")]
fn compiler_headers() -> Vec<String> {
    let ask = |compiler: &Path| {
        std::process::Command::new(compiler).arg("-print-file-name=include").output().ok()
    };
    cc::Build::new()
        .cargo_metadata(false)
        .try_get_compiler()
        .ok()
        .and_then(|compiler| ask(compiler.path()))
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .filter(|dir| Path::new(dir).is_dir())
        .map(|dir| vec!["-idirafter".to_owned(), dir])
        .unwrap_or_default()
}
