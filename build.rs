//! Build script of the C library: its header, its soname, and for the tests the paths of the native
//! build.

use std::{env, path::Path};

/// The files of the interface, in the order of the header.
const SOURCES: &[&str] = &[
    "code", "error", "memory", "engine", "info", "log", "pixels", "cancel", "watch", "config",
    "request", "video", "result", "context", "pool", "metrics", "job", "upscaler", "convert",
    "model",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(error) = write_header() {
        println!("cargo::error=the C header cannot be made: {error}");
    }
    link_arguments();
    // `tests/` compiles C++ programs against the same engine build.
    for name in ["INCLUDE", "GGML_INCLUDE", "SHIM", "SHIM_LIB", "LIB_DIRS", "LIBS", "SYSTEM_LIBS"] {
        let value = env::var(format!("DEP_SDCPP_{name}")).unwrap_or_default();
        println!("cargo::rustc-env=SDCPP_NATIVE_{name}={value}");
    }
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=SDCPP_NATIVE_TARGET={target}");
}

/// Writes `sdcpp.h` of the sources into the build's own folder. The committed one is
/// `include/sdcpp.h`; `tests/capi/header.rs` compares them.
fn write_header() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=cbindgen.toml");
    let mut builder =
        cbindgen::Builder::new().with_config(cbindgen::Config::from_file("cbindgen.toml")?);
    for source in SOURCES {
        let path = format!("src/{source}.rs");
        println!("cargo::rerun-if-changed={path}");
        builder = builder.with_src(path);
    }
    let mut header = Vec::new();
    builder.generate()?.write(&mut header);
    std::fs::write(Path::new(&env::var("OUT_DIR")?).join("sdcpp.h"), header)?;
    Ok(())
}

/// The soname changes with every incompatible change of the C API.
fn link_arguments() {
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libsdcpp_capi.so.0");
            // Its threads and thread-local values outlive a `dlclose`.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        Ok("macos") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libsdcpp_capi.0.dylib");
        }
        _ => {}
    }
}
