//! Finds the engine's C++ source (the pin, or the user's own checkout) and makes the fixed copy
//! that is built.

use crate::{fail::Fail, fixes, folders::Folders, headers, pin::Pin, vars};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The copy of the source that is compiled.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) folder: PathBuf,
    /// Names the source and its fixes; part of the build folder's name.
    pub(crate) key: String,
    /// The commit to report when the source is no git checkout.
    pub(crate) commit: Option<String>,
    /// Whether it is the pin.
    pub(crate) pinned: bool,
}

impl Source {
    pub(crate) fn include(&self) -> PathBuf {
        self.folder.join("include")
    }

    pub(crate) fn ggml_include(&self) -> PathBuf {
        self.folder.join("ggml").join("include")
    }
}

pub(crate) fn find(pin: &Pin, folders: &Folders) -> Result<Source, Fail> {
    let fixes = fixes::read()?;
    match vars::source_dir() {
        Some(dir) => own_checkout(&dir, &fixes, folders),
        None => pinned(pin, &fixes, folders),
    }
}

fn pinned(pin: &Pin, fixes: &[fixes::Fix], folders: &Folders) -> Result<Source, Fail> {
    let key = headers::short_hash([pin.checksum.as_bytes(), fixes::fingerprint(fixes).as_bytes()]);
    let folder = folders.source(&key);
    let source = Source { folder, key, commit: Some(pin.commit.clone()), pinned: true };
    // The stamp is written last, so a half-made copy (a full disk, a kill) is made again.
    let stamp = source.folder.join(".sdcpp-complete");
    if !stamp.is_file() {
        let upstream = fetch(pin, folders)?;
        mirror(&upstream, &source.folder)?;
        fixes::apply(fixes, &source.folder)?;
        fs::write(&stamp, &pin.commit).map_err(|e| Fail::io("write", &stamp, &e))?;
    }
    Ok(source)
}

fn own_checkout(dir: &Path, fixes: &[fixes::Fix], folders: &Folders) -> Result<Source, Fail> {
    if !dir.join("include").join("stable-diffusion.h").is_file() {
        return Err(Fail::new(format!(
            "SDCPP_SOURCE_DIR={} is no stable-diffusion.cpp checkout: include/stable-diffusion.h is missing",
            dir.display()
        )));
    }
    if !dir.join("ggml").join("CMakeLists.txt").is_file() {
        return Err(Fail::new(format!(
            "SDCPP_SOURCE_DIR={} has no ggml: its submodules are not checked out",
            dir.display()
        ))
        .advise("git submodule update --init --recursive"));
    }
    println!("cargo::rerun-if-changed={}", dir.display());
    let skipped = vars::skipped_fixes();
    let fixes: Vec<_> = fixes.iter().filter(|f| !skipped.contains(&f.name)).cloned().collect();
    let key = headers::short_hash([
        dir.as_os_str().as_encoded_bytes(),
        fixes::fingerprint(&fixes).as_bytes(),
    ]);
    let folder = folders.source(&key);
    mirror(dir, &folder)?;
    fixes::apply(&fixes, &folder)?;
    Ok(Source { folder, key, commit: git_commit(dir), pinned: false })
}

/// Lets cargo fetch the pinned crate, and says where it lies.
fn fetch(pin: &Pin, folders: &Folders) -> Result<PathBuf, Fail> {
    let folder = folders.fetch();
    fs::create_dir_all(&folder).map_err(|e| Fail::io("create", &folder, &e))?;
    let manifest = folder.join("Cargo.toml");
    for (name, text) in
        [("Cargo.toml", pin.manifest.as_str()), ("Cargo.lock", &pin.lock), ("lib.rs", "")]
    {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|e| Fail::io("write", &path, &e))?;
    }
    // What is cached needs no network, so try without first: it also answers faster.
    let found = cargo_metadata(&manifest, true).or_else(|_| {
        cargo(&manifest, &["fetch", "--locked"]).and_then(|_| cargo_metadata(&manifest, true))
    });
    let metadata = found.map_err(|said| {
        Fail::new(format!("the engine source ({} in the pin) could not be fetched", pin.package))
            .advise(format!("cargo said: {}", said.trim()))
            .advise(format!(
                "with a network, run: cargo fetch --locked --manifest-path {}",
                manifest.display()
            ))
            .advise(
                "or set SDCPP_SOURCE_DIR to a stable-diffusion.cpp checkout with its submodules",
            )
            .advise("or set SDCPP_LIB_DIR to a folder with prebuilt engine libraries")
    })?;
    let root = package_root(&metadata, &pin.package).ok_or_else(|| {
        Fail::new(format!("cargo metadata does not say where {} lies", pin.package))
    })?;
    let source = root.join(&pin.folder);
    if source.join("CMakeLists.txt").is_file() {
        Ok(source)
    } else {
        Err(Fail::new(format!("{} has no {}", root.display(), pin.folder)))
    }
}

fn cargo_metadata(manifest: &Path, offline: bool) -> Result<String, String> {
    let mut args = vec!["metadata", "--format-version", "1", "--locked"];
    if offline {
        args.push("--offline");
    }
    cargo(manifest, &args)
}

fn cargo(manifest: &Path, args: &[&str]) -> Result<String, String> {
    let program = vars::cargo("CARGO");
    let output = Command::new(if program.is_empty() { "cargo" } else { &program })
        .args(args)
        .arg("--manifest-path")
        .arg(manifest)
        // The user's cargo configuration (mirrors, `cargo vendor`) is found from the current
        // folder upwards, and the native build folder may lie elsewhere.
        .current_dir(vars::manifest_dir())
        .output()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
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

/// Copies what a build needs; files that are already equal keep their time, so that ninja rebuilds
/// only what changed.
fn mirror(from: &Path, to: &Path) -> Result<(), Fail> {
    const LEFT_OUT: [&str; 7] =
        [".git", "build", "libwebp", "libwebm", "examples", "docs", "assets"];
    fs::create_dir_all(to).map_err(|e| Fail::io("create", to, &e))?;
    let entries = fs::read_dir(from).map_err(|e| Fail::io("read", from, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Fail::io("read", from, &e))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            if !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                mirror(&path, &target)?;
            }
        } else if !same_file(&path, &target) {
            fs::copy(&path, &target).map_err(|e| Fail::io("copy to", &target, &e))?;
            make_writable(&target)?;
        }
    }
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    let size = |p: &Path| fs::metadata(p).map(|m| m.len()).ok();
    size(a).is_some() && size(a) == size(b) && fs::read(a).ok() == fs::read(b).ok()
}

/// A vendored or cached source may be read-only, and fixes must write.
fn make_writable(path: &Path) -> Result<(), Fail> {
    let fail = |e| Fail::io("make writable", path, &e);
    let mut permissions = fs::metadata(path).map_err(fail)?.permissions();
    if permissions.readonly() {
        #[allow(clippy::permissions_set_readonly_false)]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions).map_err(fail)?;
    }
    Ok(())
}

fn git_commit(dir: &Path) -> Option<String> {
    // `--git-dir` keeps git from finding a repository further up.
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(dir.join(".git"))
        .args(["rev-parse", "--short", "HEAD"])
        .output()
        .ok()
        .filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
