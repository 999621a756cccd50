//! What the engine gets for a masked picture, and what the user gets for the engine's.

use super::{Inpaint, InpaintArea, fill::filled, region::Region};
use crate::{
    Error, MAX_SIDE, Result,
    blend::{lay_over, resized, resized_mask},
    validate,
};
use image::{
    GrayImage, RgbImage,
    imageops::{self, FilterType},
};
use std::borrow::Cow;

/// The first value that the engine takes for white: it divides at half.
pub(super) const WHITE: u8 = 128;

/// One masked picture, prepared for drawing.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    original: &'a RgbImage,
    init: Cow<'a, RgbImage>,
    mask: Cow<'a, GrayImage>,
    finish: Finish,
}

/// How the drawn picture becomes the result.
#[derive(Debug)]
enum Finish {
    /// It is the result.
    AsDrawn,
    /// The original shows outside of the mask; `alpha` has the original's size.
    Keep { alpha: GrayImage },
    /// It goes into this part of the original; `alpha` has the part's size.
    Paste { region: Region, alpha: GrayImage },
}

impl<'a> Plan<'a> {
    /// Prepares `original` for drawing in `width` by `height` pixels.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] for options out of range, a mask of another size than the picture,
    /// empty or too large pictures, and a mask without white if only its surroundings are drawn.
    pub(crate) fn new(
        original: &'a RgbImage,
        mask: &'a GrayImage,
        options: &Inpaint,
        width: u32,
        height: u32,
    ) -> Result<Self> {
        options.check()?;
        validate::range("width", width, 1..=MAX_SIDE)?;
        validate::range("height", height, 1..=MAX_SIDE)?;
        check_sizes(original, mask)?;
        let mask = if options.invert { Cow::Owned(inverted(mask)) } else { Cow::Borrowed(mask) };
        match options.area {
            InpaintArea::WholePicture => {
                let finish = if options.keep_unmasked {
                    Finish::Keep { alpha: alpha(&mask, options.mask_blur) }
                } else {
                    Finish::AsDrawn
                };
                let init = resized(original, width, height);
                // A view of the caller's mask stays one where nothing is to be done.
                let mask = match mask {
                    Cow::Borrowed(mask) => resized_mask(mask, width, height),
                    Cow::Owned(mask) => Cow::Owned(resized_mask(&mask, width, height).into_owned()),
                };
                let init = filled(init, &mask, options.fill);
                Ok(Self { original, init, mask, finish })
            }
            InpaintArea::OnlyMasked { padding } => {
                let alpha = alpha(&mask, options.mask_blur);
                let region = Region::around_white(&alpha).ok_or_else(|| no_white(options))?;
                let region = region
                    .grown(padding, original.dimensions())
                    .shaped((width, height), original.dimensions());
                let Region { x, y, width: w, height: h } = region;
                let part = imageops::crop_imm(original, x, y, w, h).to_image();
                let mask = imageops::crop_imm(mask.as_ref(), x, y, w, h).to_image();
                let alpha = imageops::crop_imm(&alpha, x, y, w, h).to_image();
                let init = Cow::Owned(resized(&part, width, height).into_owned());
                let mask = scaled_to_draw(mask, width, height);
                Ok(Self {
                    original,
                    init: filled(init, &mask, options.fill),
                    mask: Cow::Owned(mask),
                    finish: Finish::Paste { region, alpha },
                })
            }
        }
    }

    /// The picture for the engine to start from.
    pub(crate) fn init(&self) -> &RgbImage {
        &self.init
    }

    /// The mask for the engine, of the same size; white repaints.
    pub(crate) fn mask(&self) -> &GrayImage {
        &self.mask
    }

    /// The result for what the engine drew, in whatever size it did.
    pub(crate) fn finish(&self, mut drawn: RgbImage) -> RgbImage {
        let (width, height) = drawn.dimensions();
        if width == 0 || height == 0 {
            return self.original.clone();
        }
        match &self.finish {
            Finish::AsDrawn => drawn,
            Finish::Keep { alpha } => {
                let alpha = resized_mask(alpha, width, height);
                let kept = inverted(&alpha);
                lay_over(&mut drawn, &resized(self.original, width, height), &kept, (0, 0));
                drawn
            }
            Finish::Paste { region, alpha } => {
                let mut picture = self.original.clone();
                let drawn = resized(&drawn, region.width, region.height);
                lay_over(&mut picture, &drawn, alpha, (region.x, region.y));
                picture
            }
        }
    }
}

fn check_sizes(original: &RgbImage, mask: &GrayImage) -> Result<()> {
    let text = |(width, height): (u32, u32)| format!("{width}x{height}");
    let size = original.dimensions();
    if size.0 == 0 || size.1 == 0 || size.0 > MAX_SIDE || size.1 > MAX_SIDE {
        let allowed = format!("1 to {MAX_SIDE} pixels a side");
        return Err(Error::invalid("init_image", text(size), allowed));
    }
    if mask.dimensions() != size {
        let allowed = format!("the size of init_image, {}", text(size));
        return Err(Error::invalid("mask", text(mask.dimensions()), allowed));
    }
    Ok(())
}

fn no_white(options: &Inpaint) -> Error {
    let (value, wanted) =
        if options.invert { ("all white, and inverted", "black") } else { ("all black", "white") };
    Error::invalid(
        "mask",
        value,
        format!("at least one {wanted} pixel, to draw only what is masked"),
    )
}

fn inverted(mask: &GrayImage) -> GrayImage {
    let mut mask = mask.clone();
    imageops::invert(&mut mask);
    mask
}

/// How much of the drawn picture shows: all of it where the mask is white, less and less outwards
/// from there.
fn alpha(mask: &GrayImage, blur: u32) -> GrayImage {
    let mut alpha = mask.clone();
    for pixel in alpha.pixels_mut() {
        pixel.0 = [if pixel.0[0] >= WHITE { 255 } else { 0 }];
    }
    let (true, Some(white)) = (blur > 0, Region::around_white(&alpha)) else {
        return alpha;
    };
    // `imageops::blur` is the true Gaussian, cut off at 3.3 times its width; `fast_blur` has
    // visible corners.
    let Region { x, y, width, height } = white.grown(blur * 7 / 2 + 2, alpha.dimensions());
    let hard = imageops::crop_imm(&alpha, x, y, width, height).to_image();
    let mut soft = imageops::blur(&hard, blur as f32);
    for (soft, hard) in soft.pixels_mut().zip(hard.pixels()) {
        // A straight edge blurs to half, which is where it starts to fade.
        soft.0 = [soft.0[0].saturating_mul(2).max(hard.0[0])];
    }
    imageops::replace(&mut alpha, &soft, x.into(), y.into());
    alpha
}

/// The mask in the size of the drawing. Where it is reduced, each pixel that it touches at all is
/// white, so that thin strokes are not lost.
fn scaled_to_draw(mask: GrayImage, width: u32, height: u32) -> GrayImage {
    let (from_width, from_height) = mask.dimensions();
    if (from_width, from_height) == (width, height) {
        return mask;
    }
    let mut scaled = imageops::resize(&mask, width, height, FilterType::Nearest);
    if from_width > width || from_height > height {
        let place = |at: u32, from: u32, to: u32| {
            u32::try_from(u64::from(at) * u64::from(to) / u64::from(from)).unwrap_or(0)
        };
        for (x, y, _) in mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] >= WHITE) {
            let (x, y) = (place(x, from_width, width), place(y, from_height, height));
            if let Some(pixel) = scaled.get_pixel_mut_checked(x, y) {
                pixel.0 = [255];
            }
        }
    }
    scaled
}

#[cfg(test)]
mod tests;
