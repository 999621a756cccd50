//! Files that say that a folder is complete: written last, and watched.

use crate::fail::Fail;
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

/// If the folder is deleted, this script must run again.
pub(crate) fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), Fail> {
    fs::write(path, text).map_err(|e| Fail::io("write", path, &e))?;
    make_old(path)
}

/// Cargo takes a watched file that is newer than the start of this script as changed: so its time is
/// long ago.
pub(crate) fn make_old(path: &Path) -> Result<(), Fail> {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(long_ago))
        .map_err(|e| Fail::io("write", path, &e))
}
