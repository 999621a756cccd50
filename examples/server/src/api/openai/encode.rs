//! Pictures in the form that is asked for: PNG, JPEG or WebP, in the answer or by URL.

use crate::{error::ApiError, filter::Verdict, job::Job, service::blocking};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::codecs::{jpeg::JpegEncoder, webp::WebPEncoder};
use serde::Serialize;
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use utoipa::ToSchema;

/// How the pictures are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// With A1111's parameters.
    Png,
    /// With this quality, 1 to 100.
    Jpeg(u8),
    /// Without loss.
    Webp,
}

impl Format {
    /// By OpenAI's names; `compression` is the quality of JPEG.
    pub(super) fn new(name: Option<&str>, compression: Option<u32>) -> Result<Self, ApiError> {
        let quality = compression.unwrap_or(100);
        if quality > 100 {
            return Err(ApiError::invalid("output_compression", quality, "0 to 100"));
        }
        match name.unwrap_or("png") {
            "png" => Ok(Self::Png),
            "jpeg" | "jpg" => Ok(Self::Jpeg(quality.clamp(1, 100) as u8)),
            "webp" => Ok(Self::Webp),
            other => Err(ApiError::invalid("output_format", other, "png, jpeg, webp")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg(_) => "jpeg",
            Self::Webp => "webp",
        }
    }

    fn encode(self, png: &[u8]) -> Result<Vec<u8>, ApiError> {
        let failed = |error: image::ImageError| ApiError::internal(error.to_string());
        let mut bytes = Vec::new();
        match self {
            Self::Png => bytes.extend_from_slice(png),
            Self::Jpeg(quality) => image::load_from_memory(png)
                .and_then(|picture| {
                    picture
                        .to_rgb8()
                        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))
                })
                .map_err(failed)?,
            Self::Webp => image::load_from_memory(png)
                .and_then(|picture| {
                    picture.to_rgb8().write_with_encoder(WebPEncoder::new_lossless(&mut bytes))
                })
                .map_err(failed)?,
        }
        Ok(bytes)
    }
}

/// A picture, in the answer or by URL.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImageData {
    /// Base64 of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    b64_json: Option<String>,
    /// Where its PNG is; only where `response_format` is `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Not of OpenAI: the seed it was drawn from.
    seed: i64,
    /// Not of OpenAI: what the safety filter said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    safety: Option<Verdict>,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Images {
    /// Seconds since 1970.
    created: u64,
    data: Vec<ImageData>,
    output_format: &'static str,
    size: String,
    /// Not of OpenAI: whether the pictures are patterns, drawn without a model.
    mock: bool,
    /// Not of OpenAI: whether they were drawn before, for the same request.
    cached: bool,
}

/// The pictures of a job that has ended well. With `base`, by URLs that begin so.
pub(super) async fn images(
    job: Arc<Job>,
    format: Format,
    base: Option<String>,
) -> Result<Images, ApiError> {
    blocking(move || {
        let Some(Ok(finished)) = job.outcome() else {
            return Err(ApiError::internal("the job has no pictures"));
        };
        let pictures = &finished.pictures;
        let view = job.view();
        let data = pictures.iter().zip(view.pictures).map(|(picture, view)| {
            Ok(match &base {
                Some(base) => ImageData {
                    b64_json: None,
                    url: Some(format!("{base}{}", view.url)),
                    seed: picture.seed,
                    safety: picture.safety.clone(),
                },
                None => ImageData {
                    b64_json: Some(BASE64_STANDARD.encode(format.encode(&picture.png)?)),
                    url: None,
                    seed: picture.seed,
                    safety: picture.safety.clone(),
                },
            })
        });
        let first = pictures.first().map_or((0, 0), |picture| (picture.width, picture.height));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Images {
            created: now.map_or(0, |since| since.as_secs()),
            data: data.collect::<Result<_, ApiError>>()?,
            output_format: if base.is_some() { "png" } else { format.name() },
            size: format!("{}x{}", first.0, first.1),
            mock: job.mock,
            cached: finished.cached,
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_what_they_say() {
        let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([200, 10, 10]));
        let mut png = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
        for (name, expected) in [
            ("png", image::ImageFormat::Png),
            ("jpeg", image::ImageFormat::Jpeg),
            ("webp", image::ImageFormat::WebP),
        ] {
            let bytes = Format::new(Some(name), Some(90)).unwrap().encode(png.get_ref()).unwrap();
            assert_eq!(image::guess_format(&bytes).unwrap(), expected);
            let pixel = image::load_from_memory(&bytes).unwrap().to_rgb8().get_pixel(4, 4).0;
            assert!(pixel[0].abs_diff(200) < 4 && pixel[1] < 20, "{name}: {pixel:?}");
        }
        assert!(
            Format::new(Some("gif"), None).unwrap_err().message.contains("output_format is gif")
        );
        assert!(Format::new(None, Some(101)).is_err());
    }
}
