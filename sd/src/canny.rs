//! Edges of a picture, for a ControlNet that was trained on them.

use crate::{
    EngineReport, Error, Result, Watch,
    engine::{self, CannyThresholds, Engine, Status},
    failure::{self, During},
    input::on_white,
    setters::setters,
    validate,
};
use image::{DynamicImage, RgbImage};

/// Settings of [`canny`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Canny {
    /// Gradients above this share of the largest are edges, 0 to 1. Default 0.08.
    pub high_threshold: f32,
    /// Gradients below this share of the high threshold are none, 0 to 1; those between are weak.
    /// Default 0.08.
    pub low_threshold: f32,
    /// Brightness of weak edges before they are joined to strong ones or dropped, 0 to 1.
    /// Default 0.8.
    pub weak: f32,
    /// Brightness of edges, 0 to 1. Default 1.
    pub strong: f32,
    /// Black edges on white, rather than white on black. Default: no.
    pub invert: bool,
}

impl Default for Canny {
    fn default() -> Self {
        Self { high_threshold: 0.08, low_threshold: 0.08, weak: 0.8, strong: 1.0, invert: false }
    }
}

setters! {
    Canny {
        plain high_threshold: f32;
        plain low_threshold: f32;
        plain weak: f32;
        plain strong: f32;
        plain invert: bool;
    }
}

impl Canny {
    fn check(&self) -> Result<()> {
        for (field, value) in [
            ("high_threshold", self.high_threshold),
            ("low_threshold", self.low_threshold),
            ("weak", self.weak),
            ("strong", self.strong),
        ] {
            validate::range(field, value, 0.0..=1.0)?;
        }
        Ok(())
    }
}

/// Finds the edges of a picture by Canny's method, as the engine does it.
///
/// ```no_run
/// use sdcpp::{Canny, ImageRequest, canny, open_picture};
///
/// # fn main() -> sdcpp::Result<()> {
/// let edges = canny(open_picture("room.png")?, &Canny::default())?;
/// let request = ImageRequest::new("a room in a castle").control_image(edges);
/// # drop(request);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::InvalidParameter`], [`Error::OutOfMemory`].
pub fn canny(picture: impl Into<DynamicImage>, settings: &Canny) -> Result<RgbImage> {
    canny_on(&Engine::auto()?, picture, settings)
}

/// As [`canny`], with this engine.
///
/// # Errors
/// As [`canny`].
pub fn canny_on(
    engine: &Engine,
    picture: impl Into<DynamicImage>,
    settings: &Canny,
) -> Result<RgbImage> {
    settings.check()?;
    let mut picture = on_white(picture.into());
    validate::picture("picture", picture.dimensions())?;
    let thresholds = CannyThresholds {
        high: settings.high_threshold,
        low: settings.low_threshold,
        weak: settings.weak,
        strong: settings.strong,
        invert: settings.invert,
    };
    let outcome = engine::preprocess_canny(engine, &mut picture, &thresholds, Watch::new())?;
    match outcome.status {
        Status::Ok => Ok(picture),
        Status::Failed if outcome.ended.report == EngineReport::default() => Err(Error::Engine {
            stage: outcome.ended.stage,
            report: Box::new(EngineReport {
                message: "the edges could not be found".to_owned(),
                ..EngineReport::default()
            }),
        }),
        _ => Err(failure::classify(outcome, During::Generating, std::path::Path::new(""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_by_name() {
        let picture = || RgbImage::new(8, 8);
        let refused = |c: Canny| canny(picture(), &c).unwrap_err().to_string();
        assert!(refused(Canny::default().high_threshold(2.0)).starts_with("high_threshold is 2"));
        assert!(refused(Canny::default().weak(f32::NAN)).starts_with("weak is NaN"));
        let none = canny(RgbImage::new(0, 9), &Canny::default()).unwrap_err().to_string();
        assert!(none.starts_with("picture is 0x9"), "{none}");
        assert!(canny(RgbImage::new(1, 1), &Canny::default()).is_ok());
    }

    #[test]
    fn a_square_has_edges_and_its_middle_none() {
        let square = RgbImage::from_fn(64, 64, |x, y| {
            let inside = (16..48).contains(&x) && (16..48).contains(&y);
            image::Rgb([if inside { 255 } else { 0 }; 3])
        });
        let edges = canny(square.clone(), &Canny::default()).unwrap();
        assert_eq!(edges.dimensions(), (64, 64));
        assert!((14..19).any(|x| edges.get_pixel(x, 32).0[0] == 255), "a left edge");
        assert_eq!(edges.get_pixel(32, 32).0, [0; 3]);
        let inverted = canny(square, &Canny::default().invert(true)).unwrap();
        assert_eq!(inverted.get_pixel(32, 32).0, [255; 3]);
    }
}
