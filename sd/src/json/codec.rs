//! Pictures as base64 of PNG or JPEG; as bare pixels in formats that nobody reads.

use crate::{
    MAX_SIDE,
    engine::Shape,
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
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::{self, SerializeMap},
};
use std::{borrow::Cow, cell::Cell, fmt, io::Cursor};

/// Bytes that the pictures of one request may have when decoded: one RGB picture of the largest size,
/// and a third more. A file of a few kilobytes can stand for that much.
pub(crate) const MOST_BYTES: u64 = 1 << 30;

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
        if !deserializer.is_human_readable() {
            let bare = Bare::deserialize(deserializer)?;
            return bare.decode().map(Decoded).map_err(de::Error::custom);
        }
        deserializer.deserialize_str(Text)
    }
}

/// A picture in formats that nobody reads: PNG would only take time there.
#[derive(Serialize, Deserialize)]
struct Bare<'a> {
    width: u32,
    height: u32,
    channels: u32,
    #[serde(borrow, with = "serde_bytes")]
    pixels: Cow<'a, [u8]>,
}

impl Bare<'_> {
    fn decode(self) -> Result<DynamicImage, String> {
        let Self { width, height, channels, pixels } = self;
        check_side(width, height)?;
        let bytes = u64::from(width) * u64::from(height) * u64::from(channels.min(4));
        if pixels.len() as u64 != bytes {
            return Err(format!("{} bytes for {width}x{height}x{channels}", pixels.len()));
        }
        // No budget: who sends bare pixels has already spent the bytes they take.
        let shape = Shape { width, height, channels };
        shape.to_dynamic(pixels.into_owned()).ok_or_else(|| format!("{channels} channels"))
    }
}

fn check_side(width: u32, height: u32) -> Result<(), String> {
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(format!("{width}x{height}; allowed: at most {MAX_SIDE} pixels a side"));
    }
    Ok(())
}

/// Takes the bytes of a picture from the [`Budget`].
fn take(bytes: u64) -> Result<(), String> {
    if Budget::take(bytes) {
        return Ok(());
    }
    Err(format!("with it, the request's pictures have more than {} MiB decoded", MOST_BYTES >> 20))
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
    check_side(width, height)?;
    take(decoder.total_bytes().max(u64::from(width) * u64::from(height) * 3))?;
    DynamicImage::from_decoder(decoder).map_err(broken)
}

fn encode(pixels: &[u8], size: (u32, u32), color: ExtendedColorType) -> Result<String, String> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
        .write_image(pixels, size.0, size.1, color)
        .map_err(|e| format!("no PNG can be made of it: {e}"))?;
    Ok(BASE64.encode(png))
}

/// A picture to be written as the value of a key.
struct Encoded<'a> {
    key: &'static str,
    size: (u32, u32),
    color: ExtendedColorType,
    pixels: &'a [u8],
}

impl<'a> Encoded<'a> {
    fn rgb(key: &'static str, picture: &'a RgbImage) -> Self {
        Self { key, size: picture.dimensions(), color: ExtendedColorType::Rgb8, pixels: picture }
    }

    fn grey(key: &'static str, picture: &'a GrayImage) -> Self {
        Self { key, size: picture.dimensions(), color: ExtendedColorType::L8, pixels: picture }
    }
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { key, size, color, pixels } = *self;
        if serializer.is_human_readable() {
            let text = encode(pixels, size, color);
            return text
                .map_err(|text| ser::Error::custom(format!("`{key}`: {text}")))?
                .serialize(serializer);
        }
        let channels = u32::from(color.channel_count());
        Bare { width: size.0, height: size.1, channels, pixels: pixels.into() }
            .serialize(serializer)
    }
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
        map.serialize_entry(key, &picture.as_ref().map(|picture| Encoded::rgb(key, picture)))
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
        let pictures: Vec<_> = pictures.iter().map(|p| Encoded::rgb(key, p)).collect();
        map.serialize_entry(key, &pictures)
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
        map.serialize_entry(key, &mask.as_ref().map(|mask| Encoded::grey(key, mask)))
    }
}
