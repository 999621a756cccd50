//! TAESD, the tiny autoencoder.

use crate::tensor::Layout;
use std::io;

/// Channels inside, fixed by the engine.
const WIDTH: usize = 64;
/// Latent channels of FLUX.2, whose autoencoder has pooling gates in some blocks.
const FLUX2_LATENT: usize = 32;

/// The layout of a file which holds the autoencoder alone.
pub(crate) fn layout(latent_channels: usize) -> io::Result<Layout> {
    if !matches!(latent_channels, 4 | 16 | FLUX2_LATENT) {
        return Err(crate::invalid(format!(
            "no TAESD has {latent_channels} latent channels (4, 16 and 32 exist)"
        )));
    }
    let mut layout = Layout::default();
    autoencoder(&mut layout, latent_channels);
    Ok(layout)
}

/// Adds decoder and encoder.
pub(crate) fn autoencoder(l: &mut Layout, latent_channels: usize) {
    l.scope("decoder.layers", |l| decoder(l, latent_channels));
    l.scope("encoder.layers", |l| encoder(l, latent_channels));
}

fn decoder(l: &mut Layout, latent_channels: usize) {
    l.conv(0, latent_channels, WIDTH, 3);
    for i in 2..=4 {
        block(l, i, latent_channels == FLUX2_LATENT);
    }
    for (resize, blocks) in [(6, 7..=9), (11, 12..=14), (16, 17..=17)] {
        l.conv_no_bias(resize, WIDTH, WIDTH, 3);
        for i in blocks {
            block(l, i, false);
        }
    }
    l.conv(18, WIDTH, 3, 3).scaled_by(0.5);
}

fn encoder(l: &mut Layout, latent_channels: usize) {
    l.conv(0, 3, WIDTH, 3);
    block(l, 1, false);
    for resize in [2, 6, 10] {
        let pooled = latent_channels == FLUX2_LATENT && resize == 10;
        l.conv_no_bias(resize, WIDTH, WIDTH, 3);
        for i in resize + 1..=resize + 3 {
            block(l, i, pooled);
        }
    }
    l.conv(14, WIDTH, latent_channels, 3);
}

fn block(l: &mut Layout, index: usize, pooled: bool) {
    l.scope(index, |l| {
        for i in [0, 2, 4] {
            l.conv(format_args!("conv.{i}"), WIDTH, WIDTH, 3).scaled_by(0.7);
        }
        if pooled {
            l.conv_no_bias("pool.0", WIDTH, 4 * WIDTH, 1);
            l.norm("pool.1", 4 * WIDTH);
            l.conv_no_bias("pool.3", 4 * WIDTH, WIDTH, 1);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_tensors_of_the_reference_generator() {
        for (latent, expected) in
            [(4, (134, 2_445_063)), (16, (134, 2_458_899)), (32, (158, 2_677_027))]
        {
            let layout = layout(latent).unwrap();
            assert_eq!((layout.tensors().len(), layout.parameters()), expected);
        }
    }

    #[test]
    fn refuses_unknown_latents() {
        assert!(layout(8).is_err());
    }
}
