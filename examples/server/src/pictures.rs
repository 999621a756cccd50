//! Pictures in the bodies of requests: base64 of PNG or JPEG, checked for size before they are decoded.

use crate::{error::ApiError, limits::MAX_GIVEN_SIDE};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use image::{DynamicImage, GrayImage, ImageReader, Limits, RgbImage};
use sdcpp::ImageRequest;
use std::io::Cursor;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a file that is given as base64, also as a data URI.
///
/// # Errors
/// It is no base64, with the name of the field.
pub(crate) fn bytes(field: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    let text = match text.trim().strip_prefix("data:") {
        Some(uri) => uri.split_once(";base64,").map_or("", |(_, data)| data),
        None => text,
    };
    BASE64
        .decode(text.trim())
        .map_err(|error| ApiError::invalid(field, error, "base64 of a PNG or JPEG"))
}

/// A picture; transparent parts are laid on white.
///
/// # Errors
/// It is no picture, or too large, with the name of the field.
pub(crate) fn rgb(field: &str, text: &str) -> Result<RgbImage, ApiError> {
    Ok(on_white(decoded(field, &bytes(field, text)?)?))
}

/// A mask: white is drawn anew.
///
/// # Errors
/// As [`rgb`].
pub(crate) fn mask(field: &str, text: &str) -> Result<GrayImage, ApiError> {
    let picture = decoded(field, &bytes(field, text)?)?;
    // The crate knows what of a mask with transparency is white.
    Ok(ImageRequest::new("").mask(picture).mask.unwrap_or_default())
}

/// As the crate has it.
pub(crate) fn on_white(picture: DynamicImage) -> RgbImage {
    ImageRequest::new("").init_image(picture).init_image.unwrap_or_default()
}

fn reader<'a>(field: &str, bytes: &'a [u8]) -> Result<ImageReader<Cursor<&'a [u8]>>, ApiError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(256 << 20);
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| wrong(field, &error))?;
    reader.limits(limits);
    Ok(reader)
}

fn wrong(field: &str, error: &dyn std::fmt::Display) -> ApiError {
    ApiError::invalid(field, error, "a PNG or JPEG")
}

/// Width and height of a picture's file, which is not decoded.
///
/// # Errors
/// As [`rgb`].
pub(crate) fn size(field: &str, bytes: &[u8]) -> Result<(u32, u32), ApiError> {
    let size = reader(field, bytes)?.into_dimensions().map_err(|error| wrong(field, &error))?;
    if size.0.max(size.1) > MAX_GIVEN_SIDE {
        let allowed = format!("up to {MAX_GIVEN_SIDE} pixels a side");
        return Err(ApiError::invalid(field, format!("{}x{}", size.0, size.1), &allowed));
    }
    Ok(size)
}

/// A picture's file; its size is checked before it is decoded.
///
/// # Errors
/// As [`rgb`].
pub(crate) fn decoded(field: &str, bytes: &[u8]) -> Result<DynamicImage, ApiError> {
    size(field, bytes)?;
    reader(field, bytes)?.decode().map_err(|error| wrong(field, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_told_by_field() {
        for text in ["", "data:image/png;base64,", "data:image/png,", "bm90IGEgcGljdHVyZQ==", "%%%"]
        {
            let error = rgb("init_images", text).unwrap_err();
            assert!(error.message.contains("init_images"), "{}", error.message);
            assert!(mask("mask", text).unwrap_err().message.contains("mask"));
        }
    }

    #[test]
    fn what_is_too_large_is_told_in_pixels() {
        let mut png = Cursor::new(Vec::new());
        GrayImage::new(MAX_GIVEN_SIDE + 1, 1).write_to(&mut png, image::ImageFormat::Png).unwrap();
        let error = decoded("image", png.get_ref()).unwrap_err().message;
        assert_eq!(error, "image is 4097x1; allowed: up to 4096 pixels a side");
        let text = BASE64.encode(png.get_ref());
        // As some write it, without what fills up the last four.
        let text = format!("data:image/png;base64,{}", text.trim_end_matches('='));
        assert_eq!(rgb("image", &text).unwrap_err().message, error);
    }
}
