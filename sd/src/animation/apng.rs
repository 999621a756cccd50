//! Animated PNG.

use super::{Animation, file::Target, timing};
use crate::{PngCompression, Result, png_encoder};
use std::io::Write;

pub(super) fn write(
    animation: &Animation<'_>,
    writer: impl Write,
    target: &Target<'_>,
) -> Result<()> {
    let fail = |e| target.png(e);
    let (shape, pixels) =
        animation.frames.first().map_or_else(Default::default, |f| (f.shape(), f.as_bytes()));
    let mut encoder = png_encoder::new(writer, shape, pixels, PngCompression::default());
    let count = u32::try_from(animation.frames.len()).unwrap_or(u32::MAX);
    encoder.set_animated(count, animation.plays.into()).map_err(fail)?;
    let (frames, seconds) = timing::fraction(animation.fps);
    encoder.set_frame_delay(seconds, frames).map_err(fail)?;
    let mut writer = encoder.write_header().map_err(fail)?;
    for frame in &animation.frames {
        writer.write_image_data(frame.as_bytes()).map_err(fail)?;
    }
    writer.finish().map_err(fail)
}
