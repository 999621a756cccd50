//! A loaded model, and drawing with it.

use crate::{
    EngineReport, Error, Generated, ImageRequest, ModelConfig, Picture, Result, Sampler, Scheduler,
    Timings, Watch,
    engine::{Engine, Images, Outcome, RawContext, Status},
    failure::{self, During},
    infotext::{self, Facts},
};
use std::{borrow::Borrow, path::PathBuf, sync::Arc};

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
    raw: RawContext,
    engine: Engine,
    model: PathBuf,
    family: String,
    transformer: bool,
    load_timings: Timings,
    poisoned: Option<String>,
}

impl Context {
    /// Opens a model with the engine linked into this program.
    ///
    /// # Errors
    /// Those of [`ModelConfig::check`], [`Error::ModelLoad`] if the engine refuses the model,
    /// [`Error::OutOfMemory`].
    pub fn new(config: impl Borrow<ModelConfig>) -> Result<Self> {
        Self::open(&Engine::linked()?, config, Watch::new())
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
        if engine.mock {
            config.check_values()?;
        } else {
            config.check()?;
        }
        if let Some(rules) = &config.tensor_type_rules {
            for (pattern, _) in rules.split(',').filter_map(|rule| rule.split_once('=')) {
                engine.check_pattern(pattern)?;
            }
        }
        let model = config.main_file().map(PathBuf::from).unwrap_or_default();
        let (raw, outcome) = RawContext::new(engine, config, watch)?;
        let raw = match raw {
            Some(raw) if outcome.status == Status::Ok => raw,
            _ => return Err(failure::classify(outcome, During::Opening, &model)),
        };
        if let Some(stopped) = outcome.stopped(true) {
            return Err(stopped);
        }
        let transformer = raw.default_sampler() != Some(Sampler::EulerA);
        let family = outcome.lines.family.unwrap_or_else(|| "unknown".to_owned());
        tracing::debug!(model = %model.display(), family, "context created");
        Ok(Self {
            raw,
            engine: engine.clone(),
            model,
            family,
            transformer,
            load_timings: outcome.timings,
            poisoned: None,
        })
    }

    /// The model family in the engine's words, such as `SD 1.x`, `SDXL`, `Flux` or `Z-Image`.
    pub fn family(&self) -> &str {
        &self.family
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
        self.poisoned.is_some()
    }

    /// The sampler a request without one gets.
    pub fn default_sampler(&self) -> Sampler {
        if self.transformer { Sampler::Euler } else { Sampler::Dpmpp2m }
    }

    /// Draws.
    ///
    /// # Errors
    /// Those of [`ImageRequest::check`]; [`Error::Unsupported`] for what this model cannot do;
    /// [`Error::OutOfMemory`], [`Error::TextEncoder`], [`Error::Sampling`], [`Error::Vae`],
    /// [`Error::ModelLoad`] (weights are read at the first picture), [`Error::EngineAssertion`], or
    /// [`Error::Poisoned`] after an assertion or a C++ exception (`std::bad_alloc` is one), which
    /// leave the engine's state unknown. A failure the engine reports by itself poisons nothing.
    pub fn generate(&mut self, request: &ImageRequest) -> Result<Generated> {
        self.generate_with(request, Watch::new())
    }

    /// Draws, watched by `watch`, which can stop it.
    ///
    /// # Errors
    /// As [`Context::generate`], and [`Error::Cancelled`], [`Error::DeadlineExceeded`] or
    /// [`Error::CallbackPanicked`], after which the context can be used again.
    pub fn generate_with(&mut self, request: &ImageRequest, watch: Watch<'_>) -> Result<Generated> {
        if let Some(cause) = &self.poisoned {
            return Err(Error::Poisoned { cause: cause.clone() });
        }
        request.check()?;
        let sampler = request.sampler.unwrap_or_else(|| self.default_sampler());
        self.check_for_model(request, sampler)?;
        let seed = request.seed.filter(|seed| *seed >= 0).unwrap_or_else(random_seed);

        let (images, outcome) = self.raw.generate(request, sampler, seed, watch)?;
        if outcome.status != Status::Ok {
            return Err(self.failed(outcome));
        }
        if let Some(stopped) = outcome.stopped(false) {
            return Err(stopped);
        }
        let images = images.map_err(|reason| Error::Engine {
            stage: outcome.ended.stage,
            report: Box::new(EngineReport { message: reason, ..EngineReport::default() }),
        })?;
        Ok(self.collect(request, sampler, seed, images, outcome))
    }

    fn failed(&mut self, outcome: Outcome) -> Error {
        let poisons = failure::poisons(outcome.status);
        let error = failure::classify(outcome, During::Generating, &self.model);
        if poisons {
            self.poisoned = Some(error.to_string());
        }
        error
    }

    fn collect(
        &self,
        request: &ImageRequest,
        sampler: Sampler,
        seed: i64,
        images: Images,
        outcome: Outcome,
    ) -> Generated {
        let images = Arc::new(images);
        let model = self.model.file_stem().unwrap_or_default().to_string_lossy();
        let pictures: Vec<_> = (0..images.len())
            .zip(seed..)
            .map(|(index, seed)| {
                let shape = images.shape(index);
                let facts = Facts {
                    sampler: Some(sampler),
                    scheduler: request.scheduler,
                    steps: request.effective_steps(),
                    seed,
                    width: shape.width,
                    height: shape.height,
                    model: &model,
                };
                let parameters = infotext::write(request, &facts);
                Picture::new(Arc::clone(&images), index, seed, parameters)
            })
            .collect();
        Generated {
            width: images.shape(0).width,
            height: images.shape(0).height,
            seeds: pictures.iter().map(Picture::seed).collect(),
            images: pictures,
            timings: outcome.timings,
            warnings: outcome.lines.warnings,
        }
    }

    /// What only the model can tell: the engine reads out of bounds or divides by zero otherwise.
    fn check_for_model(&self, request: &ImageRequest, sampler: Sampler) -> Result<()> {
        if !self.raw.makes_images() {
            return Err(Error::Unsupported {
                what: "drawing single pictures".to_owned(),
                reason: format!("{} is a video model", self.family),
            });
        }
        // Align Your Steps has noise levels for these families, and for a video model.
        let ays = self.family.starts_with("SD 1.x") || self.family.starts_with("SDXL");
        let scheduler = request.scheduler.or_else(|| self.raw.default_scheduler(sampler));
        request.check_steps_with(scheduler)?;
        if sampler == Sampler::Tcd && request.eta.is_some_and(|eta| eta > 1.0) {
            return Err(Error::invalid(
                "eta",
                request.eta.unwrap_or_default(),
                "0 to 1 with the sampler tcd",
            ));
        }
        if scheduler == Some(Scheduler::Ays) && !ays {
            return Err(Error::Unsupported {
                what: format!("the scheduler {} with {}", Scheduler::Ays, self.family),
                reason: "it is made for SD 1.x and SDXL".to_owned(),
            });
        }
        Ok(())
    }
}

/// As A1111 draws them: 32 bits, so that seeds carry over to programs that know no more.
fn random_seed() -> i64 {
    i64::from(fastrand::u32(..))
}
