//! Stable Diffusion 1: the UNet, in its full form and in the tiny form of SDXS, and the
//! checkpoints made with it.

use crate::tensor::Layout;
use crate::{clip, tae, vae};
use std::io;

/// Channels of the latent image.
const LATENT: usize = 4;
/// Width of the text encoder's output.
const CONTEXT: usize = 768;

/// A Stable Diffusion 1 checkpoint: UNet, CLIP-L at full size and perhaps the autoencoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sd1 {
    /// Channels of the UNet's first level, a multiple of 32; the real model has 320.
    pub width: usize,
    /// Whether the file holds the autoencoder (84 M parameters); without it, give a TAESD.
    pub vae: bool,
}

impl Default for Sd1 {
    fn default() -> Self {
        Self { width: 32, vae: false }
    }
}

impl Sd1 {
    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let mut layout = unet(self.width, &FULL)?;
        clip::text_encoder(&mut layout);
        if self.vae {
            vae::autoencoder(&mut layout);
        }
        Ok(layout)
    }
}

/// The layout of an SDXS-512 checkpoint: tiny UNet, CLIP-L and a built-in TAESD.
pub(crate) fn sdxs_layout(width: usize) -> io::Result<Layout> {
    let mut layout = unet(width, &TINY)?;
    clip::text_encoder(&mut layout);
    layout.scope("vae", |l| tae::autoencoder(l, LATENT));
    Ok(layout)
}

/// What differs between the forms of the UNet.
struct Form {
    /// Per level from the outside in: the factor on the width, and whether it has attention.
    levels: &'static [(usize, bool)],
    /// Residual blocks of a level on the way in; there is one more on the way out.
    residuals: usize,
    /// Whether there are blocks between the way in and the way out.
    middle: bool,
    /// Whether the block numbers count as in the full form, whose absent blocks leave gaps.
    gaps: bool,
}

const FULL: Form = Form {
    levels: &[(1, true), (2, true), (4, true), (4, false)],
    residuals: 2,
    middle: true,
    gaps: false,
};

const TINY: Form =
    Form { levels: &[(1, false), (2, true), (4, true)], residuals: 1, middle: false, gaps: true };

fn unet(width: usize, form: &Form) -> io::Result<Layout> {
    if width == 0 || !width.is_multiple_of(32) {
        return Err(crate::invalid(format!("UNet width {width} is not a multiple of 32")));
    }
    let mut layout = Layout::default();
    layout.scope("model.diffusion_model", |l| {
        l.linear("time_embed.0", width, 4 * width);
        l.linear("time_embed.2", 4 * width, 4 * width);
        let builder = Builder { width, form };
        let (channels, skipped) = builder.inward(l);
        if form.middle {
            l.scope("middle_block", |l| {
                l.scope(0, |l| builder.residual(l, channels, channels));
                l.scope(1, |l| transformer(l, channels));
                l.scope(2, |l| builder.residual(l, channels, channels));
            });
        }
        builder.outward(l, channels, skipped);
        l.norm("out.0", width);
        l.conv("out.2", width, LATENT, 3);
    });
    Ok(layout)
}

struct Builder<'a> {
    width: usize,
    form: &'a Form,
}

impl Builder<'_> {
    /// Adds the way in; returns the channels at its end and those of all skip connections.
    fn inward(&self, l: &mut Layout) -> (usize, Vec<usize>) {
        let mut channels = self.width;
        let mut skipped = vec![channels];
        l.conv("input_blocks.0.0", LATENT, channels, 3);
        let mut index = 1;
        for (level, &(factor, attention)) in self.form.levels.iter().enumerate() {
            for _ in 0..self.form.residuals {
                l.scope(format_args!("input_blocks.{index}"), |l| {
                    self.stage(l, channels, factor, attention);
                });
                channels = factor * self.width;
                skipped.push(channels);
                index += if self.form.gaps { 2 } else { 1 };
            }
            if level + 1 < self.form.levels.len() {
                let name = format_args!("input_blocks.{index}.0.op");
                l.conv(name, channels, channels, 3);
                skipped.push(channels);
                index += 1;
            }
        }
        (channels, skipped)
    }

    /// Adds the way out, which takes the skip connections from the last to the first.
    fn outward(&self, l: &mut Layout, mut channels: usize, mut skipped: Vec<usize>) {
        let mut index = 0;
        for (level, &(factor, attention)) in self.form.levels.iter().enumerate().rev() {
            for left in (0..=self.form.residuals).rev() {
                let inputs = channels + skipped.pop().unwrap_or_default();
                l.scope(format_args!("output_blocks.{index}"), |l| {
                    self.stage(l, inputs, factor, attention);
                });
                channels = factor * self.width;
                if level > 0 && left == 0 {
                    index += usize::from(self.form.gaps);
                    // Behind the attention if there is one, except in block 2 of SDXS.
                    let place = if attention && !(self.form.gaps && index == 2) { 2 } else { 1 };
                    let name = format_args!("output_blocks.{index}.{place}.conv");
                    l.conv(name, channels, channels, 3);
                }
                index += 1;
            }
        }
    }

    /// Adds a residual block and, where the level has it, attention.
    fn stage(&self, l: &mut Layout, inputs: usize, factor: usize, attention: bool) {
        let outputs = factor * self.width;
        l.scope(0, |l| self.residual(l, inputs, outputs));
        if attention {
            l.scope(1, |l| transformer(l, outputs));
        }
    }

    fn residual(&self, l: &mut Layout, inputs: usize, outputs: usize) {
        l.norm("in_layers.0", inputs);
        l.conv("in_layers.2", inputs, outputs, 3);
        l.linear("emb_layers.1", 4 * self.width, outputs);
        l.norm("out_layers.0", outputs);
        l.conv("out_layers.3", outputs, outputs, 3);
        if inputs != outputs {
            l.conv("skip_connection", inputs, outputs, 1);
        }
    }
}

fn transformer(l: &mut Layout, channels: usize) {
    l.norm("norm", channels);
    l.conv("proj_in", channels, channels, 1);
    l.scope("transformer_blocks.0", |l| {
        for (name, keys) in [("attn1", channels), ("attn2", CONTEXT)] {
            l.scope(name, |l| {
                l.linear_no_bias("to_q", channels, channels);
                l.linear_no_bias("to_k", keys, channels);
                l.linear_no_bias("to_v", keys, channels);
                l.linear("to_out.0", channels, channels);
            });
        }
        l.linear("ff.net.0.proj", channels, 8 * channels);
        l.linear("ff.net.2", 4 * channels, channels);
        for i in 1..=3 {
            l.norm(format_args!("norm{i}"), channels);
        }
    });
    l.conv("proj_out", channels, channels, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(layout: Layout) -> (usize, usize) {
        (layout.tensors().len(), layout.parameters())
    }

    #[test]
    fn has_the_tensors_of_the_reference_generator() {
        let sd1 = |width, vae| counts(Sd1 { width, vae }.layout().unwrap());
        assert_eq!(sd1(32, false), (882, 133_422_948));
        assert_eq!(sd1(320, true), (1130, 1_066_235_307));
        assert_eq!(counts(sdxs_layout(32).unwrap()), (610, 129_478_251));
    }

    #[test]
    fn refuses_widths_the_normalisation_cannot_group() {
        assert!(sdxs_layout(0).is_err() && sdxs_layout(48).is_err());
    }
}
