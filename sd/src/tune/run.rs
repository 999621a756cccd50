//! Measuring, one candidate after the other.

use super::{
    Candidate, Judged, Outcome, Subject, Tried, TuneProgress, TuneReport, TunedSettings,
    candidates::{Cores, candidates},
    choose::{Measured, Turn, is_lost, median_time},
    models::{End, Models, Session},
    subject,
};
use crate::{
    Context, Engine, Error, ImageRequest, Model, ModelConfig, Preset, Result, Timings, Watch,
    memory, setters::setters, validate,
};
use std::{ops::RangeInclusive, time::Duration};

/// Measures which settings are the fastest here, for one model and one size of picture.
///
/// It draws by the defaults and by one candidate after another, by turns in this process: the best so
/// far and the candidate, then the other way round, and so on. A candidate is chosen if it is faster by
/// more than [`MARGIN`](super::MARGIN) in the median of the turns' ratios, and in three quarters of the
/// turns. It is left as soon as it cannot win any more. The first picture of each model, for which its
/// weights are read, does not count. In the end all that was chosen is measured against the defaults,
/// which stay if it is slower.
///
/// Two models are open side by side. Where there is no memory for two, one is closed for the other, and
/// each turn reads weights again.
///
/// Pictures by other settings may differ in their last digits, since sums are taken in another order.
/// They are not compared.
///
/// ```no_run
/// use sdcpp::{Context, ModelConfig, tune::Tune};
///
/// # fn main() -> sdcpp::Result<()> {
/// let config = ModelConfig::new("sd15.safetensors");
/// let report = Tune::new(config.clone()).run()?;
/// println!("fastest here: {}", report.settings);
/// report.save()?;
/// // From now on, in any program of this user:
/// let context = Context::new(config.tuned()?.config)?;
/// # drop(context);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tune {
    /// The model. What it sets is not tuned.
    pub config: ModelConfig,
    /// What is drawn, in a few steps. Default: [`Tune::request_for`] the model.
    pub request: Option<ImageRequest>,
    /// How often the best and a candidate draw by turns, 3 to 99. Default 5.
    pub turns: u32,
    /// How long all of it may take, more than 0. What is left then is not tried, and what was chosen before stays
    /// chosen. Default: ten minutes.
    pub budget: Duration,
}

setters! {
    Tune {
        some request: ImageRequest;
        plain turns: u32;
        plain budget: Duration;
    }
}

/// What [`Tune::turns`] may be.
const TURNS: RangeInclusive<u32> = 3..=99;
/// Steps of a picture for tuning: each takes the same time, and some schedulers need two.
const STEPS: u32 = 2;

impl Tune {
    /// A model, and everything else by default.
    pub fn new(config: ModelConfig) -> Self {
        Self { config, request: None, turns: 5, budget: Duration::from_secs(600) }
    }

    /// A picture of the size, and with the guidance, that the model's [preset](Preset::for_model) says,
    /// in two steps.
    ///
    /// # Errors
    /// Those of [`Preset::for_model`].
    pub fn request_for(config: &ModelConfig) -> Result<ImageRequest> {
        let mut request = ImageRequest::new("a lighthouse at dusk");
        if let Some(path) = config.diffusion_file() {
            Preset::for_model(path)?.apply_to_request(&mut request);
        }
        Ok(request.steps(STEPS).seed(42))
    }

    /// What would be tried on `engine`, in this order; one at least. The engine draws nothing.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] if `turns` is out of range, `budget` is 0, or the configuration leaves
    /// nothing open; those of [`ModelFile::open`](crate::ModelFile::open), and [`Error::Engine`] if the
    /// engine cannot tell its devices.
    pub fn candidates(&self, engine: &Engine) -> Result<Vec<Candidate>> {
        validate::range("turns", self.turns, TURNS)?;
        if self.budget.is_zero() {
            return Err(Error::invalid("budget", format!("{:?}", self.budget), "more than 0"));
        }
        let has_unet = subject::may_have_unet(engine, &self.config)?;
        let found = candidates(&self.config, &engine.devices()?, has_unet, Cores::here(engine));
        if found.is_empty() {
            let allowed = "one setting at least that is not: threads, diffusion_flash_attention, or on \
                           a card diffusion_conv_direct and vae_conv_direct";
            return Err(Error::invalid("config", "set in all that is tuned here", allowed));
        }
        Ok(found)
    }

    /// As [`candidates`](Self::candidates), and opens the model, watched by `watch`, to refuse what
    /// [`run_with`](Self::run_with) would before its first picture. Draws nothing.
    ///
    /// # Errors
    /// Those of [`candidates`](Self::candidates) and [`Context::open`], and of [`Context::generate`] those
    /// that come before it begins: a model that draws no pictures, or none from a prompt alone, and a
    /// size for which there is no memory.
    pub fn plan(&self, engine: &Engine, watch: Watch<'_>) -> Result<Vec<Candidate>> {
        let candidates = self.candidates(engine)?;
        let request = self.request_or_default()?;
        Context::open(engine, &self.config, watch)?.check_can_draw(&request)?;
        Ok(candidates)
    }

    fn request_or_default(&self) -> Result<ImageRequest> {
        match &self.request {
            Some(request) => Ok(request.clone()),
            None => Self::request_for(&self.config),
        }
    }

    /// Measures with the engine of [`Engine::auto`].
    ///
    /// # Errors
    /// Those of [`candidates`](Self::candidates); those of [`Context::open`] and [`Context::generate`] if
    /// the model cannot be drawn with by the defaults; [`Error::DeadlineExceeded`] if the budget does not
    /// suffice for them. A candidate that fails is no error: it is in the report, and not chosen.
    pub fn run(&self) -> Result<TuneReport> {
        self.run_with(&Engine::auto()?, Watch::new(), |_| {})
    }

    /// Measures with `engine`. `watch` is told how each picture comes along, and its token and time
    /// limit stop the whole; its previews are not shown. `told` is told of each candidate.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`Error::Cancelled`], [`Error::DeadlineExceeded`] or
    /// [`Error::CallbackPanicked`] if it was stopped.
    pub fn run_with(
        &self,
        engine: &Engine,
        watch: Watch<'_>,
        told: impl FnMut(TuneProgress<'_>),
    ) -> Result<TuneReport> {
        let candidates = self.candidates(engine)?;
        let request = self.request_or_default()?;
        let subject = Subject::of(engine, &self.config, (request.width, request.height))?;
        let open = |config: &ModelConfig, watch: Watch<'_>, others: bool| {
            if others {
                memory::check_room(engine, config, &request)?;
            }
            Context::open(engine, config, watch)
        };
        let search = Search {
            base: &self.config,
            request: &request,
            turns: self.turns,
            models: Models::new(open),
            session: Session::new(watch, self.budget),
            told,
            default_times: Vec::new(),
        };
        search.run(subject, &candidates)
    }
}

/// A search for the best settings.
pub(super) struct Search<'a, M, F, T> {
    pub(super) base: &'a ModelConfig,
    pub(super) request: &'a ImageRequest,
    pub(super) turns: u32,
    pub(super) models: Models<M, F>,
    pub(super) session: Session<'a>,
    pub(super) told: T,
    /// How long pictures took by the defaults, as a whole.
    pub(super) default_times: Vec<Duration>,
}

impl<M, F, T> Search<'_, M, F, T>
where
    M: Model,
    F: FnMut(&ModelConfig, Watch<'_>, bool) -> Result<M>,
    T: FnMut(TuneProgress<'_>),
{
    pub(super) fn run(mut self, subject: Subject, candidates: &[Candidate]) -> Result<TuneReport> {
        (self.told)(TuneProgress::Default);
        let default = TunedSettings::default();
        self.draw(default).map_err(|end| match end {
            End::Spent(error) | End::Stopped(error) | End::Failed(error) => error,
        })?;
        let mut settings = default;
        let mut tried = Vec::new();
        for (index, candidate) in candidates.iter().copied().enumerate() {
            let (number, of) = (index + 1, candidates.len());
            let outcome = if self.session.is_spent() {
                Outcome::NoTime
            } else {
                (self.told)(TuneProgress::Trying { candidate, number, of });
                self.outcome(settings, candidate)?
            };
            if let Outcome::Chosen(_) = outcome {
                settings = settings.with(candidate);
            }
            self.models.keep(&self.config(settings));
            let row = Tried { candidate, outcome };
            (self.told)(TuneProgress::Tried(&row));
            tried.push(row);
        }
        let together = self.together(settings)?;
        if together.is_some_and(|measured| measured.is_slower()) {
            settings = default;
        }
        Ok(TuneReport {
            subject,
            tried,
            settings,
            default_time: median_time(self.default_times.iter().copied()),
            together,
            pictures: self.session.pictures,
            time: self.session.elapsed(),
        })
    }

    fn outcome(&mut self, best: TunedSettings, candidate: Candidate) -> Result<Outcome> {
        let with = best.with(candidate);
        let measured = match self.measure(best, with, candidate.judged(), is_lost) {
            Ok(measured) => measured,
            Err(Broken { end: End::Stopped(error), .. }) => return Err(error),
            Err(Broken { end: End::Spent(_), .. }) => return Ok(Outcome::NoTime),
            Err(Broken { end: End::Failed(error), by_candidate: true }) => {
                tracing::debug!("{candidate} does not work: {error}");
                return Ok(Outcome::Failed(error));
            }
            Err(Broken { end: End::Failed(error), by_candidate: false }) => return Err(error),
        };
        Ok(match measured.is_faster(self.turns) {
            true => Outcome::Chosen(measured),
            false => Outcome::NotFaster(measured),
        })
    }

    /// What was chosen against the defaults, where that is something, and there is time. What cannot be
    /// measured together is left as it was chosen.
    fn together(&mut self, settings: TunedSettings) -> Result<Option<Measured>> {
        if settings.is_default() || self.session.is_spent() {
            return Ok(None);
        }
        (self.told)(TuneProgress::Together(settings));
        let default = TunedSettings::default();
        match self.measure(default, settings, Judged::Whole, |_, _| false) {
            Ok(measured) => Ok(Some(measured)),
            Err(Broken { end: End::Spent(_), .. }) => Ok(None),
            Err(Broken { end: End::Failed(error), .. }) => {
                tracing::debug!("{settings} could not be measured together: {error}");
                Ok(None)
            }
            Err(Broken { end: End::Stopped(error), .. }) => Err(error),
        }
    }

    /// Draws by turns, until all turns are done or `enough` says so.
    fn measure(
        &mut self,
        best: TunedSettings,
        candidate: TunedSettings,
        judged: Judged,
        enough: impl Fn(&[Turn], u32) -> bool,
    ) -> Result<Measured, Broken> {
        let mut turns = Vec::new();
        for turn in 0..self.turns {
            let time = |search: &mut Self, by_candidate: bool| -> Result<Duration, Broken> {
                let settings = if by_candidate { candidate } else { best };
                let timings = search.draw(settings).map_err(|end| Broken { end, by_candidate })?;
                Ok(judged.of(&timings))
            };
            // Who is second finds the processor warmer, or its turbo spent.
            let (best, candidate) = if turn % 2 == 0 {
                let best = time(self, false)?;
                (best, time(self, true)?)
            } else {
                let candidate = time(self, true)?;
                (time(self, false)?, candidate)
            };
            turns.push(Turn { best, candidate });
            if enough(&turns, self.turns) {
                break;
            }
        }
        Ok(Measured::of(&turns))
    }

    fn draw(&mut self, settings: TunedSettings) -> Result<Timings, End> {
        self.session.check().map_err(End::Stopped)?;
        let config = self.config(settings);
        let timings = self
            .models
            .draw(&config, self.request, &mut self.session)
            .map_err(|error| self.session.end(error))?;
        if settings.is_default() {
            self.default_times.push(Judged::Whole.of(&timings));
        }
        Ok(timings)
    }

    fn config(&self, settings: TunedSettings) -> ModelConfig {
        let mut config = self.base.clone();
        settings.apply_to_config(&mut config);
        config
    }
}

/// A measurement that came to no end.
struct Broken {
    end: End,
    /// Whether the candidate was drawing.
    by_candidate: bool,
}
