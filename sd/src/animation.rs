//! Pictures in sequence, and sound, as files that play.

mod apng;
mod audio;
mod avi;
mod file;
mod format;
mod frame;
mod gif;
mod numbered;
mod timing;
mod wav;
mod webp;

use crate::{Error, MAX_SIDE, Result, setters::setter, validate};
pub use audio::{Audio, WavSamples};
use file::Target;
pub use format::AnimationFormat;
pub use frame::Frame;
use std::{
    io::{Seek, Write},
    path::{Path, PathBuf},
};

/// Frames of one size, shown one after another, and perhaps sound. Nothing is copied.
///
/// ```
/// use sdcpp::{Animation, image::RgbImage};
///
/// # fn main() -> sdcpp::Result<()> {
/// let frames = vec![RgbImage::new(64, 64); 8];
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("clip.gif");
/// Animation::new(&frames, 16.0).save(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Animation<'a> {
    /// The frames, 1 to [`Animation::MAX_FRAMES`], all of the same size, of 1 to [`MAX_SIDE`] pixels a side.
    pub frames: Vec<Frame<'a>>,
    /// Frames a second, 0.01 to 1000, and to 50 for GIF. What a format cannot express exactly is
    /// spread over the frames, so that the whole takes the right time.
    pub fps: f64,
    /// Sound. Written by the formats that [have sound](AnimationFormat::has_sound), which is AVI, and
    /// left out by the others. Where it is longer than the frames the last one stays. Default: none.
    pub audio: Option<&'a Audio>,
    /// How good AVI and WebP look, 1 to 100. The other formats do not lose anything but GIF's colours
    /// beyond 256 a frame. Default 90.
    pub quality: u8,
    /// How often GIF, APNG and WebP are played; 0 for ever. Default 0.
    pub plays: u16,
}

impl<'a> Animation<'a> {
    /// The most frames.
    pub const MAX_FRAMES: usize = 100_000;

    /// These frames at so many a second, without sound.
    pub fn new<I>(frames: I, fps: f64) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Frame<'a>>,
    {
        let frames = frames.into_iter().map(Into::into).collect();
        Self { frames, fps, audio: None, quality: 90, plays: 0 }
    }

    setter!(plain fps: f64);
    setter!(some audio: &'a Audio);
    setter!(plain quality: u8);
    setter!(plain plays: u16);

    /// Checks the values, for this format.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the field, its value and what is allowed;
    /// [`Error::Unsupported`] for WebP in a build without the feature `webp`.
    pub fn check(&self, format: AnimationFormat) -> Result<()> {
        format.check_built()?;
        validate::range("frames", self.frames.len(), 1..=Self::MAX_FRAMES)?;
        let (width, height) = self.size();
        let side = format.max_side().min(MAX_SIDE);
        if width == 0 || height == 0 || width > side || height > side {
            return Err(Error::invalid(
                "frames",
                format!("pictures of {width}x{height}"),
                format!("1 to {side} pixels a side for {format}"),
            ));
        }
        let other = |frame: &&Frame<'_>| (frame.width(), frame.height()) != (width, height);
        if let Some((index, frame)) = self.frames.iter().enumerate().find(|(_, f)| other(f)) {
            return Err(Error::invalid(
                "frames",
                format!("{}x{} at frame {}", frame.width(), frame.height(), index + 1),
                format!("the size of the first frame, {width}x{height}"),
            ));
        }
        validate::range("fps", self.fps, 0.01..=format.max_fps())?;
        validate::range("quality", self.quality, 1..=100)?;
        match self.audio {
            Some(audio) if format.has_sound() => audio.check(),
            _ => Ok(()),
        }
    }

    /// Saves in the format that the extension of `path` names: `png` (numbered frames), `gif`, `apng`,
    /// `webp` or `avi`. Returns the files written: the path itself, or for `name.png` each frame's,
    /// `name-0001.png` and so on.
    ///
    /// A file appears when it is whole: it is written under another name in the same folder, then
    /// renamed over an existing one. Numbered frames are renamed when the last of them is written.
    ///
    /// # Errors
    /// As [`check`](Self::check), [`Error::InvalidParameter`] for another extension, [`Error::Io`]
    /// with the path, and [`Error::ImageCodec`] if an encoder fails.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        let path = path.as_ref();
        self.save_as(path, AnimationFormat::from_path(path)?)
    }

    /// Saves in this format, whatever the extension. See [`save`](Self::save).
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_as(&self, path: impl AsRef<Path>, format: AnimationFormat) -> Result<Vec<PathBuf>> {
        let path = path.as_ref();
        self.check(format)?;
        if format == AnimationFormat::PngFrames {
            return numbered::save(self, path);
        }
        let target = Target::new(path);
        file::save(&target, |file| self.encode(file, format, &target))?;
        Ok(vec![path.to_owned()])
    }

    /// Writes one file's bytes.
    ///
    /// ```
    /// # use sdcpp::{Animation, AnimationFormat, image::RgbImage};
    /// let mut bytes = std::io::Cursor::new(Vec::new());
    /// let frames = [RgbImage::new(8, 8)];
    /// Animation::new(&frames, 8.0).write(&mut bytes, AnimationFormat::Apng)?;
    /// # Ok::<(), sdcpp::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`save_as`](Self::save_as); [`Error::InvalidParameter`] for
    /// [`AnimationFormat::PngFrames`], which are several files.
    pub fn write(&self, writer: impl Write + Seek, format: AnimationFormat) -> Result<()> {
        self.check(format)?;
        self.encode(writer, format, &Target::new(Path::new("to memory")))
    }

    fn encode(
        &self,
        writer: impl Write + Seek,
        format: AnimationFormat,
        target: &Target<'_>,
    ) -> Result<()> {
        match format {
            AnimationFormat::Gif => gif::write(self, writer, target),
            AnimationFormat::Apng => apng::write(self, writer, target),
            AnimationFormat::WebP => webp::write(self, writer, target),
            AnimationFormat::Avi => avi::write(self, writer, target),
            AnimationFormat::PngFrames => Err(Error::invalid(
                "animation_format",
                format,
                "a format of one file: gif, apng, webp, avi",
            )),
        }
    }

    /// Width and height of the first frame; 0 without frames.
    fn size(&self) -> (u32, u32) {
        self.frames.first().map_or((0, 0), |frame| (frame.width(), frame.height()))
    }
}

#[cfg(test)]
mod tests;
