//! Finds the engine's C++ source (the pin, or the user's own checkout) and makes the fixed copy
//! that is built.

use crate::{
    fail::Fail,
    fetch,
    fixes::{self, Fix},
    folders::Folders,
    headers,
    pin::{self, Pin},
    stamp, vars,
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
    let key =
        headers::short_hash([pin.source.checksum.as_bytes(), fixes::fingerprint(fixes).as_bytes()]);
    let source = Source::new(folders.source(&key), key, Some(pin.commit.clone()), true);
    // The stamp is written last, so a half-made copy (a full disk, a kill) is made again.
    let stamp = source.folder.join(".sdcpp-complete");
    if !stamp.is_file() {
        let upstream = fetch_upstream(pin, folders)?;
        copy_fixed(&upstream, &source.folder, fixes)?;
        stamp::write(&stamp, &pin.commit)?;
    }
    stamp::watch(&stamp);
    Ok(source)
}

fn fetch_upstream(pin: &Pin, folders: &Folders) -> Result<PathBuf, Fail> {
    fetch::folder(&pin.source, folders).map_err(|fail| {
        fail.advise(
            "or set SDCPP_SOURCE_DIR to a stable-diffusion.cpp checkout with its submodules",
        )
        .advise("or set SDCPP_LIB_DIR to a folder with prebuilt engine libraries and their headers in include/")
    })
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
