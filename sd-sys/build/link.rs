//! Tells Cargo what to link, and dependents where things are.

use crate::{backend::Backend, engine, engine::Engine, source::Source, vars};
use std::path::PathBuf;

pub(crate) fn emit(engine: &Engine, backends: &[Backend], needed_features: &str) {
    for dir in &engine.lib_dirs {
        println!("cargo::rustc-link-search=native={}", dir.display());
    }
    for name in engine::libraries(backends) {
        // Not bundled: the archives are large, and would be copied into the rlib of every profile.
        println!("cargo::rustc-link-lib=static:-bundle={name}");
    }
    for name in system_libraries(backends) {
        println!("cargo::rustc-link-lib={name}");
    }
    println!("cargo::rustc-env=SDCPP_NEEDED_FEATURES={needed_features}");
}

fn system_libraries(backends: &[Backend]) -> Vec<&'static str> {
    let mut names = Vec::new();
    if vars::target_is("apple") {
        names.extend(["c++", "framework=Accelerate", "framework=Foundation"]);
    } else if vars::target_is("bsd") {
        names.extend(["c++", "m", "pthread"]);
    } else if vars::target_is("android") {
        names.push("c++_shared");
    } else if vars::target_is("msvc") {
        names.push("advapi32");
    } else {
        names.extend(["stdc++", "m", "pthread", "dl"]);
    }
    if vars::feature("openmp") && vars::target_is("linux") {
        names.push("gomp");
    }
    for backend in backends {
        names.extend(backend.system_libraries());
    }
    names
}

/// `DEP_SDCPP_*` of crates that depend on this one directly: what a C++ program needs to call the
/// same engine build (the parity test does).
pub(crate) fn tell_dependents(engine: &Engine, source: &Source, backends: &[Backend]) {
    println!("cargo::metadata=include={}", source.include.display());
    println!("cargo::metadata=ggml_include={}", source.ggml_include.display());
    println!("cargo::metadata=shim={}", vars::manifest_dir().join("shim").display());
    println!("cargo::metadata=shim_lib={}", vars::out_dir().display());
    println!("cargo::metadata=lib_dirs={}", joined(&engine.lib_dirs));
    println!("cargo::metadata=libs={}", engine::libraries(backends).join(";"));
    println!("cargo::metadata=system_libs={}", system_libraries(backends).join(";"));
}

fn joined(dirs: &[PathBuf]) -> String {
    dirs.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(";")
}
