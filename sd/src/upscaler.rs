//! Enlarging pictures by an ESRGAN model.

use crate::{
    Error, MAX_SIDE, Picture, Result, Timings, Warning, Watch,
    engine::{Engine, RawUpscaler, Status, UpscalerOptions},
    failure::{self, During, Poison},
    input::on_white,
    memory::upscales_on_processor,
    model_file::{self, Trust},
    setters::setters,
    validate,
};
use image::DynamicImage;
use std::{borrow::Borrow, path::PathBuf, sync::Arc};

/// What an [`Upscaler`] is built from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UpscalerConfig {
    /// An ESRGAN file: safetensors or GGUF.
    pub model: PathBuf,
    /// CPU threads, as [`ModelConfig::threads`](crate::ModelConfig::threads).
    pub threads: Option<u32>,
    /// Side of the tiles it works in, in pixels of the input, 16 to 4096; 0: the whole picture at
    /// once. Default 128.
    pub tile_size: u32,
    /// Direct convolution, in place of a matrix of all patches: less memory. Default: on the
    /// processor, which is faster so too.
    pub conv_direct: Option<bool>,
    /// The device to compute on, as [`ModelConfig::backend`](crate::ModelConfig::backend).
    pub backend: Option<String>,
    /// The device to keep the weights on.
    pub params_backend: Option<String>,
    /// Allows pickle files (`.pth`), which can crash the process if hostile.
    pub trust_pickle: bool,
}

impl UpscalerConfig {
    /// The model in this file, everything else by default.
    pub fn new(model: impl Into<PathBuf>) -> Self {
        Self {
            model: model.into(),
            threads: None,
            tile_size: 128,
            conv_direct: None,
            backend: None,
            params_backend: None,
            trust_pickle: false,
        }
    }

    fn check(&self) -> Result<()> {
        if let Some(threads) = self.threads {
            validate::threads(threads)?;
        }
        if self.tile_size != 0 {
            validate::range("tile_size", self.tile_size, 16..=4096)?;
        }
        for (field, text) in [("backend", &self.backend), ("params_backend", &self.params_backend)]
        {
            if let Some(text) = text {
                validate::text(field, text)?;
            }
        }
        Ok(())
    }
}

setters! {
    UpscalerConfig {
        some threads: u32;
        plain tile_size: u32;
        some conv_direct: bool;
        text backend;
        text params_backend;
        plain trust_pickle: bool;
    }
}

/// An ESRGAN model, loaded once and used for any number of pictures.
///
/// ```no_run
/// use sdcpp::{Upscaler, UpscalerConfig, open_picture};
///
/// # fn main() -> sdcpp::Result<()> {
/// let mut upscaler = Upscaler::new(UpscalerConfig::new("RealESRGAN_x4plus.gguf"))?;
/// upscaler.upscale(open_picture("small.png")?)?.image.save("large.png")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Upscaler {
    raw: RawUpscaler,
    model: PathBuf,
    poison: Poison,
}

/// An enlarged picture, and how it came to be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Upscaled {
    /// The picture, without a text of how it was made; see
    /// [`Picture::with_parameters`].
    pub image: Picture,
    /// How long it took.
    pub timings: Timings,
    /// What the engine warned of meanwhile.
    pub warnings: Vec<Warning>,
}

impl Upscaler {
    /// Opens a model with the engine of [`Engine::auto`].
    ///
    /// # Errors
    /// [`Error::InvalidParameter`], those of reading the file, [`Error::ModelLoad`] if it is no
    /// ESRGAN model, [`Error::OutOfMemory`].
    pub fn new(config: impl Borrow<UpscalerConfig>) -> Result<Self> {
        Self::open(&Engine::auto()?, config, Watch::new())
    }

    /// Opens a model with `engine`, watched by `watch`.
    ///
    /// # Errors
    /// As [`Upscaler::new`], and [`Error::Cancelled`] or [`Error::DeadlineExceeded`].
    pub fn open(
        engine: &Engine,
        config: impl Borrow<UpscalerConfig>,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let config = config.borrow();
        config.check()?;
        let trust = if config.trust_pickle { Trust::Pickle } else { Trust::DataOnly };
        if !engine.mock {
            model_file::check("model", &config.model, trust)?;
        }
        let options = UpscalerOptions {
            model: &config.model,
            threads: config.threads.unwrap_or_else(|| engine.physical_cores()),
            tile_size: config.tile_size,
            conv_direct: match config.conv_direct {
                Some(direct) => direct,
                None => upscales_on_processor(config.backend.as_deref(), &engine.devices()?),
            },
            backend: config.backend.as_deref(),
            params_backend: config.params_backend.as_deref(),
        };
        let (raw, outcome) = RawUpscaler::new(engine, &options, watch)?;
        match raw {
            Some(raw) if outcome.status == Status::Ok => match outcome.stopped(true) {
                Some(stopped) => Err(stopped),
                None => Ok(Self { raw, model: config.model.clone(), poison: Poison::default() }),
            },
            _ => Err(failure::classify(outcome, During::Opening, &config.model)),
        }
    }

    /// How many times as wide and high its pictures are.
    pub fn factor(&self) -> u32 {
        self.raw.factor()
    }

    /// Enlarges a picture by the model's [`factor`](Self::factor). Transparent parts are laid on
    /// white.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] if the result would be larger than [`MAX_SIDE`] a side,
    /// [`Error::OutOfMemory`], [`Error::Engine`], [`Error::Poisoned`].
    pub fn upscale(&mut self, picture: impl Into<DynamicImage>) -> Result<Upscaled> {
        self.upscale_with(picture, Watch::new())
    }

    /// Enlarges a picture, watched by `watch`, which can stop it between tiles.
    ///
    /// # Errors
    /// As [`Upscaler::upscale`], and [`Error::Cancelled`], [`Error::DeadlineExceeded`] or
    /// [`Error::CallbackPanicked`].
    pub fn upscale_with(
        &mut self,
        picture: impl Into<DynamicImage>,
        watch: Watch<'_>,
    ) -> Result<Upscaled> {
        self.poison.check()?;
        let picture = on_white(picture.into());
        validate::picture("picture", picture.dimensions())?;
        let largest = MAX_SIDE / self.factor().max(1);
        if picture.width().max(picture.height()) > largest {
            return Err(Error::invalid(
                "picture",
                format!("{}x{}", picture.width(), picture.height()),
                format!("at most {largest} pixels a side with a factor of {}", self.factor()),
            ));
        }
        let (image, outcome) = self.raw.upscale(&picture, watch)?;
        let (image, outcome) = self.poison.finish(image, outcome, &self.model)?;
        Ok(Upscaled {
            image: Picture::new(Arc::new(image), 0, 0, ""),
            timings: outcome.timings,
            warnings: outcome.lines.warnings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_checked_by_name() {
        let new = || UpscalerConfig::new("m.gguf");
        for (config, start) in [
            (new().threads(0), "threads is 0"),
            (new().tile_size(8), "tile_size is 8"),
            (new().backend("a\0"), "backend is"),
            (new().params_backend("a\0"), "params_backend is"),
        ] {
            let text = config.check().unwrap_err().to_string();
            assert!(text.starts_with(start), "{text:?} should start with {start:?}");
        }
        assert!(new().tile_size(0).check().is_ok());
        let missing = Upscaler::new(UpscalerConfig::new("/no/such.gguf")).unwrap_err();
        assert!(matches!(missing, Error::FileNotFound { .. }), "{missing:?}");
    }
}
