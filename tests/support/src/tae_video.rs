//! TAEHV, the tiny autoencoder of videos.

use crate::tensor::Layout;

/// Channels of the encoder, and of the decoder's last level; fixed by the engine.
const WIDTH: usize = 64;
/// Channels of the decoder's levels.
const LEVELS: [usize; 4] = [256, 128, 64, 64];

/// Which latent videos a tiny autoencoder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoLatent {
    /// 16 channels: Wan 2.1, Wan 2.2 of 14 thousand million parameters, and Qwen-Image.
    Wan,
    /// 48 channels: Wan 2.2 of 5 thousand million parameters.
    Wan2_2,
    /// 128 channels: LTX-2.
    Ltx,
}

/// What the engine fixes for a kind of latent video.
struct Sizes {
    channels: usize,
    patch: usize,
    time_down: [usize; 3],
    time_up: [usize; 3],
}

impl VideoLatent {
    pub(crate) fn stem(self) -> &'static str {
        match self {
            Self::Wan => "tae-wan",
            Self::Wan2_2 => "tae-wan2.2",
            Self::Ltx => "tae-ltx",
        }
    }

    fn sizes(self) -> Sizes {
        let (time_down, time_up) = ([2, 2, 1], [1, 2, 2]);
        match self {
            Self::Wan => Sizes { channels: 16, patch: 1, time_down, time_up },
            Self::Wan2_2 => Sizes { channels: 48, patch: 2, time_down, time_up },
            Self::Ltx => Sizes { channels: 128, patch: 4, time_down: [2; 3], time_up: [2; 3] },
        }
    }

    pub(crate) fn layout(self) -> Layout {
        let sizes = self.sizes();
        let mut layout = Layout::default();
        layout.scope("decoder", |l| decoder(l, &sizes));
        layout.scope("encoder", |l| encoder(l, &sizes));
        layout
    }
}

fn decoder(l: &mut Layout, sizes: &Sizes) {
    let [mut channels, ..] = LEVELS;
    l.conv(1, sizes.channels, channels, 3);
    let mut index = 3;
    for (next, time) in LEVELS.into_iter().skip(1).zip(sizes.time_up) {
        index = blocks(l, index, channels);
        // Upsampling has no weights.
        index += 1;
        l.conv_no_bias(format_args!("{index}.conv"), channels, channels * time, 1);
        l.conv_no_bias(index + 1, channels, next, 3);
        index += 2;
        channels = next;
    }
    let pixels = 3 * sizes.patch * sizes.patch;
    l.random(format_args!("{}.weight", index + 1), &[pixels, channels, 3, 3]).scaled_by(0.5);
    // Around a medium grey, so that little is cut off.
    l.ones(format_args!("{}.bias", index + 1), &[pixels]).scaled_by(0.5);
}

fn encoder(l: &mut Layout, sizes: &Sizes) {
    l.conv(0, 3 * sizes.patch * sizes.patch, WIDTH, 3);
    let mut index = 2;
    for time in sizes.time_down {
        l.conv_no_bias(format_args!("{index}.conv"), WIDTH * time, WIDTH, 1);
        l.conv_no_bias(index + 1, WIDTH, WIDTH, 3);
        index = blocks(l, index + 2, WIDTH);
    }
    // The latents of pictures are as large as those the transformers make.
    l.conv(index, WIDTH, sizes.channels, 3).scaled_by(4.0);
}

/// Adds the three blocks of a level, and returns the index of what follows.
fn blocks(l: &mut Layout, index: usize, channels: usize) -> usize {
    for i in index..index + 3 {
        l.scope(format_args!("{i}.conv"), |l| {
            // The frame, and the one before it.
            l.conv(0, 2 * channels, channels, 3).scaled_by(0.7);
            l.conv(2, channels, channels, 3).scaled_by(0.7);
            l.conv(4, channels, channels, 3).scaled_by(0.7);
        });
    }
    index + 3
}
