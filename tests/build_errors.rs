//! The build script's words when something is missing. It is run as Cargo runs it, but with an
//! environment made up here; each case ends before anything long is built.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The build script of `sdcpp-sys` that was compiled last in this target folder.
fn build_script() -> PathBuf {
    let profiles = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    // With `--target`, build scripts are in the host's folder and tests in the target's.
    [profile.to_path_buf(), profiles.join(profile.file_name().unwrap())]
        .iter()
        .flat_map(|folder| fs::read_dir(folder.join("build")).into_iter().flatten().flatten())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("sdcpp-sys-"))
        .map(|entry| {
            entry.path().join(format!("build-script-main{}", std::env::consts::EXE_SUFFIX))
        })
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max()
        .map(|(_, path)| path)
        .expect("cargo has compiled the build script")
}

/// Runs the build script in an empty build folder; says whether it ended well, and what it printed.
fn run(vars: &[(&str, &Path)]) -> (bool, String) {
    run_with(&["STATIC"], vars)
}

fn run_with(features: &[&str], vars: &[(&str, &Path)]) -> (bool, String) {
    let out = TempDir::new().unwrap();
    let mut command = Command::new(build_script());
    command
        .current_dir(repository().join("sd-sys"))
        .env("CARGO_MANIFEST_DIR", repository().join("sd-sys"))
        .env("CARGO", env!("CARGO"))
        .env("OUT_DIR", out.path())
        .env("SDCPP_BUILD_DIR", out.path())
        .env("TARGET", env!("SDCPP_NATIVE_TARGET"))
        .env("HOST", env!("SDCPP_NATIVE_TARGET"))
        .env("OPT_LEVEL", "0")
        .env("NUM_JOBS", "2");
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("SDCPP_") && name != "SDCPP_BUILD_DIR"
            || name.starts_with("CARGO_FEATURE_")
            || name.starts_with("CUDA")
            || name == "CMAKE_PREFIX_PATH"
        {
            command.env_remove(&*name);
        }
    }
    for feature in features {
        command.env(format!("CARGO_FEATURE_{feature}"), "1");
    }
    for (name, value) in vars {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), text)
}

fn fails_with(vars: &[(&str, &Path)], parts: &[&str]) {
    feature_fails_with(&["STATIC"], vars, parts);
}

#[track_caller]
fn feature_fails_with(features: &[&str], vars: &[(&str, &Path)], parts: &[&str]) {
    let (ok, text) = run_with(features, vars);
    assert!(!ok, "{text}");
    for part in parts {
        assert!(text.contains(part), "{text}\nshould say {part:?}");
    }
}

/// Headers and the files that have fixes, as the engine's source has them.
fn small_checkout() -> TempDir {
    let native = Path::new(env!("SDCPP_NATIVE_INCLUDE")).parent().unwrap();
    let folder = TempDir::new().unwrap();
    let copy = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let read = |name: &str| fs::read_to_string(native.join(name)).unwrap();
    for name in ["include/stable-diffusion.h", "ggml/include/ggml-backend.h", "ggml/CMakeLists.txt"]
    {
        copy(name, read(name));
    }
    for entry in fs::read_dir(repository().join("vendor/fixes")).unwrap() {
        let rule = fs::read_to_string(entry.unwrap().path()).unwrap();
        let rule: toml::Table = rule.parse().unwrap();
        let edits = match rule.get("edit") {
            Some(edits) => edits.as_array().unwrap().clone(),
            None => vec![rule.clone().into()],
        };
        // The native build has the fix applied: undo it.
        let file = rule["file"].as_str().unwrap();
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|_| read(file));
        let part = |edit: &toml::Value, key: &str| edit[key].as_str().unwrap().to_owned();
        let text = edits
            .iter()
            .rev()
            .fold(text, |text, edit| text.replacen(&part(edit, "replace"), &part(edit, "find"), 1));
        copy(file, text);
    }
    folder
}

#[test]
fn without_cmake_or_compiler() {
    let nowhere = Path::new("/no/such/program");
    fails_with(
        &[("CMAKE", nowhere)],
        &["CMake is needed", "apt install cmake", "pip install cmake"],
    );
    fails_with(&[("CXX", nowhere)], &["a C++17 compiler is needed", "build-essential"]);
}

/// A folder with the programs that every build needs, and no other, to be all of `PATH`.
#[cfg(unix)]
fn only_compilers() -> TempDir {
    let folder = TempDir::new().unwrap();
    let compilers = ["cc", "c++", "gcc", "g++", "clang", "clang++", "as", "ld", "ar", "ranlib"];
    for name in ["cmake", "ninja", "make"].into_iter().chain(compilers) {
        let path = std::env::var_os("PATH").unwrap();
        let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file());
        if let Some(program) = found {
            std::os::unix::fs::symlink(program, folder.path().join(name)).unwrap();
        }
    }
    folder
}

/// A CUDA toolkit that has a compiler, and nothing else.
#[cfg(unix)]
fn half_a_toolkit() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    let nvcc = folder.path().join("bin/nvcc");
    fs::write(&nvcc, "#!/bin/sh\necho 'Cuda compilation tools, release 12.4'\n").unwrap();
    fs::set_permissions(&nvcc, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
#[cfg(unix)]
fn without_what_a_backend_is_compiled_with() {
    let (source, path, empty) = (small_checkout(), only_compilers(), TempDir::new().unwrap());
    let vars = [("SDCPP_SOURCE_DIR", source.path()), ("PATH", path.path())];
    let with =
        |more: (&'static str, &'static str)| [&vars[..], &[(more.0, Path::new(more.1))]].concat();
    let cuda = ["STATIC", "CUDA"];
    let advice = ["scripts/cuda-toolkit.sh", "nvidia-cuda-toolkit", "CUDA_HOME"];
    if !["/usr/local/cuda", "/opt/cuda"].iter().any(|toolkit| Path::new(toolkit).exists()) {
        feature_fails_with(&cuda, &vars, &["nvcc, NVIDIA's compiler, was not found"]);
        feature_fails_with(&cuda, &vars, &advice);
    }
    let named = "CUDACXX=/no/such/nvcc, the compiler, was not found";
    feature_fails_with(&cuda, &with(("CUDACXX", "/no/such/nvcc")), &[named, advice[0]]);

    let sdk = [&vars[..], &[("VULKAN_SDK", empty.path())]].concat();
    feature_fails_with(
        &["STATIC", "VULKAN"],
        &sdk,
        &["glslc, which compiles the shaders, was not found", "apt install libvulkan-dev glslc"],
    );
}

/// The engine's CMake fails as ggml's does, and its words are understood.
#[test]
#[cfg(unix)]
fn what_cmake_misses_is_told() {
    let (source, toolkit) = (small_checkout(), half_a_toolkit());
    let path = only_compilers();
    let vars = [
        ("SDCPP_SOURCE_DIR", source.path()),
        ("PATH", path.path()),
        // CMake does not look there, so its finding it shows that it was told.
        ("CUDA_HOME", toolkit.path()),
        ("CUDAARCHS", Path::new("90-real")),
    ];
    let told = format!(
        "if(NOT CMAKE_CUDA_COMPILER STREQUAL \"{}/bin/nvcc\")\nmessage(FATAL_ERROR not-told)\nendif()\n",
        toolkit.path().display()
    );
    let engine = "file(WRITE a.c \"\")\nadd_library(stable-diffusion STATIC a.c)\n";
    let cublas = "target_link_libraries(stable-diffusion PRIVATE CUDA::cublas)\n";
    let cases = [
        (cublas, "cuBLAS was not found"),
        ("find_package(CUDAToolkit 999 REQUIRED)\n", "the CUDA toolkit, or a part of it, was not"),
        ("find_package(Vulkan 999 REQUIRED)\n", "Vulkan, its loader as a rule, was not found"),
        ("cmake_minimum_required(VERSION 999.0)\n", "this CMake is too old"),
        ("message(FATAL_ERROR other)\n", "CMake could not build the engine"),
    ];
    for (end, what) in cases {
        fs::write(source.path().join("CMakeLists.txt"), format!("{told}{engine}{end}")).unwrap();
        let (ok, text) = run_with(&["STATIC", "CUDA"], &vars);
        assert!(!ok && text.contains(what), "{end}: {text}");
        assert!(text.contains("the build folder is") && !text.contains("not-told"), "{text}");
    }
}

#[test]
fn offline_with_nothing_cached() {
    let empty = TempDir::new().unwrap();
    fails_with(
        &[("CARGO_HOME", empty.path()), ("CARGO_NET_OFFLINE", Path::new("true"))],
        &["could not be fetched", "cargo fetch --locked --manifest-path", "SDCPP_SOURCE_DIR"],
    );
}

#[test]
fn a_source_folder_that_is_none() {
    let empty = TempDir::new().unwrap();
    fails_with(
        &[("SDCPP_SOURCE_DIR", empty.path())],
        &["no stable-diffusion.cpp checkout", "include/stable-diffusion.h is missing"],
    );
    fails_with(&[("SDCPP_SOURCE_DIR", Path::new("relative"))], &["must be an absolute path"]);
    fails_with(&[("SDCPP_LIB_DIR", Path::new("relative"))], &["must be an absolute path"]);
    let no_submodules = TempDir::new().unwrap();
    fs::create_dir(no_submodules.path().join("include")).unwrap();
    fs::write(no_submodules.path().join("include/stable-diffusion.h"), "").unwrap();
    fails_with(&[("SDCPP_SOURCE_DIR", no_submodules.path())], &["has no ggml", "submodule"]);
}

#[test]
fn another_c_api_fails_at_build_and_comments_do_not_count() {
    let source = small_checkout();
    let header = source.path().join("include/stable-diffusion.h");
    let text = fs::read_to_string(&header).unwrap();
    let vars = [("SDCPP_SOURCE_DIR", source.path()), ("CMAKE", Path::new("/no/such/program"))];

    fs::write(&header, text.replace("int clip_skip;", "int clip_skip;\n    int new_field;"))
        .unwrap();
    fails_with(&vars, &["C API differs", "feature `bindgen`"]);

    // The same API in other words: the next thing asked for is CMake.
    fs::write(&header, format!("// another comment\n{}", text.replace("    ", "\t"))).unwrap();
    fails_with(&vars, &["CMake is needed"]);
}

#[test]
fn a_fix_that_no_longer_matches_is_named() {
    let source = small_checkout();
    let file = source.path().join("src/model_loader.cpp");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("printf(\"\\n\");", "")).unwrap();
    let vars = [("SDCPP_SOURCE_DIR", source.path()), ("CMAKE", Path::new("/no/such/program"))];
    fails_with(&vars, &["fix `loader-newline` matches 0 times", "SDCPP_SKIP_FIXES=loader-newline"]);
    let skip = [&vars[..], &[("SDCPP_SKIP_FIXES", Path::new("loader-newline"))]].concat();
    fails_with(&skip, &["CMake is needed"]);
}

#[test]
fn options_for_cmake_and_folders_of_libraries_are_checked() {
    fails_with(
        &[("SDCPP_CMAKE_ARGS", Path::new("-DA=B nonsense"))],
        &["SDCPP_CMAKE_ARGS: `nonsense` is not of the form -DNAME=VALUE"],
    );
    let empty = TempDir::new().unwrap();
    fails_with(&[("SDCPP_LIB_DIR", empty.path())], &["no static engine library"]);
}

/// A prebuilt engine with its headers is linked without fetching or building anything.
#[test]
fn a_prebuilt_engine_is_enough() {
    let prebuilt = TempDir::new().unwrap();
    let include = prebuilt.path().join("include");
    fs::create_dir(&include).unwrap();
    for folder in [env!("SDCPP_NATIVE_INCLUDE"), env!("SDCPP_NATIVE_GGML_INCLUDE")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, include.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::write(prebuilt.path().join("libstable-diffusion.a"), "").unwrap();
    let empty = TempDir::new().unwrap();
    let (ok, text) = run(&[
        ("SDCPP_LIB_DIR", prebuilt.path()),
        ("CARGO_HOME", empty.path()),
        ("CARGO_NET_OFFLINE", Path::new("true")),
    ]);
    assert!(ok, "{text}");
    let search = format!("cargo::rustc-link-search=native={}", prebuilt.path().display());
    assert!(text.contains(&search), "{text}");
}

#[test]
fn documentation_builds_without_native_code() {
    let no_cmake = ("CMAKE", Path::new("/no/such/program"));
    let (ok, text) = run(&[("DOCS_RS", Path::new("1")), no_cmake]);
    assert!(ok, "{text}");
    assert!(!text.contains("rustc-link-lib"), "{text}");
}

#[test]
fn without_the_feature_static_nothing_native_is_built() {
    let no_cmake = ("CMAKE", Path::new("/no/such/program"));
    let (ok, text) = run_with(&["DYNAMIC"], &[no_cmake]);
    assert!(ok, "{text}");
    assert!(!text.contains("rustc-link-lib"), "{text}");
    assert!(text.contains("cargo::rustc-env=SDCPP_HEADERS="), "{text}");
}
