//! The pins: which registry crates carry the engine's source and Vulkan's headers
//! (`vendor/*.toml` and their locks).

use crate::{fail::Fail, vars};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder that a registry crate carries.
#[derive(Debug)]
pub(crate) struct Carried {
    /// Name of the two files in `vendor/`, without extension.
    pub(crate) name: &'static str,
    /// Text of the manifest and lock for cargo's own client.
    pub(crate) manifest: String,
    pub(crate) lock: String,
    /// The registry crate, its checksum in the lock, and the folder inside.
    pub(crate) package: String,
    pub(crate) checksum: String,
    pub(crate) folder: String,
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Pin {
    pub(crate) source: Carried,
    /// Upstream commit.
    pub(crate) commit: String,
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
    let (source, facts) = carried("engine-source")?;
    Ok(Pin { source, commit: facts.text("commit")?, headers: facts.text("headers")? })
}

pub(crate) fn vulkan_headers() -> Result<Carried, Fail> {
    Ok(carried("vulkan-headers")?.0)
}

/// `[package.metadata.carried]` of a manifest.
struct Facts {
    table: toml::Table,
    path: PathBuf,
}

impl Facts {
    fn text(&self, name: &str) -> Result<String, Fail> {
        self.table.get(name).and_then(|v| v.as_str()).map(str::to_owned).ok_or_else(|| {
            Fail::new(format!("{}: metadata.carried.{name} is missing", self.path.display()))
        })
    }
}

fn carried(name: &'static str) -> Result<(Carried, Facts), Fail> {
    let path = vendor_folder().join(format!("{name}.toml"));
    let lock_path = path.with_extension("lock");
    let manifest = read_text(&path)?;
    let lock = read_text(&lock_path)?;

    let table = parse(&manifest, &path)?
        .get("package")
        .and_then(|p| p.get("metadata")?.get("carried")?.as_table().cloned())
        .ok_or_else(|| {
            Fail::new(format!("{} has no [package.metadata.carried]", path.display()))
        })?;
    let facts = Facts { table, path };
    let package = facts.text("crate")?;
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
    let folder = facts.text("folder")?;
    Ok((Carried { name, manifest, lock, package, checksum, folder }, facts))
}

pub(crate) fn read_text(path: &Path) -> Result<String, Fail> {
    fs::read_to_string(path).map_err(|e| Fail::io("read", path, &e))
}

pub(crate) fn parse(text: &str, path: &Path) -> Result<toml::Table, Fail> {
    text.parse::<toml::Table>().map_err(|e| Fail::new(format!("{}: {e}", path.display())))
}
