//! The check before the engine, of files that are no models, cut, changed or hostile.

mod families;
mod fitting;
mod headers;
mod missing;

use super::*;
use proptest::prelude::*;
use std::{fs, io::Write as _, path::PathBuf};

/// What one format's check says of a file.
pub(super) fn checked(
    bytes: &[u8],
    read: fn(File, u64) -> Result<Header, Fault>,
) -> Result<(), String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    read(file, bytes.len() as u64).map(drop).map_err(|fault| match fault {
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
fn what_the_engine_crashes_with_is_refused_as_any_part() {
    let made = Made::new();
    let path = made.file("m", &[("input_blocks.8.0.time_mixer.mix_factor", &[1])]);
    for role in ["model", "diffusion_model", "vae"] {
        let text = check(role, &path, Trust::DataOnly).unwrap_err().to_string();
        assert!(text.contains("Stable Video Diffusion"), "{text}");
    }
    assert!(ModelFile::open(&path).is_ok());
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

/// A model file of these tensors, whose data lie over each other in a hole.
pub(super) struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn file(&self, name: &str, tensors: &[(&str, &[u64])]) -> PathBuf {
        self.file_of(name, "F8_E4M3", tensors, None)
    }

    pub(super) fn file_of(
        &self,
        name: &str,
        dtype: &str,
        tensors: &[(&str, &[u64])],
        metadata: Option<serde_json::Value>,
    ) -> PathBuf {
        let bits = TensorType::from_safetensors(dtype).unwrap().bits() as u64;
        let mut header = serde_json::Map::new();
        header.extend(metadata.map(|m| ("__metadata__".to_owned(), m)));
        let mut most = 0;
        for (name, shape) in tensors {
            let size = shape.iter().product::<u64>() * bits / 8;
            most = most.max(size);
            let old = header.insert(
                (*name).to_owned(),
                serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [0, size]}),
            );
            assert!(old.is_none(), "{name} comes twice");
        }
        let header = serde_json::Value::Object(header).to_string();
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::create(&path).unwrap();
        file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
        file.write_all(header.as_bytes()).unwrap();
        file.set_len(8 + header.len() as u64 + most).unwrap();
        path
    }
}

/// What a file of these tensors is seen as.
pub(super) fn seen(tensors: &[(&str, &[u64])]) -> ModelFile {
    ModelFile::open(Made::new().file("m.safetensors", tensors)).unwrap()
}

fn refused_or_not(bytes: &[u8]) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    fs::write(&path, bytes).unwrap();
    check("model", &path, Trust::DataOnly)
}
