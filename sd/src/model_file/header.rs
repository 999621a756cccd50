//! A file's header, whatever the format: the one thing that both the check before the engine and
//! [`ModelFile`](crate::ModelFile) read.

use super::{
    Fault,
    architecture::Architecture,
    gguf,
    metadata::MetadataValue,
    safetensors,
    tensor::{TensorInfo, TensorType},
};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
};

/// No model has as many tensors; the largest have some thousands.
pub(super) const MAX_TENSORS: u64 = 1 << 18;
/// No model has more than five.
pub(super) const MAX_DIMENSIONS: usize = 8;

/// What a model file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ModelFormat {
    /// A safetensors file.
    Safetensors,
    /// A GGUF file.
    #[non_exhaustive]
    Gguf {
        /// The version of the format, 2 or 3.
        version: u32,
    },
    /// A folder of safetensors files in diffusers layout.
    Diffusers,
    /// A pickle checkpoint (`.ckpt`, `.pt`), plain or zipped. It is not read any further, because
    /// only running it tells what is in it.
    Pickle,
}

impl fmt::Display for ModelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safetensors => f.pad("safetensors"),
            Self::Gguf { version } => f.pad(&format!("GGUF v{version}")),
            Self::Diffusers => f.pad("diffusers folder"),
            Self::Pickle => f.pad("pickle checkpoint"),
        }
    }
}

/// All that a header tells; the tensors' extents are checked.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) format: ModelFormat,
    /// Sorted by name.
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) metadata: Vec<(String, MetadataValue)>,
}

impl Header {
    pub(super) fn new(
        format: ModelFormat,
        mut tensors: Vec<TensorInfo>,
        metadata: Vec<(String, MetadataValue)>,
    ) -> Self {
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Self { format, tensors, metadata }
    }

    /// Reads the header of a file of any format.
    pub(super) fn read(mut file: File, length: u64) -> Result<Self, Fault> {
        let mut start = Vec::with_capacity(16);
        file.by_ref().take(16).read_to_end(&mut start).map_err(Fault::Io)?;
        match start.as_slice() {
            [] => Err(Fault::Damaged("the file is empty".into())),
            [b'G', b'G', b'U', b'F', ..] => gguf::read(file, length),
            [_, _, _, _, _, _, _, _, b'{', ..] => safetensors::read(file, length),
            [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => {
                Ok(Self::new(ModelFormat::Pickle, Vec::new(), Vec::new()))
            }
            other => Err(Fault::Damaged(describe(other))),
        }
    }

    /// Whether the engine would loop without end: it divides the number of a Wan model's blocks by
    /// that of its VACE blocks.
    pub(super) fn has_too_many_vace_blocks(&self) -> bool {
        let count = |prefix: &str| {
            let names = self
                .tensors
                .iter()
                .map(|t| t.name.strip_prefix("model.diffusion_model.").unwrap_or(&t.name));
            let numbers =
                names.filter_map(|n| n.strip_prefix(prefix)?.split('.').next()?.parse().ok());
            numbers.max().map_or(0, |last: u64| last.saturating_add(1))
        };
        count("vace_blocks.") > count("blocks.")
    }

    /// Why the engine must not see the file, whatever it is given as. It takes the family from the
    /// names in all of a model's files, and for Stable Video Diffusion, of which it has no text
    /// encoder, it reads through a null pointer.
    pub(super) fn crashes(&self) -> Option<Architecture> {
        const MIX: &str = "input_blocks.8.0.time_mixer.mix_factor";
        self.tensors.iter().any(|t| t.name.contains(MIX)).then_some(Architecture::Svd)
    }

    /// The engine turns embeddings into 32-bit floats in 100 MB for each file, and asserts on a
    /// thread of its own if they have three dimensions.
    pub(super) fn check_embedding(&self) -> Result<(), Fault> {
        const MOST_BYTES: u64 = 64 << 20;
        let float = |kind: TensorType| matches!(kind.name(), "f32" | "f16" | "bf16");
        let plain = |t: &TensorInfo| float(t.kind) && t.shape.len() <= 2;
        let bytes = self
            .tensors
            .iter()
            .fold(0_u64, |all, t| all.saturating_add(t.parameters().saturating_mul(4)));
        if self.tensors.iter().all(plain) && bytes <= MOST_BYTES {
            Ok(())
        } else {
            Err(Fault::Damaged(
                "an embedding must have float tensors of one or two dimensions, and at most 64 MiB \
                 of them"
                    .to_owned(),
            ))
        }
    }
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

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        // A header that says more than there is reads past the end.
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("the file ends within its header".into()),
            _ => Self::Io(error),
        }
    }
}
