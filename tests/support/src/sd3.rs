//! Stable Diffusion 3: the multimodal diffusion transformer.

use crate::tensor::Layout;
use std::io;

/// Blocks: the engine takes at least this many for granted, and as many attention heads.
const LAYERS: usize = 24;
/// Side of the square of latent values which makes one token.
const PATCH: usize = 2;
/// Channels of the latent image.
const LATENT: usize = 16;
/// Width of a token of the prompt.
const CONTEXT: usize = 4096;
/// Width of the pooled outputs of CLIP-L and CLIP-G together.
const POOLED: usize = 768 + 1280;

/// The sizes of a Stable Diffusion 3 model without text encoders and autoencoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sd3 {
    /// Width of the transformer: a multiple of 24, the number of heads.
    pub hidden: usize,
    /// How many of the blocks attend to the picture twice, as those of SD 3.5 medium do.
    pub twice: usize,
    /// Whether queries and keys are normalised, as those of SD 3.5 are.
    pub qk_norm: bool,
    /// Largest side of a picture in tokens, which are 16 pixels wide. The engine finds it in
    /// safetensors alone; in GGUF, whose tensors have no trailing dimensions of 1, it takes 192
    /// for granted, or 384 if there is a block which attends twice.
    pub side: usize,
}

impl Default for Sd3 {
    fn default() -> Self {
        Self { hidden: 192, twice: 1, qk_norm: true, side: 32 }
    }
}

impl Sd3 {
    pub(crate) fn stem(&self) -> String {
        let Self { hidden, twice, qk_norm, side } = self;
        let norm = if *qk_norm { "-norm" } else { "" };
        format!("sd3-{hidden}-twice{twice}-side{side}{norm}")
    }

    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let Self { hidden, twice, side, .. } = *self;
        if hidden == 0 || !hidden.is_multiple_of(LAYERS) {
            return Err(crate::invalid(format!("hidden {hidden} is not a multiple of {LAYERS}")));
        }
        if twice > LAYERS || side == 0 {
            return Err(crate::invalid("too many blocks which attend twice, or no tokens"));
        }
        let mut layout = Layout::default();
        layout.scope("model.diffusion_model", |l| {
            l.random("pos_embed", &[1, side * side, hidden]).scaled_by(hidden as f32).kept_in_f32();
            l.conv("x_embedder.proj", LATENT, hidden, PATCH);
            embedder(l, "t_embedder", 256, hidden);
            embedder(l, "y_embedder", POOLED, hidden);
            l.linear("context_embedder", CONTEXT, hidden).kept_in_f32();
            for i in 0..LAYERS {
                l.scope(format_args!("joint_blocks.{i}"), |l| {
                    let last = i + 1 == LAYERS;
                    l.scope("context_block", |l| self.block(l, last, false));
                    l.scope("x_block", |l| self.block(l, false, i < twice));
                });
            }
            l.linear("final_layer.linear", hidden, PATCH * PATCH * LATENT).kept_in_f32();
            l.linear("final_layer.adaLN_modulation.1", hidden, 2 * hidden);
        });
        Ok(layout)
    }

    /// Half of a block. What comes of the text in the last one is not needed any more.
    fn block(&self, l: &mut Layout, last: bool, twice: bool) {
        let hidden = self.hidden;
        self.attention(l, "attn", !last);
        if twice {
            self.attention(l, "attn2", true);
        }
        let modulations = match (last, twice) {
            (true, _) => 2,
            (false, true) => 9,
            (false, false) => 6,
        };
        l.linear("adaLN_modulation.1", hidden, modulations * hidden);
        if !last {
            l.linear("mlp.fc1", hidden, 4 * hidden);
            l.linear("mlp.fc2", 4 * hidden, hidden);
        }
    }

    fn attention(&self, l: &mut Layout, name: &str, projected: bool) {
        l.scope(name, |l| {
            l.linear("qkv", self.hidden, 3 * self.hidden);
            if projected {
                l.linear("proj", self.hidden, self.hidden);
            }
            if self.qk_norm {
                l.norm_no_bias("ln_q", self.hidden / LAYERS);
                l.norm_no_bias("ln_k", self.hidden / LAYERS);
            }
        });
    }
}

fn embedder(l: &mut Layout, name: &str, inputs: usize, hidden: usize) {
    l.scope(name, |l| {
        l.linear("mlp.0", inputs, hidden).kept_in_f32();
        l.linear("mlp.2", hidden, hidden).kept_in_f32();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_sizes_the_engine_does_not_load() {
        assert!(Sd3::default().layout().is_ok());
        for hidden in [0, 128, 256] {
            assert!(Sd3 { hidden, ..Sd3::default() }.layout().is_err(), "{hidden}");
        }
    }
}
