//! Looks at model files before the engine maps them: it trusts offsets in their headers, and a
//! truncated file under mmap would end the process with SIGBUS.

mod architecture;
mod component;
mod configured;
mod detect;
mod fits;
mod gguf;
mod header;
mod inspect;
mod lora;
mod lora_names;
mod metadata;
mod parts;
mod safetensors;
mod standalone;
mod summary;
mod tensor;

pub use architecture::{Architecture, TextEncoder, VaeKind};
pub use component::{Component, ComponentSize};
pub(crate) use configured::missing_parts;
pub use fits::Mismatch;
pub use header::ModelFormat;
pub use inspect::ModelFile;
pub use lora::LoraInfo;
pub use metadata::MetadataValue;
#[cfg(test)]
pub(crate) use parts::required_fields;
pub use parts::{MissingParts, Part};
pub use tensor::{TensorInfo, TensorType};

use crate::{Error, Result};
use header::Header;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Which formats may be handed to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Formats that hold data only: safetensors and GGUF.
    DataOnly,
    /// Pickle checkpoints too, which the engine reads without checking.
    Pickle,
}

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    /// The file ends within its header, or a tensor lies outside it.
    Damaged(String),
}

/// The files of a diffusers folder that the engine reads, with the prefixes it gives their tensors;
/// the first is needed.
const DIFFUSERS: [(&str, &str); 4] = [
    ("unet/diffusion_pytorch_model.safetensors", "unet."),
    ("vae/diffusion_pytorch_model.safetensors", "vae."),
    ("text_encoder/model.safetensors", "te."),
    ("text_encoder_2/model.safetensors", "te.1."),
];

/// Checks that `path` is a model file all of whose tensors lie within it, or a diffusers folder of
/// such files.
pub(crate) fn check(role: &'static str, path: &Path, trust: Trust) -> Result<()> {
    let metadata = regular(role, path)?;
    if metadata.is_file() {
        return check_file(role, path, metadata.len(), trust);
    }
    for (file, _) in diffusers(role, path)? {
        check_file(role, &file, inner_length(role, &file)?, trust)?;
    }
    Ok(())
}

/// What `path` is, if it is a file or a folder.
fn regular(role: &'static str, path: &Path) -> Result<fs::Metadata> {
    let metadata = path.metadata().map_err(|source| Error::file(role, path, source))?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(not_a_model(role, path, "it is no regular file".to_owned()));
    }
    Ok(metadata)
}

/// The length of a file within a folder, which must be no folder or pipe.
fn inner_length(role: &'static str, path: &Path) -> Result<u64> {
    match regular(role, path)? {
        metadata if metadata.is_file() => Ok(metadata.len()),
        _ => Err(not_a_model(role, path, "it is a folder".to_owned())),
    }
}

/// The files of a diffusers folder that are there.
fn diffusers(role: &'static str, folder: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let [(unet, _), ..] = DIFFUSERS;
    if role != "model" || !folder.join(unet).is_file() {
        return Err(not_a_model(
            role,
            folder,
            format!("it is a folder without {unet}, so no diffusers model"),
        ));
    }
    let files = DIFFUSERS.iter().map(|(name, prefix)| (folder.join(name), *prefix));
    Ok(files.filter(|(file, _)| file.exists()).collect())
}

fn check_file(role: &'static str, path: &Path, length: u64, trust: Trust) -> Result<()> {
    let header = read_file(role, path, length)?;
    if header.format == ModelFormat::Pickle && trust != Trust::Pickle {
        return Err(Error::Unsupported {
            what: format!("the pickle checkpoint {}", path.display()),
            reason: "the engine reads such files unchecked, and a hostile one can crash it; \
                     convert it to safetensors or GGUF, or allow it with `trust_pickle`"
                .to_owned(),
        });
    }
    if let Some(architecture) = header.crashes() {
        return Err(Error::Unsupported {
            what: format!("the model {}", path.display()),
            reason: format!(
                "it is {architecture}: {}",
                architecture.unsupported().unwrap_or("the engine crashes with it")
            ),
        });
    }
    if header.has_too_many_vace_blocks() {
        let fault = Fault::Damaged("it has more VACE blocks than blocks".to_owned());
        return Err(error(role, path, fault));
    }
    match role {
        "embeddings" => header.check_embedding().map_err(|fault| error(role, path, fault)),
        _ => Ok(()),
    }
}

/// The header of one file, its extents checked: all that reads model files comes through here.
fn read_file(role: &'static str, path: &Path, length: u64) -> Result<Header> {
    File::open(path)
        .map_err(Fault::Io)
        .and_then(|file| Header::read(file, length))
        .map_err(|fault| error(role, path, fault))
}

fn error(role: &'static str, path: &Path, fault: Fault) -> Error {
    match fault {
        Fault::Io(source) => Error::file(role, path, source),
        Fault::Damaged(reason) => not_a_model(role, path, reason),
    }
}

fn not_a_model(role: &'static str, path: &Path, reason: String) -> Error {
    Error::NotAModel { role: role.into(), path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
