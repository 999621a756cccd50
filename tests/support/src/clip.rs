//! The CLIP text encoders: L of Stable Diffusion 1 and SDXL, H of Stable Diffusion 2, G of SDXL.

use crate::tensor::Layout;

const VOCABULARY: usize = 49_408;
const POSITIONS: usize = 77;

/// Sizes of an encoder; the engine fixes them all.
struct Sizes {
    layers: usize,
    width: usize,
}

const L: Sizes = Sizes { layers: 12, width: 768 };
const H: Sizes = Sizes { layers: 24, width: 1024 };
const G: Sizes = Sizes { layers: 32, width: 1280 };

/// The layout of a file which holds CLIP-L alone.
pub(crate) fn layout() -> Layout {
    let mut layout = Layout::default();
    layout.scope("text_model", |l| encoder(l, &L));
    layout
}

/// Width of CLIP-L.
pub(crate) const L_WIDTH: usize = L.width;

/// The text encoders of a family of models. Their sizes are those of the real models: the
/// engine knows no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextEncoders {
    /// CLIP-L, 123 M parameters.
    Sd1,
    /// OpenCLIP-H, 353 M parameters.
    Sd2,
    /// CLIP-L and OpenCLIP-G, 818 M parameters.
    Sdxl,
}

impl TextEncoders {
    /// Width of what they tell the UNet.
    pub fn width(self) -> usize {
        match self {
            Self::Sd1 => L.width,
            Self::Sd2 => H.width,
            Self::Sdxl => L.width + G.width,
        }
    }

    /// Part of file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sd1 => "clip-l",
            Self::Sd2 => "clip-h",
            Self::Sdxl => "clip-l-g",
        }
    }

    pub(crate) fn layout(self) -> Layout {
        let mut layout = Layout::default();
        self.add_to(&mut layout);
        layout
    }

    /// Adds them under the names they have in a checkpoint.
    pub(crate) fn add_to(self, l: &mut Layout) {
        let first = if self == Self::Sd2 { H } else { L };
        l.scope("cond_stage_model.transformer.text_model", |l| encoder(l, &first));
        if self == Self::Sdxl {
            l.scope("cond_stage_model.1.transformer.text_model", |l| {
                encoder(l, &G);
                l.random("text_projection", &[G.width, G.width]).kept_in_f32();
            });
        }
    }
}

fn encoder(l: &mut Layout, sizes: &Sizes) {
    let width = sizes.width;
    l.scope("embeddings", |l| {
        l.random("token_embedding.weight", &[VOCABULARY, width]);
        l.random("position_embedding.weight", &[POSITIONS, width]).scaled_by(0.5).kept_in_f32();
    });
    for i in 0..sizes.layers {
        l.scope(format_args!("encoder.layers.{i}"), |l| layer(l, width));
    }
    l.norm("final_layer_norm", width);
}

/// Adds a layer; those of the image encoders have the same shape.
pub(crate) fn layer(l: &mut Layout, width: usize) {
    for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        l.linear(format_args!("self_attn.{projection}"), width, width);
    }
    l.norm("layer_norm1", width);
    l.norm("layer_norm2", width);
    l.linear("mlp.fc1", width, 4 * width);
    l.linear("mlp.fc2", 4 * width, width);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn have_the_parameters_of_the_real_models() {
        let parameters = |encoders: TextEncoders| encoders.layout().parameters();
        assert_eq!(parameters(TextEncoders::Sd1), 123_060_480);
        // Without its logit scale and text projection.
        assert_eq!(parameters(TextEncoders::Sd2), 352_984_064);
        assert_eq!(parameters(TextEncoders::Sdxl), 123_060_480 + 694_659_840);
    }
}
