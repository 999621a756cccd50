//! Laying one picture over another by a mask of how much of it shows.

use image::{
    GrayImage, Pixel, RgbImage,
    imageops::{self, FilterType},
};
use std::borrow::Cow;

/// Lays `over` on `under` with its corner at (`x`, `y`), as much of it as `alpha` says: 0 keeps
/// `under` exactly, 255 is `over` exactly. What lies outside is left out.
pub(crate) fn lay_over(
    under: &mut RgbImage,
    over: &RgbImage,
    alpha: &GrayImage,
    (x, y): (u32, u32),
) {
    let rows = under.rows_mut().skip(y as usize).zip(over.rows()).zip(alpha.rows());
    for ((under, over), alpha) in rows {
        for ((under, over), alpha) in under.skip(x as usize).zip(over).zip(alpha) {
            under.apply2(over, |under, over| mix(under, over, alpha.0[0]));
        }
    }
}

/// `from` where `alpha` is 0, `to` where it is 255, rounded in between.
fn mix(from: u8, to: u8, alpha: u8) -> u8 {
    let [from, to, alpha] = [from, to, alpha].map(u32::from);
    ((from * (255 - alpha) + to * alpha + 127) / 255) as u8
}

/// The picture in another size, itself if it has that size. Lanczos: sharp both up and down.
pub(crate) fn resized(picture: &RgbImage, width: u32, height: u32) -> Cow<'_, RgbImage> {
    if picture.dimensions() == (width, height) {
        Cow::Borrowed(picture)
    } else {
        Cow::Owned(imageops::resize(picture, width, height, FilterType::Lanczos3))
    }
}

/// The mask in another size. Linear: no ringing, so what is 0 all around stays 0.
pub(crate) fn resized_mask(mask: &GrayImage, width: u32, height: u32) -> Cow<'_, GrayImage> {
    if mask.dimensions() == (width, height) {
        Cow::Borrowed(mask)
    } else {
        Cow::Owned(imageops::resize(mask, width, height, FilterType::Triangle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};

    #[test]
    fn mixes_exactly_at_both_ends() {
        for v in 0..=255 {
            assert_eq!((mix(v, 99, 0), mix(99, v, 255)), (v, v));
        }
        assert_eq!((mix(0, 255, 128), mix(10, 20, 127)), (128, 15));
    }

    #[test]
    fn lays_by_alpha_and_leaves_out_what_is_outside() {
        let mut under = RgbImage::from_pixel(3, 2, Rgb([10, 20, 30]));
        let over = RgbImage::from_pixel(2, 2, Rgb([200, 200, 200]));
        let mut alpha = GrayImage::from_pixel(2, 2, Luma([255]));
        alpha.put_pixel(1, 0, Luma([0]));
        lay_over(&mut under, &over, &alpha, (1, 1));
        let reds: Vec<u8> = under.pixels().map(|p| p.0[0]).collect();
        assert_eq!(reds, [10, 10, 10, 10, 200, 10]);
        lay_over(&mut under, &over, &alpha, (2, 0));
        assert_eq!(under.get_pixel(2, 1).0, [200; 3]);
        lay_over(&mut under, &over, &alpha, (9, 9));
    }
}
