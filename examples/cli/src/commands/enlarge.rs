//! Enlarging pictures, for `upscale` and after drawing.

use crate::{
    app::App,
    options::{EngineOptions, UpscalerOptions},
};
use image::DynamicImage;
use sdcpp::{Error, Picture, Upscaler, Warning};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// An open upscaler, and how often it is to be used on each picture.
pub(crate) struct Enlarger {
    upscaler: Upscaler,
    repeats: u32,
    /// How long opening took.
    pub(crate) opened: Duration,
}

/// An enlarged picture.
pub(crate) struct Enlarged {
    pub(crate) picture: Picture,
    pub(crate) time: Duration,
    pub(crate) warnings: Vec<Warning>,
}

/// Whether there is such a file, before hours of drawing.
pub(crate) fn check_model(model: &Path) -> Result<(), Error> {
    if model.is_file() {
        return Ok(());
    }
    Err(Error::FileNotFound { role: "upscaler".into(), path: model.to_owned() })
}

impl Enlarger {
    pub(crate) fn open(
        app: &App,
        model: &Path,
        options: &UpscalerOptions,
        engine: &EngineOptions,
    ) -> Result<Self, Error> {
        let start = Instant::now();
        let upscaler =
            Upscaler::open(&app.engine()?, options.config(model, engine), app.watch(None))?;
        Ok(Self { upscaler, repeats: options.upscale_repeats, opened: start.elapsed() })
    }

    /// How many times as wide and high its pictures are, in all.
    pub(crate) fn factor(&self) -> u32 {
        self.upscaler.factor().saturating_pow(self.repeats)
    }

    pub(crate) fn enlarge(&mut self, app: &App, picture: DynamicImage) -> Result<Enlarged, Error> {
        let mut enlarged = self.once(app, picture)?;
        for _ in 1..self.repeats {
            let next = self.once(app, enlarged.picture.to_rgb().into())?;
            enlarged.picture = next.picture;
            enlarged.time += next.time;
            enlarged.warnings.extend(next.warnings);
        }
        Ok(enlarged)
    }

    fn once(&mut self, app: &App, picture: DynamicImage) -> Result<Enlarged, Error> {
        let upscaled = self.upscaler.upscale_with(picture, app.watch(None))?;
        Ok(Enlarged {
            picture: upscaled.image,
            time: upscaled.timings.total,
            warnings: upscaled.warnings,
        })
    }
}
