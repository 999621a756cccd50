//! Build script of the C library: its soname, and for the tests the paths of the native build.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // The soname changes with every incompatible change of the C API.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libsdcpp_capi.so.0");
    }
    // `tests/` compiles C++ programs against the same engine build.
    for name in ["INCLUDE", "GGML_INCLUDE", "SHIM", "SHIM_LIB", "LIB_DIRS", "LIBS", "SYSTEM_LIBS"] {
        let value = env::var(format!("DEP_SDCPP_{name}")).unwrap_or_default();
        println!("cargo::rustc-env=SDCPP_NATIVE_{name}={value}");
    }
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=SDCPP_NATIVE_TARGET={target}");
}
