//! What all APIs share: the models, the one that draws, and the jobs.

use crate::{
    error::ApiError,
    job::{Job, Jobs, Limits},
    model::{Active, Catalogue, ModelEntry},
    options::Options,
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
    options: Options,
    engine: Engine,
    catalogue: Catalogue,
    active: RwLock<Result<Arc<Active>, ApiError>>,
    /// One model is opened at a time.
    switching: tokio::sync::Mutex<()>,
    jobs: Arc<Jobs>,
    started: Instant,
}

impl Service {
    /// Opens the first model. Without one, or if it cannot be opened, the service answers all the
    /// same, and tells why it cannot draw.
    ///
    /// # Errors
    /// The options are wrong, or there is no engine.
    pub fn start(options: Options) -> Result<Self, ApiError> {
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
        let limits = Limits {
            jobs: options.keep_jobs.unwrap_or(200),
            bytes: options.keep_bytes.unwrap_or(256 << 20),
        };
        Ok(Self(Arc::new(Inner {
            engine,
            catalogue,
            active: RwLock::new(active.map(Arc::new)),
            switching: tokio::sync::Mutex::default(),
            jobs: Arc::new(Jobs::new(limits)),
            started: Instant::now(),
            options,
        })))
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.0.options
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
        let catalogue = self.0.catalogue.clone();
        blocking(move || catalogue.list()).await
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
        if self.0.options.is_mock() {
            return Err(ApiError::not_found(format!("model `{name}`; there is: mock")));
        }
        let (this, name) = (self.clone(), name.to_owned());
        let chosen = blocking(move || {
            let entry = this.0.catalogue.find(&name)?;
            match this.active() {
                Ok(active) if active.name == entry.name => Ok(active),
                _ => Active::open(&this.0.engine, &this.0.options, &entry).map(Arc::new),
            }
        })
        .await?;
        // The jobs of the one before keep it until they have ended.
        *self.0.active.write().unwrap_or_else(PoisonError::into_inner) = Ok(Arc::clone(&chosen));
        tracing::info!(model = %chosen.name, "another model draws");
        Ok(chosen)
    }

    /// Takes a request on, for the model that draws.
    ///
    /// # Errors
    /// What is wrong with it, that too many wait, or that nothing can be drawn.
    pub fn submit(&self, request: ImageRequest) -> Result<Arc<Job>, ApiError> {
        self.submit_within(request, None)
    }

    /// The same, for a client that waits no longer than `limit`, or than the service's own.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_within(
        &self,
        request: ImageRequest,
        limit: Option<Duration>,
    ) -> Result<Arc<Job>, ApiError> {
        self.0.options.check(&request)?;
        let own = self.0.options.time_limit();
        let limit = limit.map(|limit| own.map_or(limit, |own| own.min(limit)));
        self.0.jobs.submit(&*self.active()?, request, limit)
    }

    /// Lets the jobs end, and cancels those that take longer than `limit`. Nothing new must come.
    pub async fn drain(&self, limit: Duration) {
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
            for job in open {
                let _ended = job.wait().await;
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
