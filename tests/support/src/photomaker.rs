//! PhotoMaker: an image encoder which puts persons from pictures into SDXL's prompts.

use crate::clip;
use crate::tensor::Layout;
use std::io::{self, Write};

// The image encoder is that of CLIP-L; all sizes are fixed by the engine.
const WIDTH: usize = 1024;
const LAYERS: usize = 24;
const PATCH: usize = 14;
/// Patches of a picture of 224×224, and one for the whole.
const POSITIONS: usize = 257;
/// Width of SDXL's prompts, and what either text encoder has of it.
const PROMPT: usize = 2048;
const PROMPT_L: usize = 768;
const PROMPT_G: usize = 1280;
/// Width of what describes a face to the second version.
const FACE: usize = 512;

/// The versions of PhotoMaker. The engine takes for the second what has `v2` anywhere in the
/// path of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhotoMaker {
    /// The first, which needs pictures of the person alone.
    V1,
    /// The second, which also needs a file that describes the faces.
    V2,
}

impl PhotoMaker {
    /// Part of file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1 => "photomaker",
            Self::V2 => "photomaker-v2",
        }
    }

    /// The layout; `unet_width` is that of the SDXL UNet which the LoRA in the file is for.
    pub(crate) fn layout(self, unet_width: usize) -> Layout {
        let mut layout = Layout::default();
        let l = &mut layout;
        l.scope("pmid", |l| {
            l.scope("vision_model", image_encoder);
            l.linear_no_bias("visual_projection", WIDTH, PROMPT_L);
            l.linear_no_bias("visual_projection_2", WIDTH, PROMPT_G);
            l.scope("fuse_module", |l| {
                fuse(l, "mlp1", 2 * PROMPT);
                fuse(l, "mlp2", PROMPT);
                l.norm("layer_norm", PROMPT);
            });
            if self == Self::V2 {
                l.scope("qformer_perceiver", perceiver);
            }
        });
        // The engine refuses to draw without a LoRA in the file.
        let channels = 2 * unet_width;
        l.scope("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor", |l| {
            for projection in ["to_q", "to_v"] {
                l.random(format_args!("{projection}_lora.down.weight"), &[4, channels]);
                l.random(format_args!("{projection}_lora.up.weight"), &[channels, 4]);
            }
        });
        layout
    }
}

fn image_encoder(l: &mut Layout) {
    l.scope("embeddings", |l| {
        l.random("class_embedding", &[WIDTH]).kept_in_f32();
        l.random("patch_embedding.weight", &[WIDTH, 3, PATCH, PATCH]);
        l.random("position_embedding.weight", &[POSITIONS, WIDTH]).kept_in_f32();
    });
    l.norm("pre_layernorm", WIDTH);
    for i in 0..LAYERS {
        l.scope(format_args!("encoder.layers.{i}"), |l| clip::layer(l, WIDTH));
    }
    l.norm("post_layernorm", WIDTH);
}

fn fuse(l: &mut Layout, name: &str, inputs: usize) {
    l.scope(name, |l| {
        l.linear("fc1", inputs, PROMPT);
        l.linear("fc2", PROMPT, PROMPT);
        l.norm("layernorm", inputs);
    });
}

/// Adds what the second version makes of image and face.
fn perceiver(l: &mut Layout) {
    l.linear("token_proj.0", FACE, 4 * FACE);
    l.linear("token_proj.2", 4 * FACE, 2 * PROMPT);
    l.norm("token_norm", PROMPT);
    l.scope("perceiver_resampler", |l| {
        l.linear("proj_in", WIDTH, PROMPT);
        for i in 0..4 {
            l.scope(format_args!("layers.{i}.0"), |l| {
                l.norm("norm1", PROMPT);
                l.norm("norm2", PROMPT);
                l.linear_no_bias("to_q", PROMPT, PROMPT);
                l.linear_no_bias("to_kv", PROMPT, 2 * PROMPT);
                l.linear_no_bias("to_out", PROMPT, PROMPT);
            });
            l.scope(format_args!("layers.{i}.1"), |l| {
                l.norm(0, PROMPT);
                l.linear_no_bias(1, PROMPT, 4 * PROMPT);
                l.linear_no_bias(3, 4 * PROMPT, PROMPT);
            });
        }
        l.linear("proj_out", PROMPT, PROMPT);
        l.norm("norm_out", PROMPT);
    });
}

/// Writes what describes the faces on `pictures` pictures to the second version, in the raw
/// format in which the engine's own script saves it.
///
/// # Errors
///
/// Those of writing.
pub fn write_id_embeds(out: &mut impl Write, pictures: u32) -> io::Result<()> {
    const F32: u32 = 0;
    let name = b"id_embeds";
    // Two dimensions, a name of this length and the type, then the dimensions.
    for number in [2, name.len() as u32, F32, FACE as u32, pictures] {
        out.write_all(&number.to_le_bytes())?;
    }
    out.write_all(name)?;
    for i in 0..FACE as u32 * pictures {
        // Any numbers around zero.
        let value = (i.wrapping_mul(2_654_435_761) >> 16) as f32 / 32_768.0 - 1.0;
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_encoder_has_the_parameters_of_the_real_one() {
        let layout = PhotoMaker::V1.layout(32);
        let encoder = layout.tensors().iter().filter(|t| t.name.contains("vision_model"));
        assert_eq!(encoder.map(crate::Tensor::elements).sum::<usize>(), 303_179_776);
    }

    #[test]
    fn id_embeds_have_a_header_and_a_row_for_each_picture() {
        let mut bytes = Vec::new();
        write_id_embeds(&mut bytes, 3).unwrap();
        assert_eq!(bytes.len(), 5 * 4 + 9 + 3 * FACE * 4);
    }
}
