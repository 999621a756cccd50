//! ERNIE-Image: the diffusion transformer without its text encoder.

use crate::tensor::Layout;
use std::io;

/// Values per attention head, fixed by the RoPE axes (32 + 48 + 48).
const HEAD: usize = 128;
/// Channels of the latent image: those of FLUX.2, four pixels together.
const LATENT: usize = 128;

/// The sizes of an ERNIE-Image model; the engine infers all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErnieImage {
    /// Width of the transformer, a multiple of 128.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Width of the text encoder, not that of the transformer.
    pub text: usize,
}

impl Default for ErnieImage {
    fn default() -> Self {
        Self { hidden: 256, layers: 1, text: 32 }
    }
}

impl ErnieImage {
    pub(crate) fn stem(&self) -> String {
        let Self { hidden, layers, text } = self;
        format!("ernie-{hidden}x{layers}-te{text}")
    }

    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let Self { hidden, layers, text } = *self;
        if hidden == 0 || !hidden.is_multiple_of(HEAD) || layers == 0 || text == hidden {
            return Err(crate::invalid(format!("no ERNIE-Image has the sizes {self:?}")));
        }
        let mut layout = Layout::default();
        layout.scope("model.diffusion_model", |l| {
            l.conv("x_embedder.proj", LATENT, hidden, 1);
            l.linear_no_bias("text_proj", text, hidden);
            l.linear("time_embedding.linear_1", hidden, hidden);
            l.linear("time_embedding.linear_2", hidden, hidden);
            l.linear("adaLN_modulation.1", hidden, 6 * hidden);
            for i in 0..layers {
                l.scope(format_args!("layers.{i}"), |l| block(l, hidden));
            }
            l.linear("final_norm.linear", hidden, 2 * hidden);
            l.linear("final_linear", hidden, LATENT);
        });
        Ok(layout)
    }
}

fn block(l: &mut Layout, hidden: usize) {
    l.norm_no_bias("adaLN_sa_ln", hidden);
    l.scope("self_attention", |l| {
        for projection in ["to_q", "to_k", "to_v", "to_out.0"] {
            l.linear_no_bias(projection, hidden, hidden);
        }
        l.norm_no_bias("norm_q", HEAD);
        l.norm_no_bias("norm_k", HEAD);
    });
    l.norm_no_bias("adaLN_mlp_ln", hidden);
    l.linear_no_bias("mlp.gate_proj", hidden, 3 * hidden);
    l.linear_no_bias("mlp.up_proj", hidden, 3 * hidden);
    l.linear_no_bias("mlp.linear_fc2", 3 * hidden, hidden);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_sizes_the_engine_does_not_load() {
        assert!(ErnieImage::default().layout().is_ok());
        for (hidden, text) in [(0, 32), (192, 32), (256, 256)] {
            assert!(ErnieImage { hidden, layers: 1, text }.layout().is_err(), "{hidden}");
        }
    }
}
