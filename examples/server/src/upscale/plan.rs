//! What becomes of a picture's size, and the limits of that.

use super::folder::{Esrgan, Folder};
use crate::{error::ApiError, limits::MAX_GIVEN_SIDE};
use image::{RgbImage, imageops};

/// How a picture is enlarged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// Smoothly.
    Lanczos,
    /// Pixels as squares.
    Nearest,
    /// By a model, as often as it takes, and to the exact size smoothly.
    Model(Esrgan),
}

impl Method {
    /// What needs no model, as clients call it. A1111 has "None" too, which leaves a picture as it is.
    pub(crate) const WITHOUT_MODEL: [&str; 3] = [NONE, "Lanczos", "Nearest"];

    /// By the name that clients give; none for "None". Reads the folder.
    ///
    /// # Errors
    /// There is no such upscaler, with those that there are.
    pub(crate) fn find(field: &str, name: &str, folder: &Folder) -> Result<Option<Self>, ApiError> {
        match name {
            NONE => return Ok(None),
            "Lanczos" => return Ok(Some(Self::Lanczos)),
            "Nearest" => return Ok(Some(Self::Nearest)),
            _ => {}
        }
        if let Some(model) = folder.find(name)? {
            return Ok(Some(Self::Model(model)));
        }
        let mut names = Self::WITHOUT_MODEL.map(ToOwned::to_owned).to_vec();
        names.extend(folder.list()?.into_iter().map(|model| model.name));
        Err(ApiError::invalid(field, name, &names.join(", ")))
    }

    /// As clients call it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Lanczos => "Lanczos",
            Self::Nearest => "Nearest",
            Self::Model(model) => &model.name,
        }
    }
}

const NONE: &str = "None";

/// The size that is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// So many times as wide and high, more than 0.
    Factor(f64),
    /// Large enough to cover this; with `crop`, its middle in exactly this size.
    Cover { width: u32, height: u32, crop: bool },
}

/// What is to be done with each picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) method: Method,
    /// How it is done a second time, and how much of that is laid over the first, 0 to 1.
    pub(crate) second: Option<(Method, f32)>,
    pub(crate) target: Target,
}

/// The most that A1111 runs a model over a picture.
const MOST_PASSES: u32 = 3;

impl Plan {
    /// The size that a picture of this size is enlarged to, before it is cropped.
    ///
    /// # Errors
    /// It, or what a model makes on the way, is larger than is allowed, or it is nothing.
    pub(crate) fn size(&self, from: (u32, u32)) -> Result<(u32, u32), ApiError> {
        let (width, height) = (f64::from(from.0.max(1)), f64::from(from.1.max(1)));
        let factor = match self.target {
            Target::Factor(factor) => factor,
            Target::Cover { width: w, height: h, .. } => {
                (f64::from(w) / width).max(f64::from(h) / height)
            }
        };
        let side = |side: f64| {
            let wanted = (side * factor).round();
            // A number that is none does not pass either.
            if (1.0..=f64::from(MAX_GIVEN_SIDE)).contains(&wanted) {
                return Ok(wanted as u32);
            }
            let allowed = format!("1 to {MAX_GIVEN_SIDE}");
            Err(ApiError::invalid("the enlarged picture's side", wanted, &allowed))
        };
        let to = (side(width)?, side(height)?);
        let methods = std::iter::once(&self.method).chain(self.second.iter().map(|(m, _)| m));
        for method in methods {
            if let Method::Model(model) = method {
                let passes = passes(from, to, model.factor);
                let largest = u64::from(from.0.max(from.1)) * u64::from(model.factor.pow(passes));
                if largest > u64::from(MAX_GIVEN_SIDE) {
                    return Err(ApiError::invalid(
                        "the picture's side by this upscaler",
                        largest,
                        &format!("up to {MAX_GIVEN_SIDE}; it enlarges {} times", model.factor),
                    ));
                }
            }
        }
        Ok(to)
    }

    /// The part that is wanted of what was enlarged.
    pub(crate) fn cropped(&self, picture: RgbImage) -> RgbImage {
        match self.target {
            Target::Cover { width, height, crop: true } => {
                let x = picture.width().saturating_sub(width) / 2;
                let y = picture.height().saturating_sub(height) / 2;
                imageops::crop_imm(&picture, x, y, width, height).to_image()
            }
            _ => picture,
        }
    }
}

/// How often a model goes over a picture of this size: until it is as large as wanted. Once, where it is
/// that already, as a model cleans too; never where it is to become smaller.
pub(crate) fn passes(from: (u32, u32), to: (u32, u32), factor: u32) -> u32 {
    if from == to {
        return 1;
    }
    let reached = |passes: u32| {
        let grown = |side: u32| u64::from(side) * u64::from(factor.pow(passes));
        grown(from.0) >= u64::from(to.0) && grown(from.1) >= u64::from(to.1)
    };
    let most = if factor > 1 { MOST_PASSES } else { 1 };
    (0..most).find(|passes| reached(*passes)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(factor: u32) -> Method {
        Method::Model(Esrgan { name: "m".to_owned(), path: "m.gguf".into(), factor })
    }

    fn plan(method: Method, target: Target) -> Plan {
        Plan { method, second: None, target }
    }

    #[test]
    fn sizes_are_multiplied_or_cover_what_is_asked() {
        let by = |factor| plan(Method::Lanczos, Target::Factor(factor));
        assert_eq!(by(2.5).size((64, 33)).unwrap(), (160, 83));
        let cover = |crop| plan(Method::Nearest, Target::Cover { width: 100, height: 60, crop });
        assert_eq!(cover(true).size((64, 64)).unwrap(), (100, 100));
        let large = RgbImage::from_fn(100, 100, |x, y| image::Rgb([x as u8, y as u8, 0]));
        let part = cover(true).cropped(large.clone());
        assert_eq!((part.dimensions(), part.get_pixel(0, 0).0), ((100, 60), [0, 20, 0]));
        assert!(cover(false).cropped(large.clone()) == large);
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_made() {
        let by = |method, factor| plan(method, Target::Factor(factor)).size((1025, 8));
        let refused = by(Method::Lanczos, 4.0).unwrap_err().message;
        assert!(
            refused.starts_with("the enlarged picture's side is 4100; allowed: 1 to 4096"),
            "{refused}"
        );
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 0.0001] {
            assert!(by(Method::Nearest, factor).is_err(), "{factor}");
        }
        // On the way it would have 4100 pixels.
        let refused = by(model(4), 2.0).unwrap_err().message;
        assert!(refused.contains("4100") && refused.contains("enlarges 4 times"), "{refused}");
        assert_eq!(by(model(2), 2.0).unwrap(), (2050, 16));
        let thin = plan(Method::Lanczos, Target::Cover { width: 512, height: 512, crop: true });
        assert!(thin.size((4096, 1)).is_err());
        let second =
            Plan { second: Some((model(4), 0.5)), ..plan(Method::Lanczos, Target::Factor(2.0)) };
        assert!(second.size((2048, 8)).is_err());
    }

    #[test]
    fn a_model_goes_over_it_as_often_as_it_takes() {
        for (to, factor, expected) in [
            (64, 4, 1),
            (32, 4, 0),
            (65, 4, 1),
            (256, 4, 1),
            (257, 4, 2),
            (2048, 2, 3),
            (999, 1, 1),
        ] {
            assert_eq!(passes((64, 64), (to, to), factor), expected, "{to} by {factor}");
        }
    }
}
