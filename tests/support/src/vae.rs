//! The full-size variational autoencoder of Stable Diffusion 1.

use crate::tensor::Layout;

/// Channels at the first level; the engine fixes them for the encoder.
const WIDTH: usize = 128;
/// Factor on the channels, level by level.
const LEVELS: [usize; 4] = [1, 2, 4, 4];
/// Channels of the latent image.
const LATENT: usize = 4;
/// Channels at the innermost level.
const INNERMOST: usize = WIDTH * 4;

/// Adds encoder and decoder under the name they have in a checkpoint.
pub(crate) fn autoencoder(l: &mut Layout) {
    l.scope("first_stage_model", |l| {
        l.scope("encoder", encoder);
        l.scope("decoder", decoder);
        l.conv("quant_conv", 2 * LATENT, 2 * LATENT, 1);
        l.conv("post_quant_conv", LATENT, LATENT, 1);
    });
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
    l.scope("mid", middle);
    l.norm("norm_out", channels);
    l.conv("conv_out", channels, 2 * LATENT, 3);
}

fn decoder(l: &mut Layout) {
    l.conv("conv_in", LATENT, INNERMOST, 3);
    l.scope("mid", middle);
    let mut channels = INNERMOST;
    for (i, factor) in LEVELS.into_iter().enumerate().rev() {
        l.scope(format_args!("up.{i}"), |l| {
            channels = residuals(l, 3, channels, WIDTH * factor);
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

fn middle(l: &mut Layout) {
    l.scope("block_1", |l| residual(l, INNERMOST, INNERMOST));
    l.scope("attn_1", |l| {
        l.norm("norm", INNERMOST);
        for projection in ["q", "k", "v", "proj_out"] {
            l.conv(projection, INNERMOST, INNERMOST, 1);
        }
    });
    l.scope("block_2", |l| residual(l, INNERMOST, INNERMOST));
}
