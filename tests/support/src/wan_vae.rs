//! The autoencoder of Wan 2.1, which is that of Qwen-Image too; all sizes are fixed.

use crate::tensor::Layout;

/// Channels at the first level.
const WIDTH: usize = 96;
/// Factor on the channels, level by level.
const LEVELS: [usize; 4] = [1, 2, 4, 4];
/// Channels of the latent video.
const LATENT: usize = 16;

pub(crate) fn layout() -> Layout {
    let mut layout = Layout::default();
    layout.scope("encoder", encoder);
    layout.conv3d("conv1", 2 * LATENT, 2 * LATENT, (1, 1));
    layout.conv3d("conv2", LATENT, LATENT, (1, 1));
    layout.scope("decoder", decoder);
    layout
}

fn encoder(l: &mut Layout) {
    l.conv3d("conv1", 3, WIDTH, (3, 3));
    let (mut channels, mut index) = (WIDTH, 0);
    for (level, factor) in LEVELS.into_iter().enumerate() {
        for _ in 0..2 {
            l.scope(format_args!("downsamples.{index}"), |l| residual(l, channels, WIDTH * factor));
            channels = WIDTH * factor;
            index += 1;
        }
        if level + 1 < LEVELS.len() {
            l.scope(format_args!("downsamples.{index}"), |l| {
                l.conv("resample.1", channels, channels, 3);
                // The first level keeps all frames.
                if level > 0 {
                    l.conv3d("time_conv", channels, channels, (3, 1));
                }
            });
            index += 1;
        }
    }
    middle(l, channels);
    head(l, channels, 2 * LATENT);
}

fn decoder(l: &mut Layout) {
    let mut channels = WIDTH * 4;
    l.conv3d("conv1", LATENT, channels, (3, 3));
    middle(l, channels);
    let mut index = 0;
    for (level, factor) in LEVELS.into_iter().rev().enumerate() {
        for _ in 0..3 {
            l.scope(format_args!("upsamples.{index}"), |l| residual(l, channels, WIDTH * factor));
            channels = WIDTH * factor;
            index += 1;
        }
        if level + 1 < LEVELS.len() {
            l.scope(format_args!("upsamples.{index}"), |l| {
                l.conv("resample.1", channels, channels / 2, 3);
                if level < 2 {
                    l.conv3d("time_conv", channels, 2 * channels, (3, 1));
                }
            });
            channels /= 2;
            index += 1;
        }
    }
    head(l, channels, 3);
}

fn residual(l: &mut Layout, inputs: usize, outputs: usize) {
    l.ones("residual.0.gamma", &[inputs]);
    l.conv3d("residual.2", inputs, outputs, (3, 3));
    l.ones("residual.3.gamma", &[outputs]);
    l.conv3d("residual.6", outputs, outputs, (3, 3));
    if inputs != outputs {
        l.conv3d("shortcut", inputs, outputs, (1, 1));
    }
}

fn middle(l: &mut Layout, channels: usize) {
    l.scope("middle", |l| {
        l.scope(0, |l| residual(l, channels, channels));
        l.ones("1.norm.gamma", &[channels]);
        l.conv("1.to_qkv", channels, 3 * channels, 1);
        l.conv("1.proj", channels, channels, 1);
        l.scope(2, |l| residual(l, channels, channels));
    });
}

fn head(l: &mut Layout, channels: usize, outputs: usize) {
    l.ones("head.0.gamma", &[channels]);
    l.conv3d("head.2", channels, outputs, (3, 3));
}
