//! Pictures that come in, in the form the engine reads.

use image::{DynamicImage, GrayImage, Rgb, RgbImage};

/// RGB with transparent parts laid on white, as A1111 does; grey becomes RGB, 16 bits become 8.
pub(crate) fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (from, to) in rgba.pixels().zip(rgb.pixels_mut()) {
        let [r, g, b, alpha] = from.0.map(u32::from);
        let blend = |c: u32| ((c * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        *to = Rgb([blend(r), blend(g), blend(b)]);
    }
    rgb
}

/// Brightness; a mask painted on a transparent canvas keeps what is transparent.
pub(crate) fn brightness(picture: DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.into_luma8();
    }
    let with_alpha = picture.into_luma_alpha8();
    let mut mask = GrayImage::new(with_alpha.width(), with_alpha.height());
    for (from, to) in with_alpha.pixels().zip(mask.pixels_mut()) {
        let [luma, alpha] = from.0.map(u16::from);
        to.0 = [(luma * alpha / 255) as u8];
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Luma, LumaA, Rgba};

    #[test]
    fn pictures_of_any_kind_become_rgb() {
        let grey = ImageBuffer::from_pixel(2, 2, Luma([90_u8]));
        assert_eq!(on_white(grey.into()).get_pixel(0, 0).0, [90, 90, 90]);
        let clear = ImageBuffer::from_pixel(2, 2, Rgba([10_u8, 20, 30, 0]));
        assert_eq!(on_white(clear.into()).get_pixel(1, 1).0, [255, 255, 255]);
        let half = ImageBuffer::from_pixel(1, 1, Rgba([0_u8, 0, 0, 128]));
        assert_eq!(on_white(half.into()).get_pixel(0, 0).0, [127, 127, 127]);
    }

    #[test]
    fn a_stroke_of_nothing_is_no_mask() {
        let stroke = ImageBuffer::from_pixel(1, 1, LumaA([255_u8, 0]));
        assert_eq!(brightness(stroke.into()).get_pixel(0, 0).0, [0]);
    }
}
