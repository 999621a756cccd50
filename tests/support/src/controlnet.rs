//! A ControlNet for Stable Diffusion 1.

use crate::tensor::Layout;
use crate::unet;

/// The engine fixes the width, so the UNet must have it too.
const WIDTH: usize = 320;
/// The convolutions which bring the picture to the size of the latent image: place, inputs and
/// outputs.
const HINT: [(usize, usize, usize); 8] = [
    (0, 3, 16),
    (2, 16, 16),
    (4, 16, 32),
    (6, 32, 32),
    (8, 32, 96),
    (10, 96, 96),
    (12, 96, 256),
    (14, 256, WIDTH),
];

/// The layout under the names of the published checkpoints. Their last convolutions start from
/// zero; these do not, so that the net has an effect.
pub(crate) fn layout() -> Layout {
    let mut layout = Layout::default();
    layout.scope("control_model", |l| {
        let mut outputs = unet::first_half(l, &unet::SD1, WIDTH);
        for (place, inputs, outputs) in HINT {
            l.conv(format_args!("input_hint_block.{place}"), inputs, outputs, 3);
        }
        let middle = outputs.pop().unwrap_or_default();
        for (i, channels) in outputs.into_iter().enumerate() {
            l.conv(format_args!("zero_convs.{i}.0"), channels, channels, 1);
        }
        l.conv("middle_block_out.0", middle, middle, 1);
    });
    layout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_parameters_of_the_real_model() {
        assert_eq!(layout().parameters(), 361_279_120);
    }
}
