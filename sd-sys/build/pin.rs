//! The pin: which engine source is built (`vendor/engine-source.toml` and its lock).

use crate::{fail::Fail, vars};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Debug)]
pub(crate) struct Pin {
    /// Text of the manifest and lock for cargo's own client.
    pub(crate) manifest: String,
    pub(crate) lock: String,
    /// Upstream commit.
    pub(crate) commit: String,
    /// Registry crate that carries the source, its checksum in the lock, and the folder inside.
    pub(crate) package: String,
    pub(crate) checksum: String,
    pub(crate) folder: String,
    /// SHA-256 of the normalised headers the committed bindings were made from.
    pub(crate) headers: String,
}

/// `vendor/` of the repository, or the copy a packaged crate carries.
pub(crate) fn vendor_folder() -> PathBuf {
    let packaged = vars::manifest_dir().join("vendor");
    if packaged.join("engine-source.toml").is_file() {
        packaged
    } else {
        // A checkout without symbolic links has a text file in place of the folder.
        vars::manifest_dir().join("..").join("vendor")
    }
}

pub(crate) fn read() -> Result<Pin, Fail> {
    let manifest_path = vendor_folder().join("engine-source.toml");
    let lock_path = vendor_folder().join("engine-source.lock");
    let manifest = read_text(&manifest_path)?;
    let lock = read_text(&lock_path)?;

    let parsed = parse(&manifest, &manifest_path)?;
    let engine = parsed
        .get("package")
        .and_then(|p| p.get("metadata"))
        .and_then(|m| m.get("engine"))
        .ok_or_else(|| {
            Fail::new(format!("{} has no [package.metadata.engine]", manifest_path.display()))
        })?;
    let field = |name: &str| {
        engine.get(name).and_then(|v| v.as_str()).map(str::to_owned).ok_or_else(|| {
            Fail::new(format!("{}: metadata.engine.{name} is missing", manifest_path.display()))
        })
    };
    let package = field("crate")?;
    let checksum = parse(&lock, &lock_path)?
        .get("package")
        .and_then(|p| p.as_array())
        .and_then(|all| {
            all.iter().find(|p| p.get("name").and_then(|n| n.as_str()) == Some(&package))
        })
        .and_then(|p| p.get("checksum")?.as_str().map(str::to_owned))
        .ok_or_else(|| {
            Fail::new(format!("{} has no checksum of {package}", lock_path.display()))
        })?;
    Ok(Pin {
        commit: field("commit")?,
        folder: field("folder")?,
        headers: field("headers")?,
        package,
        checksum,
        manifest,
        lock,
    })
}

pub(crate) fn read_text(path: &Path) -> Result<String, Fail> {
    fs::read_to_string(path).map_err(|e| Fail::io("read", path, &e))
}

pub(crate) fn parse(text: &str, path: &Path) -> Result<toml::Table, Fail> {
    text.parse::<toml::Table>().map_err(|e| Fail::new(format!("{}: {e}", path.display())))
}
