//! Where the native build lives: outside `OUT_DIR`, so that every profile and feature set shares it,
//! and locked, because several build scripts may run at once.

use crate::{fail::Fail, vars};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

#[derive(Debug)]
pub(crate) struct Folders {
    root: PathBuf,
}

impl Folders {
    pub(crate) fn locate() -> Result<Self, Fail> {
        let root = vars::build_dir()?.unwrap_or_else(|| target_folder().join("sdcpp-native"));
        fs::create_dir_all(&root).map_err(|e| Fail::io("create", &root, &e))?;
        Ok(Self { root })
    }

    /// Held while sources are fetched and copied; a second build script waits here.
    pub(crate) fn lock_sources(&self) -> Result<File, Fail> {
        lock(&self.root.join("lock"))
    }

    /// Held while one build is made: two different ones do not wait for each other.
    pub(crate) fn lock_build(&self, key: &str) -> Result<File, Fail> {
        lock(&self.root.join(format!("lock-{key}")))
    }

    /// Inside the user's project, as a rule.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo's client is told what to fetch.
    pub(crate) fn fetch(&self, name: &str) -> PathBuf {
        self.root.join("fetch").join(name)
    }

    /// The unpacked, fixed copy of one engine source.
    pub(crate) fn source(&self, key: &str) -> PathBuf {
        self.root.join(format!("source-{key}"))
    }

    /// One configured build of one source.
    pub(crate) fn build(&self, key: &str) -> PathBuf {
        self.root.join(format!("build-{key}"))
    }
}

fn lock(path: &Path) -> Result<File, Fail> {
    let file = File::create(path).map_err(|e| Fail::io("create", path, &e))?;
    file.lock().map_err(|e| Fail::io("lock", path, &e))?;
    Ok(file)
}

/// The target directory: the outermost ancestor of `OUT_DIR` that Cargo tagged as a cache.
fn target_folder() -> PathBuf {
    let out = vars::out_dir();
    out.ancestors()
        .filter(|dir| dir.join("CACHEDIR.TAG").is_file())
        .last()
        .or_else(|| out.ancestors().nth(4))
        .map_or_else(|| out.clone(), Path::to_path_buf)
}
