//! The variables that steer the build, each read in one place. docs/linking.md lists them for users.

use crate::fail::Fail;
use std::{env, path::PathBuf};

/// Builds this checkout of upstream instead of the pin.
const SOURCE_DIR: &str = "SDCPP_SOURCE_DIR";
/// Links the engine libraries of this folder instead of building any.
const LIB_DIR: &str = "SDCPP_LIB_DIR";
/// `1` or `0`: overrides the `native` feature.
const NATIVE: &str = "SDCPP_NATIVE";
/// Extra `-DNAME=VALUE` options for the engine's CMake, separated by spaces.
const CMAKE_ARGS: &str = "SDCPP_CMAKE_ARGS";
/// Folder for the shared native build, instead of `<target>/sdcpp-native`.
const BUILD_DIR: &str = "SDCPP_BUILD_DIR";
/// Also makes one shared library of the engine and the shim, and puts it into this folder.
const LIBRARY_DIR: &str = "SDCPP_LIBRARY_DIR";
/// Comma-separated names of fixes to leave out; only with `SDCPP_SOURCE_DIR`.
const SKIP_FIXES: &str = "SDCPP_SKIP_FIXES";

/// Touching Rust sources of this crate must never rebuild C++, so every input is named.
pub(crate) fn rerun_rules() {
    for name in [
        SOURCE_DIR,
        LIB_DIR,
        NATIVE,
        CMAKE_ARGS,
        BUILD_DIR,
        LIBRARY_DIR,
        SKIP_FIXES,
        "CUDA_HOME",
        "DOCS_RS",
        "LIBCLANG_PATH",
    ] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    for name in TOOLCHAIN {
        println!("cargo::rerun-if-env-changed={name}");
    }
    for path in ["build", "cmake", "kernels", "shim", "src/bindings.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    // Cargo looks at a symbolic link's own time, so the rule names what it points to.
    let vendor = crate::pin::vendor_folder();
    let vendor = vendor.canonicalize().unwrap_or(vendor);
    println!("cargo::rerun-if-changed={}", vendor.display());
}

/// Variables of compilers and CMake that decide about the machine code.
const TOOLCHAIN: [&str; 18] = [
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "CMAKE",
    "CMAKE_GENERATOR",
    "CMAKE_TOOLCHAIN_FILE",
    "CMAKE_PREFIX_PATH",
    "MACOSX_DEPLOYMENT_TARGET",
    "SOURCE_DATE_EPOCH",
    "CUDACXX",
    "CUDAARCHS",
    "CUDAFLAGS",
    "CUDAHOSTCXX",
    "CUDAToolkit_ROOT",
    "CUDA_PATH",
    "VULKAN_SDK",
];

/// The values of those variables that are set, as part of the name of a build.
pub(crate) fn toolchain() -> Vec<String> {
    let target = cargo("TARGET").replace('-', "_");
    let of_target = ["CC", "CXX", "CFLAGS", "CXXFLAGS"].map(|name| format!("{name}_{target}"));
    let names = TOOLCHAIN.iter().map(|name| (*name).to_owned()).chain(of_target);
    names.filter_map(|name| Some(format!("{name}={}", text(&name)?))).collect()
}

pub(crate) fn is_docs_rs() -> bool {
    env::var_os("DOCS_RS").is_some()
}

pub(crate) fn source_dir() -> Result<Option<PathBuf>, Fail> {
    path(SOURCE_DIR)
}

pub(crate) fn lib_dir() -> Result<Option<PathBuf>, Fail> {
    path(LIB_DIR)
}

pub(crate) fn build_dir() -> Result<Option<PathBuf>, Fail> {
    path(BUILD_DIR)
}

pub(crate) fn library_dir() -> Result<Option<PathBuf>, Fail> {
    path(LIBRARY_DIR)
}

pub(crate) fn cmake_args() -> Result<Vec<(String, String)>, Fail> {
    let args = text(CMAKE_ARGS).unwrap_or_default();
    args.split_whitespace()
        .map(|arg| {
            let option = arg.strip_prefix("-D").and_then(|option| option.split_once('='));
            option.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
                Fail::new(format!("{CMAKE_ARGS}: `{arg}` is not of the form -DNAME=VALUE"))
            })
        })
        .collect()
}

/// The value of one of these options. A type may be behind its name: `-DNAME:PATH=VALUE`.
pub(crate) fn cmake_arg(name: &str) -> Result<Option<String>, Fail> {
    let is_named = |given: &str| given.split(':').next() == Some(name);
    Ok(cmake_args()?.into_iter().rev().find_map(|(given, value)| is_named(&given).then_some(value)))
}

pub(crate) fn skipped_fixes() -> Vec<String> {
    text(SKIP_FIXES)
        .map(|s| s.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect())
        .unwrap_or_default()
}

/// Whether to tune for this machine's processor: never when cross-compiling.
pub(crate) fn native() -> bool {
    let same_machine = text("HOST") == text("TARGET");
    let wanted = match text(NATIVE).as_deref() {
        Some("0" | "off" | "OFF") => false,
        Some(_) => true,
        None => feature("native"),
    };
    wanted && same_machine
}

pub(crate) fn feature(name: &str) -> bool {
    let name = name.to_uppercase().replace('-', "_");
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

/// A variable that Cargo always sets for build scripts; empty if it is missing.
pub(crate) fn cargo(name: &str) -> String {
    text(name).unwrap_or_default()
}

pub(crate) fn manifest_dir() -> PathBuf {
    PathBuf::from(cargo("CARGO_MANIFEST_DIR"))
}

pub(crate) fn out_dir() -> PathBuf {
    PathBuf::from(cargo("OUT_DIR"))
}

pub(crate) fn target_is(part: &str) -> bool {
    cargo("TARGET").contains(part)
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.is_empty())
}

fn path(name: &str) -> Result<Option<PathBuf>, Fail> {
    let Some(path) = env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    if path.is_absolute() {
        Ok(Some(path))
    } else {
        // Cargo runs build scripts in the package's folder, so where the user stood is not known.
        Err(Fail::new(format!("{name}={} must be an absolute path", path.display())))
    }
}
