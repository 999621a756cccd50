//! What all APIs share: the models, the one that draws, and the jobs.

mod reload;

use crate::{
    error::ApiError,
    hidden::Hidden,
    job::{CancelOnDrop, Job, Jobs, Limits},
    model::{Active, Catalogue, MOCK, ModelEntry},
    observe,
    options::Options,
    rates::Rates,
};
use axum::http::StatusCode;
use sdcpp::{Engine, ImageRequest};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

/// The service behind a listener; several listeners may share one.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    options: RwLock<Arc<Options>>,
    engine: Engine,
    catalogue: RwLock<Catalogue>,
    active: RwLock<Result<Arc<Active>, ApiError>>,
    /// One model is opened at a time.
    switching: tokio::sync::Mutex<()>,
    jobs: Arc<Jobs>,
    hidden: Hidden,
    /// Pictures of requests are decoded a few at a time, for each may be large.
    decoding: tokio::sync::Semaphore,
    /// The models that were opened: those that draw still are not opened twice.
    opened: Mutex<HashMap<String, Weak<Active>>>,
    rates: Rates,
    started: Instant,
}

/// Requests whose pictures are decoded at once.
const DECODING: usize = 2;

impl Service {
    /// Opens the first model. Without one, or if it cannot be opened, the service answers all the
    /// same, and tells why it cannot draw.
    ///
    /// # Errors
    /// The options are wrong, or there is no engine.
    pub fn start(options: Options) -> Result<Self, ApiError> {
        let options = options.checked()?;
        let hidden = Hidden::new(&options);
        let engine = if options.is_mock() { sdcpp::mock::engine() } else { Engine::auto()? };
        let catalogue = Catalogue::new(&options)?;
        let active = if options.is_mock() {
            Active::mock(&options)
        } else {
            catalogue.first().and_then(|entry| Active::open(&engine, &options, &entry))
        };
        if let Err(why) = &active {
            tracing::warn!(code = %why.code, "no pictures can be drawn: {}", why.message);
        }
        let active = active.map_err(|why| hidden.clean_error(why));
        let limits = Limits::of(&options);
        let active = active.map(Arc::new);
        let opened = active.iter().map(|active| (active.name.clone(), Arc::downgrade(active)));
        let opened = Mutex::new(opened.collect());
        Ok(Self(Arc::new(Inner {
            rates: Rates::new(&options),
            engine,
            catalogue: RwLock::new(catalogue),
            active: RwLock::new(active),
            switching: tokio::sync::Mutex::default(),
            jobs: Arc::new(Jobs::new(limits, hidden.clone())),
            hidden,
            decoding: tokio::sync::Semaphore::new(DECODING),
            opened,
            started: Instant::now(),
            options: RwLock::new(Arc::new(options)),
        })))
    }

    /// What it was started with, or what was read last.
    pub fn options(&self) -> Arc<Options> {
        Arc::clone(&self.0.options.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn catalogue(&self) -> Catalogue {
        self.0.catalogue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What clients have used of what they may.
    pub(crate) fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The jobs.
    pub fn jobs(&self) -> &Arc<Jobs> {
        &self.0.jobs
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
        let catalogue = self.catalogue();
        blocking(move || catalogue.list()).await
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

    /// Has another model draw. Jobs that were accepted before are drawn by the one before.
    ///
    /// # Errors
    /// There is no model of this name, or why it cannot be used; the one before goes on then.
    pub async fn choose(&self, name: &str) -> Result<Arc<Active>, ApiError> {
        let _one_at_a_time = self.0.switching.lock().await;
        if let Ok(active) = self.active()
            && active.name == name
        {
            return Ok(active);
        }
        if self.options().is_mock() {
            return Err(ApiError::not_found(format!("model `{name}`; there is: {MOCK}")));
        }
        let (this, name) = (self.clone(), name.to_owned());
        let chosen = blocking(move || {
            let entry = this.catalogue().find(&name)?;
            let mut opened = this.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.retain(|_, active| active.strong_count() > 0);
            if let Some(active) = opened.get(&entry.name).and_then(Weak::upgrade) {
                return Ok(active);
            }
            let active = Active::open(&this.0.engine, &this.options(), &entry).map(Arc::new)?;
            opened.insert(entry.name, Arc::downgrade(&active));
            Ok(active)
        })
        .await?;
        // The jobs of the one before keep it until they have ended.
        *self.0.active.write().unwrap_or_else(PoisonError::into_inner) = Ok(Arc::clone(&chosen));
        tracing::info!(model = %chosen.name, "another model draws");
        Ok(chosen)
    }

    /// The model of this name, which draws from now on; without a name, the one that draws.
    ///
    /// # Errors
    /// As [`choose`](Self::choose), and why there is none.
    pub async fn model(&self, name: Option<&str>) -> Result<Arc<Active>, ApiError> {
        match name {
            Some(name) => self.choose(name).await,
            None => self.active(),
        }
    }

    /// Takes a request on, for a model that [`model`](Self::model) told: another client may choose
    /// another meanwhile. With `limit`, it ends within that time, or within the service's own.
    ///
    /// # Errors
    /// What is wrong with it, that too many wait, or that nothing can be drawn.
    pub fn submit(
        &self,
        active: &Arc<Active>,
        request: ImageRequest,
        limit: Option<Duration>,
    ) -> Result<Arc<Job>, ApiError> {
        let options = self.options();
        options.check(&request)?;
        let own = options.time_limit();
        let limit = limit.map(|limit| own.map_or(limit, |own| own.min(limit)));
        let job = self.0.jobs.submit(active, request, limit)?;
        observe::submitted(job.id);
        Ok(job)
    }

    /// Takes a request on as [`submit`](Self::submit), and waits until it is drawn. A client that goes
    /// away has this future dropped, and the job stopped with it.
    ///
    /// # Errors
    /// As [`submit`](Self::submit), and those of the job.
    pub(crate) async fn draw(
        &self,
        active: &Arc<Active>,
        request: ImageRequest,
        limit: Option<Duration>,
    ) -> Result<Arc<Job>, ApiError> {
        let job = self.submit(active, request, limit)?;
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

    /// Takes no more jobs on, lets those that there are end, and cancels what takes longer than `limit`.
    pub async fn drain(&self, limit: Duration) {
        self.jobs().close();
        let all_ended = async {
            while let Some(job) = self.jobs().open().first() {
                // Its error is its client's.
                let _ended = job.wait().await;
            }
        };
        if tokio::time::timeout(limit, all_ended).await.is_err() {
            let open = self.jobs().open();
            tracing::warn!(
                "{} jobs are cancelled, as they did not end within {limit:?}",
                open.len()
            );
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
