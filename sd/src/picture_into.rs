//! Pictures of the engine as pictures of the `image` crate and back, and names of PNG compressions.

use crate::{Picture, PngCompression, engine::Shape, named::choice_names};
use image::{DynamicImage, RgbImage};

choice_names! {
    PngCompression as "png_compression" {
        Fast = "fast";
        Balanced = "balanced";
        High = "high";
    }
}

/// A copy, with its transparency where it has some: what a next request takes as its picture.
///
/// ```no_run
/// # use sdcpp::{Context, ImageRequest, ModelConfig};
/// # fn main() -> sdcpp::Result<()> {
/// # let mut context = Context::new(ModelConfig::new("sd15.safetensors"))?;
/// let sketch = context.generate(&ImageRequest::new("a harbour"))?;
/// let again = ImageRequest::new("a harbour at night").init_image(&sketch.images[0]);
/// # drop(again);
/// # Ok(())
/// # }
/// ```
impl From<&Picture> for DynamicImage {
    fn from(picture: &Picture) -> Self {
        if picture.channels() == 4 { picture.to_rgba().into() } else { picture.to_rgb().into() }
    }
}

impl From<Picture> for DynamicImage {
    fn from(picture: Picture) -> Self {
        Self::from(&picture)
    }
}

/// A picture of one's own, without a text of how it was made: see [`Picture::with_parameters`].
impl From<RgbImage> for Picture {
    fn from(picture: RgbImage) -> Self {
        let shape = Shape { width: picture.width(), height: picture.height(), channels: 3 };
        Self::of_bytes(shape, picture.into_raw(), 0, "")
    }
}

#[cfg(all(test, feature = "mock"))]
mod tests {
    use crate::{Context, Frame, ImageRequest, ModelConfig, Picture, Result, Watch, mock};
    use image::{ColorType, DynamicImage, RgbImage};

    fn drawn(fault: &str) -> Result<Picture> {
        let mut context = Context::open(&mock::engine(), ModelConfig::new("any"), Watch::new())?;
        let request = ImageRequest::new("x").size(64, 64).seed(1);
        let request = request.extra_sample_args(mock::fault(fault));
        Ok(context.generate(&request)?.images.remove(0))
    }

    #[test]
    fn pictures_keep_their_channels() {
        for (fault, color) in [("none", ColorType::Rgb8), ("four-channels", ColorType::Rgba8)] {
            let picture = drawn(fault).unwrap();
            let copy = DynamicImage::from(&picture);
            assert_eq!(copy.color(), color);
            assert_eq!(copy.as_bytes(), picture.as_bytes());
            assert_eq!(DynamicImage::from(picture), copy);
        }
    }

    #[test]
    fn a_picture_of_ones_own_is_saved_with_a_text() {
        let own = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let picture = Picture::from(own.clone()).with_parameters("a cat\nSteps: 1");
        let png = picture.to_png().unwrap();
        assert_eq!(image::load_from_memory(&png).unwrap().into_rgb8(), own);
        let text = crate::Parameters::text_from_bytes(&png).unwrap();
        assert_eq!(text.as_deref(), Some("a cat\nSteps: 1"));
    }

    #[test]
    fn frames_are_of_pictures_without_transparency() {
        let picture = drawn("none").unwrap();
        let frame = Frame::try_from(&picture).unwrap();
        assert_eq!((frame.width(), frame.height()), (64, 64));
        assert_eq!(frame.as_bytes(), picture.as_bytes());
        let text = Frame::try_from(&drawn("four-channels").unwrap()).unwrap_err().to_string();
        assert_eq!(text, "frame is a picture of 4 channels; allowed: RGB, without transparency");
    }
}
