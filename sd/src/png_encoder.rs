//! PNG encoders with what all of them share.

use crate::PngCompression;
use std::io::Write;

/// An encoder of pictures with 8 bits a channel: gray, RGB or RGBA.
pub(crate) fn new<'a, W: Write>(
    writer: W,
    (width, height): (u32, u32),
    channels: u32,
    compression: PngCompression,
) -> png::Encoder<'a, W> {
    let mut encoder = png::Encoder::new(writer, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    encoder.set_compression(match compression {
        PngCompression::Fast => png::Compression::Fast,
        PngCompression::Balanced => png::Compression::Balanced,
        PngCompression::High => png::Compression::High,
    });
    encoder
}
