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
        let engine = Path::new(env!("SDCPP_NATIVE_INCLUDE")).join("..").canonicalize()?;
        let mut configure = Command::new("cmake");
        configure
            .args(["-G", "Ninja", "-S"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(self.source))
            .arg("-B")
            .arg(&folder)
            .arg(format!("-DSDCPP_SOURCE={}", engine.display()));
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
