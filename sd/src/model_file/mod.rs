//! Looks at model files before the engine maps them: it trusts offsets in their headers, and a
//! truncated file under mmap would end the process with SIGBUS.

mod gguf;
mod safetensors;

use crate::{Error, Result};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Which formats may be handed to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Formats that hold data only: safetensors and GGUF.
    DataOnly,
    /// Pickle checkpoints too, which the engine reads without checking.
    Pickle,
}

/// What a whole file holds, as far as the engine's ways with it depend on that.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    max_dimensions: usize,
    /// Whether all tensors are 32-bit floats.
    all_f32: bool,
    bytes: u64,
}

impl Contents {
    fn add(&mut self, dimensions: usize, is_f32: bool, bytes: u64) {
        self.all_f32 = (self.bytes == 0 || self.all_f32) && is_f32;
        self.max_dimensions = self.max_dimensions.max(dimensions);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The engine copies embeddings into one buffer as if all were of one type, asserts on a thread
    /// of its own if they have three dimensions, and has 100 MB for each file.
    fn check_embedding(&self) -> Result<(), Fault> {
        const MOST_BYTES: u64 = 64 << 20;
        if self.all_f32 && self.max_dimensions <= 2 && self.bytes <= MOST_BYTES {
            Ok(())
        } else {
            Err(Fault::Damaged(
                "an embedding must have 32-bit float tensors of one or two dimensions, and 64 MiB \
                 at most"
                    .to_owned(),
            ))
        }
    }
}

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    /// The file ends within its header, or a tensor lies outside it.
    Damaged(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        // A header that says more than there is reads past the end.
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("the file ends within its header".into()),
            _ => Self::Io(error),
        }
    }
}

/// The files of a diffusers folder that the engine reads; the first is needed.
const DIFFUSERS: [&str; 4] = [
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder_2/model.safetensors",
];

/// Checks that `path` is a model file all of whose tensors lie within it, or a diffusers folder of
/// such files.
pub(crate) fn check(role: &'static str, path: &Path, trust: Trust) -> Result<()> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Error::FileNotFound { role: role.into(), path: path.to_owned() });
        }
        Err(source) => {
            return Err(Error::FileUnreadable { role: role.into(), path: path.to_owned(), source });
        }
    };
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(not_a_model(role, path, "it is no regular file".to_owned()));
    }
    if metadata.is_file() {
        return check_file(role, path, metadata.len(), trust);
    }
    let mut files = DIFFUSERS.iter().map(|name| path.join(name));
    if role != "model" || !files.next().is_some_and(|unet| unet.is_file()) {
        return Err(not_a_model(
            role,
            path,
            format!("it is a folder without {}, so no diffusers model", DIFFUSERS[0]),
        ));
    }
    for file in DIFFUSERS.iter().map(|name| path.join(name)).filter(|file| file.exists()) {
        let length = file.metadata().map(|m| m.len()).unwrap_or(0);
        check_file(role, &file, length, trust)?;
    }
    Ok(())
}

fn check_file(role: &'static str, path: &Path, length: u64, trust: Trust) -> Result<()> {
    let unreadable =
        |source| Error::FileUnreadable { role: role.into(), path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut start = Vec::with_capacity(16);
    file.by_ref().take(16).read_to_end(&mut start).map_err(unreadable)?;
    let checked = match start.as_slice() {
        [] => Err(Fault::Damaged("the file is empty".into())),
        [b'G', b'G', b'U', b'F', ..] => gguf::check(file, length),
        [_, _, _, _, _, _, _, _, b'{', ..] => safetensors::check(file, length),
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] if trust == Trust::Pickle => return Ok(()),
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => {
            return Err(Error::Unsupported {
                what: format!("the pickle checkpoint {}", path.display()),
                reason: "the engine reads such files unchecked, and a hostile one can crash it; \
                         convert it to safetensors or GGUF, or allow it with `trust_pickle`"
                    .to_owned(),
            });
        }
        other => Err(Fault::Damaged(describe(other))),
    };
    let checked = checked.and_then(|contents| match role {
        "embeddings" => contents.check_embedding(),
        _ => Ok(()),
    });
    checked.map_err(|fault| match fault {
        Fault::Io(source) => unreadable(source),
        Fault::Damaged(reason) => not_a_model(role, path, reason),
    })
}

fn not_a_model(role: &'static str, path: &Path, reason: String) -> Error {
    Error::NotAModel { role: role.into(), path: path.to_owned(), reason }
}

/// What a file that is none of the formats seems to be: people often save a web page by mistake.
fn describe(start: &[u8]) -> String {
    let formats = "safetensors or GGUF is needed";
    let is_text = start.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7e));
    if start.starts_with(b"version https://") {
        format!("it is a Git LFS pointer, not the file itself; {formats}")
    } else if start.first() == Some(&b'<') {
        format!("it is a web page; {formats}")
    } else if is_text {
        format!("it is a text file; {formats}")
    } else {
        format!("its format is unknown; {formats}")
    }
}

/// The number of weights, if it can be told.
fn product(dimensions: &[u64]) -> Option<u64> {
    dimensions.iter().try_fold(1_u64, |all, d| all.checked_mul(*d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{fs, io::Write as _, path::PathBuf};

    /// What one format's check says of a file.
    pub(super) fn checked(
        bytes: &[u8],
        check: fn(File, u64) -> Result<Contents, Fault>,
    ) -> Result<(), String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        check(file, bytes.len() as u64).map(drop).map_err(|fault| match fault {
            Fault::Damaged(reason) => reason,
            Fault::Io(e) => e.to_string(),
        })
    }

    fn refused(name: &str, bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        check("model", &path, Trust::DataOnly).unwrap_err().to_string()
    }

    #[test]
    fn files_that_are_no_models_are_named() {
        for (bytes, part) in [
            (&b""[..], "is empty"),
            (b"hello, this is text", "a text file"),
            (b"<!DOCTYPE html><html>", "a web page"),
            (b"version https://git-lfs.example/spec/v1", "Git LFS pointer"),
            (&[0xff; 64], "unknown"),
            (b"GGUF", "ends within its header"),
            (&[200, 0, 0, 0, 0, 0, 0, 0, b'{', b'}'], "header"),
            (b"PK\x03\x04....", "trust_pickle"),
            (b"\x80\x02}q\x00.", "trust_pickle"),
        ] {
            let text = refused("m.safetensors", bytes);
            assert!(text.contains(part), "{text:?} should say {part:?}");
        }
    }

    #[test]
    fn pickles_are_let_through_when_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ckpt");
        fs::write(&path, b"PK\x03\x04....").unwrap();
        assert!(check("model", &path, Trust::Pickle).is_ok());
    }

    #[test]
    fn folders_must_be_diffusers_models() {
        let folder = tempfile::tempdir().unwrap();
        let text = check("model", folder.path(), Trust::DataOnly).unwrap_err().to_string();
        assert!(text.contains("no diffusers model"), "{text}");
        let text = check("vae", folder.path(), Trust::DataOnly).unwrap_err().to_string();
        assert!(text.starts_with("vae is no usable model"), "{text}");
        assert!(matches!(
            check("vae", &PathBuf::from("/no/such"), Trust::DataOnly),
            Err(Error::FileNotFound { role, .. }) if role == "vae"
        ));
    }

    /// Cuts and flips of a valid file never panic, and a cut never passes.
    fn mangled(valid: &[u8], cut: usize, at: usize, value: u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        fs::write(&path, &valid[..cut]).unwrap();
        assert!(check("model", &path, Trust::DataOnly).is_err(), "cut at {cut}");
        let mut flipped = valid.to_vec();
        flipped[at] = value;
        fs::write(&path, &flipped).unwrap();
        let _ = check("model", &path, Trust::DataOnly);
    }

    proptest! {
        #[test]
        fn damaged_gguf_is_survived(cut in 0..gguf::tests::valid().len(), at in 0..gguf::tests::valid().len(), value: u8) {
            mangled(&gguf::tests::valid(), cut, at, value);
        }

        #[test]
        fn damaged_safetensors_is_survived(cut in 0..safetensors::tests::valid().len(), at in 0..safetensors::tests::valid().len(), value: u8) {
            mangled(&safetensors::tests::valid(), cut, at, value);
        }

        #[test]
        fn noise_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = refused_or_not(&bytes);
            let mut gguf = b"GGUF\x03\x00\x00\x00".to_vec();
            gguf.extend(&bytes);
            let _ = refused_or_not(&gguf);
        }
    }

    fn refused_or_not(bytes: &[u8]) -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        fs::write(&path, bytes).unwrap();
        check("model", &path, Trust::DataOnly)
    }
}
