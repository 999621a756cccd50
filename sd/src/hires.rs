//! Hires fix: a second pass over an enlarged latent.

use crate::{
    Error, MAX_SIDE, Result, Sampling, Scheduler, named::named_enum, sampling::check_steps,
    setters::setters, validate,
};
use std::path::PathBuf;

named_enum! {
    /// How the first pass is enlarged for the second.
    ///
    /// Latent upscalers need no model and no VAE; they blur, so the second pass needs a
    /// [`denoising_strength`](HiresFix::denoising_strength) of 0.5 or more. The others go through
    /// the VAE, and do with less.
    pub enum HiresUpscaler as "hires.upscaler", end SD_HIRES_UPSCALER_COUNT {
        /// The latent, bilinear. The default.
        Latent = SD_HIRES_UPSCALER_LATENT, "Latent", "Latent";
        /// The latent, nearest neighbour.
        LatentNearest = SD_HIRES_UPSCALER_LATENT_NEAREST, "Latent (nearest)", "Latent (nearest)";
        /// The latent, nearest neighbour by pixel centres.
        LatentNearestExact = SD_HIRES_UPSCALER_LATENT_NEAREST_EXACT,
            "Latent (nearest-exact)", "Latent (nearest-exact)";
        /// The latent, bilinear with antialiasing.
        LatentAntialiased = SD_HIRES_UPSCALER_LATENT_ANTIALIASED,
            "Latent (antialiased)", "Latent (antialiased)";
        /// The latent, bicubic.
        LatentBicubic = SD_HIRES_UPSCALER_LATENT_BICUBIC, "Latent (bicubic)", "Latent (bicubic)";
        /// The latent, bicubic with antialiasing.
        LatentBicubicAntialiased = SD_HIRES_UPSCALER_LATENT_BICUBIC_ANTIALIASED,
            "Latent (bicubic antialiased)", "Latent (bicubic antialiased)";
        /// The picture, Lanczos.
        Lanczos = SD_HIRES_UPSCALER_LANCZOS, "Lanczos", "Lanczos";
        /// The picture, nearest neighbour.
        Nearest = SD_HIRES_UPSCALER_NEAREST, "Nearest", "Nearest";
        /// The picture, by an ESRGAN [`model`](HiresFix::model).
        Model = SD_HIRES_UPSCALER_MODEL, "Model", "Model";
    }
}

/// A second pass at a larger size, which adds detail that the first size has no room for.
///
/// ```
/// use sdcpp::{HiresFix, HiresUpscaler, ImageRequest};
///
/// let request = ImageRequest::new("a forest").hires(
///     HiresFix::scaled_by(2.0).upscaler(HiresUpscaler::Lanczos).denoising_strength(0.4),
/// );
/// # drop(request);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct HiresFix {
    /// How the first pass is enlarged. Default: [`HiresUpscaler::Latent`].
    pub upscaler: HiresUpscaler,
    /// The ESRGAN file of [`HiresUpscaler::Model`]; in a video, LTX's spatial upscaler. Default: none.
    pub model: Option<PathBuf>,
    /// Factor on width and height, 0.25 to 16. Default 2.
    pub scale: f32,
    /// Width and height in pixels, 1 to [`MAX_SIDE`] each, in place of the [`scale`](Self::scale).
    /// Default: absent.
    pub target_size: Option<(u32, u32)>,
    /// Steps of the second pass, 1 to [`MAX_STEPS`](crate::MAX_STEPS). Default: as the first.
    pub steps: Option<u32>,
    /// How much of the enlarged picture may change, 0.01 to 1. Default 0.7.
    pub denoising_strength: f32,
    /// Side of the tiles that an ESRGAN model works in, in pixels, 16 to 4096. Default 128.
    pub tile_size: u32,
    /// Noise levels of the second pass, as
    /// [`Sampling::custom_sigmas`](crate::Sampling::custom_sigmas). Default: none.
    pub custom_sigmas: Vec<f32>,
}

impl Default for HiresFix {
    fn default() -> Self {
        Self {
            upscaler: HiresUpscaler::Latent,
            model: None,
            scale: 2.0,
            target_size: None,
            steps: None,
            denoising_strength: 0.7,
            tile_size: 128,
            custom_sigmas: Vec::new(),
        }
    }
}

setters! {
    HiresFix {
        plain upscaler: HiresUpscaler;
        plain scale: f32;
        some target_size: (u32, u32);
        some steps: u32;
        plain denoising_strength: f32;
        plain tile_size: u32;
        into custom_sigmas: Vec<f32>;
    }
}

impl HiresFix {
    /// A second pass `scale` times as wide and high.
    pub fn scaled_by(scale: f32) -> Self {
        Self { scale, ..Self::default() }
    }

    /// Enlarges by the ESRGAN model in this file.
    #[must_use]
    pub fn model(mut self, path: impl Into<PathBuf>) -> Self {
        self.upscaler = HiresUpscaler::Model;
        self.model = Some(path.into());
        self
    }

    /// Checks the values, for a first pass of this size.
    pub(crate) fn check(&self, width: u32, height: u32, sampling: &Sampling) -> Result<()> {
        validate::range("hires.scale", self.scale, 0.25..=16.0)?;
        validate::range("hires.denoising_strength", self.denoising_strength, 0.01..=1.0)?;
        validate::range("hires.tile_size", self.tile_size, 16..=4096)?;
        validate::sigmas("hires.custom_sigmas", &self.custom_sigmas)?;
        if let Some(steps) = self.steps {
            validate::range("hires.steps", steps, 1..=crate::MAX_STEPS)?;
        }
        let (width, height) = self.size(width, height);
        let field = if self.target_size.is_some() { "hires.target_size" } else { "hires.scale" };
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(Error::invalid(
                field,
                format!("{width}x{height} pixels"),
                format!("1 to {MAX_SIDE} pixels a side"),
            ));
        }
        match (self.upscaler, &self.model) {
            (HiresUpscaler::Model, None) => {
                return Err(Error::invalid(
                    "hires.model",
                    "not set",
                    "an ESRGAN file with the upscaler Model",
                ));
            }
            (HiresUpscaler::Model, Some(_)) | (_, None) => {}
            (other, Some(_)) => {
                return Err(Error::invalid(
                    "hires.model",
                    format!("set with the upscaler {other}"),
                    "the upscaler Model with a model file",
                ));
            }
        }
        self.check_steps_with(sampling, sampling.scheduler)
    }

    /// The engine lengthens the schedule so that the part the strength leaves has the steps.
    pub(crate) fn check_steps_with(
        &self,
        sampling: &Sampling,
        scheduler: Option<Scheduler>,
    ) -> Result<()> {
        if !self.custom_sigmas.is_empty() {
            return Ok(());
        }
        // Past this, the engine's interpolated schedules read beyond their ends.
        const MOST_SCHEDULED: u32 = 5000;
        let steps = self.steps_after(sampling);
        let scheduled = (steps as f32 / self.denoising_strength) as u32;
        if scheduled > MOST_SCHEDULED {
            return Err(Error::invalid(
                "hires.steps",
                format!("{steps} at a denoising_strength of {}", self.denoising_strength),
                format!("at most {MOST_SCHEDULED} when divided by hires.denoising_strength"),
            ));
        }
        check_steps("hires.steps", scheduled, scheduler)
    }

    /// Steps of the second pass. Told to the engine always: its own default is what a starting
    /// picture left of the first pass.
    pub(crate) fn steps_after(&self, sampling: &Sampling) -> u32 {
        self.steps.unwrap_or_else(|| sampling.effective_steps())
    }

    /// Width and height of the second pass.
    pub(crate) fn size(&self, width: u32, height: u32) -> (u32, u32) {
        let scaled = |side: u32| (f64::from(side) * f64::from(self.scale)).round() as u32;
        self.target_size.unwrap_or((scaled(width), scaled(height)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_checked_by_name() {
        let sampling = Sampling::default();
        let refused = |h: HiresFix| h.check(512, 512, &sampling).unwrap_err().to_string();
        let new = HiresFix::default;
        assert!(new().check(512, 512, &sampling).is_ok());
        assert!(new().model("m.gguf").check(512, 512, &sampling).is_ok());
        for (hires, start) in [
            (HiresFix::scaled_by(0.0), "hires.scale is 0"),
            (HiresFix::scaled_by(f32::NAN), "hires.scale is NaN"),
            (HiresFix::scaled_by(16.0).target_size((0, 8)), "hires.target_size is 0x8 pixels"),
            (new().target_size((64, 99_999)), "hires.target_size is 64x99999"),
            (new().denoising_strength(0.0), "hires.denoising_strength is 0"),
            (new().steps(0), "hires.steps is 0"),
            (new().tile_size(1), "hires.tile_size is 1"),
            (new().custom_sigmas(vec![1.0]), "hires.custom_sigmas is a list of 1"),
            (new().upscaler(HiresUpscaler::Model), "hires.model is not set"),
            (
                new().model("m").upscaler(HiresUpscaler::Lanczos),
                "hires.model is set with the upscaler Lanczos",
            ),
        ] {
            let text = refused(hires);
            assert!(text.starts_with(start), "{text:?} should start with {start:?}");
        }
        let large = HiresFix::scaled_by(16.0).check(2048, 512, &sampling).unwrap_err().to_string();
        assert!(large.starts_with("hires.scale is 32768x8192"), "{large}");
    }

    #[test]
    fn one_step_is_refused_where_the_scheduler_cannot() {
        let one = Sampling { scheduler: Some(Scheduler::Karras), ..Sampling::default() };
        let fix = HiresFix::default().steps(1);
        assert!(fix.clone().denoising_strength(1.0).check(64, 64, &one).is_err());
        assert!(fix.denoising_strength(0.5).check(64, 64, &one).is_ok());
    }
}
