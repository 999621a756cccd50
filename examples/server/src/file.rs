//! A file as it is at one time, to see whether it has changed since.

use serde::Serialize;
use std::{path::PathBuf, time::SystemTime};

/// Size and time of a file; nothing where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct FileState {
    pub(crate) path: PathBuf,
    bytes: Option<u64>,
    changed: Option<SystemTime>,
}

impl FileState {
    /// As the file is now.
    pub(crate) fn now(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let facts = path.metadata().ok();
        Self {
            bytes: facts.as_ref().map(std::fs::Metadata::len),
            changed: facts.and_then(|facts| facts.modified().ok()),
            path,
        }
    }

    /// Whether the file is as it was.
    pub(crate) fn is_current(&self) -> bool {
        *self == Self::now(&self.path)
    }
}
