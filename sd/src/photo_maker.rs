//! PhotoMaker: a person's likeness from photographs.

use crate::{Error, Result, input::on_white, setters::setters, validate};
use image::{DynamicImage, RgbImage};
use std::path::PathBuf;

/// The word that a prompt must have after the class of person, as in "a man img on a beach".
pub(crate) const TRIGGER: &str = "img";
/// The most photographs: each takes a token of the prompt's 77.
pub(crate) const MOST_IMAGES: usize = 16;

/// Photographs of one person, for an SDXL model with
/// [`ModelConfig::photo_maker`](crate::ModelConfig::photo_maker). The prompt must have the word `img`
/// after a word for the person, as in "a man img on a beach".
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct PhotoMaker {
    /// The photographs, 1 to 16.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::json::schema::Base64Picture>"))]
    pub id_images: Vec<RgbImage>,
    /// The file with the face embeddings that version 2 needs, one for each photograph.
    pub id_embed: Option<PathBuf>,
    /// Per cent of the steps before the likeness comes in: lower is more alike, higher follows the
    /// style of the prompt. 0 to 100. Default 20.
    pub style_strength: f32,
}

impl PhotoMaker {
    /// From photographs of any kind; transparent parts are laid on white.
    pub fn new(id_images: impl IntoIterator<Item = impl Into<DynamicImage>>) -> Self {
        Self {
            id_images: id_images.into_iter().map(|p| on_white(p.into())).collect(),
            id_embed: None,
            style_strength: 20.0,
        }
    }

    pub(crate) fn check(&self, prompt: &str) -> Result<()> {
        if !(1..=MOST_IMAGES).contains(&self.id_images.len()) {
            return Err(Error::invalid(
                "photo_maker.id_images",
                format!("a list of {}", self.id_images.len()),
                format!("1 to {MOST_IMAGES} pictures"),
            ));
        }
        for picture in &self.id_images {
            validate::picture("photo_maker.id_images", picture.dimensions())?;
        }
        validate::range("photo_maker.style_strength", self.style_strength, 0.0..=100.0)?;
        let mut words = prompt.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        let first = words.next();
        if first.is_none() || !words.any(|word| word.eq_ignore_ascii_case(TRIGGER)) {
            return Err(Error::invalid(
                "prompt",
                format!("{prompt:?}"),
                format!(
                    "with photo_maker, a text with the word {TRIGGER} after a word for the person, \
                     as in \"a man {TRIGGER} on a beach\""
                ),
            ));
        }
        Ok(())
    }
}

setters! {
    PhotoMaker {
        path id_embed;
        plain style_strength: f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_checked_with_the_prompt() {
        let photo = || PhotoMaker::new([RgbImage::new(8, 8)]);
        let refused = |p: PhotoMaker, prompt: &str| p.check(prompt).unwrap_err().to_string();
        assert!(photo().check("a man img, on a beach").is_ok());
        assert!(refused(photo(), "a man").starts_with("prompt is \"a man\""));
        assert!(refused(photo(), "img").contains("after a word"));
        assert!(refused(photo(), "an imgur page").contains("the word img"));
        assert!(refused(photo().style_strength(101.0), "a man img").contains("style_strength"));
        assert!(refused(PhotoMaker::new([RgbImage::new(0, 1)]), "a man img").contains("0x1"));
        let none: [RgbImage; 0] = [];
        assert!(refused(PhotoMaker::new(none), "a man img").contains("a list of 0"));
    }
}
