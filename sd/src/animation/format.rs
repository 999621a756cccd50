//! The formats of moving pictures.

use crate::{Error, Result, named::same_name};
use std::{fmt, path::Path, str::FromStr};

/// A format for frames in sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AnimationFormat {
    /// A PNG file for each frame, numbered from 1: `name-0001.png`. For video editors.
    PngFrames,
    /// Animated GIF: plays everywhere; 256 colours a frame, large files, at most 50 frames a second.
    Gif,
    /// Animated PNG: every pixel exact, in browsers; programs that know no animation show the first
    /// frame.
    Apng,
    /// Animated WebP: small files, in browsers, at most 16383 pixels a side. Needs the feature
    /// `webp`.
    WebP,
    /// AVI with a JPEG for each frame and 16-bit sound: for players and editors. Up to 4 GiB.
    Avi,
}

impl AnimationFormat {
    /// Every format.
    pub const ALL: &[Self] = &[Self::PngFrames, Self::Gif, Self::Apng, Self::WebP, Self::Avi];

    /// Its name, which is also the extension of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PngFrames => "png",
            Self::Gif => "gif",
            Self::Apng => "apng",
            Self::WebP => "webp",
            Self::Avi => "avi",
        }
    }

    /// The format that a file's extension names, whatever its case.
    ///
    /// ```
    /// use sdcpp::AnimationFormat;
    ///
    /// assert_eq!(AnimationFormat::from_path("out/clip.GIF")?, AnimationFormat::Gif);
    /// assert!(AnimationFormat::from_path("clip.mp4").is_err());
    /// # Ok::<(), sdcpp::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the extensions there are.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let extension = path.extension().unwrap_or_default();
        Self::ALL.iter().copied().find(|f| extension.eq_ignore_ascii_case(f.name())).ok_or_else(
            || {
                let allowed = format!("a name that ends in one of: {}", names("."));
                Error::invalid("path", path.display(), allowed)
            },
        )
    }

    pub(super) fn max_side(self) -> u32 {
        match self {
            Self::WebP => 16_383,
            _ => u32::from(u16::MAX),
        }
    }

    /// Browsers show GIF frames of less than two hundredths of a second much longer.
    pub(super) fn max_fps(self) -> f64 {
        if self == Self::Gif { 50.0 } else { 1000.0 }
    }

    /// Whether its files can have sound; the others leave an animation's out.
    pub const fn has_sound(self) -> bool {
        matches!(self, Self::Avi)
    }

    pub(super) fn check_built(self) -> Result<()> {
        if self == Self::WebP && !cfg!(feature = "webp") {
            return Err(Error::Unsupported {
                what: "animated WebP".to_owned(),
                reason: "this build lacks the cargo feature `webp`".to_owned(),
            });
        }
        Ok(())
    }
}

fn names(prefix: &str) -> String {
    let all: Vec<_> =
        AnimationFormat::ALL.iter().map(|f| format!("{prefix}{}", f.name())).collect();
    all.join(", ")
}

impl fmt::Display for AnimationFormat {
    /// The name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for AnimationFormat {
    type Err = Error;

    /// Accepts the names, whatever the case.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|f| same_name(f.name(), text))
            .ok_or_else(|| Error::invalid("animation_format", format!("{text:?}"), names("")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for format in AnimationFormat::ALL {
            assert_eq!(format.to_string().parse::<AnimationFormat>().unwrap(), *format);
            let path = format!("a.b/clip.{}", format.name().to_uppercase());
            assert_eq!(AnimationFormat::from_path(path).unwrap(), *format);
        }
        assert_eq!(
            "mp4".parse::<AnimationFormat>().unwrap_err().to_string(),
            "animation_format is \"mp4\"; allowed: png, gif, apng, webp, avi"
        );
        for path in ["clip.mp4", "clip", ".gif", "", "clip."] {
            let text = AnimationFormat::from_path(path).unwrap_err().to_string();
            assert!(text.ends_with(".png, .gif, .apng, .webp, .avi"), "{text}");
        }
    }
}
