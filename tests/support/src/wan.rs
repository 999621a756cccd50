//! Wan: video. All sizes are fixed by the engine, which knows them from the number of blocks.

use crate::tensor::Layout;

/// Width of the text encoder UMT5.
const CONTEXT: usize = 4096;
/// Width of the embedding of a timestep.
const TIME: usize = 256;
/// Width of the output of CLIP's vision part.
const VISION: usize = 1280;

/// Which Wan model.
///
/// They have the real size (1.4 to 17 thousand million parameters), so only
/// [`Format::SafetensorsMapped`](crate::Format::SafetensorsMapped) makes sense, together with
/// mapping the file into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wan {
    /// Wan 2.1 of 1.3 thousand million parameters: video from text.
    T2v1_3B,
    /// The same size with a start picture, which CLIP's vision part sees too.
    I2v1_3B,
    /// VACE of that size: video from control frames and reference pictures.
    Vace1_3B,
    /// Wan 2.2 of 5 thousand million parameters: video from text, or from a start picture.
    Ti2v5B,
    /// Wan 2.1 or 2.2 of 14 thousand million parameters: video from text.
    T2v14B,
    /// Wan 2.2 of that size: video from a start picture.
    I2v14B,
}

/// What differs between the models.
struct Sizes {
    layers: usize,
    dim: usize,
    inner: usize,
    inputs: usize,
    outputs: usize,
}

impl Wan {
    pub(crate) fn stem(self) -> String {
        let name = match self {
            Self::T2v1_3B => "t2v-1.3b",
            Self::I2v1_3B => "i2v-1.3b",
            Self::Vace1_3B => "vace-1.3b",
            Self::Ti2v5B => "ti2v-5b",
            Self::T2v14B => "t2v-14b",
            Self::I2v14B => "i2v-14b",
        };
        format!("wan-{name}")
    }

    fn sizes(self) -> Sizes {
        let sizes =
            |layers, dim, inner, inputs, outputs| Sizes { layers, dim, inner, inputs, outputs };
        match self {
            Self::T2v1_3B | Self::Vace1_3B => sizes(30, 1536, 8960, 16, 16),
            Self::I2v1_3B => sizes(30, 1536, 8960, 36, 16),
            Self::Ti2v5B => sizes(30, 3072, 14_336, 48, 48),
            Self::T2v14B => sizes(40, 5120, 13_824, 16, 16),
            Self::I2v14B => sizes(40, 5120, 13_824, 36, 16),
        }
    }

    /// The layout of a file which holds the transformer alone, so that it serves as the model for
    /// high noise too.
    pub(crate) fn layout(self) -> Layout {
        let Sizes { layers, dim, inner, inputs, outputs } = self.sizes();
        let with_picture = self == Self::I2v1_3B;
        let mut layout = Layout::default();
        let l = &mut layout;
        l.conv3d("patch_embedding", inputs, dim, (1, 2));
        l.linear("text_embedding.0", CONTEXT, dim);
        l.linear("text_embedding.2", dim, dim);
        l.linear("time_embedding.0", TIME, dim);
        l.linear("time_embedding.2", dim, dim);
        l.linear("time_projection.1", dim, 6 * dim);
        for i in 0..layers {
            l.scope(format_args!("blocks.{i}"), |l| block(l, dim, inner, with_picture));
        }
        l.random("head.modulation", &[1, 2, dim]);
        l.linear("head.head", dim, 4 * outputs);
        if with_picture {
            l.scope("img_emb.proj", |l| {
                l.norm(0, VISION);
                l.linear(1, VISION, VISION);
                l.linear(3, VISION, dim);
                l.norm(4, dim);
            });
        }
        if self == Self::Vace1_3B {
            l.conv3d("vace_patch_embedding", 96, dim, (1, 2));
            // One for every other block, as in the real model.
            for i in 0..layers / 2 {
                l.scope(format_args!("vace_blocks.{i}"), |l| {
                    block(l, dim, inner, false);
                    if i == 0 {
                        l.linear("before_proj", dim, dim);
                    }
                    l.linear("after_proj", dim, dim);
                });
            }
        }
        layout
    }
}

fn block(l: &mut Layout, dim: usize, inner: usize, with_picture: bool) {
    l.random("modulation", &[1, 6, dim]);
    attention(l, "self_attn", dim);
    attention(l, "cross_attn", dim);
    if with_picture {
        l.scope("cross_attn", |l| {
            l.linear("k_img", dim, dim);
            l.linear("v_img", dim, dim);
            l.norm_no_bias("norm_k_img", dim);
        });
    }
    l.norm("norm3", dim);
    l.linear("ffn.0", dim, inner);
    l.linear("ffn.2", inner, dim);
}

fn attention(l: &mut Layout, name: &str, dim: usize) {
    l.scope(name, |l| {
        for projection in ["q", "k", "v", "o"] {
            l.linear(projection, dim, dim);
        }
        l.norm_no_bias("norm_q", dim);
        l.norm_no_bias("norm_k", dim);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn have_the_real_sizes() {
        for (model, millions) in [
            (Wan::T2v1_3B, 1418),
            (Wan::Ti2v5B, 4999),
            (Wan::T2v14B, 14_288),
            (Wan::I2v14B, 14_288),
        ] {
            assert_eq!(model.layout().parameters() / 1_000_000, millions, "{model:?}");
        }
    }
}
