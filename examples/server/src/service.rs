//! What all APIs share: the models, the one that draws, and the jobs.

mod choose;
mod reload;
mod resume;

use crate::{
    error::ApiError,
    filter::{self, SafetyFilter},
    hidden::Hidden,
    history::History,
    hub,
    job::{CancelOnDrop, Job, Jobs, Limits, Parts},
    model::{Active, Catalogue, MOCK, ModelEntry},
    opened::Opened,
    options::Options,
    rates::Rates,
    upscale::Upscaling,
};
use axum::http::StatusCode;
use sdcpp::{Engine, ImageRequest};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

/// The service behind a listener; several listeners may share one.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    options: RwLock<Arc<Options>>,
    active: RwLock<Result<Arc<Active>, ApiError>>,
    opened: Arc<Opened>,
    /// The model that draws by default changes one at a time.
    choosing: tokio::sync::Mutex<()>,
    jobs: Arc<Jobs>,
    upscaling: Upscaling,
    hidden: Hidden,
    /// Pictures of requests are decoded a few at a time, for each may be large.
    decoding: tokio::sync::Semaphore,
    rates: Rates,
    started: Instant,
}

/// Requests whose pictures are decoded at once.
const DECODING: usize = 2;

impl Service {
    /// Opens the history and the first model. Without a model, or if it cannot be opened, the service
    /// answers all the same, and tells why it cannot draw.
    ///
    /// [`begin`](Self::begin) comes next.
    ///
    /// # Errors
    /// The options are wrong, the history cannot be used, or there is no engine.
    pub fn start(options: Options) -> Result<Self, ApiError> {
        let filter = filter::named(&options)?;
        Self::start_with(options, filter)
    }

    /// As [`start`](Self::start), with a filter of the application's own.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(
        options: Options,
        filter: Option<Arc<dyn SafetyFilter>>,
    ) -> Result<Self, ApiError> {
        let (options, not_downloaded) = hub::fetch_first(options.checked()?);
        let options = Arc::new(options);
        let hidden = Hidden::new(&options);
        let engine = if options.is_mock() { sdcpp::mock::engine() } else { Engine::auto()? };
        let catalogue = Catalogue::new(&options)?;
        let history = History::open(options.data_folder()?.as_deref())?;
        let opened = Arc::new(Opened::new(engine, Arc::clone(&options), catalogue));
        let active = if options.is_mock() {
            Active::mock(&options).map(Arc::new)
        } else if let Some(why) = not_downloaded {
            Err(why.into())
        } else {
            opened.catalogue().first().and_then(|entry| opened.open(&entry))
        };
        if let Err(why) = &active {
            tracing::warn!(code = %why.code, "no pictures can be drawn: {}", why.message);
        }
        // What another has judged, or nobody, is not shown again.
        let judge = match &filter {
            Some(_) => {
                format!("{:?}", (&options.safety_filter_command, &options.safety_filter_url))
            }
            None => String::new(),
        };
        let jobs = Jobs::new(Parts {
            limits: Limits::of(&options),
            hidden: hidden.clone(),
            history,
            opened: Arc::clone(&opened),
            filter,
            cache: (options.cache == Some(true)).then_some(judge),
        });
        let upscaling = Upscaling::new(opened.engine(), &options)?;
        Ok(Self(Arc::new(Inner {
            upscaling,
            active: RwLock::new(active.map_err(|why| hidden.clean_error(why))),
            opened,
            choosing: tokio::sync::Mutex::default(),
            jobs: Arc::new(jobs),
            hidden,
            decoding: tokio::sync::Semaphore::new(DECODING),
            rates: Rates::new(&options),
            started: Instant::now(),
            options: RwLock::new(options),
        })))
    }

    /// What it was started with, or what was read last.
    pub fn options(&self) -> Arc<Options> {
        Arc::clone(&self.0.options.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What clients have used of what they may.
    pub(crate) fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.0.opened.engine()
    }

    /// The jobs.
    pub fn jobs(&self) -> &Arc<Jobs> {
        &self.0.jobs
    }

    /// What enlarges pictures.
    pub(crate) fn upscaling(&self) -> &Upscaling {
        &self.0.upscaling
    }

    /// How long it has been there.
    pub fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// The model that draws.
    ///
    /// # Errors
    /// Why there is none.
    pub fn active(&self) -> Result<Arc<Active>, ApiError> {
        self.0.active.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The models that can be chosen. Reads files.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn models(&self) -> Result<Vec<ModelEntry>, ApiError> {
        let opened = Arc::clone(&self.0.opened);
        blocking(move || opened.catalogue().list()).await
    }

    /// The names of those that draw.
    ///
    /// # Errors
    /// As [`models`](Self::models).
    pub(crate) async fn drawing_models(&self) -> Result<Vec<String>, ApiError> {
        if self.options().is_mock() {
            return Ok(vec![MOCK.to_owned()]);
        }
        let models = self.models().await?;
        Ok(models.into_iter().filter(|model| model.draws).map(|model| model.name).collect())
    }

    /// Takes a request on, for a model that [`model`](Self::model) told. Nobody waits for its answer: if
    /// the program ends before it is drawn, it is drawn when it starts again.
    ///
    /// # Errors
    /// What is wrong with it, that too many wait, or that nothing can be drawn.
    pub async fn submit(
        &self,
        active: &Arc<Active>,
        request: ImageRequest,
    ) -> Result<Arc<Job>, ApiError> {
        self.options().check(&request)?;
        let job = self.jobs().submit(active, request, self.options().time_limit(), true)?;
        job.accepted().await?;
        Ok(job)
    }

    /// Takes a request on, and waits until it is drawn: within `limit`, or within the service's own. A
    /// client that goes away has this future dropped, and the job stopped with it.
    ///
    /// # Errors
    /// As [`submit`](Self::submit), and those of the job.
    pub(crate) async fn draw(
        &self,
        active: &Arc<Active>,
        request: ImageRequest,
        limit: Option<Duration>,
    ) -> Result<Arc<Job>, ApiError> {
        self.options().check(&request)?;
        let own = self.options().time_limit();
        let limit = limit.into_iter().chain(own).min();
        let job = self.jobs().submit(active, request, limit, false)?;
        let _guard = CancelOnDrop(Arc::clone(&job));
        job.wait().await?;
        Ok(job)
    }

    /// Makes a request of what a client sent, which may have pictures: where there is room for it, and
    /// not many at once.
    pub(crate) async fn prepare(
        &self,
        active: &Active,
        work: impl FnOnce() -> Result<ImageRequest, ApiError> + Send + 'static,
    ) -> Result<ImageRequest, ApiError> {
        self.jobs().check_room(active)?;
        let _permit = self.0.decoding.acquire().await;
        blocking(work).await
    }

    /// What clients are not told.
    pub(crate) fn hidden(&self) -> &Hidden {
        &self.0.hidden
    }

    /// Takes no more jobs on, lets those that there are end, and stops what takes longer than `limit`:
    /// what nobody waits for is left for the next start, and the rest is cancelled.
    pub async fn drain(&self, limit: Duration) {
        self.jobs().close();
        let upscaling = tokio::spawn(self.upscaling().clone().drain(limit));
        let all_ended = async {
            while let Some(job) = self.jobs().open().first() {
                // Its error is its client's.
                let _ended = job.wait().await;
            }
        };
        if tokio::time::timeout(limit, all_ended).await.is_err() {
            let open = self.jobs().open();
            let left = if self.jobs().suspend() { "left for the next start" } else { "cancelled" };
            tracing::warn!("{} jobs did not end within {limit:?}, and are {left}", open.len());
            open.iter().for_each(|job| job.suspend());
            let all_ended = async {
                for job in open {
                    let _ended = job.wait().await;
                }
            };
            // Weights that are being read cannot be interrupted.
            if tokio::time::timeout(limit, all_ended).await.is_err() {
                tracing::warn!("{} jobs did not stop", self.jobs().open().len());
            }
        }
        if let Err(error) = upscaling.await {
            tracing::warn!("enlarging was not waited for: {error}");
        }
    }
}

/// Runs what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "panicked", error.to_string())
    })?
}
