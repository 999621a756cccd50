//! The large parts of CLIP, in files of their own: CLIP-G for text, ViT-H for pictures.

use crate::tensor::Layout;

// All sizes are fixed by the engine.
const LAYERS: usize = 32;
const WIDTH: usize = 1280;
const INNER: usize = 5120;
const VOCABULARY: usize = 49_408;
const POSITIONS: usize = 77;
const PATCH: usize = 14;
/// 16 × 16 patches of a picture of 224 × 224 pixels, and the class.
const VISION_POSITIONS: usize = 257;
/// Width of what the picture encoder projects to.
const PROJECTED: usize = 1024;

/// The text encoder of Stable Diffusion 3.
pub(crate) fn text() -> Layout {
    let mut layout = Layout::default();
    layout.scope("text_model", |l| {
        l.random("embeddings.token_embedding.weight", &[VOCABULARY, WIDTH]);
        l.random("embeddings.position_embedding.weight", &[POSITIONS, WIDTH]).kept_in_f32();
        encoder(l);
        l.norm("final_layer_norm", WIDTH);
        l.random("text_projection", &[WIDTH, WIDTH]).kept_in_f32();
    });
    layout
}

/// The picture encoder of Wan 2.1.
pub(crate) fn vision() -> Layout {
    let mut layout = Layout::default();
    layout.scope("vision_model", |l| {
        l.random("embeddings.class_embedding", &[WIDTH]).kept_in_f32();
        l.conv_no_bias("embeddings.patch_embedding", 3, WIDTH, PATCH);
        l.random("embeddings.position_embedding.weight", &[VISION_POSITIONS, WIDTH]).kept_in_f32();
        l.norm("pre_layernorm", WIDTH);
        encoder(l);
        l.norm("post_layernorm", WIDTH);
    });
    layout.linear_no_bias("visual_projection", WIDTH, PROJECTED);
    layout
}

fn encoder(l: &mut Layout) {
    for i in 0..LAYERS {
        l.scope(format_args!("encoder.layers.{i}"), |l| {
            for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                l.linear(format_args!("self_attn.{projection}"), WIDTH, WIDTH);
            }
            l.norm("layer_norm1", WIDTH);
            l.norm("layer_norm2", WIDTH);
            l.linear("mlp.fc1", WIDTH, INNER);
            l.linear("mlp.fc2", INNER, WIDTH);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn have_the_real_sizes() {
        assert_eq!(text().parameters() / 1_000_000, 694);
        assert_eq!(vision().parameters() / 1_000_000, 632);
    }
}
