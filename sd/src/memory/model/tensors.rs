//! The tensors of all files of a configuration, by the part that the engine loads them as.

use super::Share;
use crate::{Architecture, Component, ModelConfig, ModelFile, TensorInfo, TextEncoder};
use std::collections::{BTreeMap, BTreeSet};

/// No model has as many blocks; the largest have some dozens.
const MOST_BLOCKS: usize = 1024;

/// One tensor of a model.
#[derive(Debug)]
pub(crate) struct Tensor<'a> {
    pub(crate) component: Component,
    pub(crate) info: &'a TensorInfo,
}

/// All tensors that the engine would load.
pub(crate) struct Tensors<'a>(Vec<Tensor<'a>>);

impl<'a> Tensors<'a> {
    /// Those of files in their roles. A file given for a part stands for what the model file has of
    /// it.
    pub(super) fn new(
        config: &ModelConfig,
        files: &'a [(&'static str, ModelFile)],
        architecture: Architecture,
    ) -> Self {
        let given = |component| {
            files.iter().any(|(role, _)| component_of_role(role, architecture) == Some(component))
        };
        let tiny = config.taesd.is_some() && !config.taesd_preview_only
            || architecture.uses_built_in_taesd();
        let mut all = Vec::new();
        for (role, file) in files {
            for info in file.tensors() {
                let component = match component_of_role(role, architecture) {
                    Some(component) => component,
                    None => file.component_of(info),
                };
                let replaced = *role == "model" && given(component);
                let unused = match component {
                    Component::Other | Component::Lora | Component::Embedding => true,
                    Component::Vae => tiny,
                    // A preview's decoder is loaded for previews only.
                    Component::Taesd => !tiny,
                    Component::TextEncoder(_) => is_unused_text(info.name()),
                    _ => false,
                };
                if !replaced && !unused {
                    all.push(Tensor { component, info });
                }
            }
        }
        Self(all)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Tensor<'a>> {
        self.0.iter()
    }

    fn of(&self, component: Component) -> impl Iterator<Item = &'a TensorInfo> {
        self.0.iter().filter(move |t| t.component == component).map(|t| t.info)
    }

    /// A dimension, from the outermost, of the first tensor of a part whose name ends so.
    pub(super) fn dimension(&self, part: Component, end: &str, index: usize) -> Option<f64> {
        let tensor = self.of(part).find(|t| ends_with(t.name(), end))?;
        tensor.shape().get(index).map(|d| *d as f64)
    }

    /// Whether a part has a tensor whose name has this in it.
    pub(super) fn has(&self, part: Component, text: &str) -> bool {
        self.of(part).any(|t| t.name().contains(text))
    }

    /// How many blocks of this name a part has, as in `blocks.` of `blocks.7.norm.weight`.
    pub(super) fn blocks(&self, part: Component, name: &str) -> usize {
        self.blocks_with(part, name, "")
    }

    /// How many of them have a tensor with this in its name. They are counted, and not taken from the
    /// largest number: that may be any in a hostile file.
    pub(super) fn blocks_with(&self, part: Component, name: &str, text: &str) -> usize {
        let number = |full: &'a str| {
            let (before, rest) = full.split_once(name)?;
            let whole = before.is_empty() || before.ends_with('.');
            (whole && rest.contains(text)).then(|| rest.split('.').next()).flatten()
        };
        let numbers: BTreeSet<_> = self.of(part).filter_map(|t| number(t.name())).collect();
        numbers.len().min(MOST_BLOCKS)
    }

    /// The width that most matrices of a part take, and the largest that those make.
    pub(super) fn widths(&self, part: Component) -> Option<(f64, f64)> {
        let matrices: Vec<_> = self
            .of(part)
            .filter_map(|t| match t.shape() {
                [outputs, inputs] => Some((*inputs, *outputs)),
                _ => None,
            })
            .collect();
        let mut counts = BTreeMap::<u64, usize>::new();
        for (inputs, _) in &matrices {
            *counts.entry(*inputs).or_default() += 1;
        }
        let (width, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        let made = matrices.iter().filter(|(inputs, _)| *inputs == width).map(|(_, out)| *out);
        Some((width as f64, made.max()? as f64))
    }
}

impl Tensor<'_> {
    /// When it comes into memory.
    pub(super) fn share(&self) -> Share {
        let name = self.info.name();
        match self.component {
            Component::Vae | Component::Taesd
                if name.contains("encoder.") && !name.contains("decoder.")
                    || name.ends_with(".quant_conv.weight")
                    || name.ends_with(".quant_conv.bias") =>
            {
                Share::Encoder
            }
            Component::TextEncoder(TextEncoder::LlmVision) => Share::Eye,
            Component::TextEncoder(encoder) if encoder.is_llm() && name.contains("visual.") => {
                Share::Eye
            }
            _ => Share::Always,
        }
    }
}

/// Whether a name ends so, with nothing or a dot before.
fn ends_with(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// What a file of a role is loaded as; none for the whole model.
fn component_of_role(role: &str, architecture: Architecture) -> Option<Component> {
    let text = |encoder| Some(Component::TextEncoder(encoder));
    match role {
        "diffusion_model" | "high_noise_diffusion_model" | "uncond_diffusion_model" => {
            Some(Component::DiffusionModel)
        }
        "clip_l" if architecture.is_sd2() => text(TextEncoder::ClipH),
        "clip_l" => text(TextEncoder::ClipL),
        "clip_g" => text(TextEncoder::ClipG),
        "clip_vision" => text(TextEncoder::ClipVision),
        "t5xxl" => text(TextEncoder::T5Xxl),
        "llm" => text(TextEncoder::OtherLlm),
        "llm_vision" => text(TextEncoder::LlmVision),
        "vae" => Some(Component::Vae),
        "taesd" => Some(Component::Taesd),
        "audio_vae" => Some(Component::AudioVae),
        "embeddings_connectors" => Some(Component::Connectors),
        "control_net" => Some(Component::ControlNet),
        "photo_maker" => Some(Component::PhotoMaker),
        _ => None,
    }
}

/// What the engine leaves out of a text encoder: what turns tokens into words again, counters, and
/// T5's second half.
fn is_unused_text(name: &str) -> bool {
    name.contains("lm_head.")
        || ends_with(name, "output.weight")
        || name.ends_with("position_ids")
        || name.ends_with("logit_scale")
        || name.starts_with("decoder.")
        || name.starts_with("mm.")
}
