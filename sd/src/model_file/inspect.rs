//! Looking into a model file without the engine.

use super::{
    architecture::{Architecture, TextEncoder},
    component::{self, Component, ComponentSize},
    detect,
    header::{Header, ModelFormat},
    metadata::MetadataValue,
    parts::{self, MissingParts, Part},
    read_file, regular, standalone,
    tensor::{TensorInfo, TensorType},
};
use crate::Result;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What a model file is, read from its header: the weights are not touched and the engine is not
/// needed, so that it takes milliseconds.
///
/// Opening checks the same rules as [`Context::new`](crate::Context::new) does before the engine
/// sees a file: every tensor lies within it. [`Display`](std::fmt::Display) is a summary of one
/// screen.
///
/// ```no_run
/// use sdcpp::{ModelFile, Part};
///
/// # fn main() -> sdcpp::Result<()> {
/// let file = ModelFile::open("flux1-dev-q4_0.gguf")?;
/// println!("{} in {}, {} weights", file.architecture(), file.format(), file.parameters());
/// for part in file.missing_parts() {
///     println!("needs {part} as `{}`", part.field());
/// }
/// println!("{file}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ModelFile {
    path: PathBuf,
    files: Vec<PathBuf>,
    file_bytes: u64,
    format: ModelFormat,
    tensors: Vec<TensorInfo>,
    metadata: Vec<(String, MetadataValue)>,
    architecture: Architecture,
    bare: bool,
    untold: bool,
}

impl std::fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelFile")
            .field("path", &self.path)
            .field("format", &self.format)
            .field("architecture", &self.architecture)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl ModelFile {
    /// Reads the header of a safetensors or GGUF file, or those of a diffusers folder. Of a pickle
    /// checkpoint only the format is told.
    ///
    /// # Errors
    /// [`Error::FileNotFound`](crate::Error::FileNotFound),
    /// [`Error::FileUnreadable`](crate::Error::FileUnreadable), or
    /// [`Error::NotAModel`](crate::Error::NotAModel) for a file that is cut, damaged, or none of
    /// these.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_as("model", &path.into())
    }

    pub(crate) fn open_as(role: &'static str, path: &Path) -> Result<Self> {
        let metadata = regular(role, path)?;
        if metadata.is_file() {
            let header = read_file(role, path, metadata.len())?;
            return Ok(Self::new(path, vec![path.to_owned()], metadata.len(), header));
        }
        let mut all = Header::new(ModelFormat::Diffusers, Vec::new(), Vec::new());
        let mut files = Vec::new();
        let mut bytes = 0_u64;
        for (file, prefix) in super::diffusers(role, path)? {
            let length = super::inner_length(role, &file)?;
            let header = read_file(role, &file, length)?;
            all.tensors.extend(header.tensors.into_iter().map(|mut tensor| {
                if !tensor.name.starts_with(prefix) {
                    tensor.name.insert_str(0, prefix);
                }
                TensorInfo { file: files.len(), ..tensor }
            }));
            all.metadata.extend(header.metadata);
            bytes = bytes.saturating_add(length);
            files.push(file);
        }
        let all = Header::new(all.format, all.tensors, all.metadata);
        Ok(Self::new(path, files, bytes, all))
    }

    fn new(path: &Path, files: Vec<PathBuf>, file_bytes: u64, header: Header) -> Self {
        let Header { format, tensors, metadata } = header;
        let family = match standalone::before_families(&tensors) {
            Some(architecture) => Some((architecture, false, false)),
            None => detect::family(&tensors)
                .map(|family| (family.architecture, family.bare, family.untold))
                .or_else(|| standalone::after_families(&tensors).map(|a| (a, false, false))),
        };
        let (architecture, bare, untold) = family.unwrap_or((Architecture::Unknown, false, false));
        Self {
            path: path.to_owned(),
            files,
            file_bytes,
            format,
            tensors,
            metadata,
            architecture,
            bare,
            untold,
        }
    }

    /// What was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself, or those of the folder that the engine reads.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Which format it has.
    pub fn format(&self) -> ModelFormat {
        self.format
    }

    /// The size of the file, or of all files of the folder.
    pub fn bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The bytes of all tensors, which is about what they need in memory.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().fold(0, |all, t| all.saturating_add(t.bytes))
    }

    /// Its tensors, sorted by name; none for a pickle checkpoint.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &TensorInfo> {
        self.tensors.iter()
    }

    pub(super) fn tensor_list(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        let at = self.tensors.binary_search_by(|t| t.name.as_str().cmp(name)).ok()?;
        self.tensors.get(at)
    }

    /// The number of weights.
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().fold(0, |all, t| all.saturating_add(t.parameters()))
    }

    /// The components that are in the file, the largest first.
    pub fn components(&self) -> Vec<ComponentSize> {
        let mut all = BTreeMap::new();
        for tensor in &self.tensors {
            let component = self.component_of(tensor);
            let size = all.entry(component).or_insert(ComponentSize {
                component,
                tensors: 0,
                parameters: 0,
                bytes: 0,
            });
            size.tensors += 1;
            size.parameters = size.parameters.saturating_add(tensor.parameters());
            size.bytes = size.bytes.saturating_add(tensor.bytes);
        }
        let mut all: Vec<_> = all.into_values().collect();
        all.sort_by_key(|size| std::cmp::Reverse(size.bytes));
        all
    }

    /// The component that a tensor belongs to.
    pub fn component_of(&self, tensor: &TensorInfo) -> Component {
        component::of(tensor, self.architecture, self.bare)
    }

    pub(super) fn has_component(&self, component: Component) -> bool {
        self.tensors.iter().any(|t| match self.component_of(t) {
            Component::TextEncoder(encoder) => parts::slot(encoder) == component,
            other => other == component,
        })
    }

    /// The types of weights: for each how many tensors and bytes have it, the most bytes first.
    pub fn weight_types(&self) -> Vec<(TensorType, usize, u64)> {
        let mut all = BTreeMap::<_, (usize, u64)>::new();
        for tensor in &self.tensors {
            let (count, bytes) = all.entry(tensor.kind).or_default();
            *count += 1;
            *bytes = bytes.saturating_add(tensor.bytes);
        }
        let mut all: Vec<_> = all.into_iter().map(|(kind, (n, bytes))| (kind, n, bytes)).collect();
        all.sort_by_key(|(_, _, bytes)| std::cmp::Reverse(*bytes));
        all
    }

    /// The type that most bytes have; none for a pickle checkpoint.
    pub fn quantisation(&self) -> Option<TensorType> {
        self.weight_types().first().map(|(kind, ..)| *kind)
    }

    /// What the file says of itself, in its order: GGUF's key-value pairs or safetensors'
    /// `__metadata__`.
    pub fn metadata(&self) -> impl ExactSizeIterator<Item = (&str, &MetadataValue)> {
        self.metadata.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The metadata of this key.
    pub fn metadata_value(&self, key: &str) -> Option<&MetadataValue> {
        self.metadata.iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// The family of its diffusion model, or the part that the file is.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Why the architecture is [`Unknown`](Architecture::Unknown), or why the engine cannot use a
    /// known one.
    pub fn reason(&self) -> Option<String> {
        if self.architecture != Architecture::Unknown {
            return self.architecture.unsupported().map(str::to_owned);
        }
        Some(match (self.format, self.tensors.first()) {
            (ModelFormat::Pickle, _) => {
                "pickle checkpoints are not read: only running one tells what is in it".to_owned()
            }
            (_, Some(first)) => format!(
                "its {} tensors have no names that this engine looks for, as {:?}",
                self.tensors.len(),
                first.name
            ),
            (_, None) => "it has no tensors".to_owned(),
        })
    }

    /// Whether it has a diffusion model that makes pictures.
    pub fn is_image_model(&self) -> bool {
        self.architecture.is_image_model()
    }

    /// Whether it has a diffusion model that makes videos.
    pub fn is_video_model(&self) -> bool {
        self.architecture.is_video_model()
    }

    /// The field of [`ModelConfig`](crate::ModelConfig) that the file belongs in; none for LoRAs
    /// and upscalers, which are given elsewhere, and for what is unknown.
    pub fn config_field(&self) -> Option<&'static str> {
        Some(match self.architecture {
            Architecture::TextEncoder(TextEncoder::ClipH) => return None,
            Architecture::TextEncoder(encoder) => parts::field_of(encoder),
            Architecture::Vae(_) => "vae",
            Architecture::Taesd | Architecture::Taehv => "taesd",
            Architecture::AudioVae => "audio_vae",
            Architecture::LtxConnectors => "embeddings_connectors",
            Architecture::ControlNet => "control_net",
            Architecture::Embedding => "embeddings",
            Architecture::PhotoMaker => "photo_maker",
            a if a.has_diffusion_model() && self.bare => "diffusion_model",
            a if a.has_diffusion_model() => "model",
            _ => return None,
        })
    }

    pub(super) fn is_bare(&self) -> bool {
        self.bare
    }

    /// The parts its model needs besides this file, those first without which the engine does not
    /// work; none for a file that is itself a part. [`ModelConfig::missing_parts`] takes the other
    /// files into account.
    ///
    /// [`ModelConfig::missing_parts`]: crate::ModelConfig::missing_parts
    pub fn missing_parts(&self) -> Vec<Part> {
        self.missing().iter().collect()
    }

    pub(super) fn missing(&self) -> MissingParts {
        if self.architecture.has_diffusion_model() {
            let built_in = self.architecture.uses_built_in_taesd();
            parts::missing(self.architecture, self.untold, |component| {
                (component != Component::Taesd || built_in) && self.has_component(component)
            })
        } else {
            MissingParts::default()
        }
    }
}
