//! One drawn picture: pixels that the engine allocated, and how they were made.

use crate::{
    Error, MAX_SIDE, Result,
    engine::{Images, Shape},
    png_encoder, whole_file,
};
use image::{DynamicImage, ImageReader, RgbImage, RgbaImage};
use std::{
    fmt,
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

/// A picture as the engine drew it: 8 bits a channel, rows from the top, without padding.
///
/// The pixels stay in the engine's own buffer and are not copied, except where they were laid into
/// another picture afterwards (inpainting, outpainting) or come from another process; clones share
/// them.
#[derive(Clone)]
pub struct Picture {
    pixels: Pixels,
    seed: i64,
    parameters: Arc<str>,
}

/// Where the pixels are.
#[derive(Clone)]
enum Pixels {
    Engine { images: Arc<Images>, index: usize },
    Own { shape: Shape, bytes: Arc<Vec<u8>> },
}

/// How PNG files are compressed. docs/performance.md has times and sizes, against the writer that the engine's
/// own command line uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PngCompression {
    /// Quickest, and about as small as usual: how is chosen for each picture, by whether it is a flat drawing.
    /// The default.
    #[default]
    Fast,
    /// Three to nine times slower. Drawings are a tenth smaller, photographs are not.
    Balanced,
    /// As slow as the engine's own command line, or slower. Drawings are a little smaller still.
    High,
}

impl Picture {
    pub(crate) fn new(
        images: Arc<Images>,
        index: usize,
        seed: i64,
        parameters: impl Into<Arc<str>>,
    ) -> Self {
        Self { pixels: Pixels::Engine { images, index }, seed, parameters: parameters.into() }
    }

    /// The same picture after work on its pixels.
    pub(crate) fn with_pixels(self, pixels: RgbImage) -> Self {
        let shape = Shape { width: pixels.width(), height: pixels.height(), channels: 3 };
        Self { pixels: Pixels::Own { shape, bytes: Arc::new(pixels.into_raw()) }, ..self }
    }

    /// A picture of these bytes, which must be as many as `shape` says.
    pub(crate) fn of_bytes(
        shape: Shape,
        bytes: Vec<u8>,
        seed: i64,
        parameters: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            pixels: Pixels::Own { shape, bytes: Arc::new(bytes) },
            seed,
            parameters: parameters.into(),
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        match &self.pixels {
            Pixels::Engine { images, index } => images.shape(*index),
            Pixels::Own { shape, .. } => *shape,
        }
    }

    /// Width in pixels, as produced: the engine may have rounded the request's up.
    pub fn width(&self) -> u32 {
        self.shape().width
    }

    /// Height in pixels, as produced.
    pub fn height(&self) -> u32 {
        self.shape().height
    }

    /// Channels: 3 (RGB), or 4 (RGBA) from the models that draw transparency.
    pub fn channels(&self) -> u32 {
        self.shape().channels
    }

    /// The pixels: `height` rows of `width` pixels of `channels` bytes, red first.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.pixels {
            Pixels::Engine { images, index } => images.bytes(*index),
            Pixels::Own { bytes, .. } => bytes,
        }
    }

    /// The seed it was drawn with.
    pub fn seed(&self) -> i64 {
        self.seed
    }

    /// How it was made, as A1111 writes it into PNG files under "parameters".
    pub fn parameters(&self) -> &str {
        &self.parameters
    }

    /// The same picture with another text for PNG files, such as the one of the picture it was
    /// enlarged from. An empty one is not written.
    #[must_use]
    pub fn with_parameters(self, parameters: impl Into<Arc<str>>) -> Self {
        Self { parameters: parameters.into(), ..self }
    }

    /// A copy as RGB; the transparency of RGBA pictures is dropped.
    pub fn to_rgb(&self) -> RgbImage {
        self.to_dynamic().into_rgb8()
    }

    /// A copy as RGBA, opaque where the model draws no transparency.
    pub fn to_rgba(&self) -> RgbaImage {
        self.to_dynamic().into_rgba8()
    }

    fn to_dynamic(&self) -> DynamicImage {
        // `Images` let only buffers through that have this shape.
        self.shape()
            .to_dynamic(self.as_bytes().to_vec())
            .unwrap_or_else(|| DynamicImage::new_rgb8(self.width(), self.height()))
    }

    /// PNG bytes with the "parameters" text.
    ///
    /// # Errors
    /// [`Error::ImageCodec`] if the encoder fails.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.to_png_with(PngCompression::default())
    }

    /// PNG bytes with the "parameters" text, compressed as told.
    ///
    /// # Errors
    /// [`Error::ImageCodec`] if the encoder fails.
    pub fn to_png_with(&self, compression: PngCompression) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_png(&mut bytes, compression)?;
        Ok(bytes)
    }

    /// Writes PNG bytes with the "parameters" text.
    ///
    /// # Errors
    /// [`Error::ImageCodec`] if the encoder or `writer` fails.
    pub fn write_png(&self, writer: impl Write, compression: PngCompression) -> Result<()> {
        let fail = |e: png::EncodingError| Error::ImageCodec {
            doing: "encode a PNG".to_owned(),
            reason: e.to_string(),
        };
        let mut encoder = png_encoder::new(writer, self.shape(), self.as_bytes(), compression);
        // tEXt holds Latin-1 only; what else there is in a prompt needs iTXt. A1111 reads both.
        let (keyword, text) = ("parameters".to_owned(), self.parameters.to_string());
        match text.as_str() {
            "" => Ok(()),
            latin if latin.chars().all(|c| u32::from(c) < 256) => {
                encoder.add_text_chunk(keyword, text)
            }
            _ => encoder.add_itxt_chunk(keyword, text),
        }
        .map_err(fail)?;
        let mut writer = encoder.write_header().map_err(fail)?;
        writer.write_image_data(self.as_bytes()).map_err(fail)?;
        writer.finish().map_err(fail)
    }

    /// Saves a PNG file with the "parameters" text. The file appears when it is whole: it is written
    /// under another name in the same folder, then renamed over an existing one.
    ///
    /// # Errors
    /// [`Error::Io`] with the path, [`Error::ImageCodec`], or [`Error::InvalidParameter`] if the name
    /// has an extension other than `png`.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if path.extension().is_some_and(|e| !e.eq_ignore_ascii_case("png")) {
            return Err(Error::invalid("path", path.display(), "a name that ends in .png"));
        }
        let doing = || format!("write {}", path.display());
        let mut temporary = whole_file::beside(path, ".png").map_err(|e| Error::io(doing(), e))?;
        self.write_png(BufWriter::new(temporary.as_file_mut()), PngCompression::default())?;
        temporary.as_file().sync_all().map_err(|e| Error::io(doing(), e))?;
        temporary.persist(path).map_err(|e| Error::io(doing(), e.error))?;
        Ok(())
    }
}

/// Reads a PNG or JPEG file, for the pictures of a request. The format is told from the contents.
///
/// # Errors
/// [`Error::FileNotFound`] or [`Error::FileUnreadable`]; [`Error::ImageCodec`] if it is no such
/// picture, or larger than [`MAX_SIDE`](crate::MAX_SIDE) a side.
pub fn open_picture(path: impl AsRef<Path>) -> Result<DynamicImage> {
    const ROLE: &str = "picture";
    let path = path.as_ref();
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        return Err(Error::ImageCodec {
            doing: format!("read the picture {}", path.display()),
            reason: "it is no regular file".to_owned(),
        });
    }
    let unreadable = |source| Error::file(ROLE, path, source);
    let codec = |e: image::ImageError| Error::ImageCodec {
        doing: format!("read the picture {}", path.display()),
        reason: e.to_string(),
    };
    let mut reader =
        ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(unreadable)?;
    let mut limits = image::Limits::default();
    // What the largest of them takes, with four channels of 16 bits.
    limits.max_alloc = Some(u64::from(MAX_SIDE).pow(2) * 8);
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    reader.decode().map_err(codec)
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture")
            .field("width", &self.width())
            .field("height", &self.height())
            .field("channels", &self.channels())
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
