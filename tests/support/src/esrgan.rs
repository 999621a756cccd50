//! RealESRGAN upscalers (RRDBNet).

use crate::tensor::Layout;
use std::io;

/// Channels between the blocks, fixed by the engine.
const FEATURES: usize = 64;
/// Channels each dense convolution adds, fixed by the engine.
const GROWTH: usize = 32;
/// Convolutions in a dense block.
const CONVOLUTIONS: usize = 5;

/// The layout of an upscaler with one residual block.
pub(crate) fn layout(scale: usize) -> io::Result<Layout> {
    if !matches!(scale, 1 | 2 | 4) {
        return Err(crate::invalid(format!("no RealESRGAN scales by {scale} (1, 2 and 4 exist)")));
    }
    let mut layout = Layout::default();
    layout.conv("conv_first", 3, FEATURES, 3);
    for dense in 1..=3 {
        layout.scope(format_args!("body.0.rdb{dense}"), dense_block);
    }
    layout.conv("conv_body", FEATURES, FEATURES, 3);
    for doubling in 1..=scale.ilog2() {
        layout.conv(format_args!("conv_up{doubling}"), FEATURES, FEATURES, 3);
    }
    layout.conv("conv_hr", FEATURES, FEATURES, 3);
    layout.conv("conv_last", FEATURES, 3, 3).scaled_by(0.5);
    Ok(layout)
}

fn dense_block(l: &mut Layout) {
    for k in 0..CONVOLUTIONS {
        let last = k + 1 == CONVOLUTIONS;
        let outputs = if last { FEATURES } else { GROWTH };
        l.conv(format_args!("conv{}", k + 1), FEATURES + k * GROWTH, outputs, 3).scaled_by(0.5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_tensors_of_the_reference_generator() {
        for (scale, expected) in [(1, (38, 796_803)), (2, (40, 833_731)), (4, (42, 870_659))] {
            let layout = layout(scale).unwrap();
            assert_eq!((layout.tensors().len(), layout.parameters()), expected);
        }
    }

    #[test]
    fn refuses_other_scales() {
        assert!(layout(0).is_err() && layout(3).is_err());
    }
}
