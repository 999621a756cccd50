//! Pictures as base64 of PNG or JPEG.

use crate::{
    MAX_SIDE,
    input::{brightness, on_white},
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageDecoder, ImageEncoder, ImageFormat,
    ImageReader, RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
    ser::{self, SerializeMap},
};
use std::{cell::Cell, fmt, io::Cursor};

/// Bytes that the pictures of one request may have when decoded: one RGB picture of the largest size,
/// and a third more. A file of a few kilobytes can stand for that much.
pub(super) const MOST_BYTES: u64 = 1 << 30;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

thread_local! {
    /// Objects within objects that are being read, and the bytes that the outermost has left.
    static OPEN: Cell<(usize, u64)> = const { Cell::new((0, 0)) };
}

/// While the first of these lives, the pictures read on this thread share [`MOST_BYTES`].
pub(super) struct Budget;

impl Budget {
    pub(super) fn open() -> Self {
        let (depth, left) = OPEN.get();
        OPEN.set((depth + 1, if depth == 0 { MOST_BYTES } else { left }));
        Self
    }

    pub(super) fn take(bytes: u64) -> bool {
        let (depth, left) = OPEN.get();
        let rest = left.checked_sub(bytes);
        OPEN.set((depth, rest.unwrap_or(left)));
        rest.is_some()
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        let (depth, left) = OPEN.get();
        OPEN.set((depth.saturating_sub(1), left));
    }
}

struct Decoded(DynamicImage);

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Decoded;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a PNG or JPEG picture in base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decoded, E> {
                decode(text).map(Decoded).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn decode(text: &str) -> Result<DynamicImage, String> {
    let text = text.trim();
    let base64 = match text.strip_prefix("data:") {
        None => text,
        Some(url) => match url.split_once(',') {
            Some((kind, data)) if kind.ends_with(";base64") => data,
            _ => return Err("a data URL without `;base64,`".to_owned()),
        },
    };
    let bytes = BASE64.decode(base64).map_err(|e| format!("no base64: {e}"))?;
    let broken = |e: image::ImageError| format!("no usable picture: {e}");
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| format!("no usable picture: {e}"))?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err("neither PNG nor JPEG".to_owned());
    }
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    // So far only the header was read.
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(format!("{width}x{height}; allowed: at most {MAX_SIDE} pixels a side"));
    }
    if !Budget::take(decoder.total_bytes().max(u64::from(width) * u64::from(height) * 3)) {
        let most = MOST_BYTES >> 20;
        return Err(format!("with it, the request's pictures have more than {most} MiB decoded"));
    }
    DynamicImage::from_decoder(decoder).map_err(broken)
}

fn encode(pixels: &[u8], size: (u32, u32), color: ExtendedColorType) -> Result<String, String> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
        .write_image(pixels, size.0, size.1, color)
        .map_err(|e| format!("no PNG can be made of it: {e}"))?;
    Ok(BASE64.encode(png))
}

fn encode_rgb<E: ser::Error>(key: &str, picture: &RgbImage) -> Result<String, E> {
    encode(picture, picture.dimensions(), ExtendedColorType::Rgb8)
        .map_err(|text| E::custom(format!("`{key}`: {text}")))
}

/// `Option<RgbImage>`.
pub(super) mod picture {
    use super::*;

    pub(in crate::json) fn read<'de, A: MapAccess<'de>>(
        map: &mut A,
    ) -> Result<Option<RgbImage>, A::Error> {
        Ok(map.next_value::<Option<Decoded>>()?.map(|picture| on_white(picture.0)))
    }

    pub(in crate::json) fn write<M: SerializeMap>(
        map: &mut M,
        key: &'static str,
        picture: &Option<RgbImage>,
    ) -> Result<(), M::Error> {
        let text = picture.as_ref().map(|picture| encode_rgb(key, picture)).transpose()?;
        map.serialize_entry(key, &text)
    }
}

/// `Vec<RgbImage>`.
pub(super) mod pictures {
    use super::*;

    struct Rgb(RgbImage);

    impl<'de> Deserialize<'de> for Rgb {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Ok(Self(on_white(Decoded::deserialize(deserializer)?.0)))
        }
    }

    pub(in crate::json) fn read<'de, A: MapAccess<'de>>(
        map: &mut A,
    ) -> Result<Vec<RgbImage>, A::Error> {
        Ok(map.next_value::<Vec<Rgb>>()?.into_iter().map(|picture| picture.0).collect())
    }

    pub(in crate::json) fn write<M: SerializeMap>(
        map: &mut M,
        key: &'static str,
        pictures: &[RgbImage],
    ) -> Result<(), M::Error> {
        let texts: Result<Vec<_>, M::Error> =
            pictures.iter().map(|picture| encode_rgb(key, picture)).collect();
        map.serialize_entry(key, &texts?)
    }
}

/// `Option<GrayImage>`.
pub(super) mod mask {
    use super::*;

    pub(in crate::json) fn read<'de, A: MapAccess<'de>>(
        map: &mut A,
    ) -> Result<Option<GrayImage>, A::Error> {
        Ok(map.next_value::<Option<Decoded>>()?.map(|picture| brightness(picture.0)))
    }

    pub(in crate::json) fn write<M: SerializeMap>(
        map: &mut M,
        key: &'static str,
        mask: &Option<GrayImage>,
    ) -> Result<(), M::Error> {
        let text = mask
            .as_ref()
            .map(|mask| encode(mask, mask.dimensions(), ExtendedColorType::L8))
            .transpose()
            .map_err(|text| ser::Error::custom(format!("`{key}`: {text}")))?;
        map.serialize_entry(key, &text)
    }
}
