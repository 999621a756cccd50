//! What the engine gets for a picture to be continued, and what the user gets for the engine's.

use super::{Outpaint, fill};
use crate::{
    Error, MAX_SIDE, Result,
    blend::{lay_over, resized},
};
use image::{GrayImage, Luma, RgbImage, imageops};

/// One picture on its canvas, prepared for drawing.
#[derive(Debug)]
pub(crate) struct Plan {
    canvas: RgbImage,
    mask: GrayImage,
    /// The size asked for; the canvas may be larger at the right and the bottom.
    size: (u32, u32),
}

impl Plan {
    /// Prepares `picture` for drawing on a canvas whose sides are multiples of `multiple`, so that the
    /// engine does not stretch it.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] for options out of range, an empty picture, or a canvas too large.
    pub(crate) fn new(picture: &RgbImage, options: &Outpaint, multiple: u32) -> Result<Self> {
        let (width, height) = picture.dimensions();
        options.check(width, height)?;
        let size = options.size(width, height)?;
        let canvas_size = (
            rounded_up("outpaint.left + right", size.0, multiple)?,
            rounded_up("outpaint.top + bottom", size.1, multiple)?,
        );
        let corner = (options.left, options.top);
        let canvas = fill::canvas(picture, canvas_size, corner, options.fill);
        let feather = options.feather;
        let columns = shares(canvas_size.0, options.left, width, options.right, feather);
        let rows = shares(canvas_size.1, options.top, height, options.bottom, feather);
        let mut mask = GrayImage::new(canvas_size.0, canvas_size.1);
        for (pixels, row) in mask.rows_mut().zip(&rows) {
            for (pixel, column) in pixels.zip(&columns) {
                *pixel = Luma([*row.max(column)]);
            }
        }
        Ok(Self { canvas, mask, size })
    }

    /// The canvas, for the engine to start from and in the size to draw in.
    pub(crate) fn init(&self) -> &RgbImage {
        &self.canvas
    }

    /// The mask for the engine, of the same size: white where there was no picture, fading to black
    /// within it. The engine divides at half.
    pub(crate) fn mask(&self) -> &GrayImage {
        &self.mask
    }

    /// The result for what the engine drew, in whatever size it did.
    pub(crate) fn finish(&self, drawn: RgbImage) -> RgbImage {
        let (width, height) = self.canvas.dimensions();
        let mut result = self.canvas.clone();
        if drawn.width() > 0 && drawn.height() > 0 {
            lay_over(&mut result, &resized(&drawn, width, height), &self.mask, (0, 0));
        }
        if self.size == (width, height) {
            return result;
        }
        imageops::crop_imm(&result, 0, 0, self.size.0, self.size.1).to_image()
    }
}

fn rounded_up(field: &'static str, length: u32, multiple: u32) -> Result<u32> {
    length.checked_next_multiple_of(multiple.max(1)).filter(|l| *l <= MAX_SIDE).ok_or_else(|| {
        let allowed = format!("at most {MAX_SIDE} with the picture, in multiples of {multiple}");
        Error::invalid(field, length, allowed)
    })
}

/// How much of the drawing shows, for each column or row: 255 outside of the picture, falling over
/// `feather` pixels within it, from the ends where something is added.
fn shares(length: u32, before: u32, inner: u32, after: u32, feather: u32) -> Vec<u8> {
    let share = |depth: u32| {
        let left = u64::from(feather.saturating_sub(depth));
        u8::try_from(255 * left / (u64::from(feather) + 1)).unwrap_or(255)
    };
    (0..length)
        .map(|i| {
            let Some(depth) = i.checked_sub(before).filter(|depth| *depth < inner) else {
                return 255;
            };
            let from_start = if before > 0 { share(depth) } else { 0 };
            let from_end = if after > 0 { share(inner - 1 - depth) } else { 0 };
            from_start.max(from_end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OutpaintFill;
    use image::Rgb;
    use proptest::prelude::*;

    const NEW: Rgb<u8> = Rgb([250, 0, 250]);

    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 1]))
    }

    #[test]
    fn feathers_only_where_something_is_added() {
        assert_eq!(shares(7, 2, 4, 0, 3), [255, 255, 191, 127, 63, 0, 255]);
        assert_eq!(shares(6, 1, 4, 1, 0), [255, 0, 0, 0, 0, 255]);
        assert_eq!(shares(5, 0, 4, 1, 1), [0, 0, 0, 127, 255]);
    }

    #[test]
    fn draws_on_a_rounded_canvas_and_gives_what_was_asked() {
        let small = picture(10, 6);
        let any = Plan::new(&small, &Outpaint::all(1), 64).unwrap();
        assert_eq!(any.init().dimensions(), (64, 64));
        let plan = Plan::new(&small, &Outpaint::new(3, 0, 0, 2).feather(0), 8).unwrap();
        assert_eq!(plan.init().dimensions(), (16, 8));
        assert_eq!(plan.mask().dimensions(), (16, 8));
        let result = plan.finish(RgbImage::from_pixel(16, 8, NEW));
        assert_eq!(result.dimensions(), (13, 8));
        for (x, y, pixel) in result.enumerate_pixels() {
            let wanted = if x >= 3 && y < 6 { *small.get_pixel(x - 3, y) } else { NEW };
            assert_eq!(*pixel, wanted, "at {x}, {y}");
        }
        assert_eq!(plan.finish(RgbImage::from_pixel(64, 64, NEW)), result);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |options: Outpaint, multiple| {
            Plan::new(&picture(10, 10), &options, multiple).unwrap_err().to_string()
        };
        assert_eq!(
            refused(Outpaint::default(), 64),
            "outpaint is 0 pixels on every side; allowed: 1 or more at the left, right, top or bottom"
        );
        let far = Outpaint::new(u32::MAX, u32::MAX, 0, 0);
        assert!(refused(far, 64).starts_with("outpaint.left + right is 8589934600"));
        assert!(refused(Outpaint::new(0, 0, 0, 16_375), 1).starts_with("outpaint.top + bottom is"));
        let edge = Outpaint::new(0, 0, 0, 16_374);
        assert!(refused(edge, 100).contains("multiples of 100"));
        assert!(refused(Outpaint::all(1).feather(16_385), 8).starts_with("outpaint.feather is"));
        let empty = Plan::new(&RgbImage::new(0, 4), &Outpaint::all(1), 8).unwrap_err();
        assert!(empty.to_string().starts_with("init_image is 0x4"));
    }

    fn fills() -> impl Strategy<Value = OutpaintFill> {
        prop_oneof![
            Just(OutpaintFill::Edge),
            Just(OutpaintFill::Mirror),
            any::<u64>().prop_map(|seed| OutpaintFill::Noise { seed }),
            any::<[u8; 3]>().prop_map(OutpaintFill::Color),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn sizes_are_as_promised_and_the_inside_is_kept(
            size in (1..=200_u32, 1..=200_u32), sides: [u8; 4], feather in 0..=64_u32,
            fill in fills(), multiple in prop_oneof![Just(0_u32), Just(8), Just(64), 1..=100_u32],
        ) {
            let [left, right, top, bottom] = sides.map(u32::from);
            let small = picture(size.0, size.1);
            let options = Outpaint::new(left, right, top, bottom).feather(feather).fill(fill);
            let Ok(plan) = Plan::new(&small, &options, multiple) else {
                prop_assert_eq!(sides, [0; 4]);
                return Ok(());
            };
            let (width, height) = plan.init().dimensions();
            prop_assert!(width % multiple.max(1) == 0 && height % multiple.max(1) == 0);
            prop_assert_eq!(plan.mask().dimensions(), (width, height));
            let result = plan.finish(RgbImage::from_pixel(width, height, NEW));
            prop_assert_eq!(result.dimensions(), (size.0 + left + right, size.1 + top + bottom));
            let deep = |depth: u32, added: u32| added == 0 || depth >= feather;
            for (x, y, pixel) in small.enumerate_pixels() {
                let kept = deep(x, left) && deep(size.0 - 1 - x, right)
                    && deep(y, top) && deep(size.1 - 1 - y, bottom);
                let got = result.get_pixel(x + left, y + top);
                prop_assert!(!kept || got == pixel, "{x} {y}");
                prop_assert_eq!(plan.init().get_pixel(x + left, y + top), pixel);
            }
            if left > 0 {
                prop_assert_eq!(*result.get_pixel(0, 0), NEW);
            }
        }
    }
}
