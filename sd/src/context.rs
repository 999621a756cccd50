//! A loaded model. Drawing with it is in `generate` and `generate_video`.

use crate::{
    Error, ModelConfig, PreviewKind, Result, Sampler, Sampling, Scheduler, SkipLayers, Timings,
    Watch,
    engine::{Engine, Outcome, RawContext, Status},
    failure::{self, During, Poison},
    family::Family,
    fit::Bases,
    memory::{Admission, with_convolutions},
};
use std::{borrow::Borrow, path::Path};

/// A model, loaded once and used for any number of pictures.
///
/// A context may move between threads, and is used by one at a time: it is [`Send`] and not [`Sync`].
///
/// ```compile_fail,E0277
/// fn shared_between_threads<T: Sync>() {}
/// shared_between_threads::<sdcpp::Context>();
/// ```
///
/// Dropping it frees the model. The engine reads the weights of a part when it first needs them, so
/// the files must stay, and the first picture takes longer: its
/// [`Timings::load`](crate::Timings::load) says how much.
///
/// ```no_run
/// use sdcpp::{Context, ImageRequest, ModelConfig};
///
/// # fn main() -> sdcpp::Result<()> {
/// let mut context = Context::new(ModelConfig::new("sd15.safetensors"))?;
/// let generated = context.generate(&ImageRequest::new("a lighthouse at dusk").seed(42))?;
/// for picture in &generated.images {
///     picture.save(format!("{}.png", picture.seed()))?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Context {
    pub(crate) raw: RawContext,
    pub(crate) engine: Engine,
    pub(crate) config: ModelConfig,
    pub(crate) family: Family,
    pub(crate) bases: Bases,
    pub(crate) admission: Admission,
    load_timings: Timings,
    poison: Poison,
}

impl Context {
    /// Opens a model with the engine of [`Engine::auto`].
    ///
    /// # Errors
    /// Those of [`ModelConfig::check`], [`Error::ModelLoad`] if the engine refuses the model,
    /// [`Error::OutOfMemory`], and [`Error::InsufficientMemory`] if there is not even memory for the
    /// weights, unless [`ModelConfig::memory_check`] is off.
    pub fn new(config: impl Borrow<ModelConfig>) -> Result<Self> {
        Self::open(&Engine::auto()?, config, Watch::new())
    }

    /// Opens a model with `engine`, watched by `watch`. Loading cannot be left half-way: a cancel
    /// or time limit takes effect when the engine returns.
    ///
    /// # Errors
    /// As [`Context::new`], and [`Error::Cancelled`] or [`Error::DeadlineExceeded`].
    pub fn open(
        engine: &Engine,
        config: impl Borrow<ModelConfig>,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let config = config.borrow();
        let mut bases = Bases::default();
        if engine.mock {
            config.check_values()?;
        } else {
            config.check()?;
            let missing = config.missing_parts()?;
            if !missing.required.is_empty() {
                let path = main_file(config).to_owned();
                return Err(Error::MissingParts { path, missing });
            }
            bases.check_config(config)?;
        }
        if let Some(rules) = &config.tensor_type_rules {
            engine.check_type_rules(rules)?;
        }
        let config = &with_convolutions(config, &engine.devices()?);
        let admission = Admission::open(engine, config)?;
        let (raw, outcome) = RawContext::new(engine, config, watch)?;
        let raw = match raw {
            Some(raw) if outcome.status == Status::Ok => raw,
            _ => return Err(failure::classify(outcome, During::Opening, main_file(config))),
        };
        if let Some(stopped) = outcome.stopped(true) {
            return Err(stopped);
        }
        let transformer = raw.default_sampler() != Some(Sampler::EulerA);
        let family = Family::new(outcome.lines.family, transformer);
        if config.control_net.is_some() && transformer {
            return Err(Error::Unsupported {
                what: format!("a ControlNet with {family}"),
                reason: "the engine has ControlNets for SD 1.x, SD 2.x and SDXL".to_owned(),
            });
        }
        tracing::debug!(model = %main_file(config).display(), %family, "context created");
        Ok(Self {
            raw,
            engine: engine.clone(),
            config: config.clone(),
            family,
            bases,
            admission,
            load_timings: outcome.timings,
            poison: Poison::default(),
        })
    }

    /// The model family in the engine's words, such as `SD 1.x`, `SDXL`, `Flux` or `Z-Image`.
    pub fn family(&self) -> &str {
        self.family.name()
    }

    /// What the context was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Whether the model draws pictures; one that does not makes videos.
    pub fn makes_images(&self) -> bool {
        self.raw.makes_images()
    }

    /// Whether the model makes videos.
    pub fn makes_video(&self) -> bool {
        self.raw.makes_video()
    }

    /// The engine this context runs on.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How long opening took. Weights come in later, with the first picture.
    pub fn load_timings(&self) -> Timings {
        self.load_timings
    }

    /// Whether an earlier failure left this context unusable.
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }

    /// The sampler a request without one gets.
    pub fn default_sampler(&self) -> Sampler {
        if self.family.transformer { Sampler::Euler } else { Sampler::Dpmpp2m }
    }

    /// An error if an earlier failure left the context in an unknown state.
    pub(crate) fn check_usable(&self) -> Result<()> {
        self.poison.check()
    }

    /// What a call made, or why it did not.
    pub(crate) fn finish<T>(
        &mut self,
        made: Result<T, String>,
        outcome: Outcome,
    ) -> Result<(T, Outcome)> {
        self.poison.finish(made, outcome, main_file(&self.config))
    }

    /// What only the model can tell of sampler and scheduler: the engine reads out of bounds or
    /// divides by zero otherwise. Says which scheduler it will be.
    pub(crate) fn check_sampling(
        &self,
        sampling: &Sampling,
        sampler: Sampler,
    ) -> Result<Option<Scheduler>> {
        let scheduler = sampling.scheduler.or_else(|| self.raw.default_scheduler(sampler));
        sampling.check_steps_with(scheduler)?;
        if sampler == Sampler::Tcd && sampling.eta.is_some_and(|eta| eta > 1.0) {
            return Err(Error::invalid(
                "eta",
                sampling.eta.unwrap_or_default(),
                "0 to 1 with the sampler tcd",
            ));
        }
        if scheduler == Some(Scheduler::Ays) && !self.family.has_ays() {
            return Err(Error::Unsupported {
                what: format!("the scheduler {} with {}", Scheduler::Ays, self.family),
                reason: "it is made for SD 1.x and SDXL".to_owned(),
            });
        }
        self.check_skip_layers(sampling.skip_layers.as_ref())?;
        if sampling.shifted_timestep > 0 && !self.family.is_sdxl() {
            return Err(Error::Unsupported {
                what: format!("shifted timesteps with {}", self.family),
                reason: "they are made for SDXL".to_owned(),
            });
        }
        Ok(scheduler)
    }

    /// The engine would evaluate once more for nothing.
    pub(crate) fn check_skip_layers(&self, skip_layers: Option<&SkipLayers>) -> Result<()> {
        if skip_layers.is_none() || self.family.takes_skip_layers() {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: format!("skip-layer guidance with {}", self.family),
            reason: "the engine has it for SD3, FLUX, FLUX.2 and LongCat".to_owned(),
        })
    }

    /// A preview by TAESD needs one.
    pub(crate) fn check_watch(&self, watch: &Watch<'_>) -> Result<()> {
        let kind = watch.previews.as_ref().map(|previews| previews.options.kind);
        if kind == Some(PreviewKind::Taesd) && self.config.taesd.is_none() {
            return Err(Error::invalid(
                "preview_kind",
                "Taesd",
                "Projection or Vae, or a taesd in the configuration",
            ));
        }
        Ok(())
    }
}

/// The file that stands for the model in errors.
pub(crate) fn main_file(config: &ModelConfig) -> &Path {
    config.main_file().unwrap_or(Path::new(""))
}

/// As A1111 draws them: 32 bits, so that seeds carry over to programs that know no more.
pub(crate) fn random_seed() -> i64 {
    i64::from(fastrand::u32(..))
}
