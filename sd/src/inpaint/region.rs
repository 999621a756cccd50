//! Rectangles within a picture.

use image::GrayImage;

/// A part of a picture, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Region {
    /// The smallest region with every pixel of `mask` that is not black.
    pub(crate) fn around_white(mask: &GrayImage) -> Option<Self> {
        let mut found: Option<(u32, u32, u32, u32)> = None;
        for (x, y, _) in mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 0) {
            let (left, top, right, bottom) = found.unwrap_or((x, y, x, y));
            found = Some((left.min(x), top.min(y), right.max(x), bottom.max(y)));
        }
        let (x, y, right, bottom) = found?;
        Some(Self { x, y, width: right - x + 1, height: bottom - y + 1 })
    }

    /// With `by` more pixels on every side, as far as the picture goes.
    pub(crate) fn grown(self, by: u32, (width, height): (u32, u32)) -> Self {
        let (x, y) = (self.x.saturating_sub(by), self.y.saturating_sub(by));
        let right = self.x.saturating_add(self.width).saturating_add(by).min(width);
        let bottom = self.y.saturating_add(self.height).saturating_add(by).min(height);
        Self { x, y, width: right.saturating_sub(x), height: bottom.saturating_sub(y) }
    }

    /// Widened or heightened to the shape of `shape`, about its middle, as far as the picture goes.
    pub(crate) fn shaped(self, shape: (u32, u32), (width, height): (u32, u32)) -> Self {
        let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
        if product(self.width, shape.1) > product(self.height, shape.0) {
            let wanted = product(self.width, shape.1).div_ceil(u64::from(shape.0.max(1)));
            let (y, height) = stretch(self.y, self.height, wanted, height);
            Self { y, height, ..self }
        } else {
            let wanted = product(self.height, shape.0).div_ceil(u64::from(shape.1.max(1)));
            let (x, width) = stretch(self.x, self.width, wanted, width);
            Self { x, width, ..self }
        }
    }

    #[cfg(test)]
    pub(crate) fn size(self) -> (u32, u32) {
        (self.width, self.height)
    }
}

/// Makes a span `wanted` long, about its middle where `limit` allows that.
fn stretch(start: u32, length: u32, wanted: u64, limit: u32) -> (u32, u32) {
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).min(limit).max(length);
    let start = start.saturating_sub((wanted - length) / 2).min(limit.saturating_sub(wanted));
    (start, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;
    use proptest::prelude::*;

    fn region(x: u32, y: u32, width: u32, height: u32) -> Region {
        Region { x, y, width, height }
    }

    #[test]
    fn finds_white() {
        let mut mask = GrayImage::new(10, 8);
        assert_eq!(Region::around_white(&mask), None);
        mask.put_pixel(3, 2, Luma([1]));
        assert_eq!(Region::around_white(&mask), Some(region(3, 2, 1, 1)));
        mask.put_pixel(7, 1, Luma([255]));
        assert_eq!(Region::around_white(&mask), Some(region(3, 1, 5, 2)));
    }

    #[test]
    fn takes_a_shape_and_stays_within_the_picture() {
        let all = (100, 80);
        assert_eq!(region(40, 30, 10, 10).shaped((2, 1), all), region(35, 30, 20, 10));
        assert_eq!(region(40, 30, 10, 10).shaped((1, 2), all), region(40, 25, 10, 20));
        assert_eq!(region(95, 30, 5, 10).shaped((1, 1), all), region(90, 30, 10, 10));
        assert_eq!(region(0, 0, 10, 80).shaped((1, 1), all), region(0, 0, 80, 80));
        assert_eq!(region(0, 0, 10, 80).shaped((9, 1), all), region(0, 0, 100, 80));
        assert_eq!(region(1, 1, 10, 10).grown(5, all), region(0, 0, 16, 16));
        assert_eq!(region(90, 70, 10, 10).grown(u32::MAX, all), region(0, 0, 100, 80));
    }

    proptest! {
        #[test]
        fn growing_never_loses_what_was_inside(
            (width, height) in (1..200_u32, 1..200_u32),
            corners: [(u32, u32); 2], by in 0..300_u32, shape in (1..=20_000_u32, 1..=20_000_u32),
        ) {
            let [(x, right), (y, bottom)] = [
                (corners[0].0 % width, corners[1].0 % width),
                (corners[0].1 % height, corners[1].1 % height),
            ].map(|(a, b)| (a.min(b), a.max(b)));
            let inner = region(x, y, right - x + 1, bottom - y + 1);
            let outer = inner.grown(by, (width, height)).shaped(shape, (width, height));
            prop_assert!(outer.x <= inner.x && outer.y <= inner.y);
            prop_assert!(outer.x + outer.width >= inner.x + inner.width);
            prop_assert!(outer.y + outer.height >= inner.y + inner.height);
            prop_assert!(outer.x + outer.width <= width && outer.y + outer.height <= height);
        }
    }
}
