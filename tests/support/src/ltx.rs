//! LTX-2: video with sound.

use crate::tensor::Layout;
use std::io;

/// Attention heads, if the file says nothing else.
const HEADS: usize = 32;
/// Channels of both latents; a token of sound is 8 channels of 16 frequencies.
const LATENT: usize = 128;
/// Width of the embedding of a timestep.
const TIME: usize = 256;
/// Width of the projected prompt, fixed.
const CONTEXT: usize = 3840;
/// Width of all states of Gemma 3 together (3840 × 49), fixed: the projection takes them all.
pub(crate) const STATES: usize = 188_160;

/// The sizes of an LTX-2 transformer; the engine infers all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ltx {
    /// Width for the video, a multiple of 64.
    pub video: usize,
    /// Width for the sound, a multiple of 64.
    pub audio: usize,
    /// Number of blocks.
    pub layers: usize,
}

impl Default for Ltx {
    fn default() -> Self {
        Self { video: 256, audio: 128, layers: 1 }
    }
}

impl Ltx {
    pub(crate) fn stem(&self) -> String {
        let Self { video, audio, layers } = self;
        format!("ltx-{video}-{audio}x{layers}")
    }

    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let Self { video, audio, layers } = *self;
        if [video, audio].iter().any(|&width| width == 0 || !width.is_multiple_of(2 * HEADS)) {
            return Err(crate::invalid(format!("{video} or {audio} is not a multiple of 64")));
        }
        let mut layout = Layout::default();
        layout.scope("model.diffusion_model", |l| {
            for (prefix, width) in [("", video), ("audio_", audio)] {
                l.linear(format_args!("{prefix}patchify_proj"), LATENT, width).kept_in_f32();
                l.random(format_args!("{prefix}scale_shift_table"), &[2, width]).kept_in_f32();
                modulation(l, &format!("{prefix}adaln_single"), width, 6);
                l.linear(format_args!("{prefix}proj_out"), width, LATENT).kept_in_f32();
            }
            modulation(l, "av_ca_video_scale_shift_adaln_single", video, 4);
            modulation(l, "av_ca_a2v_gate_adaln_single", video, 1);
            modulation(l, "av_ca_audio_scale_shift_adaln_single", audio, 4);
            modulation(l, "av_ca_v2a_gate_adaln_single", audio, 1);
            for i in 0..layers {
                l.scope(format_args!("transformer_blocks.{i}"), |l| self.block(l));
            }
        });
        Ok(layout)
    }

    fn block(&self, l: &mut Layout) {
        let Self { video, audio, .. } = *self;
        attention(l, "attn1", video, video, video);
        attention(l, "attn2", video, CONTEXT, video);
        attention(l, "audio_attn1", audio, audio, audio);
        attention(l, "audio_attn2", audio, CONTEXT, audio);
        attention(l, "audio_to_video_attn", video, audio, audio);
        attention(l, "video_to_audio_attn", audio, video, audio);
        for (prefix, width) in [("", video), ("audio_", audio)] {
            l.linear(format_args!("{prefix}ff.net.0.proj"), width, 4 * width);
            l.linear(format_args!("{prefix}ff.net.2"), 4 * width, width);
            l.random(format_args!("{prefix}scale_shift_table"), &[6, width]).kept_in_f32();
        }
        l.random("scale_shift_table_a2v_ca_video", &[5, video]).kept_in_f32();
        l.random("scale_shift_table_a2v_ca_audio", &[5, audio]).kept_in_f32();
    }
}

fn modulation(l: &mut Layout, name: &str, width: usize, count: usize) {
    l.scope(name, |l| {
        l.linear("emb.timestep_embedder.linear_1", TIME, width).kept_in_f32();
        l.linear("emb.timestep_embedder.linear_2", width, width).kept_in_f32();
        l.linear("linear", width, count * width).kept_in_f32();
    });
}

fn attention(l: &mut Layout, name: &str, query: usize, context: usize, inner: usize) {
    l.scope(name, |l| {
        l.norm_no_bias("q_norm", inner);
        l.norm_no_bias("k_norm", inner);
        l.linear("to_q", query, inner);
        l.linear("to_k", context, inner);
        l.linear("to_v", context, inner);
        l.linear("to_out.0", inner, query);
    });
}

/// The layout of a file with the projection of the prompt alone.
pub(crate) fn projection() -> Layout {
    let mut layout = Layout::default();
    layout.linear_no_bias("text_embedding_projection.projection", STATES, CONTEXT);
    layout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_widths_which_do_not_split_into_heads() {
        assert!(Ltx::default().layout().is_ok());
        assert!(Ltx { audio: 96, ..Ltx::default() }.layout().is_err());
    }
}
