//! PNG encoders with what all of them share.

use crate::{PngCompression, engine::Shape};
use png::{Compression, DeflateCompression, Filter};
use std::io::Write;

/// An encoder of pictures with 8 bits a channel: gray, RGB or RGBA. `pixels` are those of the picture, or
/// of the first one of an animation: the quick level depends on them.
pub(crate) fn new<'a, W: Write>(
    writer: W,
    shape: Shape,
    pixels: &[u8],
    compression: PngCompression,
) -> png::Encoder<'a, W> {
    let mut encoder = png::Encoder::new(writer, shape.width, shape.height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(match shape.channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    match compression {
        // The quickest deflate has one table of codes, made for photographs: of a drawing it makes files up to
        // twice as large as others. There zlib-rs finds long repetitions, and needs little time for them.
        PngCompression::Fast if is_flat(shape, pixels) => {
            encoder.set_deflate_compression(DeflateCompression::Level(3));
            encoder.set_filter(Filter::Paeth);
        }
        PngCompression::Fast => encoder.set_compression(Compression::Fast),
        PngCompression::Balanced => encoder.set_compression(Compression::Balanced),
        PngCompression::High => encoder.set_compression(Compression::High),
    }
    encoder
}

/// Whether three pixels of four are equal to the one on their left, as in drawings and pictures of screens.
/// In a photograph at most two are where half of it is one colour.
fn is_flat(shape: Shape, pixels: &[u8]) -> bool {
    match shape.channels {
        1 => flat::<1>(shape.width, pixels),
        3 => flat::<3>(shape.width, pixels),
        _ => flat::<4>(shape.width, pixels),
    }
}

fn flat<const CHANNELS: usize>(width: u32, pixels: &[u8]) -> bool {
    let (pixels, _) = pixels.as_chunks::<CHANNELS>();
    let (mut equal, mut all) = (0_usize, 0_usize);
    // Each eighth row tells enough.
    for row in pixels.chunks_exact((width as usize).max(1)).step_by(8) {
        equal += row.iter().zip(row.iter().skip(1)).filter(|(left, pixel)| left == pixel).count();
        all += row.len() - 1;
    }
    equal * 4 > all * 3
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    type Pixel = [u8; 3];

    /// Numbers of 0 to 255 that are the same everywhere.
    fn random(state: &mut u32) -> u8 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 24) as u8
    }

    /// Discs with soft edges on plain paper.
    fn drawing(side: u32) -> Vec<Pixel> {
        let discs = [
            (90, 110, 60, [214, 32, 41]),
            (170, 80, 48, [38, 78, 190]),
            (150, 180, 70, [30, 150, 70]),
        ];
        let pixel = |x: u32, y: u32| {
            let mut colour: [i32; 3] = [246, 244, 240];
            for (centre_x, centre_y, radius, ink) in discs {
                let scale = side as i32 / 256;
                let (dx, dy) = (x as i32 - centre_x * scale, y as i32 - centre_y * scale);
                let radius = radius * scale;
                // About 0 to 16 across an edge of some pixels.
                let share =
                    ((radius * radius - dx * dx - dy * dy) / radius / scale + 8).clamp(0, 16);
                for (value, ink) in colour.iter_mut().zip(ink) {
                    *value += (ink - *value) * share / 16;
                }
            }
            colour.map(|value| value as u8)
        };
        (0..side).flat_map(|y| (0..side).map(move |x| pixel(x, y))).collect()
    }

    /// Broad forms with finer ones in them, and grain.
    fn photo(side: u32) -> Vec<Pixel> {
        let mut state = 1;
        // 0 to `high` and back.
        let wave = |at: u32, length: u32, high: u32| {
            let phase = at * 2 * high / length % (2 * high);
            phase.min(2 * high - phase)
        };
        let mut pixel = |x: u32, y: u32| {
            let light =
                wave(x + y / 2, side, 90) + wave(y + x / 3, side / 5, 40) + wave(x + 2 * y, 37, 12);
            [60, 52, 40].map(|tint| (light + tint) as u8 + random(&mut state) % 6)
        };
        (0..side * side).map(|at| pixel(at % side, at / side)).collect()
    }

    fn noise(side: u32) -> Vec<Pixel> {
        let mut state = 2;
        (0..side * side).map(|_| [(); 3].map(|()| random(&mut state))).collect()
    }

    fn encoded(shape: Shape, pixels: &[u8], compression: PngCompression) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = new(&mut file, shape, pixels, compression).write_header().unwrap();
        writer.write_image_data(pixels).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn files_are_at_most_a_tenth_larger_than_those_of_stb() {
        // Bytes of what stb's writer makes of the same pixels (tests/native/stb_png.cpp).
        for (name, draw, stb) in [
            ("drawing", drawing as fn(u32) -> Vec<Pixel>, [23_500, 68_712]),
            ("photo", photo, [582_844, 2_309_546]),
            ("noise", noise, [787_132, 3_147_300]),
        ] {
            for (side, stb) in [512, 1024].into_iter().zip(stb) {
                let pixels = draw(side);
                let shape = Shape { width: side, height: side, channels: 3 };
                let bytes = encoded(shape, pixels.as_flattened(), PngCompression::Fast).len();
                assert!(bytes * 10 <= stb * 11, "{name} {side}: {bytes} bytes, stb: {stb}");
            }
        }
    }

    #[test]
    fn every_level_and_every_number_of_channels_is_exact() {
        for channels in [1, 3, 4] {
            for (width, height) in [(1, 1), (1, 20), (20, 1), (33, 17)] {
                let shape = Shape { width, height, channels };
                let size = (width * height * channels) as usize;
                let mut state = 3;
                let noise = (0..size).map(|_| random(&mut state)).collect();
                for pixels in [vec![77; size], noise] {
                    for compression in PngCompression::ALL {
                        let file = encoded(shape, &pixels, *compression);
                        let read = image::load_from_memory(&file).unwrap();
                        assert_eq!((read.width(), read.height()), (width, height));
                        assert_eq!(u32::from(read.color().channel_count()), channels);
                        assert_eq!(read.as_bytes(), pixels, "{shape:?}, {compression:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn drawings_are_flat() {
        for side in [512, 1024] {
            let shape = Shape { width: side, height: side, channels: 3 };
            assert!(is_flat(shape, drawing(side).as_flattened()));
            assert!(!is_flat(shape, photo(side).as_flattened()));
            assert!(!is_flat(shape, noise(side).as_flattened()));
        }
    }
}
