//! Files that appear when they are whole: written under another name in the same folder, then
//! renamed.

use std::{io, path::Path};
use tempfile::NamedTempFile;

/// An empty file in the folder of `path`, whose name ends in `suffix`; removed unless it is put in
/// the place of `path`.
pub(crate) fn beside(path: &Path, suffix: &str) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sdcpp-").suffix(suffix);
    // A temporary file is private to its owner by default; what is written here has the usual
    // permissions.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
