//! A file that is not whole yet: its bytes so far, and a note of what they are the beginning of, so that
//! another run goes on with them.

use super::{client::RemoteFile, error::HubError, folder::write_whole};
use crate::hash::{hash_rest, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
};

/// What the bytes are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    repo: String,
    path: String,
    commit: String,
    size: u64,
    sha256: Option<String>,
    /// What the server that sent the bytes called this state of the file.
    etag: Option<String>,
}

impl Note {
    /// Whether bytes of `old` are bytes of this file too: they are by the hash of its content, and
    /// without one by its commit.
    fn continues(&self, old: &Self) -> bool {
        let same_content = match (&self.sha256, &old.sha256) {
            (Some(new), Some(old)) => new == old,
            _ => {
                (&self.repo, &self.path, &self.commit) == (&old.repo, &old.path, &old.commit)
                    && self.sha256 == old.sha256
            }
        };
        same_content && self.size == old.size
    }
}

/// The beginning of a file.
pub(crate) struct Part {
    path: PathBuf,
    note_path: PathBuf,
    note: Note,
    file: File,
    length: u64,
    hasher: Sha256,
}

impl Part {
    /// What is there of the file; nothing, if it is of another, or with `anew`.
    pub(crate) fn open(
        path: PathBuf,
        note_path: PathBuf,
        remote: &RemoteFile,
        anew: bool,
    ) -> Result<Self, HubError> {
        let mut note = Note {
            repo: remote.repo.id.clone(),
            path: remote.path.clone(),
            commit: remote.commit.clone(),
            size: remote.size,
            sha256: remote.sha256.clone(),
            etag: None,
        };
        let old = read_note(&note_path).filter(|old| !anew && note.continues(old));
        let goes_on = old.is_some();
        note.etag = old.and_then(|old| old.etag);
        let unusable = |error| HubError::io(format!("{} cannot be used", path.display()), &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(!goes_on)
            .open(&path)
            .map_err(unusable)?;
        let mut hasher = Sha256::new();
        let mut length = hash_rest(&mut file, &mut hasher).map_err(unusable)?;
        if length > note.size {
            file.set_len(0).and_then(|()| file.rewind()).map_err(unusable)?;
            (length, hasher) = (0, Sha256::new());
        }
        let part = Self { path, note_path, note, file, length, hasher };
        part.write_note()?;
        Ok(part)
    }

    /// Bytes that are there.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// How the server named the state of the file that these bytes are of.
    pub(crate) fn etag(&self) -> Option<&str> {
        self.note.etag.as_deref()
    }

    /// Notes how the server names what it sends now. A weak name is no use in asking for the rest.
    pub(crate) fn set_etag(&mut self, etag: Option<&str>) -> Result<(), HubError> {
        let etag = etag.filter(|etag| !etag.starts_with("W/")).map(str::to_owned);
        if self.note.etag != etag {
            self.note.etag = etag;
            self.write_note()?;
        }
        Ok(())
    }

    /// Adds bytes at the end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.file.write_all(bytes).map_err(|error| {
            let failed = HubError::io(format!("{} cannot be written", self.path.display()), &error);
            failed.advise("what is there stays, and the next pull goes on with it")
        })?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Drops what is there.
    pub(crate) fn restart(&mut self) -> Result<(), HubError> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|error| {
            HubError::io(format!("{} cannot be emptied", self.path.display()), &error)
        })?;
        (self.length, self.hasher) = (0, Sha256::new());
        Ok(())
    }

    /// The SHA-256 of what is there.
    pub(crate) fn sha256(&self) -> String {
        hex(&self.hasher.clone().finalize())
    }

    /// Puts it in its place, whole and on the disk.
    pub(crate) fn finish(self, target: &Path) -> Result<(), HubError> {
        let moved = self.file.sync_all().and_then(|()| fs::rename(&self.path, target));
        moved.map_err(|error| {
            HubError::io(format!("{} cannot be put in place", target.display()), &error)
        })?;
        remove(&self.note_path)
    }

    /// Leaves nothing behind.
    pub(crate) fn discard(self) -> Result<(), HubError> {
        remove(&self.path)?;
        remove(&self.note_path)
    }

    fn write_note(&self) -> Result<(), HubError> {
        write_whole(&self.note_path, &self.note)
    }
}

/// A note that cannot be read is of no bytes that can be trusted.
fn read_note(path: &Path) -> Option<Note> {
    let text = fs::read(path).ok()?;
    serde_json::from_slice(&text)
        .map_err(|error| tracing::warn!("{} is no note: {error}", path.display()))
        .ok()
}

fn remove(path: &Path) -> Result<(), HubError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(HubError::io(format!("{} cannot be removed", path.display()), &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hash_file;

    fn remote(commit: &str, sha256: Option<&str>) -> RemoteFile {
        RemoteFile {
            repo: "a/b".parse().unwrap(),
            path: "x.gguf".to_owned(),
            commit: commit.repeat(40),
            size: 10,
            sha256: sha256.map(|digit| digit.repeat(64)),
        }
    }

    #[test]
    fn bytes_are_kept_for_the_same_content_only() {
        let folder = tempfile::tempdir().unwrap();
        let (path, note) = (folder.path().join("x.part"), folder.path().join("x.part.json"));
        let open = |remote: &RemoteFile, anew| {
            Part::open(path.clone(), note.clone(), remote, anew).unwrap()
        };
        let mut part = open(&remote("1", Some("a")), false);
        part.push(b"12345").unwrap();
        part.set_etag(Some("\"e\"")).unwrap();
        // Another commit with the same content.
        let part = open(&remote("2", Some("a")), false);
        assert_eq!((part.length(), part.etag()), (5, Some("\"e\"")));
        let known = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";
        assert_eq!(part.sha256(), known);
        assert_eq!(open(&remote("2", Some("b")), false).length(), 0);
        // Without a hash the commit says it.
        open(&remote("2", None), false).push(b"123").unwrap();
        assert_eq!(open(&remote("2", None), false).length(), 3);
        assert_eq!(open(&remote("3", None), false).length(), 0);
        open(&remote("3", None), false).push(b"123").unwrap();
        assert_eq!(open(&remote("3", None), true).length(), 0);
        // More than there can be, and a note that is none.
        fs::write(&path, "01234567890123456789").unwrap();
        assert_eq!(open(&remote("3", None), false).length(), 0);
        fs::write(&path, "0").unwrap();
        fs::write(&note, "{").unwrap();
        assert_eq!(open(&remote("3", None), false).length(), 0);
    }

    #[test]
    fn a_finished_part_is_a_file_and_a_discarded_one_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, note) = (folder.path().join("x.part"), folder.path().join("x.part.json"));
        let open = || Part::open(path.clone(), note.clone(), &remote("1", None), false).unwrap();
        let mut part = open();
        part.push(b"wrong").unwrap();
        part.restart().unwrap();
        part.push(b"right").unwrap();
        let target = folder.path().join("x.gguf");
        part.finish(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"right");
        assert_eq!(hash_file(&target).unwrap().1, 5);
        open().discard().unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
