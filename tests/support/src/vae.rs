//! The variational autoencoder of Stable Diffusion.

use crate::tensor::Layout;
use std::io;

/// Channels at the first level; the engine fixes them for the encoder.
pub(crate) const WIDTH: usize = 128;
/// Factor on the channels, level by level.
const LEVELS: [usize; 4] = [1, 2, 4, 4];
/// Channels of the latent image.
const LATENT: usize = 4;

/// The layout of a file which holds the autoencoder alone.
pub(crate) fn layout(decoder_width: usize) -> io::Result<Layout> {
    if decoder_width == 0 || !decoder_width.is_multiple_of(32) {
        return Err(crate::invalid(format!(
            "decoder width {decoder_width} is not a multiple of 32"
        )));
    }
    let mut layout = Layout::default();
    autoencoder(&mut layout, decoder_width);
    Ok(layout)
}

/// Adds encoder and decoder.
pub(crate) fn autoencoder(l: &mut Layout, decoder_width: usize) {
    l.scope("encoder", encoder);
    l.scope("decoder", |l| decoder(l, decoder_width));
    l.conv("quant_conv", 2 * LATENT, 2 * LATENT, 1);
    l.conv("post_quant_conv", LATENT, LATENT, 1);
}

fn encoder(l: &mut Layout) {
    l.conv("conv_in", 3, WIDTH, 3);
    let mut channels = WIDTH;
    for (i, factor) in LEVELS.into_iter().enumerate() {
        l.scope(format_args!("down.{i}"), |l| {
            channels = residuals(l, 2, channels, WIDTH * factor);
            if i + 1 < LEVELS.len() {
                l.conv("downsample.conv", channels, channels, 3);
            }
        });
    }
    l.scope("mid", |l| middle(l, channels));
    l.norm("norm_out", channels);
    l.conv("conv_out", channels, 2 * LATENT, 3);
}

fn decoder(l: &mut Layout, width: usize) {
    let mut channels = width * LEVELS.last().copied().unwrap_or(1);
    l.conv("conv_in", LATENT, channels, 3);
    l.scope("mid", |l| middle(l, channels));
    for (i, factor) in LEVELS.into_iter().enumerate().rev() {
        l.scope(format_args!("up.{i}"), |l| {
            channels = residuals(l, 3, channels, width * factor);
            if i > 0 {
                l.conv("upsample.conv", channels, channels, 3);
            }
        });
    }
    l.norm("norm_out", channels);
    l.conv("conv_out", channels, 3, 3);
}

/// Adds the residual blocks of a level; the first takes the channels to `outputs`.
fn residuals(l: &mut Layout, count: usize, inputs: usize, outputs: usize) -> usize {
    for j in 0..count {
        let inputs = if j == 0 { inputs } else { outputs };
        l.scope(format_args!("block.{j}"), |l| residual(l, inputs, outputs));
    }
    outputs
}

fn residual(l: &mut Layout, inputs: usize, outputs: usize) {
    l.norm("norm1", inputs);
    l.conv("conv1", inputs, outputs, 3);
    l.norm("norm2", outputs);
    l.conv("conv2", outputs, outputs, 3);
    if inputs != outputs {
        l.conv("nin_shortcut", inputs, outputs, 1);
    }
}

fn middle(l: &mut Layout, channels: usize) {
    l.scope("block_1", |l| residual(l, channels, channels));
    l.scope("attn_1", |l| {
        l.norm("norm", channels);
        for projection in ["q", "k", "v", "proj_out"] {
            l.conv(projection, channels, channels, 1);
        }
    });
    l.scope("block_2", |l| residual(l, channels, channels));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_parameters_of_the_real_model() {
        assert_eq!(layout(128).unwrap().parameters(), 83_653_863);
        assert!(layout(48).is_err() && layout(0).is_err());
    }
}
