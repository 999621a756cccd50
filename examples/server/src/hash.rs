//! The SHA-256 of a model's file, by which A1111's pictures name it. It takes seconds for gigabytes, so
//! it is told when it is known, and nobody waits for it.

use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
};

/// A hash that may not be known yet.
#[derive(Debug, Clone, Default)]
pub struct ModelHash(Arc<OnceLock<String>>);

impl ModelHash {
    /// Begins to read the file.
    pub(crate) fn of(path: PathBuf) -> Self {
        let hash = Self::default();
        let place = hash.clone();
        let reading = move || match hash_file(&path) {
            Ok((text, _)) => {
                // Nobody else writes it.
                let _ = place.0.set(text);
            }
            Err(error) => tracing::warn!("{} cannot be hashed: {error}", path.display()),
        };
        if let Err(error) = thread::Builder::new().name("model hash".to_owned()).spawn(reading) {
            tracing::warn!("a thread cannot be started: {error}");
        }
        hash
    }

    /// 64 hexadecimal digits; none while it is not known.
    pub fn sha256(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// The first ten digits, as A1111 tells them.
    pub fn short(&self) -> Option<&str> {
        self.sha256().and_then(|text| text.get(..10))
    }
}

/// Hashes from where the file is to its end; where that is.
pub(crate) fn hash_rest(file: &mut File, hasher: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return file.seek(SeekFrom::End(0)),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// The SHA-256 of a file, and its length.
pub(crate) fn hash_file(path: &Path) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let length = hash_rest(&mut File::open(path)?, &mut hasher)?;
    Ok((hex(&hasher.finalize()), length))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_known_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_file(&path).unwrap(), (expected.to_owned(), 3));
        let hash = ModelHash::of(path);
        while hash.sha256().is_none() {
            thread::yield_now();
        }
        assert_eq!(hash.short(), Some("ba7816bf8f"));
        assert!(hash_file(&folder.path().join("none")).is_err());
    }
}
