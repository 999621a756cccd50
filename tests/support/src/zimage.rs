//! Z-Image: the diffusion transformer and its Qwen3-shaped text encoder.

use crate::tae;
use crate::tensor::Layout;
use std::io;

/// Values per attention head, fixed by the RoPE axes (32 + 48 + 48).
const HEAD: usize = 128;
/// Channels of the latent image.
const LATENT: usize = 16;
/// Side of the square of latent values which makes one token.
const PATCH: usize = 2;
/// Entries of the Qwen2 vocabulary with its padding.
const VOCABULARY: usize = 151_936;

/// The sizes of a Z-Image model; the engine infers all of them from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZImage {
    /// Width of the transformer: a multiple of 128, at least 256.
    pub hidden: usize,
    /// Main blocks of the transformer, besides one refiner of each kind.
    pub layers: usize,
    /// Width of the text encoder, inside its feed-forward layers too.
    pub te_dim: usize,
    /// Blocks of the text encoder; with 0 it is the token embedding alone.
    pub te_layers: usize,
    /// Whether the file holds a tiny autoencoder too, under `tae.`.
    pub with_tae: bool,
}

impl Default for ZImage {
    fn default() -> Self {
        Self { hidden: 256, layers: 1, te_dim: 32, te_layers: 1, with_tae: false }
    }
}

impl ZImage {
    pub(crate) fn layout(&self) -> io::Result<Layout> {
        check_width(self.hidden)?;
        if self.te_dim == 0 {
            return Err(crate::invalid("the text encoder's width must not be 0"));
        }
        let mut layout = Layout::default();
        layout.scope("model.diffusion_model", |l| {
            transformer(l, self.hidden, self.layers, self.te_dim)
        });
        layout.scope("text_encoders.llm.model", |l| text_encoder(l, self.te_dim, self.te_layers));
        if self.with_tae {
            layout.scope("tae", |l| tae::autoencoder(l, LATENT));
        }
        Ok(layout)
    }
}

/// Refuses a width which does not split into heads, or is narrower than the modulation input.
pub(crate) fn check_width(hidden: usize) -> io::Result<()> {
    if hidden >= 256 && hidden.is_multiple_of(HEAD) {
        Ok(())
    } else {
        Err(crate::invalid(format!("hidden {hidden} is not a multiple of {HEAD} from 256 up")))
    }
}

fn transformer(l: &mut Layout, hidden: usize, layers: usize, caption: usize) {
    let patch = PATCH * PATCH * LATENT;
    let time = hidden.min(1024);
    l.linear("x_embedder", patch, hidden);
    l.linear("t_embedder.mlp.0", 256, time).kept_in_f32();
    l.linear("t_embedder.mlp.2", time, 256).kept_in_f32();
    l.norm_no_bias("cap_embedder.0", caption);
    l.linear("cap_embedder.1", caption, hidden);
    for token in ["cap_pad_token", "x_pad_token"] {
        l.random(token, &[hidden]).scaled_by(0.1).kept_in_f32();
    }
    l.scope("noise_refiner.0", |l| block(l, hidden, true));
    l.scope("context_refiner.0", |l| block(l, hidden, false));
    for i in 0..layers {
        l.scope(format_args!("layers.{i}"), |l| block(l, hidden, true));
    }
    l.linear("final_layer.linear", hidden, patch).kept_in_f32();
    l.linear("final_layer.adaLN_modulation.1", modulation(hidden), hidden);
}

fn block(l: &mut Layout, hidden: usize, modulated: bool) {
    let inner = feed_forward(hidden);
    // As many key and value heads as query heads: the engine asserts on grouped ones here.
    l.linear_no_bias("attention.qkv", hidden, 3 * hidden);
    l.linear_no_bias("attention.out", hidden, hidden);
    l.norm_no_bias("attention.q_norm", HEAD);
    l.norm_no_bias("attention.k_norm", HEAD);
    l.linear_no_bias("feed_forward.w1", hidden, inner);
    l.linear_no_bias("feed_forward.w2", inner, hidden);
    l.linear_no_bias("feed_forward.w3", hidden, inner);
    for norm in ["attention_norm1", "ffn_norm1", "attention_norm2", "ffn_norm2"] {
        l.norm_no_bias(norm, hidden);
    }
    if modulated {
        l.linear("adaLN_modulation.0", modulation(hidden), 4 * hidden);
    }
}

/// Width of the modulation's input.
fn modulation(hidden: usize) -> usize {
    hidden.min(256)
}

/// Inner width of the feed-forward layers, in the single precision of the engine.
fn feed_forward(hidden: usize) -> usize {
    let exact = 8.0_f32 / 3.0 * hidden as f32;
    (exact as usize).next_multiple_of(256)
}

pub(crate) fn text_encoder(l: &mut Layout, width: usize, layers: usize) {
    // The engine fixes 32 query and 8 key heads (16 query heads if there are exactly 28 layers).
    let heads = if layers == 28 { 16 } else { 32 };
    let (query, key) = (heads * HEAD, 8 * HEAD);
    l.random("embed_tokens.weight", &[VOCABULARY, width]);
    for i in 0..layers {
        l.scope(format_args!("layers.{i}"), |l| {
            l.linear_no_bias("self_attn.q_proj", width, query);
            l.linear_no_bias("self_attn.k_proj", width, key);
            l.linear_no_bias("self_attn.v_proj", width, key);
            l.linear_no_bias("self_attn.o_proj", query, width);
            l.norm_no_bias("self_attn.q_norm", HEAD);
            l.norm_no_bias("self_attn.k_norm", HEAD);
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
    fn has_the_tensors_of_the_reference_generator() {
        let plain = ZImage::default().layout().unwrap();
        assert_eq!((plain.tensors().len(), plain.parameters()), (65, 8_518_592));
        let with_tae = ZImage { with_tae: true, ..ZImage::default() };
        let with_tae = with_tae.layout().unwrap();
        assert_eq!((with_tae.tensors().len(), with_tae.parameters()), (199, 10_977_491));
    }

    #[test]
    fn refuses_widths_the_engine_cannot_load() {
        for hidden in [0, 128, 300] {
            let spec = ZImage { hidden, ..ZImage::default() };
            assert!(spec.layout().is_err(), "{hidden}");
        }
    }
}
