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
    let (ok, text) = run(vars);
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
