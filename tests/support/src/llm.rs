//! Language models which serve as text encoders, in files of their own.

use crate::ltx::STATES;
use crate::tensor::Layout;
use crate::zimage;
use std::io;

/// Width of Qwen2.5-VL, fixed by the transformers which take its output.
pub(crate) const QWEN2_5_VL_WIDTH: usize = 3584;
/// Entries of Qwen's vocabulary with its padding.
const VOCABULARY: usize = 151_936;

/// Entries of Mistral's vocabulary.
const MISTRAL_VOCABULARY: usize = 131_072;

/// A language model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Llm {
    /// Qwen3, for Ovis-Image and FLUX.2 klein (27 layers at least; with exactly 28 it has half
    /// the heads), in any width.
    Qwen3 {
        /// Width, inside the feed-forward layers too.
        width: usize,
        /// Number of layers.
        layers: usize,
    },
    /// Qwen2.5-VL without its vision part, for Qwen-Image and LongCat-Image: the token embedding
    /// (545 M parameters) and layers as wide as it (29 M parameters each).
    Qwen2_5Vl {
        /// Number of layers.
        layers: usize,
    },
    /// Mistral, for FLUX.2 (30 layers at least) and ERNIE-Image, in any width.
    Mistral {
        /// Width, inside the feed-forward layers too.
        width: usize,
        /// Number of layers.
        layers: usize,
    },
    /// Gemma 3 for LTX-2: the first 512 entries of the token embedding, and no layers. LTX-2 takes
    /// the states of all layers together, 188,160 values of each of at least 1024 tokens, so with
    /// layers a prompt would take minutes. Beyond the 512 entries, where letters are, the engine
    /// aborts: prompts consist of line breaks and of tokens such as `<unused7>` and `<h1>`.
    Gemma3,
}

impl Llm {
    pub(crate) fn stem(self) -> String {
        match self {
            Self::Qwen3 { width, layers } => format!("qwen3-{width}x{layers}"),
            Self::Qwen2_5Vl { layers } => format!("qwen2.5vl-{layers}"),
            Self::Mistral { width, layers } => format!("mistral-{width}x{layers}"),
            Self::Gemma3 => "gemma3".to_owned(),
        }
    }

    pub(crate) fn layout(self) -> io::Result<Layout> {
        let mut layout = Layout::default();
        layout.scope("model", |l| match self {
            Self::Qwen3 { width, layers } => zimage::text_encoder(l, width, layers),
            Self::Qwen2_5Vl { layers } => qwen2_5_vl(l, layers),
            Self::Mistral { width, layers } => mistral(l, width, layers),
            Self::Gemma3 => {
                // Two states: the embedding itself, and what the last normalisation makes of it.
                l.random("embed_tokens.weight", &[512, STATES / 2]);
                l.norm_no_bias("norm", STATES / 2);
            }
        });
        match self {
            Self::Qwen3 { width: 0, .. } | Self::Mistral { width: 0, .. } => {
                Err(crate::invalid("the width must not be 0"))
            }
            _ => Ok(layout),
        }
    }
}

fn qwen2_5_vl(l: &mut Layout, layers: usize) {
    let width = QWEN2_5_VL_WIDTH;
    // 28 query heads and 4 key heads of 128 values.
    let (key, inner) = (512, 128);
    l.random("embed_tokens.weight", &[VOCABULARY, width]);
    for i in 0..layers {
        l.scope(format_args!("layers.{i}"), |l| {
            l.linear("self_attn.q_proj", width, width);
            l.linear("self_attn.k_proj", width, key);
            l.linear("self_attn.v_proj", width, key);
            l.linear_no_bias("self_attn.o_proj", width, width);
            l.linear_no_bias("mlp.gate_proj", width, inner);
            l.linear_no_bias("mlp.up_proj", width, inner);
            l.linear_no_bias("mlp.down_proj", inner, width);
            l.norm_no_bias("input_layernorm", width);
            l.norm_no_bias("post_attention_layernorm", width);
        });
    }
    l.norm_no_bias("norm", width);
}

fn mistral(l: &mut Layout, width: usize, layers: usize) {
    // 32 query heads and 8 key heads of 128 values.
    let (query, key) = (4096, 1024);
    l.random("embed_tokens.weight", &[MISTRAL_VOCABULARY, width]);
    for i in 0..layers {
        l.scope(format_args!("layers.{i}"), |l| {
            l.linear_no_bias("self_attn.q_proj", width, query);
            l.linear_no_bias("self_attn.k_proj", width, key);
            l.linear_no_bias("self_attn.v_proj", width, key);
            l.linear_no_bias("self_attn.o_proj", query, width);
            for projection in ["gate_proj", "up_proj", "down_proj"] {
                l.linear_no_bias(format_args!("mlp.{projection}"), width, width);
            }
            l.norm_no_bias("input_layernorm", width);
            l.norm_no_bias("post_attention_layernorm", width);
        });
    }
    l.norm_no_bias("norm", width);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_fixed_width() {
        let layout = Llm::Qwen2_5Vl { layers: 0 }.layout().unwrap();
        assert_eq!(layout.parameters(), 151_936 * 3584 + 3584);
        assert!(Llm::Qwen3 { width: 0, layers: 1 }.layout().is_err());
    }
}
