//! Finds the engine's C++ source (the pin, or the user's own checkout) and makes the fixed copy
//! that is built.

use crate::{
    fail::Fail,
    fixes::{self, Fix},
    folders::Folders,
    headers,
    pin::{self, Pin},
    vars,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The copy of the source that is compiled.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) folder: PathBuf,
    /// Where `stable-diffusion.h` and `ggml-backend.h` are.
    pub(crate) include: PathBuf,
    pub(crate) ggml_include: PathBuf,
    /// Names the source and its fixes; part of the build folder's name.
    pub(crate) key: String,
    /// The commit to report when the source is no git checkout.
    pub(crate) commit: Option<String>,
    /// Whether it is the pin.
    pub(crate) pinned: bool,
}

impl Source {
    fn new(folder: PathBuf, key: String, commit: Option<String>, pinned: bool) -> Self {
        let include = folder.join("include");
        let ggml_include = folder.join("ggml").join("include");
        Self { folder, include, ggml_include, key, commit, pinned }
    }
}

pub(crate) fn find(pin: &Pin, folders: &Folders) -> Result<Source, Fail> {
    if let Some(source) = headers_of_prebuilt()? {
        return Ok(source);
    }
    let fixes = fixes::read()?;
    match vars::source_dir()? {
        Some(dir) => own_checkout(&dir, &fixes, folders),
        None => pinned(pin, &fixes, folders),
    }
}

/// A prebuilt engine may bring its headers, in `include/`; then no source is needed. Without them it
/// is taken to be the pin.
fn headers_of_prebuilt() -> Result<Option<Source>, Fail> {
    let Some(dir) = vars::lib_dir()? else { return Ok(None) };
    let include = dir.join("include");
    let all = ["stable-diffusion.h", "ggml.h", "ggml-backend.h"];
    Ok(all.iter().all(|name| include.join(name).is_file()).then(|| Source {
        ggml_include: include.clone(),
        include,
        ..Source::new(dir, "prebuilt".to_owned(), None, false)
    }))
}

fn pinned(pin: &Pin, fixes: &[Fix], folders: &Folders) -> Result<Source, Fail> {
    let key = headers::short_hash([pin.checksum.as_bytes(), fixes::fingerprint(fixes).as_bytes()]);
    let source = Source::new(folders.source(&key), key, Some(pin.commit.clone()), true);
    // The stamp is written last, so a half-made copy (a full disk, a kill) is made again.
    let stamp = source.folder.join(".sdcpp-complete");
    if !stamp.is_file() {
        let upstream = fetch(pin, folders)?;
        copy_fixed(&upstream, &source.folder, fixes)?;
        fs::write(&stamp, &pin.commit).map_err(|e| Fail::io("write", &stamp, &e))?;
    }
    Ok(source)
}

fn own_checkout(dir: &Path, fixes: &[Fix], folders: &Folders) -> Result<Source, Fail> {
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
    for part in [
        "CMakeLists.txt",
        "include",
        "src",
        "thirdparty",
        "ggml/CMakeLists.txt",
        "ggml/include",
        "ggml/src",
    ] {
        println!("cargo::rerun-if-changed={}", dir.join(part).display());
    }
    let skipped = vars::skipped_fixes();
    let fixes: Vec<_> = fixes.iter().filter(|f| !skipped.contains(&f.name)).cloned().collect();
    let key = headers::short_hash([
        dir.as_os_str().as_encoded_bytes(),
        fixes::fingerprint(&fixes).as_bytes(),
    ]);
    let folder = folders.source(&key);
    copy_fixed(dir, &folder, &fixes)?;
    Ok(Source::new(folder, key, git_commit(dir), false))
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
        Fail::new(format!("the engine source ({} in the pin) could not be fetched", pin.package))
            .advise(format!("cargo said: {}", said.trim()))
            .advise(format!(
                "with a network, run: cargo fetch --locked --manifest-path {}",
                manifest.display()
            ))
            .advise(
                "or set SDCPP_SOURCE_DIR to a stable-diffusion.cpp checkout with its submodules",
            )
            .advise("or set SDCPP_LIB_DIR to a folder with prebuilt engine libraries and their headers in include/")
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

/// Copies what a build needs, with the fixes applied. Files that are already as they should be keep
/// their time, so that ninja rebuilds only what changed.
fn copy_fixed(from: &Path, to: &Path, fixes: &[Fix]) -> Result<(), Fail> {
    copy_folder(from, to, fixes)?;
    fixes::files(fixes).try_for_each(|file| {
        let text = fixes::apply(fixes, file, &pin::read_text(&from.join(file))?)?;
        write_if_changed(&to.join(file), text.as_bytes())
    })
}

fn copy_folder(from: &Path, to: &Path, fixes: &[Fix]) -> Result<(), Fail> {
    // Codecs of upstream's examples, and repositories of submodules.
    const LEFT_OUT: [&str; 3] = [".git", "libwebp", "libwebm"];
    fs::create_dir_all(to).map_err(|e| Fail::io("create", to, &e))?;
    let entries = fs::read_dir(from).map_err(|e| Fail::io("read", from, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Fail::io("read", from, &e))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            if !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                copy_folder(&path, &target, fixes)?;
            }
        } else if !fixes::files(fixes).any(|file| path.ends_with(file)) {
            let bytes = fs::read(&path).map_err(|e| Fail::io("read", &path, &e))?;
            write_if_changed(&target, &bytes)?;
        }
    }
    Ok(())
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), Fail> {
    let same_size = fs::metadata(path).is_ok_and(|m| m.len() == bytes.len() as u64);
    if same_size && fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(|e| Fail::io("write", path, &e))
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
