//! Inpainting as users of A1111 know it: what happens around the engine's own masked drawing.
//!
//! The engine draws the whole picture, keeps the latents outside of the mask and decodes them again,
//! which changes every pixel a little. What is here crops, blends and pastes around that.

mod fill;
mod plan;
mod region;

use crate::{MAX_SIDE, Result, setters::setters, validate};
pub(crate) use plan::Plan;

/// How a masked picture is repainted. The default leaves everything to the engine.
///
/// ```
/// use sdcpp::{Inpaint, InpaintArea};
///
/// let inpaint = Inpaint::new()
///     .mask_blur(4)
///     .area(InpaintArea::OnlyMasked { padding: 32 });
/// assert!(inpaint.check().is_ok());
/// assert!(Inpaint::new().mask_blur(65).check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
pub struct Inpaint {
    /// How softly the repainted part fades into what is kept: the standard deviation of a Gaussian
    /// in pixels of the picture, 0 to 64. What is white in the mask is repainted in full, and fades
    /// outwards over about three times this width. Without effect where nothing is kept, that is
    /// with [`InpaintArea::WholePicture`] and without [`keep_unmasked`](Self::keep_unmasked).
    /// Default 0: a hard edge.
    pub mask_blur: u32,
    /// Repaints what is black in the mask, and keeps what is white. Default `false`.
    pub invert: bool,
    /// Which part of the picture is drawn. Default: the whole picture.
    pub area: InpaintArea,
    /// Puts the original's pixels back outside of the mask: exactly where the picture is drawn in its
    /// own size, else scaled to the drawn size. [`InpaintArea::OnlyMasked`] always does. Default
    /// `false`: as the engine drew it, which is the original as the VAE sees it.
    pub keep_unmasked: bool,
    /// What the engine starts from in the masked part. Default: [`InpaintFill::Original`].
    pub fill: InpaintFill,
}

/// What the engine starts from in the masked part of a picture: A1111's "masked content". It shows
/// through at less than full denoising strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum InpaintFill {
    /// What the picture has there: to change a thing.
    #[default]
    Original,
    /// The colours around it, softly drawn inwards: to remove a thing. With
    /// [`InpaintArea::OnlyMasked`], those of the part that is drawn; where that is masked whole, its mean.
    Surroundings,
    /// Squares of 8 pixels, each of a colour at random, for new contents at high denoising strength.
    /// A1111 puts noise into the latent, which the engine does not take.
    Noise {
        /// Which noise; the same seed and size give the same.
        seed: u64,
    },
    /// One colour: red, green and blue.
    Color([u8; 3]),
}

impl InpaintFill {
    /// Middle grey, which a latent of zeros is near: A1111's "latent nothing".
    pub const NOTHING: Self = Self::Color([127; 3]);
}

/// Which part of a masked picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum InpaintArea {
    /// All of it, in the size of the request.
    #[default]
    WholePicture,
    /// The surroundings of the mask, enlarged or reduced to the size of the request, then put back
    /// into the original: small faces get all of the model's detail. The result has the size of the
    /// original, and its exact pixels wherever the mask and its blur do not reach.
    ///
    /// The surroundings get the shape of the request as far as the picture has room for it, and are
    /// stretched where it has not.
    OnlyMasked {
        /// How many pixels of the picture around the mask and its blur are shown to the model, 0 to
        /// [`MAX_SIDE`]; A1111 has 32.
        padding: u32,
    },
}

setters! {
    Inpaint {
        plain mask_blur: u32;
        plain invert: bool;
        plain area: InpaintArea;
        plain keep_unmasked: bool;
        plain fill: InpaintFill;
    }
}

impl Inpaint {
    /// The largest [`mask_blur`](Self#structfield.mask_blur).
    pub const MAX_MASK_BLUR: u32 = 64;

    /// Everything left to the engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`](crate::Error::InvalidParameter) with the field, its value and what
    /// is allowed.
    pub fn check(&self) -> Result<()> {
        validate::range("inpaint.mask_blur", self.mask_blur, 0..=Self::MAX_MASK_BLUR)?;
        match self.area {
            InpaintArea::WholePicture => Ok(()),
            InpaintArea::OnlyMasked { padding } => {
                validate::range("inpaint.area.padding", padding, 0..=MAX_SIDE)
            }
        }
    }
}
