//! The text encoders of a model, and the tokens that they see.

use super::{
    super::graph::{
        Graph,
        layers::Ways,
        text::{Kept, Llm, clip, t5},
        transformer::Block,
    },
    tensors::Tensors,
};
use crate::{Architecture, Component, TextEncoder};

/// The text encoders of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextEncoders {
    architecture: Architecture,
    encoders: Vec<Encoder>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Encoder {
    Clip(Block, usize),
    /// CLIP's picture encoder.
    Eye(Block, usize),
    T5(Block, usize),
    Llm(Llm),
}

impl TextEncoders {
    pub(super) fn of(architecture: Architecture, tensors: &Tensors<'_>) -> Self {
        let mut found: Vec<TextEncoder> = Vec::new();
        for tensor in tensors.iter() {
            if let Component::TextEncoder(encoder) = tensor.component
                && !found.contains(&encoder)
            {
                found.push(encoder);
            }
        }
        let encoders = found.into_iter().filter_map(|e| encoder(e, architecture, tensors));
        Self { architecture, encoders: encoders.collect() }
    }

    /// The graphs of all encoders, one after another, for a prompt of so many tokens.
    pub(crate) fn graphs(&self, words: f64) -> impl Iterator<Item = Graph> {
        let ways = Ways::default();
        let (long, whole) = (self.t5_tokens(words), self.llm_tokens(words));
        self.encoders.iter().map(move |encoder| match *encoder {
            // By 77, one after another.
            Encoder::Clip(block, depth) => clip(ways, block, depth, 77.0),
            Encoder::Eye(block, depth) => clip(ways, block, depth, 257.0),
            Encoder::T5(block, depth) => t5(ways, block, depth, long),
            Encoder::Llm(llm) => llm.graph(whole),
        })
    }

    /// Tokens that the diffusion model sees of a prompt of so many.
    pub(crate) fn seen(&self, words: f64) -> f64 {
        use Architecture as A;
        let t5 = self.encoders.iter().any(|encoder| matches!(encoder, Encoder::T5(..)));
        let chunks = |size: f64| (words / (size - 2.0)).ceil().max(1.0) * size;
        match self.architecture {
            a if a.is_unet() => chunks(77.0),
            A::Sd3 => 2.0 * chunks(77.0),
            // Zeros in place of a missing T5.
            A::Chroma | A::ChromaRadiance if !t5 => 256.0,
            A::Chroma | A::ChromaRadiance => chunks(512.0),
            A::OvisImage => 256.0_f64.max(words),
            a if a.is_flux() => chunks(256.0),
            A::Flux2 | A::Flux2Klein | A::LongCat => 512.0_f64.max(words),
            a if a.is_wan() && !t5 => 256.0,
            a if a.is_wan() => 512.0,
            A::Ltx2 => 1024.0_f64.max(words),
            A::ErnieImage => words,
            _ => words + 8.0,
        }
    }

    fn t5_tokens(&self, words: f64) -> f64 {
        use Architecture as A;
        match self.architecture {
            A::Sd3 => 77.0,
            A::Chroma | A::ChromaRadiance => 512.0,
            a if a.is_wan() => 512.0,
            _ => (words / 255.0).ceil().max(1.0) * 256.0,
        }
    }

    /// With what the family's template puts around it.
    fn llm_tokens(&self, words: f64) -> f64 {
        use Architecture as A;
        match self.architecture {
            A::Flux2Klein => 512.0_f64.max(words),
            A::LongCat => 548.0_f64.max(words),
            A::OvisImage => 284.0_f64.max(words),
            A::Ltx2 => 1024.0_f64.max(words),
            A::Pid => 600.0,
            A::Flux2 => words + 50.0,
            A::Lens => words + 130.0,
            A::QwenImage => words + 39.0,
            A::ErnieImage => words,
            _ => words + 8.0,
        }
    }
}

fn encoder(
    encoder: TextEncoder,
    architecture: Architecture,
    tensors: &Tensors<'_>,
) -> Option<Encoder> {
    let block = |width: f64, heads: f64, hidden: f64| Block { width, heads, hidden };
    Some(match encoder {
        TextEncoder::ClipL => Encoder::Clip(block(768.0, 12.0, 3072.0), 12),
        TextEncoder::ClipH => Encoder::Clip(block(1024.0, 16.0, 4096.0), 24),
        TextEncoder::ClipG => Encoder::Clip(block(1280.0, 20.0, 5120.0), 32),
        TextEncoder::ClipVision => Encoder::Eye(block(1280.0, 16.0, 5120.0), 32),
        TextEncoder::T5Xxl | TextEncoder::Umt5Xxl => Encoder::T5(block(4096.0, 64.0, 10_240.0), 24),
        // Its graph is smaller than any other of the model.
        TextEncoder::LlmVision => return None,
        llm => Encoder::Llm(language_model(Component::TextEncoder(llm), architecture, tensors)?),
    })
}

fn language_model(
    part: Component,
    architecture: Architecture,
    tensors: &Tensors<'_>,
) -> Option<Llm> {
    let either = |names: [&str; 2], index| {
        names.iter().find_map(|name| tensors.dimension(part, name, index))
    };
    let width = either(["embed_tokens.weight", "token_embd.weight"], 1)?;
    let depth = tensors.blocks(part, "layers.").max(tensors.blocks(part, "blk."));
    let made = |names| either(names, 0);
    let queries = made(["self_attn.q_proj.weight", "attn_q.weight"]).unwrap_or(width);
    let keys = made(["self_attn.k_proj.weight", "attn_k.weight"]).unwrap_or(width);
    let hidden = made(["mlp.gate_proj.weight", "ffn_gate.weight"]).unwrap_or(4.0 * width);
    let head = if architecture == Architecture::Ltx2 { 256.0 } else { 128.0 };
    let kept = match architecture {
        Architecture::Flux2 | Architecture::Flux2Klein => Kept::Some(3),
        Architecture::Ideogram4 => Kept::Some(13),
        Architecture::Lens => Kept::Some(4),
        Architecture::Ltx2 => Kept::All,
        _ => Kept::Last,
    };
    let block = Block { width, heads: (queries / head).max(1.0), hidden };
    Some(Llm { block, heads: [queries, keys], depth, kept })
}
