//! Outpainting: a larger canvas around a picture, drawn and joined to it.

mod fill;
mod plan;

use crate::{Error, MAX_SIDE, Result, setters::setters, validate};
pub(crate) use plan::Plan;

/// How a picture is continued beyond its borders.
///
/// The result has exactly the picture's size and what is asked for on each side. For the engine the
/// canvas is rounded up, at the right and the bottom, to sizes the model can draw; what is more than
/// asked for is cut off again.
///
/// ```
/// use sdcpp::{Outpaint, OutpaintFill};
///
/// let wider = Outpaint::new(128, 128, 0, 0).feather(24);
/// assert!(wider.check(512, 512).is_ok());
/// let more = Outpaint::all(64).fill(OutpaintFill::Noise { seed: 7 });
/// assert_eq!(more.left, 64);
/// assert!(Outpaint::default().check(512, 512).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
pub struct Outpaint {
    /// Pixels to add at the left. At least one side has some.
    pub left: u32,
    /// Pixels to add at the right.
    pub right: u32,
    /// Pixels to add at the top.
    pub top: u32,
    /// Pixels to add at the bottom.
    pub bottom: u32,
    /// Over how many of the picture's own pixels, along the sides with something added, the new fades
    /// into the old; farther in, the picture's pixels are kept exactly. 0 to [`MAX_SIDE`]; 0 is a
    /// hard seam. The outer half of them is repainted too. Default 32.
    pub feather: u32,
    /// What the engine starts from where there is no picture. Default: [`OutpaintFill::Edge`].
    pub fill: OutpaintFill,
}

/// What the engine starts from where there is no picture. It shows through at less than full
/// denoising strength, and guides the colours even then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OutpaintFill {
    /// The border's pixels drawn out, and blurred: for skies, walls and most else.
    #[default]
    Edge,
    /// The picture mirrored: for textures.
    Mirror,
    /// Pixels of the picture picked at random: its colours without its shapes, for new contents at
    /// high denoising strength.
    Noise {
        /// Which noise; the same seed and picture give the same.
        seed: u64,
    },
    /// One colour: red, green and blue.
    Color([u8; 3]),
}

impl Default for Outpaint {
    /// Nothing added on any side, which is refused: set at least one.
    fn default() -> Self {
        Self { left: 0, right: 0, top: 0, bottom: 0, feather: 32, fill: OutpaintFill::default() }
    }
}

setters! {
    Outpaint {
        plain left: u32;
        plain right: u32;
        plain top: u32;
        plain bottom: u32;
        plain feather: u32;
        plain fill: OutpaintFill;
    }
}

impl Outpaint {
    /// This many pixels at the left, right, top and bottom.
    pub fn new(left: u32, right: u32, top: u32, bottom: u32) -> Self {
        Self { left, right, top, bottom, ..Self::default() }
    }

    /// This many pixels on every side.
    pub fn all(pixels: u32) -> Self {
        Self::new(pixels, pixels, pixels, pixels)
    }

    /// Checks the values for a picture of this size.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] if no side has something to add, the picture is empty, or a side
    /// of the result is longer than [`MAX_SIDE`].
    pub fn check(&self, width: u32, height: u32) -> Result<()> {
        self.size(width, height)?;
        validate::range("outpaint.feather", self.feather, 0..=MAX_SIDE)
    }

    /// The size of the result.
    fn size(&self, width: u32, height: u32) -> Result<(u32, u32)> {
        if width == 0 || height == 0 {
            return Err(Error::invalid(
                "init_image",
                format!("{width}x{height}"),
                format!("1 to {MAX_SIDE} pixels a side"),
            ));
        }
        if [self.left, self.right, self.top, self.bottom] == [0; 4] {
            return Err(Error::invalid(
                "outpaint",
                "0 pixels on every side",
                "1 or more at the left, right, top or bottom",
            ));
        }
        let side = |field, sides: [u32; 3]| {
            let sum = sides.into_iter().map(u64::from).sum::<u64>();
            u32::try_from(sum).ok().filter(|sum| *sum <= MAX_SIDE).ok_or_else(|| {
                Error::invalid(field, sum, format!("at most {MAX_SIDE} with the picture between"))
            })
        };
        Ok((
            side("outpaint.left + right", [self.left, width, self.right])?,
            side("outpaint.top + bottom", [self.top, height, self.bottom])?,
        ))
    }
}
