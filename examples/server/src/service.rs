//! What all APIs share: the models, the one that draws, and the jobs.

mod reload;

use crate::{
    error::ApiError,
    filter::{self, SafetyFilter},
    hidden::Hidden,
    history::{History, Unfinished},
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
/// How often a job is taken up again that was open each time when the program ended: it may be why.
const RESTARTS: u32 = 2;

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

    /// Takes up the jobs that were open when the program ended last, and forgets from now on what is too
    /// old. Within a runtime.
    ///
    /// A job whose client waited for the answer is failed, for the client has gone. One that was open at
    /// three ends in a row is failed as well: it may be why the program ended.
    ///
    /// # Errors
    /// The history cannot be used.
    pub async fn begin(&self) -> Result<(), ApiError> {
        let history = self.jobs().history();
        let unfinished = {
            let history = Arc::clone(&history);
            blocking(move || history.unfinished()).await?
        };
        for before in unfinished {
            let id = before.view.id;
            match self.take_up(&before).await {
                Ok(()) => tracing::info!(job = %id, "taken up again"),
                Err(why) => {
                    let why = self.0.hidden.clean_error(why);
                    tracing::warn!(job = %id, code = %why.code, "not taken up again: {}", why.message);
                    let (history, view) = (Arc::clone(&history), before.view.failed(&why));
                    blocking(move || history.end(&view, &[], None)).await?;
                }
            }
        }
        tokio::spawn(Arc::clone(self.jobs()).forget_by_age());
        Ok(())
    }

    async fn take_up(&self, before: &Unfinished) -> Result<(), ApiError> {
        let interrupted = |why: &str| {
            let message = format!("the server ended while this was open{why}");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "interrupted", message)
        };
        let Some(text) = before.request.clone() else {
            return Err(interrupted(", and who waited for it has gone"));
        };
        if before.view.restarts >= RESTARTS {
            return Err(interrupted(&format!(", {} times in a row", before.view.restarts + 1)));
        }
        let active = self.model(Some(&before.view.model)).await?;
        let request: ImageRequest = blocking(move || {
            serde_json::from_str(&text).map_err(|error| {
                ApiError::internal(format!("what was asked for cannot be read: {error}"))
            })
        })
        .await?;
        self.jobs().take_up(&active, request, None, before).map(drop)
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

    /// Has another model draw by default. Jobs that were accepted before are drawn by the one before. That
    /// one stays open where there is memory for both, and is closed first where there is not.
    ///
    /// # Errors
    /// There is no model of this name, or why it cannot be used; the one before goes on then.
    pub async fn choose(&self, name: &str) -> Result<Arc<Active>, ApiError> {
        let _one_at_a_time = self.0.choosing.lock().await;
        let chosen = match self.model(Some(name)).await {
            Err(error) if error.is_lack_of_memory() => self.exchange(name, error).await?,
            other => other?,
        };
        let before = self.set_active(Ok(Arc::clone(&chosen)));
        if before.is_none_or(|before| before.name != chosen.name) {
            tracing::info!(model = %chosen.name, "another model draws");
        }
        Ok(chosen)
    }

    /// Closes the model that draws, to have its memory for another; opens it again if that is not enough.
    async fn exchange(&self, name: &str, why: ApiError) -> Result<Arc<Active>, ApiError> {
        let Ok(before) = self.active() else { return Err(why) };
        tracing::info!(model = %before.name, "closed for want of memory, to open {name}");
        let own = before.name.clone();
        // Nothing is drawn meanwhile.
        drop(before);
        drop(self.set_active(Err(why)));
        let chosen = self.model(Some(name)).await;
        if chosen.is_err() {
            let again = self.model(Some(&own)).await;
            self.set_active(again.map_err(|why| self.0.hidden.clean_error(why)));
        }
        chosen
    }

    /// The one before, if there was one.
    fn set_active(&self, active: Result<Arc<Active>, ApiError>) -> Option<Arc<Active>> {
        let mut place = self.0.active.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *place, active).ok()
    }

    /// The model of this name, opened if it is not; without a name, the one that draws by default, which
    /// stays the same.
    ///
    /// # Errors
    /// There is no model of this name, why it cannot be used, and why there is none.
    pub async fn model(&self, name: Option<&str>) -> Result<Arc<Active>, ApiError> {
        let Some(name) = name else { return self.active() };
        if let Ok(active) = self.active()
            && active.name == name
        {
            return Ok(active);
        }
        if self.options().is_mock() {
            return Err(ApiError::not_found(format!("model `{name}`; there is: {MOCK}")));
        }
        let (opened, name) = (Arc::clone(&self.0.opened), name.to_owned());
        blocking(move || opened.catalogue().find(&name).and_then(|entry| opened.open(&entry))).await
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
        let job = self.jobs().submit(active, request, None, true)?;
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
        let limit = limit.map(|limit| own.map_or(limit, |own| own.min(limit)));
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
            open.iter().for_each(|job| job.cancel());
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
