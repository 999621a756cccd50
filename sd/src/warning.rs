//! What is worth knowing about an operation that came to its end.

use crate::Picture;
use std::fmt;

/// Something worth knowing about an operation that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// What the engine warned of, in its words, such as a size that was rounded.
    Engine(String),
    /// A picture is of one colour: black, as a rule, because numbers overflowed.
    Uniform {
        /// The picture of the batch or the frame of the video, from 0.
        image: usize,
        /// The colour, red first; with transparency where the picture has it.
        color: Vec<u8>,
    },
    /// The decoder made values that are no numbers, or infinite. They are black in the picture; one
    /// warning for each picture, or for all frames of a video.
    NotFinite {
        /// How many of the picture's values, three a pixel.
        values: u64,
    },
    /// Memory ran out while decoding in one piece, so that it was done again in tiles, as
    /// [`vae_tiling_fallback`](crate::ImageRequest::vae_tiling_fallback) allows.
    DecodedInTiles,
}

impl Warning {
    /// What the engine warned of, read from its line.
    pub(crate) fn of_engine(message: &str) -> Self {
        // These lines are of `vendor/fixes/`.
        if let Some(rest) = message.strip_prefix("decoded values that are not finite: ")
            && let Ok(values) = rest.trim().parse()
        {
            return Self::NotFinite { values };
        }
        if message.starts_with("decoding again in tiles") {
            return Self::DecodedInTiles;
        }
        Self::Engine(message.to_owned())
    }

    /// Adds one for each picture of one colour.
    pub(crate) fn add_uniform(warnings: &mut Vec<Self>, pictures: &[Picture]) {
        warnings.extend(pictures.iter().enumerate().filter_map(|(image, picture)| {
            let color = uniform_color(picture.as_bytes(), picture.channels() as usize)?.to_vec();
            Some(Self::Uniform { image, color })
        }));
    }

    /// The likely cause and what to try, where there is one.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Uniform { .. } | Self::NotFinite { .. } => Some(
                "likely an overflow in 16 bits: for SDXL use force_sdxl_vae_conv_scale or a VAE that \
                 was mended for f16, for others weight_type f32 for the VAE by tensor_type_rules; \
                 else a damaged model, or a prediction that does not fit the model",
            ),
            Self::DecodedInTiles => {
                Some("ask for vae_tiling at this size: it spares the attempt in one piece")
            }
            Self::Engine(_) => None,
        }
    }
}

/// The colour that all pixels have; none if they differ, or there is only one.
fn uniform_color(bytes: &[u8], channels: usize) -> Option<&[u8]> {
    let (first, rest) = bytes.split_at_checked(channels.max(1))?;
    // Compared with itself, one pixel on: a `memcmp`, which ends at the first difference.
    let shifted = bytes.get(..rest.len())?;
    (!rest.is_empty() && rest == shifted).then_some(first)
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(text) => f.write_str(text),
            Self::Uniform { image, color } => {
                let name =
                    if color.iter().take(3).all(|c| *c == 0) { "black" } else { "of one colour" };
                write!(f, "picture {image} is {name}")
            }
            Self::NotFinite { values } => {
                write!(f, "{values} values of the picture are no numbers")
            }
            Self::DecodedInTiles => {
                f.write_str("memory ran out while decoding, so it was decoded in tiles")
            }
        }?;
        match self.advice() {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_colour_is_told_from_almost_one() {
        assert_eq!(uniform_color(&[1, 2, 3, 1, 2, 3], 3), Some(&[1, 2, 3][..]));
        assert_eq!(uniform_color(&[1, 2, 3, 1, 2, 4], 3), None);
        assert_eq!(uniform_color(&[1, 2, 3, 4, 2, 3], 3), None);
        for (bytes, channels) in [(&[][..], 3), (&[1, 2, 3], 3), (&[1, 2], 3), (&[], 0)] {
            assert_eq!(uniform_color(bytes, channels), None, "{bytes:?}");
        }
        assert_eq!(uniform_color(&[0, 0], 0), Some(&[0][..]));
    }

    #[test]
    fn the_fixes_lines_are_read() {
        let read = Warning::of_engine;
        assert_eq!(
            read("decoded values that are not finite: 12"),
            Warning::NotFinite { values: 12 }
        );
        assert_eq!(read("decoding again in tiles: memory ran out"), Warning::DecodedInTiles);
        let other = "decoded values that are not finite: many";
        assert_eq!(read(other), Warning::Engine(other.to_owned()));
    }
}
