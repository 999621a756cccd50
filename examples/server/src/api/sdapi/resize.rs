//! How a given picture gets the size that is drawn, where the shapes differ: A1111's `resize_mode`.

use crate::error::ApiError;
use image::{
    ImageBuffer, Pixel,
    imageops::{self, FilterType},
};

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResizeMode {
    /// It is stretched.
    Stretch,
    /// What of it is too wide or too high is cut off at both ends.
    Crop,
    /// All of it is there, and its outermost rows or columns are drawn out to the borders.
    Fill,
}

impl ResizeMode {
    /// By A1111's number. 3, where A1111 resizes the latent, stretches too: the engine takes pictures.
    pub(super) fn new(number: Option<u32>) -> Result<Self, ApiError> {
        match number.unwrap_or(0) {
            0 | 3 => Ok(Self::Stretch),
            1 => Ok(Self::Crop),
            2 => Ok(Self::Fill),
            other => {
                let allowed = "0 (just resize), 1 (crop), 2 (fill), 3 (latent upscale)";
                Err(ApiError::invalid("resize_mode", other, allowed))
            }
        }
    }

    /// The picture in this size, of one pixel at least.
    pub(super) fn apply<P>(
        self,
        picture: &ImageBuffer<P, Vec<u8>>,
        (width, height): (u32, u32),
        filter: FilterType,
    ) -> ImageBuffer<P, Vec<u8>>
    where
        P: Pixel<Subpixel = u8> + 'static,
    {
        let (from_width, from_height) = picture.dimensions();
        match self {
            Self::Stretch => imageops::resize(picture, width, height, filter),
            Self::Crop => {
                // Cut first: a thin picture would be huge when enlarged.
                let (w, h) = within((width, height), (from_width, from_height));
                let (x, y) = ((from_width - w) / 2, (from_height - h) / 2);
                imageops::resize(&*imageops::crop_imm(picture, x, y, w, h), width, height, filter)
            }
            Self::Fill => {
                let (w, h) = within((from_width, from_height), (width, height));
                let (left, top) = ((width - w) / 2, (height - h) / 2);
                let inner = imageops::resize(picture, w, h, filter);
                let nearest =
                    |at: u32, before: u32, size: u32| at.saturating_sub(before).min(size - 1);
                ImageBuffer::from_fn(width, height, |x, y| {
                    *inner.get_pixel(nearest(x, left, w), nearest(y, top, h))
                })
            }
        }
    }
}

/// The largest size of the shape of `shape` that fits into `room`; one pixel at least.
fn within(shape: (u32, u32), room: (u32, u32)) -> (u32, u32) {
    let part = |a: u32, b: u32, c: u32| {
        let part = u64::from(a) * u64::from(b) / u64::from(c.max(1));
        u32::try_from(part).unwrap_or(u32::MAX).max(1)
    };
    if u64::from(shape.0) * u64::from(room.1) > u64::from(shape.1) * u64::from(room.0) {
        (room.0, part(shape.1, room.0, shape.0).min(room.1))
    } else {
        (part(shape.0, room.1, shape.1).min(room.0), room.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma};

    fn row(picture: &GrayImage, y: u32) -> Vec<u8> {
        picture.rows().nth(y as usize).unwrap().map(|pixel| pixel.0[0]).collect()
    }

    fn columns(values: &[u8], height: u32) -> GrayImage {
        GrayImage::from_fn(values.len() as u32, height, |x, _| Luma([values[x as usize]]))
    }

    #[test]
    fn each_mode_keeps_another_part() {
        let picture = columns(&[1, 2, 3, 4], 2);
        let resized = |mode: u32, size| {
            ResizeMode::new(Some(mode)).unwrap().apply(&picture, size, FilterType::Nearest)
        };
        for stretched in [0, 3] {
            assert_eq!(row(&resized(stretched, (8, 2)), 0), [1, 1, 2, 2, 3, 3, 4, 4]);
        }
        assert_eq!(row(&resized(1, (2, 2)), 1), [2, 3]);
        assert_eq!(row(&resized(2, (8, 2)), 1), [1, 1, 1, 2, 3, 4, 4, 4]);
        let high = resized(2, (4, 6));
        assert!((0..6).all(|y| row(&high, y) == [1, 2, 3, 4]));
        assert_eq!(resized(1, (4, 8)).dimensions(), (4, 8));
        assert!(ResizeMode::new(Some(4)).unwrap_err().message.starts_with("resize_mode is 4"));
    }

    #[test]
    fn the_thinnest_of_pictures_have_every_size() {
        for size in [(4096, 1), (1, 4096), (1, 1), (3, 2)] {
            let picture = GrayImage::from_pixel(size.0, size.1, Luma([7]));
            for to in [(1, 64), (64, 1), (64, 64)] {
                for mode in [ResizeMode::Stretch, ResizeMode::Crop, ResizeMode::Fill] {
                    let resized = mode.apply(&picture, to, FilterType::Triangle);
                    assert_eq!(resized.dimensions(), to, "{mode:?} of {size:?}");
                    assert!(resized.pixels().all(|pixel| pixel.0 == [7]), "{mode:?} of {size:?}");
                }
            }
        }
    }
}
