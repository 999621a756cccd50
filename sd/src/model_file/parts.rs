//! What a model needs besides its file, by the rules of the engine's loader.

use super::{
    architecture::{Architecture, TextEncoder, VaeKind},
    component::Component,
};
use std::fmt;

/// A part that a model needs and does not have.
///
/// It displays with its article:
///
/// ```
/// use sdcpp::{Part, TextEncoder};
///
/// assert_eq!(Part::TextEncoder(TextEncoder::T5Xxl).to_string(), "a T5-XXL text encoder");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "isolated", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Part {
    /// A diffusion model.
    DiffusionModel,
    /// The file given as `diffusion_model` and not as `model`: its names lack the prefix.
    AsDiffusionModel,
    /// A text encoder, in a file of its own.
    TextEncoder(TextEncoder),
    /// The first text encoder in the file given as `model`, by the names it has in a checkpoint.
    /// The engine tells SD 1.x, 2.x and SDXL by it before it looks at `clip_l` and `clip_g`.
    BuiltInTextEncoder,
    /// A VAE, or a TAESD in its place.
    Vae(VaeKind),
    /// LTX-2's embeddings connectors.
    LtxConnectors,
    /// LTX-2's audio VAE.
    AudioVae,
    /// The second diffusion model, for high noise.
    HighNoiseModel,
}

impl Part {
    /// The field of [`ModelConfig`](crate::ModelConfig) that takes it.
    pub const fn field(self) -> &'static str {
        match self {
            Self::DiffusionModel | Self::AsDiffusionModel => "diffusion_model",
            Self::BuiltInTextEncoder => "model",
            Self::TextEncoder(encoder) => field_of(encoder),
            Self::Vae(_) => "vae",
            Self::LtxConnectors => "embeddings_connectors",
            Self::AudioVae => "audio_vae",
            Self::HighNoiseModel => "high_noise_diffusion_model",
        }
    }
}

/// The field that takes a text encoder.
pub(super) const fn field_of(encoder: TextEncoder) -> &'static str {
    match encoder {
        TextEncoder::ClipL | TextEncoder::ClipH => "clip_l",
        TextEncoder::ClipG => "clip_g",
        TextEncoder::ClipVision => "clip_vision",
        TextEncoder::T5Xxl | TextEncoder::Umt5Xxl => "t5xxl",
        TextEncoder::LlmVision => "llm_vision",
        _ => "llm",
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiffusionModel => f.pad("a diffusion model"),
            Self::AsDiffusionModel => {
                f.pad("its file given as `diffusion_model` instead of `model`")
            }
            Self::TextEncoder(TextEncoder::ClipVision) => f.pad("a CLIP vision encoder"),
            Self::TextEncoder(encoder) => {
                let article = if matches!(encoder, TextEncoder::ClipH) { "an" } else { "a" };
                f.pad(&format!("{article} {encoder} text encoder"))
            }
            Self::BuiltInTextEncoder => f.pad("a text encoder in the file given as `model`"),
            Self::Vae(_) => f.pad("a VAE"),
            Self::LtxConnectors => f.pad("LTX-2's embeddings connectors"),
            Self::AudioVae => f.pad("an audio VAE"),
            Self::HighNoiseModel => f.pad("a second diffusion model for high noise"),
        }
    }
}

/// What is missing, told apart by what the engine does without it.
///
/// Displays as a list: `a CLIP-L text encoder and a VAE`; empty if nothing is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "isolated", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MissingParts {
    /// Without these the engine refuses to open the model, or crashes while drawing, as FLUX does
    /// without any text encoder.
    pub required: Vec<Part>,
    /// Without these it works: pictures follow the prompt less or not at all, a video has no sound
    /// or less quality.
    pub optional: Vec<Part>,
}

impl MissingParts {
    /// Whether nothing at all is missing.
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.optional.is_empty()
    }

    /// All parts, the required ones first.
    pub fn iter(&self) -> impl Iterator<Item = Part> {
        self.required.iter().chain(&self.optional).copied()
    }
}

impl fmt::Display for MissingParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&listed(self.iter()))
    }
}

/// `a, b and c`.
pub(super) fn listed<T: ToString>(items: impl Iterator<Item = T>) -> String {
    let all: Vec<_> = items.map(|item| item.to_string()).collect();
    match all.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// How a family's text encoders are needed.
enum Encoders {
    /// All of them, or the engine does not open the model.
    All(&'static [TextEncoder]),
    /// At least one: without another the engine reads zeros in its place.
    Some(&'static [TextEncoder]),
    /// None: without it the engine draws as for no prompt.
    Optional(TextEncoder),
}

fn encoders_of(architecture: Architecture) -> Encoders {
    use Architecture as A;
    use TextEncoder as T;
    match architecture {
        a if a.is_sd1() => Encoders::All(&[T::ClipL]),
        a if a.is_sd2() => Encoders::All(&[T::ClipH]),
        a if a.is_sdxl() => Encoders::All(&[T::ClipL, T::ClipG]),
        A::SdxlRefiner => Encoders::All(&[T::ClipG]),
        A::Sd3 => Encoders::Some(&[T::ClipL, T::ClipG, T::T5Xxl]),
        A::Chroma | A::ChromaRadiance => Encoders::Optional(T::T5Xxl),
        A::OvisImage | A::ZImage | A::Flux2Klein | A::Anima => Encoders::All(&[T::Qwen3]),
        a if a.is_flux() => Encoders::Some(&[T::ClipL, T::T5Xxl]),
        a if a.is_wan() => Encoders::Optional(T::Umt5Xxl),
        A::QwenImage | A::LongCat => Encoders::All(&[T::Qwen25Vl]),
        A::Flux2 => Encoders::All(&[T::MistralSmall]),
        A::ErnieImage => Encoders::All(&[T::Ministral3]),
        A::Lens => Encoders::All(&[T::GptOss]),
        A::Pid => Encoders::All(&[T::Gemma2]),
        A::Ideogram4 => Encoders::All(&[T::Qwen3Vl]),
        A::Ltx2 => Encoders::All(&[T::Gemma3]),
        _ => Encoders::All(&[]),
    }
}

/// Which encoder a family has in a slot that several share.
pub(super) fn encoder_in(encoder: TextEncoder, architecture: Architecture) -> TextEncoder {
    let own = match encoders_of(architecture) {
        Encoders::All(all) | Encoders::Some(all) => all,
        Encoders::Optional(TextEncoder::Umt5Xxl) => &[TextEncoder::Umt5Xxl],
        Encoders::Optional(_) => &[],
    };
    own.iter().copied().find(|own| slot(*own) == slot(encoder)).unwrap_or(encoder)
}

/// The VAE of a family; none for those that draw pixels.
pub(super) fn vae_of(architecture: Architecture) -> Option<VaeKind> {
    use Architecture as A;
    Some(match architecture {
        A::ChromaRadiance | A::HiDreamO1 => return None,
        a if !a.has_diffusion_model() => return None,
        a if a.is_unet() => VaeKind::Channels4,
        A::Wan22Ti2v => VaeKind::Wan22,
        a if a.is_wan() => VaeKind::Wan,
        A::QwenImage | A::Anima => VaeKind::Wan,
        A::Ltx2 => VaeKind::Ltx,
        A::Flux2 | A::Flux2Klein | A::ErnieImage | A::Lens | A::Ideogram4 => VaeKind::Channels32,
        _ => VaeKind::Channels16,
    })
}

/// What a diffusion model of this family misses, if `has` knows the components that are there.
pub(super) fn missing(
    architecture: Architecture,
    untold: bool,
    has: impl Fn(Component) -> bool,
) -> MissingParts {
    let mut missing = MissingParts::default();
    // One encoder's slot takes any of its kind: the engine does not tell them apart by name.
    let has_encoder = |encoder: TextEncoder| has(slot(encoder));
    let lacking = |all: &[TextEncoder]| -> Vec<_> {
        all.iter().filter(|e| !has_encoder(**e)).map(|e| Part::TextEncoder(*e)).collect()
    };
    match encoders_of(architecture) {
        _ if untold => missing.required.push(Part::BuiltInTextEncoder),
        Encoders::All(all) => missing.required = lacking(all),
        Encoders::Some(all) => match lacking(all) {
            parts if parts.len() == all.len() => missing.required = parts,
            parts => missing.optional = parts,
        },
        Encoders::Optional(encoder) => missing.optional = lacking(&[encoder]),
    }
    let first_frame = matches!(architecture, Architecture::Wan21I2v | Architecture::Wan21Flf2v);
    if first_frame && !has_encoder(TextEncoder::ClipVision) {
        missing.required.push(Part::TextEncoder(TextEncoder::ClipVision));
    }
    if let Some(kind) = vae_of(architecture)
        && !has(Component::Vae)
        && !has(Component::Taesd)
    {
        missing.required.push(Part::Vae(kind));
    }
    if architecture == Architecture::Ltx2 {
        if !has(Component::Connectors) {
            missing.required.push(Part::LtxConnectors);
        }
        if !has(Component::AudioVae) {
            missing.optional.push(Part::AudioVae);
        }
    }
    if architecture == Architecture::Wan22I2v {
        missing.optional.push(Part::HighNoiseModel);
    }
    missing
}

/// The slot an encoder is loaded into, by which presence is told.
pub(super) const fn slot(encoder: TextEncoder) -> Component {
    Component::TextEncoder(match encoder {
        TextEncoder::ClipH => TextEncoder::ClipL,
        TextEncoder::Umt5Xxl => TextEncoder::T5Xxl,
        llm if llm.is_llm() => TextEncoder::OtherLlm,
        other => other,
    })
}

/// The fields that take what a bare diffusion model of this family cannot be without.
#[cfg(test)]
pub(crate) fn required_fields(architecture: Architecture) -> Vec<&'static str> {
    missing(architecture, false, |_| false).required.iter().map(|part| part.field()).collect()
}
