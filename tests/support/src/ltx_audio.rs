//! The sound of LTX-2: a decoder from latent to spectrogram, and a vocoder from that to samples.

use crate::tensor::Layout;

/// Channels of the latent; fixed.
const LATENT: usize = 8;
/// Frequencies of the latent; fixed.
const FREQUENCIES: usize = 16;
/// Samples of one moment: two channels, fixed.
const STEREO: usize = 2;
/// Channels of the decoder's levels. Each but the first doubles the resolution, and the
/// spectrogram has four times the latent's.
const LEVELS: [usize; 3] = [16, 32, 64];
/// Channels of the vocoder at first; each level has half as many.
const VOCODER: usize = 128;
/// Kernels of the vocoder's upsampling; the factors (5 and five times 2) are fixed.
const UPSAMPLING: [usize; 6] = [11, 4, 4, 4, 4, 4];
/// Kernels of the three residual blocks of a level.
const KERNELS: [usize; 3] = [3, 3, 3];

pub(crate) fn layout() -> Layout {
    let mut layout = Layout::default();
    layout.scope("audio_vae", |l| {
        for statistic in ["mean-of-means", "std-of-means"] {
            l.ones(format_args!("per_channel_statistics.{statistic}"), &[LATENT * FREQUENCIES]);
        }
        l.scope("decoder", decoder);
    });
    layout.scope("vocoder.vocoder", vocoder);
    layout
}

fn decoder(l: &mut Layout) {
    let [.., mut channels] = LEVELS;
    l.conv("conv_in.conv", LATENT, channels, 3);
    residual(l, "mid.block_1", channels, channels);
    residual(l, "mid.block_2", channels, channels);
    for (level, outputs) in LEVELS.into_iter().enumerate().rev() {
        residual(l, &format!("up.{level}.block.0"), channels, outputs);
        channels = outputs;
        if level > 0 {
            l.conv(format_args!("up.{level}.upsample.conv.conv"), channels, channels, 3);
        }
    }
    l.conv("conv_out.conv", channels, STEREO, 3);
}

fn residual(l: &mut Layout, name: &str, inputs: usize, outputs: usize) {
    l.scope(name, |l| {
        l.conv("conv1.conv", inputs, outputs, 3);
        l.conv("conv2.conv", outputs, outputs, 3);
        if inputs != outputs {
            l.conv("nin_shortcut.conv", inputs, outputs, 1);
        }
    });
}

fn vocoder(l: &mut Layout) {
    let mut channels = VOCODER;
    conv(l, "conv_pre", 4 * FREQUENCIES * STEREO, channels, 7);
    for (level, kernel) in UPSAMPLING.into_iter().enumerate() {
        let outputs = channels / 2;
        // Transposed: the inputs come first.
        l.random(format_args!("ups.{level}.weight"), &[channels, outputs, kernel]);
        l.random(format_args!("ups.{level}.bias"), &[outputs]).scaled_by(0.1);
        channels = outputs;
        for (block, kernel) in KERNELS.into_iter().enumerate() {
            l.scope(format_args!("resblocks.{}", level * KERNELS.len() + block), |l| {
                for i in 0..3 {
                    for half in 1..=2 {
                        activation(l, &format!("acts{half}.{i}"), channels);
                        conv(l, &format!("convs{half}.{i}"), channels, channels, kernel);
                    }
                }
            });
        }
    }
    activation(l, "act_post", channels);
    l.random("conv_post.weight", &[STEREO, channels, 7]).scaled_by(0.05);
}

/// A convolution over time.
fn conv(l: &mut Layout, name: &str, inputs: usize, outputs: usize, kernel: usize) {
    l.random(format_args!("{name}.weight"), &[outputs, inputs, kernel]).scaled_by(0.5);
    l.random(format_args!("{name}.bias"), &[outputs]).scaled_by(0.1);
}

/// A periodic activation at twice the resolution.
fn activation(l: &mut Layout, name: &str, channels: usize) {
    l.scope(name, |l| {
        l.ones("act.alpha", &[channels]);
        l.ones("act.beta", &[channels]);
        l.random("upsample.filter", &[1, 1, 12]).kept_in_f32();
        // The engine aborts on one in f32.
        l.random("downsample.lowpass.filter", &[1, 1, 12]);
    });
}
