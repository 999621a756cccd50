//! A models folder, and the program's `models` on it, with a hub of the test's own.

#![allow(dead_code, reason = "each test binary uses its own part")]

use crate::hub::Hub;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// A folder of models, and a home.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    home: tempfile::TempDir,
    url: String,
}

impl Place {
    pub(crate) fn new(hub: &Hub) -> Self {
        let temporary = || tempfile::tempdir().unwrap();
        Self { folder: temporary(), home: temporary(), url: hub.url.clone() }
    }

    /// The program with this environment, and nothing of who runs the test.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sdcpp-server"));
        for name in ["HUGGINGFACE_TOKEN", "HF_TOKEN", "HF_HUB_OFFLINE", "AUTO_DOWNLOAD_MODELS"] {
            command.env_remove(name);
        }
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        command
            .env("HF_HOME", self.home.path())
            .env("HF_ENDPOINT", &self.url)
            .env("MODEL_CACHE_DIR", self.folder.path());
        command
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program();
        command.arg("models").args(arguments);
        command
    }

    /// What it tells on stdout.
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        let (output, told) = output(&mut self.command(arguments));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it tells when it fails.
    pub(crate) fn bad(&self, arguments: &[&str]) -> String {
        let (output, told) = output(&mut self.command(arguments));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        told
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the hub's own token file is looked for.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.home.path().join("token")
    }

    pub(crate) fn hidden(&self, name: &str) -> PathBuf {
        self.path(".pulled").join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// What is in the folder, but for what is hidden.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = self.folder.path().read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }
}

/// What a program ends with, and all that it told.
pub(crate) fn output(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (output, told)
}

/// Bytes that are like no others.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}
