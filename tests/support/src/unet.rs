//! The UNet of Stable Diffusion 1, 2 and XL and of the small forms distilled from them.

use crate::clip::TextEncoders;
use crate::tensor::Layout;
use std::io;

/// Channels of the latent image.
pub(crate) const LATENT: usize = 4;
/// Width of what SDXL's UNet is told besides the prompt: the pooled text and the picture's size.
const LABEL: usize = 2816;

/// A level of the UNet: a resolution.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// Factor on the UNet's width.
    factor: usize,
    /// Transformer blocks behind each residual block on the way in; with none there is no
    /// attention. The way in has one residual block less than the way out.
    inward: usize,
    /// The same on the way out, residual block by residual block.
    outward: &'static [usize],
}

/// What is between the way in and the way out.
#[derive(Debug, Clone, Copy)]
enum Middle {
    Nothing,
    Residual,
    /// Two residual blocks around this many transformer blocks.
    Attention(usize),
}

/// What differs between the forms of the UNet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// From the outside in.
    levels: &'static [Level],
    middle: Middle,
    /// Whether the block numbers count as in the full form, whose absent blocks leave gaps.
    gaps: bool,
    /// Whether attention is entered and left by linear layers or by convolutions.
    linear: bool,
    /// Whether the self-attention of the outermost level looks at the prompt instead.
    told_twice: bool,
    encoders: TextEncoders,
    /// The engine divides the channels of attention into heads of 64 or into 8 heads.
    pub(crate) multiple: usize,
}

const fn level(factor: usize, inward: usize, outward: &'static [usize]) -> Level {
    Level { factor, inward, outward }
}

pub(crate) const SD1: Form = Form {
    levels: &[
        level(1, 1, &[1, 1, 1]),
        level(2, 1, &[1, 1, 1]),
        level(4, 1, &[1, 1, 1]),
        level(4, 0, &[0, 0, 0]),
    ],
    middle: Middle::Attention(1),
    gaps: false,
    linear: false,
    told_twice: false,
    encoders: TextEncoders::Sd1,
    multiple: 32,
};

pub(crate) const SD1_TINY: Form = Form {
    levels: &[level(1, 1, &[1, 1]), level(2, 1, &[1, 1]), level(4, 1, &[1, 1])],
    middle: Middle::Nothing,
    gaps: true,
    ..SD1
};

pub(crate) const SDXS_512: Form = Form {
    levels: &[level(1, 0, &[0, 0]), level(2, 1, &[1, 1]), level(4, 1, &[1, 1])],
    ..SD1_TINY
};

pub(crate) const SD2: Form =
    Form { linear: true, encoders: TextEncoders::Sd2, multiple: 64, ..SD1 };

pub(crate) const SD2_TINY: Form =
    Form { linear: true, encoders: TextEncoders::Sd2, multiple: 64, ..SD1_TINY };

pub(crate) const SDXS_09: Form = Form { told_twice: true, ..SD2_TINY };

pub(crate) const SDXL: Form = Form {
    levels: &[level(1, 0, &[0, 0, 0]), level(2, 2, &[2, 2, 2]), level(4, 10, &[10, 10, 10])],
    middle: Middle::Attention(10),
    linear: true,
    encoders: TextEncoders::Sdxl,
    // Its outermost level has no attention, so a width of half a head will do.
    multiple: 32,
    ..SD1
};

pub(crate) const SSD1B: Form = Form {
    levels: &[level(1, 0, &[0, 0, 0]), level(2, 2, &[2, 1, 1]), level(4, 4, &[4, 4, 10])],
    middle: Middle::Residual,
    ..SDXL
};

pub(crate) const VEGA: Form = Form {
    levels: &[level(1, 0, &[0, 0, 0]), level(2, 1, &[1, 1, 1]), level(4, 2, &[2, 2, 2])],
    middle: Middle::Residual,
    ..SDXL
};

/// The layout of a UNet under the names it has in a checkpoint.
pub(crate) fn layout(form: &Form, width: usize, inputs: usize) -> io::Result<Layout> {
    let multiple = form.multiple;
    if width == 0 || !width.is_multiple_of(multiple) {
        return Err(crate::invalid(format!("UNet width {width} is not a multiple of {multiple}")));
    }
    let mut layout = Layout::default();
    layout.scope("model.diffusion_model", |l| {
        let builder = Builder { width, form };
        builder.times(l);
        let (channels, skipped) = builder.inward(l, inputs);
        builder.middle(l, channels);
        builder.outward(l, channels, skipped);
        l.norm("out.0", width);
        l.conv("out.2", width, LATENT, 3);
    });
    Ok(layout)
}

/// Adds the first half of a UNet, as a ControlNet has it, and returns the channels of each of
/// its outputs, the last of which is that of the middle.
pub(crate) fn first_half(l: &mut Layout, form: &Form, width: usize) -> Vec<usize> {
    let builder = Builder { width, form };
    builder.times(l);
    let (channels, mut outputs) = builder.inward(l, LATENT);
    builder.middle(l, channels);
    outputs.push(channels);
    outputs
}

struct Builder<'a> {
    width: usize,
    form: &'a Form,
}

impl Builder<'_> {
    /// Adds what turns the time step, and in SDXL the label, into an embedding.
    fn times(&self, l: &mut Layout) {
        let embedding = 4 * self.width;
        l.linear("time_embed.0", self.width, embedding);
        l.linear("time_embed.2", embedding, embedding);
        if self.form.encoders == TextEncoders::Sdxl {
            l.linear("label_emb.0.0", LABEL, embedding);
            l.linear("label_emb.0.2", embedding, embedding);
        }
    }

    /// Adds the way in; returns the channels at its end and those of all skip connections.
    fn inward(&self, l: &mut Layout, inputs: usize) -> (usize, Vec<usize>) {
        let mut channels = self.width;
        let mut skipped = vec![channels];
        l.conv("input_blocks.0.0", inputs, channels, 3);
        let mut index = 1;
        for (number, level) in self.form.levels.iter().enumerate() {
            for _ in 1..level.outward.len() {
                l.scope(format_args!("input_blocks.{index}"), |l| {
                    self.stage(l, channels, number, level.factor, level.inward);
                });
                channels = level.factor * self.width;
                skipped.push(channels);
                index += if self.form.gaps { 2 } else { 1 };
            }
            if number + 1 < self.form.levels.len() {
                let name = format_args!("input_blocks.{index}.0.op");
                l.conv(name, channels, channels, 3);
                skipped.push(channels);
                index += 1;
            }
        }
        (channels, skipped)
    }

    fn middle(&self, l: &mut Layout, channels: usize) {
        l.scope("middle_block", |l| match self.form.middle {
            Middle::Nothing => {}
            Middle::Residual => l.scope(0, |l| self.residual(l, channels, channels)),
            Middle::Attention(depth) => {
                l.scope(0, |l| self.residual(l, channels, channels));
                l.scope(1, |l| self.transformer(l, channels, channels, depth));
                l.scope(2, |l| self.residual(l, channels, channels));
            }
        });
    }

    /// Adds the way out, which takes the skip connections from the last to the first.
    fn outward(&self, l: &mut Layout, mut channels: usize, mut skipped: Vec<usize>) {
        let mut index = 0;
        for (number, level) in self.form.levels.iter().enumerate().rev() {
            let mut left = level.outward.len();
            for &depth in level.outward {
                left -= 1;
                let inputs = channels + skipped.pop().unwrap_or_default();
                l.scope(format_args!("output_blocks.{index}"), |l| {
                    self.stage(l, inputs, number, level.factor, depth);
                });
                channels = level.factor * self.width;
                if number > 0 && left == 0 {
                    index += usize::from(self.form.gaps);
                    // Behind the attention if there is one, except in block 2 of SDXS.
                    let place = if depth > 0 && !(self.form.gaps && index == 2) { 2 } else { 1 };
                    let name = format_args!("output_blocks.{index}.{place}.conv");
                    l.conv(name, channels, channels, 3);
                }
                index += 1;
            }
        }
    }

    /// Adds a residual block and, if it has any depth, attention.
    fn stage(&self, l: &mut Layout, inputs: usize, level: usize, factor: usize, depth: usize) {
        let outputs = factor * self.width;
        l.scope(0, |l| self.residual(l, inputs, outputs));
        if depth > 0 {
            let told_twice = self.form.told_twice && level == 0;
            let keys = if told_twice { self.form.encoders.width() } else { outputs };
            l.scope(1, |l| self.transformer(l, outputs, keys, depth));
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

    /// Adds attention; `keys` is the width of what the first part of each block looks at.
    fn transformer(&self, l: &mut Layout, channels: usize, keys: usize, depth: usize) {
        l.norm("norm", channels);
        self.projection(l, "proj_in", channels);
        for i in 0..depth {
            l.scope(format_args!("transformer_blocks.{i}"), |l| {
                for (name, keys) in [("attn1", keys), ("attn2", self.form.encoders.width())] {
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
        }
        self.projection(l, "proj_out", channels);
    }

    fn projection(&self, l: &mut Layout, name: &str, channels: usize) {
        if self.form.linear {
            l.linear(name, channels, channels);
        } else {
            l.conv(name, channels, channels, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_widths_have_the_parameters_of_the_real_models() {
        for (form, inputs, parameters) in [
            (SD1, 4, 859_520_964),
            (SD1, 9, 859_535_364),
            (SD2, 4, 865_910_724),
            (SDXL, 4, 2_567_463_684),
        ] {
            let layout = layout(&form, 320, inputs).unwrap();
            assert_eq!(layout.parameters(), parameters, "{form:?}");
        }
    }

    #[test]
    fn distilled_forms_have_the_millions_of_parameters_their_makers_give() {
        for (form, millions) in [(SSD1B, 1331), (VEGA, 745)] {
            let layout = layout(&form, 320, 4).unwrap();
            assert_eq!(layout.parameters() / 1_000_000, millions, "{form:?}");
        }
    }

    #[test]
    fn refuses_widths_the_engine_cannot_divide() {
        assert!(layout(&SD1, 0, 4).is_err() && layout(&SDXS_512, 48, 4).is_err());
        assert!(layout(&SD2, 32, 4).is_err() && layout(&SDXL, 32, 4).is_ok());
    }
}
