//! Files that appear when they are whole.

use crate::{Error, Result, whole_file};
use std::{
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};
use tempfile::TempPath;

/// What is being written, for errors.
pub(super) struct Target<'a> {
    path: &'a Path,
}

impl<'a> Target<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self { path }
    }

    fn doing(&self) -> String {
        format!("write {}", self.path.display())
    }

    pub(super) fn io(&self, source: io::Error) -> Error {
        Error::io(self.doing(), source)
    }

    pub(super) fn codec(&self, reason: impl fmt::Display) -> Error {
        Error::ImageCodec { doing: self.doing(), reason: reason.to_string() }
    }

    pub(super) fn png(&self, error: png::EncodingError) -> Error {
        match error {
            png::EncodingError::IoError(source) => self.io(source),
            other => self.codec(other),
        }
    }
}

/// A whole file under another name, which is removed unless it is put in its place.
pub(super) struct Written(TempPath);

impl Written {
    /// Renames it, over an existing file.
    pub(super) fn put(self, target: &Target<'_>) -> Result<()> {
        self.0.persist(target.path).map_err(|e| target.io(e.error))
    }
}

/// Writes a file in the target's folder, under another name.
pub(super) fn write(
    target: &Target<'_>,
    contents: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<Written> {
    let mut temporary = whole_file::beside(target.path, "").map_err(|e| target.io(e))?;
    let mut writer = BufWriter::new(temporary.as_file_mut());
    contents(&mut writer)?;
    writer.flush().map_err(|e| target.io(e))?;
    drop(writer);
    temporary.as_file().sync_all().map_err(|e| target.io(e))?;
    Ok(Written(temporary.into_temp_path()))
}

/// Writes a file and puts it in its place.
pub(super) fn save(
    target: &Target<'_>,
    contents: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    write(target, contents)?.put(target)
}
