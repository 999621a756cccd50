//! What a request brought.

use crate::{Picture, Timings, Warning};
use image::RgbImage;

/// The pictures of one request, and how they came to be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Generated {
    /// The pictures, in the order of their seeds.
    pub images: Vec<Picture>,
    /// The seed of each picture.
    pub seeds: Vec<i64>,
    /// Width produced, in pixels; the engine may have rounded the request's up.
    pub width: u32,
    /// Height produced, in pixels.
    pub height: u32,
    /// How long each phase took.
    pub timings: Timings,
    /// What is worth knowing: a size that was rounded, a picture that is all black.
    pub warnings: Vec<Warning>,
}

impl Generated {
    /// Lays what was drawn where it belongs.
    pub(crate) fn finish(&mut self, finish: impl Fn(RgbImage) -> RgbImage) {
        for picture in &mut self.images {
            let pixels = finish(picture.to_rgb());
            (self.width, self.height) = pixels.dimensions();
            *picture = picture.clone().with_pixels(pixels);
        }
    }

    /// The first picture; there is one at least.
    pub fn first(&self) -> Option<&Picture> {
        self.images.first()
    }
}
