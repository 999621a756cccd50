//! Reference pictures in a size that the engine can encode.

use crate::{Error, ImageRequest, Result, blend::resized};
use image::RgbImage;
use std::borrow::Cow;

/// What the sides of a reference must be multiples of, for every family.
const MULTIPLE: u32 = 16;
/// The most pixels the engine resizes a reference to.
const MOST_PIXELS: i64 = 1024 * 1024;

/// The references of a request for a picture of this size, which the engine resizes to a multiple of
/// `factor` if it is asked to.
pub(crate) fn prepare(
    request: &ImageRequest,
    (width, height): (u32, u32),
    factor: u32,
) -> Result<Vec<Cow<'_, RgbImage>>> {
    let references = request.reference_images.iter();
    if !request.resize_references {
        // With others the encoder fails an assertion, or divides by zero.
        let fit = |side: u32| side.next_multiple_of(MULTIPLE).max(MULTIPLE);
        return Ok(references
            .map(|picture| resized(picture, fit(picture.width()), fit(picture.height())))
            .collect());
    }
    let area = (i64::from(width) * i64::from(height)).min(MOST_PIXELS);
    references
        .map(|picture| {
            if vanishes(picture.dimensions(), area, factor) {
                let (w, h) = picture.dimensions();
                return Err(Error::invalid(
                    "reference_images",
                    format!("{w}x{h}, for a picture of {width}x{height}"),
                    "a less narrow reference, a larger picture, or resize_references off",
                ));
            }
            Ok(Cow::Borrowed(picture))
        })
        .collect()
}

/// Whether the engine's rule leaves nothing of a reference: the area of the picture in the shape of
/// the reference, each side rounded to a multiple of `factor`.
fn vanishes((width, height): (u32, u32), area: i64, factor: u32) -> bool {
    let (w, h) = (i64::from(width), i64::from(height));
    // In whole numbers up to the root, as the engine computes it.
    let across = ((area * w / h.max(1)) as f64).sqrt();
    let down = across * h as f64 / w.max(1) as f64;
    let rounded = |side: f64| (side / f64::from(factor)).round();
    !(rounded(across) >= 1.0 && rounded(down) >= 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(width: u32, height: u32) -> ImageRequest {
        ImageRequest::new("x").reference_image(RgbImage::new(width, height))
    }

    #[test]
    fn what_would_vanish_is_refused() {
        for (reference, size, factor) in
            [((1, 5000), (64, 64), 16), ((1600, 80), (64, 64), 32), ((8, 8), (8, 8), 32)]
        {
            let request = request(reference.0, reference.1);
            let error = prepare(&request, size, factor).unwrap_err().to_string();
            assert!(error.starts_with("reference_images is"), "{error}");
        }
        assert!(prepare(&request(96, 48), (64, 64), 16).is_ok());
        assert!(prepare(&request(4000, 3000), (1024, 768), 32).is_ok());
    }

    #[test]
    fn pictures_taken_as_they_are_fit_the_encoder() {
        for (given, wanted) in
            [((7, 64), (16, 64)), ((1000, 800), (1008, 800)), ((16, 16), (16, 16))]
        {
            let request = request(given.0, given.1).resize_references(false);
            let prepared = prepare(&request, (64, 64), 16).unwrap();
            assert_eq!(prepared[0].dimensions(), wanted);
        }
    }
}
