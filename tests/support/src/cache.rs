//! Generated files are kept in the workspace's target directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs, process};

/// Where generated models are kept: `test-models` in `$CARGO_TARGET_DIR`, or else in the
/// workspace's `target`.
pub fn directory() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = package.ancestors().nth(2).unwrap_or(package);
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace.join(target).join("test-models")
}

/// The path of the named file, which `generate` writes if it does not exist.
///
/// Threads of a process take turns. Processes may race: each writes a file of its own and
/// moves it to its place when it is complete; the contents are the same.
pub(crate) fn file(
    name: &str,
    generate: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    static GENERATING: Mutex<()> = Mutex::new(());
    let _turn = GENERATING.lock().unwrap_or_else(PoisonError::into_inner);

    let directory = directory();
    let path = directory.join(name);
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(&directory)?;
    let unfinished = directory.join(format!(".{name}.{}", process::id()));
    let moved = generate(&unfinished).and_then(|()| fs::rename(&unfinished, &path));
    match moved {
        Ok(()) => Ok(path),
        Err(error) => {
            // Nothing more can be done if this fails too; the first error is the one to tell.
            let _ = fs::remove_file(&unfinished);
            // Where an open file cannot be replaced, another process' file serves as well.
            if path.exists() { Ok(path) } else { Err(error) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generates_once_and_leaves_nothing_unfinished() {
        let name = format!("cache-test-{}", process::id());
        let path = file(&name, |path| fs::write(path, b"first")).unwrap();
        let again = file(&name, |path| fs::write(path, b"second")).unwrap();
        assert_eq!(path, again);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        fs::remove_file(&path).unwrap();

        let failed = file(&name, |path| {
            fs::write(path, b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let left = fs::read_dir(directory()).unwrap();
        let mut names = left.map(|entry| entry.unwrap().file_name());
        assert!(!names.any(|n| n.to_string_lossy().contains(&name)));
    }
}
