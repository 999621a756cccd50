//! CLIP-L, the text encoder of Stable Diffusion 1.

use crate::tensor::Layout;

// All sizes are fixed by the engine.
const LAYERS: usize = 12;
const WIDTH: usize = 768;
const INNER: usize = 3072;
const VOCABULARY: usize = 49_408;
const POSITIONS: usize = 77;

/// The layout of a file which holds the text encoder alone.
pub(crate) fn layout() -> Layout {
    let mut layout = Layout::default();
    text_model(&mut layout);
    layout
}

/// Adds the text encoder under the name it has in a checkpoint.
pub(crate) fn text_encoder(l: &mut Layout) {
    l.scope("cond_stage_model.transformer", text_model);
}

fn text_model(l: &mut Layout) {
    l.scope("text_model", |l| {
        l.scope("embeddings", |l| {
            l.random("token_embedding.weight", &[VOCABULARY, WIDTH]);
            l.random("position_embedding.weight", &[POSITIONS, WIDTH]).scaled_by(0.5).kept_in_f32();
        });
        for i in 0..LAYERS {
            l.scope(format_args!("encoder.layers.{i}"), layer);
        }
        l.norm("final_layer_norm", WIDTH);
    });
}

fn layer(l: &mut Layout) {
    for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        l.linear(format_args!("self_attn.{projection}"), WIDTH, WIDTH);
    }
    l.norm("layer_norm1", WIDTH);
    l.norm("layer_norm2", WIDTH);
    l.linear("mlp.fc1", WIDTH, INNER);
    l.linear("mlp.fc2", INNER, WIDTH);
}
