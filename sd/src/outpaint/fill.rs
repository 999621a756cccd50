//! What a canvas holds where there is no picture.

use super::OutpaintFill;
use image::{Rgb, RgbImage, imageops};

/// How the blur of drawn-out borders grows with their width, and its limit.
const BLUR_SHARE: f32 = 0.125;
const MAX_BLUR: f32 = 24.0;

/// A canvas of this size with the picture's corner at (`left`, `top`).
pub(super) fn canvas(
    picture: &RgbImage,
    (width, height): (u32, u32),
    (left, top): (u32, u32),
    fill: OutpaintFill,
) -> RgbImage {
    let (inner_width, inner_height) = picture.dimensions();
    let mut canvas = match fill {
        OutpaintFill::Edge => {
            let columns = sources(width, left, inner_width, clamped);
            let rows = sources(height, top, inner_height, clamped);
            let added = (width - inner_width).max(height - inner_height);
            // The approximation will do for what is painted over, and takes the same time at any
            // width.
            let sigma = (added as f32 * BLUR_SHARE).clamp(0.5, MAX_BLUR);
            imageops::fast_blur(&gathered(picture, &columns, &rows), sigma)
        }
        OutpaintFill::Mirror => {
            let columns = sources(width, left, inner_width, mirrored);
            let rows = sources(height, top, inner_height, mirrored);
            gathered(picture, &columns, &rows)
        }
        OutpaintFill::Noise { seed } => {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut canvas = RgbImage::new(width, height);
            for pixel in canvas.pixels_mut() {
                let (x, y) = (random.u32(0..inner_width), random.u32(0..inner_height));
                *pixel = at(picture, x, y);
            }
            canvas
        }
        OutpaintFill::Color(color) => RgbImage::from_pixel(width, height, Rgb(color)),
    };
    imageops::replace(&mut canvas, picture, left.into(), top.into());
    canvas
}

/// For each column or row of the canvas the one of the picture that is shown there.
fn sources(length: u32, before: u32, inner: u32, map: fn(i64, i64) -> i64) -> Vec<u32> {
    let inner = i64::from(inner);
    (0..length)
        .map(|i| u32::try_from(map(i64::from(i) - i64::from(before), inner)).unwrap_or(0))
        .collect()
}

fn clamped(at: i64, inner: i64) -> i64 {
    at.clamp(0, inner - 1)
}

fn mirrored(at: i64, inner: i64) -> i64 {
    let within = at.rem_euclid(2 * inner);
    within.min(2 * inner - 1 - within)
}

fn gathered(picture: &RgbImage, columns: &[u32], rows: &[u32]) -> RgbImage {
    let mut canvas = RgbImage::new(columns.len() as u32, rows.len() as u32);
    for (to, y) in canvas.rows_mut().zip(rows) {
        for (to, x) in to.zip(columns) {
            *to = at(picture, *x, *y);
        }
    }
    canvas
}

fn at(picture: &RgbImage, x: u32, y: u32) -> Rgb<u8> {
    picture.get_pixel_checked(x, y).copied().unwrap_or(Rgb([0; 3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reds(canvas: &RgbImage) -> Vec<u8> {
        canvas.pixels().map(|p| p.0[0]).collect()
    }

    fn row(values: &[u8]) -> RgbImage {
        RgbImage::from_fn(values.len() as u32, 1, |x, _| Rgb([values[x as usize]; 3]))
    }

    #[test]
    fn mirrors_over_and_over() {
        let canvas = canvas(&row(&[1, 2, 3]), (14, 1), (4, 0), OutpaintFill::Mirror);
        assert_eq!(reds(&canvas), [3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1, 2, 3, 3]);
    }

    #[test]
    fn draws_borders_out() {
        let canvas = canvas(&row(&[90, 90]), (6, 1), (2, 0), OutpaintFill::Edge);
        assert_eq!(reds(&canvas), [90; 6]);
        assert_eq!(sources(7, 2, 3, clamped), [0, 0, 0, 1, 2, 2, 2]);
    }

    #[test]
    fn fills_with_a_colour_or_with_the_pictures_own() {
        let small = row(&[10, 20]);
        let coloured = canvas(&small, (4, 1), (1, 0), OutpaintFill::Color([7, 8, 9]));
        assert_eq!(reds(&coloured), [7, 10, 20, 7]);
        let noise = |seed| canvas(&small, (64, 64), (0, 0), OutpaintFill::Noise { seed });
        assert!(reds(&noise(1)).iter().all(|r| [10, 20].contains(r)));
        assert!(noise(1) == noise(1) && noise(1) != noise(2));
    }
}
