//! Qwen-Image: the diffusion transformer without its text encoder.

use crate::llm::QWEN2_5_VL_WIDTH;
use crate::tensor::Layout;
use std::io;

/// Width, fixed: 24 heads of 128 values.
const WIDTH: usize = 24 * HEAD;
const HEAD: usize = 128;
/// Values of a token: 2 × 2 of the 16 channels of the latent image.
const PATCH: usize = 64;
const TIME: usize = 256;

/// The sizes of a Qwen-Image model. Each of its blocks has the real size (340 M parameters), so
/// [`Format::SafetensorsMapped`](crate::Format::SafetensorsMapped) makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QwenImage {
    /// Number of blocks.
    pub layers: usize,
}

impl Default for QwenImage {
    fn default() -> Self {
        Self { layers: 1 }
    }
}

impl QwenImage {
    pub(crate) fn stem(&self) -> String {
        format!("qwen-image-{}", self.layers)
    }

    pub(crate) fn layout(&self) -> io::Result<Layout> {
        if self.layers == 0 {
            return Err(crate::invalid("without a block the engine does not know the family"));
        }
        let mut layout = Layout::default();
        layout.scope("model.diffusion_model", |l| {
            l.linear("time_text_embed.timestep_embedder.linear_1", TIME, WIDTH);
            l.linear("time_text_embed.timestep_embedder.linear_2", WIDTH, WIDTH);
            l.norm_no_bias("txt_norm", QWEN2_5_VL_WIDTH);
            l.linear("img_in", PATCH, WIDTH);
            l.linear("txt_in", QWEN2_5_VL_WIDTH, WIDTH);
            for i in 0..self.layers {
                l.scope(format_args!("transformer_blocks.{i}"), block);
            }
            l.linear("norm_out.linear", WIDTH, 2 * WIDTH);
            l.linear("proj_out", WIDTH, PATCH);
        });
        Ok(layout)
    }
}

fn block(l: &mut Layout) {
    for stream in ["img", "txt"] {
        l.linear(format_args!("{stream}_mod.1"), WIDTH, 6 * WIDTH);
        l.linear(format_args!("{stream}_mlp.net.0.proj"), WIDTH, 4 * WIDTH);
        l.linear(format_args!("{stream}_mlp.net.2"), 4 * WIDTH, WIDTH);
    }
    l.scope("attn", |l| {
        for projection in [
            "to_q",
            "to_k",
            "to_v",
            "add_q_proj",
            "add_k_proj",
            "add_v_proj",
            "to_out.0",
            "to_add_out",
        ] {
            l.linear(projection, WIDTH, WIDTH);
        }
        for norm in ["norm_q", "norm_k", "norm_added_q", "norm_added_k"] {
            l.norm_no_bias(norm, HEAD);
        }
    });
}
