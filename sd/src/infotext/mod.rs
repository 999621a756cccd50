//! The A1111 "parameters" text: how a picture was made, for people and for other programs.

mod apply;
mod exif;
mod file;
mod parse;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use write::{Facts, write};

use crate::{ImageRequest, Result};
use std::path::Path;

/// What a "parameters" text says: the text that A1111, Forge, SD.Next, stable-diffusion.cpp and this
/// crate put into pictures.
///
/// ```
/// use sdcpp::{Parameters, Sampler, Scheduler};
///
/// let text = "a cat\nNegative prompt: dogs\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 6.5, \
///             Seed: 42, Size: 512x768, Model: demo, Version: v1.9.4";
/// let Parameters { request, other, .. } = Parameters::parse(text);
/// assert_eq!((request.prompt.as_str(), request.negative_prompt.as_str()), ("a cat", "dogs"));
/// assert_eq!(request.sampling.sampler, Some(Sampler::Dpmpp2m));
/// assert_eq!(request.sampling.scheduler, Some(Scheduler::Karras));
/// assert_eq!((request.seed, request.width, request.height), (Some(42), 512, 768));
/// assert_eq!(other, [("Model".into(), "demo".into()), ("Version".into(), "v1.9.4".into())]);
/// ```
///
/// The text holds no pictures and no files: what a request had as `init_image`, `control_image` and so
/// on is not in it, nor are the paths of LoRAs and upscalers. LoRAs given as files are written as
/// `<lora:name:multiplier>` after the prompt, and stay in it. A hires fix by an ESRGAN model is read as
/// [`HiresUpscaler::Model`](crate::HiresUpscaler::Model) without its file, whose name is in
/// [`other`](Self::other) under "Hires upscaler"; [`ImageRequest::check`] asks for the file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Parameters {
    /// What the text says of the request. Values are as they stand there:
    /// [`ImageRequest::check`] judges them.
    pub request: ImageRequest,
    /// Keys that a request has no field for (Model, Version, Lora hashes…), and those whose value is
    /// not understood, such as a sampler that the engine does not have; in the order of the text.
    pub other: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a text. Without a line of settings, all of it is the prompt.
    pub fn parse(text: &str) -> Self {
        parse::parse(text)
    }

    /// Reads the text that is in a picture's file: a PNG's text chunk "parameters", or the user
    /// comment in the EXIF data of a JPEG or WebP. `None` if there is no such text. The pixels are not
    /// read.
    ///
    /// ```no_run
    /// # fn main() -> sdcpp::Result<()> {
    /// if let Some(parameters) = sdcpp::Parameters::read("lighthouse.png")? {
    ///     println!("{}", parameters.request.prompt);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::FileNotFound`](crate::Error::FileNotFound),
    /// [`Error::FileUnreadable`](crate::Error::FileUnreadable), or
    /// [`Error::ImageCodec`](crate::Error::ImageCodec) if it is no PNG, JPEG or WebP file, is cut off,
    /// or has a text of more than a mebibyte.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Self>> {
        Ok(file::read(path.as_ref())?.map(|text| Self::parse(&text)))
    }

    /// As [`read`](Self::read), from the bytes of the file.
    ///
    /// # Errors
    /// [`Error::ImageCodec`](crate::Error::ImageCodec), as [`read`](Self::read).
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>> {
        Ok(Self::text_from_bytes(bytes)?.map(|text| Self::parse(&text)))
    }

    /// The text itself, from the bytes of a picture's file.
    ///
    /// # Errors
    /// [`Error::ImageCodec`](crate::Error::ImageCodec), as [`read`](Self::read).
    pub fn text_from_bytes(bytes: &[u8]) -> Result<Option<String>> {
        file::from_bytes(bytes)
    }

    /// The value of the first key of this name in [`other`](Self::other).
    pub fn get(&self, key: &str) -> Option<&str> {
        self.other.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}
