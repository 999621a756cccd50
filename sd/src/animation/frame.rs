//! One frame's pixels, borrowed.

use crate::{Error, Picture, Result, engine::Shape};
use image::RgbImage;

/// The pixels of one frame: 8-bit RGB, rows from the top, without padding.
///
/// Made of an [`RgbImage`] by `into`, and of a [`Picture`] that has no transparency by `try_into`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    width: u32,
    height: u32,
    pixels: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A frame of `height` rows of `width` pixels of three bytes.
    ///
    /// ```
    /// use sdcpp::Frame;
    ///
    /// assert!(Frame::new(2, 1, &[255, 0, 0, 0, 0, 255]).is_ok());
    /// assert!(Frame::new(2, 1, &[0; 8]).is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] if the number of bytes is another.
    pub fn new(width: u32, height: u32, pixels: &'a [u8]) -> Result<Self> {
        if byte_count(width, height) == Some(pixels.len()) {
            return Ok(Self { width, height, pixels });
        }
        Err(Error::invalid(
            "frame",
            format!("{} bytes", pixels.len()),
            format!("{width} * {height} * 3 bytes, the RGB of {width}x{height} pixels"),
        ))
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, red first.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.pixels
    }

    pub(super) fn shape(&self) -> Shape {
        Shape { width: self.width, height: self.height, channels: 3 }
    }
}

fn byte_count(width: u32, height: u32) -> Option<usize> {
    usize::try_from(width).ok()?.checked_mul(usize::try_from(height).ok()?)?.checked_mul(3)
}

impl<'a> From<&'a RgbImage> for Frame<'a> {
    fn from(picture: &'a RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        // A picture's buffer may be longer than its pixels.
        let pixels = byte_count(width, height).and_then(|count| picture.as_raw().get(..count));
        match pixels {
            Some(pixels) => Self { width, height, pixels },
            None => Self { width: 0, height: 0, pixels: &[] },
        }
    }
}

impl<'a> TryFrom<&'a Picture> for Frame<'a> {
    type Error = Error;

    /// [`Error::InvalidParameter`] if the picture is not RGB.
    fn try_from(picture: &'a Picture) -> Result<Self> {
        if picture.channels() == 3 {
            return Self::new(picture.width(), picture.height(), picture.as_bytes());
        }
        let value = format!("a picture of {} channels", picture.channels());
        Err(Error::invalid("frame", value, "RGB, without transparency"))
    }
}

impl<'a> From<&Frame<'a>> for Frame<'a> {
    fn from(frame: &Frame<'a>) -> Self {
        *frame
    }
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({}x{})", self.width, self.height)
    }
}
