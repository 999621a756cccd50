//! Which component of a model a tensor belongs to.

use super::{
    architecture::{Architecture, TextEncoder},
    parts,
    tensor::TensorInfo,
};
use std::fmt;

/// A component of a model, as the engine loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Component {
    /// The diffusion model.
    DiffusionModel,
    /// A text encoder.
    TextEncoder(TextEncoder),
    /// The VAE.
    Vae,
    /// A TAESD or TAEHV.
    Taesd,
    /// The audio VAE.
    AudioVae,
    /// LTX-2's embeddings connectors.
    Connectors,
    /// A ControlNet.
    ControlNet,
    /// A LoRA.
    Lora,
    /// A textual-inversion embedding.
    Embedding,
    /// An upscaler.
    Upscaler,
    /// A PhotoMaker.
    PhotoMaker,
    /// What the engine does not use, or what this crate does not know.
    Other,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiffusionModel => f.pad("diffusion model"),
            Self::TextEncoder(encoder) => f.pad(encoder.label()),
            Self::Vae => f.pad("VAE"),
            Self::Taesd => f.pad("TAESD"),
            Self::AudioVae => f.pad("audio VAE"),
            Self::Connectors => f.pad("embeddings connectors"),
            Self::ControlNet => f.pad("ControlNet"),
            Self::Lora => f.pad("LoRA"),
            Self::Embedding => f.pad("embedding"),
            Self::Upscaler => f.pad("upscaler"),
            Self::PhotoMaker => f.pad("PhotoMaker"),
            Self::Other => f.pad("other"),
        }
    }
}

/// How much of a file one component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComponentSize {
    /// Which component.
    pub component: Component,
    /// Its tensors.
    pub tensors: usize,
    /// Its weights.
    pub parameters: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// The prefixes by which the engine knows components, longer ones first.
const PREFIXES: &[(&str, Component)] = &[
    ("model.diffusion_model.", Component::DiffusionModel),
    ("model.high_noise_diffusion_model.", Component::DiffusionModel),
    ("unet.", Component::DiffusionModel),
    ("cond_stage_model.transformer.vision_model.", Component::TextEncoder(TextEncoder::ClipVision)),
    ("cond_stage_model.1.", Component::TextEncoder(TextEncoder::ClipG)),
    ("cond_stage_model.", Component::TextEncoder(TextEncoder::ClipL)),
    ("conditioner.embedders.1.", Component::TextEncoder(TextEncoder::ClipG)),
    ("conditioner.embedders.0.", Component::TextEncoder(TextEncoder::ClipL)),
    ("te.1.", Component::TextEncoder(TextEncoder::ClipG)),
    ("te.", Component::TextEncoder(TextEncoder::ClipL)),
    ("text_encoders.clip_l.", Component::TextEncoder(TextEncoder::ClipL)),
    ("text_encoders.clip_g.", Component::TextEncoder(TextEncoder::ClipG)),
    ("text_encoders.t5xxl.", Component::TextEncoder(TextEncoder::T5Xxl)),
    ("text_encoders.llm.", Component::TextEncoder(TextEncoder::OtherLlm)),
    ("text_embedding_projection.", Component::Connectors),
    ("first_stage_model.", Component::Vae),
    ("vae.", Component::Vae),
    ("tae.", Component::Taesd),
    ("audio_vae.", Component::AudioVae),
    ("vocoder.", Component::AudioVae),
    ("control_model.", Component::ControlNet),
];

/// The component of a tensor in a file of this architecture.
pub(super) fn of(tensor: &TensorInfo, architecture: Architecture, bare: bool) -> Component {
    let own = match architecture {
        Architecture::TextEncoder(encoder) => Component::TextEncoder(encoder),
        Architecture::Vae(_) => Component::Vae,
        Architecture::Taesd | Architecture::Taehv => Component::Taesd,
        Architecture::AudioVae => Component::AudioVae,
        Architecture::LtxConnectors => Component::Connectors,
        Architecture::ControlNet | Architecture::ControlNetDiffusers => Component::ControlNet,
        Architecture::Lora => Component::Lora,
        Architecture::Embedding => Component::Embedding,
        Architecture::Upscaler | Architecture::LtxUpscaler => Component::Upscaler,
        Architecture::PhotoMaker => Component::PhotoMaker,
        // Its language model is a part of the diffusion model.
        Architecture::HiDreamO1 => Component::DiffusionModel,
        _ if bare => Component::DiffusionModel,
        _ => Component::Other,
    };
    let whole = architecture.has_diffusion_model() || architecture == Architecture::Unknown;
    let encoders = matches!(architecture, Architecture::TextEncoder(_));
    match by_prefix(&tensor.name) {
        // Its only one, at the first one's place.
        Some(Component::TextEncoder(_)) if architecture == Architecture::SdxlRefiner => {
            Component::TextEncoder(TextEncoder::ClipG)
        }
        Some(Component::TextEncoder(encoder)) if whole => {
            Component::TextEncoder(parts::encoder_in(encoder, architecture))
        }
        // Several of them in a file, as a checkpoint names them.
        Some(found @ Component::TextEncoder(encoder))
            if encoders && matches!(encoder, TextEncoder::ClipL | TextEncoder::ClipG) =>
        {
            if own == Component::TextEncoder(TextEncoder::ClipH) { own } else { found }
        }
        Some(component) if whole => component,
        _ => own,
    }
}

/// The component that the engine takes a tensor for by its name alone.
pub(super) fn by_prefix(name: &str) -> Option<Component> {
    PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, component)| *component)
}
