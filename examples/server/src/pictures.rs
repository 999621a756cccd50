//! Pictures in the bodies of requests: base64 of PNG or JPEG, checked for size before they are decoded.

use crate::{error::ApiError, limits::MAX_GIVEN_SIDE};
use image::{DynamicImage, GrayImage, ImageReader, Limits, RgbImage};
use sdcpp::ImageRequest;
use serde_json::json;
use std::io::Cursor;

/// The crate's own reader of requests, which knows limits, data URIs and transparency.
fn read(key: &str, field: &str, text: &str) -> Result<ImageRequest, ApiError> {
    serde_json::from_value(json!({ key: text })).map_err(|error| {
        let why = error.to_string();
        let why = why.strip_prefix(&format!("`{key}`: ")).unwrap_or(&why).to_owned();
        ApiError::new(
            axum::http::StatusCode::BAD_REQUEST,
            "invalid_parameter",
            format!("{field}: {why}"),
        )
    })
}

/// A picture; transparency becomes what the crate makes of it.
///
/// # Errors
/// It is no picture, or too large, with the name of the field.
pub(crate) fn rgb(field: &str, text: &str) -> Result<RgbImage, ApiError> {
    read("init_image", field, text)?
        .init_image
        .ok_or_else(|| ApiError::invalid(field, "empty", "base64 of a PNG or JPEG"))
}

/// A mask: white is drawn anew.
///
/// # Errors
/// As [`rgb`].
pub(crate) fn mask(field: &str, text: &str) -> Result<GrayImage, ApiError> {
    read("mask", field, text)?
        .mask
        .ok_or_else(|| ApiError::invalid(field, "empty", "base64 of a PNG or JPEG"))
}

/// A picture's file; its size is checked before it is decoded.
///
/// # Errors
/// As [`rgb`].
pub(crate) fn decoded(field: &str, bytes: &[u8]) -> Result<DynamicImage, ApiError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_GIVEN_SIDE);
    limits.max_image_height = Some(MAX_GIVEN_SIDE);
    limits.max_alloc = Some(256 << 20);
    let wrong = |error: &dyn std::fmt::Display| ApiError::invalid(field, error, "a PNG or JPEG");
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| wrong(&error))?;
    reader.limits(limits);
    reader.decode().map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_told_by_field() {
        for text in ["", "data:image/png;base64,", "bm90IGEgcGljdHVyZQ==", "%%%"] {
            let error = rgb("init_images", text).unwrap_err();
            assert!(error.message.contains("init_images"), "{}", error.message);
            assert!(mask("mask", text).unwrap_err().message.contains("mask"));
        }
    }
}
