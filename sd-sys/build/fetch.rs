//! Lets cargo's own client fetch what a pin names, checked against its lock.

use crate::{fail::Fail, folders::Folders, pin::Carried, vars};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The carried folder, in cargo's cache of unpacked crates.
pub(crate) fn folder(carried: &Carried, folders: &Folders) -> Result<PathBuf, Fail> {
    let folder = folders.fetch(carried.name);
    fs::create_dir_all(&folder).map_err(|e| Fail::io("create", &folder, &e))?;
    let manifest = folder.join("Cargo.toml");
    for (name, text) in
        [("Cargo.toml", carried.manifest.as_str()), ("Cargo.lock", &carried.lock), ("lib.rs", "")]
    {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|e| Fail::io("write", &path, &e))?;
    }
    // What is cached needs no network, so try without first: it also answers faster.
    // Cargo's configuration (mirrors, `cargo vendor`) is found from the current folder upwards: from
    // the build folder that is the user's project, as a rule.
    let own = vars::manifest_dir();
    let find = |from: &Path| {
        cargo_metadata(&manifest, from).or_else(|_| {
            cargo(&manifest, from, &["fetch", "--locked"])?;
            cargo_metadata(&manifest, from)
        })
    };
    let metadata = find(folders.root()).or_else(|said| find(&own).map_err(|_| said));
    let metadata = metadata.map_err(|said| {
        Fail::new(format!(
            "{} (in vendor/{}.toml) could not be fetched",
            carried.package, carried.name
        ))
        .advise(format!("cargo said: {}", said.trim()))
        .advise(format!(
            "with a network, run: cargo fetch --locked --manifest-path {}",
            manifest.display()
        ))
    })?;
    let root = package_root(&metadata, &carried.package).ok_or_else(|| {
        Fail::new(format!("cargo metadata does not say where {} lies", carried.package))
    })?;
    let inside = root.join(&carried.folder);
    if inside.is_dir() {
        Ok(inside)
    } else {
        Err(Fail::new(format!("{} has no {}", root.display(), carried.folder)))
    }
}

fn cargo_metadata(manifest: &Path, from: &Path) -> Result<String, String> {
    cargo(manifest, from, &["metadata", "--format-version", "1", "--locked", "--offline"])
}

fn cargo(manifest: &Path, from: &Path, args: &[&str]) -> Result<String, String> {
    let program = vars::cargo("CARGO");
    Command::new(if program.is_empty() { "cargo" } else { &program })
        .args(args)
        .arg("--manifest-path")
        .arg(manifest)
        .current_dir(from)
        .output()
        .map_err(|e| format!("cannot run cargo: {e}"))
        .and_then(|output| match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        })
}

/// The folder of one package, read out of `cargo metadata`'s JSON.
fn package_root(metadata: &str, package: &str) -> Option<PathBuf> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).ok()?;
    let found = metadata
        .get("packages")?
        .as_array()?
        .iter()
        .find(|p| p.get("name").and_then(|name| name.as_str()) == Some(package))?;
    Path::new(found.get("manifest_path")?.as_str()?).parent().map(Path::to_path_buf)
}
