//! Running the built program on the demo model.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// What the demo model needs for a picture in a fraction of a second.
pub(crate) const QUICK: &[&str] =
    &["-p", "a red circle", "-W", "64", "-H", "64", "--steps", "3", "-s", "42", "-t", "1"];

pub(crate) fn demo_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/demo_q8_0.gguf")
}

/// A folder to run in, which is removed afterwards.
pub(crate) struct Place(TempDir);

/// How a run ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program in this folder, without the caller's settings.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sdcpp"));
        command.current_dir(self.0.path());
        for (name, _) in std::env::vars_os() {
            if ["SD_", "SDCPP_TUNED"].iter().any(|own| name.to_string_lossy().starts_with(own)) {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.program().args(arguments).output().unwrap())
    }

    /// A command that draws quickly with the demo model, and what is particular.
    pub(crate) fn draw(&self, command: &str, more: &[&str]) -> Ran {
        let model = demo_model();
        let first = [command, "-m", model.to_str().unwrap()];
        self.run(&[&first, QUICK, more].concat())
    }

    /// The names of the files in the folder, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A picture with some structure.
    pub(crate) fn picture(&self, name: &str, side: u32) -> PathBuf {
        let path = self.path(name);
        image::RgbImage::from_fn(side, side, |x, y| {
            image::Rgb([(x * 255 / side) as u8, (y * 255 / side) as u8, 128])
        })
        .save(&path)
        .unwrap();
        path
    }

    /// White on the left half.
    pub(crate) fn mask(&self, name: &str, side: u32) {
        let white = |x| if x < side / 2 { 255 } else { 0 };
        image::GrayImage::from_fn(side, side, |x, _| image::Luma([white(x)]))
            .save(self.path(name))
            .unwrap();
    }

    pub(crate) fn size(&self, name: &str) -> (u32, u32) {
        image::image_dimensions(self.path(name)).unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// It ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self
    }

    /// It ended with this code, and said this.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, text: &str) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        assert!(self.err.contains(text) || self.out.contains(text), "{}\n{}", self.out, self.err);
        self
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}
