//! Engines of other options than the crate's, and programs of tests/native on them.

use crate::Outcome;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A CMake project of this repository that makes programs on an engine.
#[derive(Debug)]
pub(crate) struct Project {
    /// Where its CMakeLists.txt is, from the repository's root.
    pub(crate) source: &'static str,
    /// The name of the folder that it is built in.
    pub(crate) folder: &'static str,
    pub(crate) engine: Engine,
}

/// Which source it is built from.
#[derive(Debug)]
pub(crate) enum Engine {
    /// With the fixes of vendor/fixes, as the crate is.
    Fixed,
    /// As upstream has it.
    Upstream,
}

impl Engine {
    fn source(&self) -> Outcome<PathBuf> {
        let fixed = Path::new(env!("SDCPP_NATIVE_INCLUDE")).join("..").canonicalize()?;
        match self {
            Self::Fixed => Ok(fixed),
            Self::Upstream => upstream_of(&fixed),
        }
    }
}

/// Where cargo has unpacked what the fixed copy was made of (vendor/engine-source.toml).
fn upstream_of(fixed: &Path) -> Outcome<PathBuf> {
    let builds = fixed.parent().ok_or("the engine's source lies in no folder")?;
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--manifest-path"])
        .arg(builds.join("fetch/engine-source/Cargo.toml"))
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo does not say where the engine's source is: {said}").into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.get("packages").and_then(|packages| packages.as_array());
    packages
        .into_iter()
        .flatten()
        .filter_map(|package| package.get("manifest_path")?.as_str())
        .map(|manifest| Path::new(manifest).with_file_name("stable-diffusion.cpp"))
        .find(|source| source.join("include/stable-diffusion.h").is_file())
        .ok_or_else(|| "no package of the pin holds the engine's source".into())
}

impl Project {
    /// The program, on the engine with these options and otherwise those of the project. The first one takes
    /// some minutes; another only what its options change.
    pub(crate) fn build(&self, program: &str, options: &[(&str, &str)]) -> Outcome<PathBuf> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(self.folder);
        // Options of an earlier call are forgotten, and what was compiled is kept.
        match fs::remove_file(folder.join("CMakeCache.txt")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut configure = Command::new("cmake");
        configure
            .args(["-G", "Ninja", "-S"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(self.source))
            .arg("-B")
            .arg(&folder)
            .arg(format!("-DSDCPP_SOURCE={}", self.engine.source()?.display()));
        for (name, value) in options {
            configure.arg(format!("-D{name}={value}"));
        }
        run(&mut configure)?;
        run(Command::new("cmake").arg("--build").arg(&folder).args(["--target", program]))?;
        Ok(folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
    }
}

fn run(command: &mut Command) -> Outcome {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    // Ninja tells of compilers on the one, CMake of itself on the other.
    let told =
        [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned());
    Err(format!("cmake ended with {}: {}", output.status, told.concat()).into())
}
