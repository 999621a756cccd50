//! The scripts: that the shell can read them, and `scripts/gpu-check.sh`, which builds an engine and so
//! runs here with tools that only write down what they were asked for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(all(target_os = "linux", feature = "dynamic"))]

mod common;
#[path = "common/engine_library.rs"]
mod engine_library;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_shell_reads_every_script() {
    let mut count = 0;
    for folder in ["scripts", "examples/server/deploy"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "sh") {
                let output = Command::new("bash").arg("-n").arg(&path).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                let sourced = path.ends_with("prerequisites.sh");
                assert!(sourced || mode & 0o111 != 0, "{} cannot be run", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 15, "{count} scripts");
}

/// A copy of what the script needs of the repository, and tools that stand for the real ones.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn new() -> Self {
        let copy = Self { folder: TempDir::new().unwrap() };
        for name in ["scripts", "tests", "bin"] {
            fs::create_dir(copy.path(name)).unwrap();
        }
        for name in
            ["vendor", "sd-sys", "scripts/gpu-check.sh", "scripts/prerequisites.sh", "tests/native"]
        {
            symlink(root().join(name), copy.path(name)).unwrap();
        }
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tool(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\nset -euo pipefail\n{text}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the script; says whether it ended well, and what it said.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(self.path("scripts/gpu-check.sh"));
        command.args(arguments).env("PATH", format!("{}:{path}", self.path("bin").display()));
        for name in ["CUDAARCHS", "CUDACXX", "SDCPP_CMAKE_ARGS", "SDCPP_LIBRARY"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Makes the pack: the source is links to the real one, and the program says how it was called.
    fn pack(&self) {
        let source = Path::new(env!("SDCPP_NATIVE_INCLUDE")).parent().unwrap();
        self.tool(
            "cargo",
            &format!(
                r#"case "$*" in
metadata*) exec '{cargo}' "$@" ;;
*sdcpp-sys*vulkan*)
    fetch="$SDCPP_BUILD_DIR/fetch/vulkan-headers"
    mkdir -p "$fetch"
    cp vendor/vulkan-headers.toml "$fetch/Cargo.toml"
    cp vendor/vulkan-headers.lock "$fetch/Cargo.lock"
    touch "$fetch/lib.rs"
    '{cargo}' fetch --quiet --locked --manifest-path "$fetch/Cargo.toml"
    cp -as '{source}' "$SDCPP_BUILD_DIR/source-0123"
    ;;
*backend_check*)
    mkdir -p target/gpu-check/cargo/release/examples
    cp bin/backend_check target/gpu-check/cargo/release/examples/
    ;;
*) exit 1 ;;
esac
"#,
                cargo = env!("CARGO"),
                source = source.display(),
            ),
        );
        // The real one takes programs only.
        self.tool("strip", r#"cp "$3" "$2""#);
        self.tool("backend_check", r#"printf '%s\n' "$SDCPP_LIBRARY" "$@" >checked"#);
        let (ok, text) = self.run(&["pack"], &[("LIBCLANG_PATH", "/")]);
        assert!(ok, "{text}");
        let mut packed: Vec<_> = fs::read_dir(self.path("target/gpu-check/pack"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        packed.sort();
        assert_eq!(packed, ["backend_check", "engine.tar.gz", "vulkan-headers.tar.gz"]);
        // The machine with the card has no Rust.
        self.tool("cargo", "exit 1");
    }

    /// A CMake of a version. It writes down what it is asked for, and makes what it is asked to build.
    fn cmake(&self, version: &str, configure: &str) {
        self.tool(
            "cmake",
            &format!(
                r#"case "$1" in
--version) echo 'cmake version {version}' ;;
--build)
    mkdir -p "$2/sdcpp"
    name=${{2##*-}}
    cp "$(type -P true)" "$2/direct"
    cp "$(type -P true)" "$2/sdcpp/libsdcpp_engine_$name.so"
    printf '%s\n' "$@" >built
    ;;
*)
    printf '%s\n' "CUDAARCHS=${{CUDAARCHS:-}}" "$@" >configured
    {configure}
    ;;
esac
"#
            ),
        );
    }
}

#[test]
fn gpu_check_builds_and_runs_what_is_in_its_pack() {
    let copy = Copy::new();
    copy.cmake("3.22.1", "");
    let (ok, text) = copy.run(&["cpu"], &[]);
    assert!(!ok && text.contains("engine.tar.gz is missing"), "{text}");
    copy.pack();

    // A real CMake takes the options, and knows the targets.
    copy.cmake("3.22.1", r#"PATH=${PATH#*:} cmake "$@" >output; PATH=${PATH#*:} cmake --build "$4" --target help >targets"#);
    let (ok, text) = copy.run(&["cpu", "--layouts", "none"], &[]);
    assert!(ok, "{text}");
    let targets = copy.read("targets");
    for name in ["direct", "sdcpp_engine"] {
        assert!(targets.contains(name) && copy.read("built").lines().any(|l| l == name), "{name}");
    }
    let build = "target/gpu-check/build-cpu";
    let library = format!("{build}/sdcpp/{}", engine_library::name("cpu"));
    let direct = format!("{build}/direct");
    let expected = [&library, "--backend", "cpu", "--direct", &direct, "--layouts", "none"];
    assert_eq!(copy.read("checked").lines().collect::<Vec<_>>(), expected);

    copy.tool("glslc", "");
    copy.cmake("3.22.1", "");
    let (ok, text) = copy.run(&["vulkan"], &[]);
    assert!(ok, "{text}");
    let configured = copy.read("configured");
    let headers = configured.lines().find_map(|line| line.strip_prefix("-DVulkan_INCLUDE_DIR="));
    assert!(Path::new(headers.unwrap()).join("vulkan/vulkan.hpp").is_file(), "{configured}");
}

#[test]
fn gpu_check_names_the_cards_of_the_machine_to_an_old_cmake() {
    let copy = Copy::new();
    copy.cmake("3.22.1", "");
    copy.pack();
    copy.tool("nvcc", "");
    copy.tool("nvidia-smi", "echo 9.0; echo 8.6; echo 9.0");
    let architectures = |variables: &[(&str, &str)]| {
        let (ok, text) = copy.run(&["cuda"], variables);
        assert!(ok, "{text}");
        copy.read("configured").lines().next().unwrap().to_owned()
    };
    assert_eq!(architectures(&[]), "CUDAARCHS=86-real;90-real");
    assert_eq!(architectures(&[("CUDAARCHS", "89-real")]), "CUDAARCHS=89-real");
    copy.cmake("3.24.0", "");
    assert_eq!(architectures(&[]), "CUDAARCHS=native");

    let refused = |part: &str| {
        let (ok, text) = copy.run(&["cuda"], &[]);
        assert!(!ok && text.contains(part), "{text}");
    };
    copy.cmake("3.23.5", "");
    copy.tool("nvidia-smi", "echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2");
    refused("CUDAARCHS=90-real");
    copy.cmake("3.17.5", "");
    refused("CMake 3.18 or newer is needed for cuda");
}

/// The program of the pack, on this machine's engine: it draws the same by the crate and by the program
/// `direct`, so it gives that one the arguments that it knows.
#[test]
fn the_packs_program_draws_as_the_c_api_does() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(common::example("backend_check"))
        .current_dir(folder.path())
        .env("SDCPP_LIBRARY", engine_library::folder("cpu"))
        .args(["--backend", "cpu", "--layouts", "none", "--models"])
        .arg(root().join("examples/models"))
        .arg("--direct")
        .arg(common::native::program("direct"))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("mean difference 0.000, largest 0"), "{text}");
    assert!(text.contains("by the C API alone: byte-equal"), "{text}");
}
