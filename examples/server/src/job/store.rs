//! The jobs there are: those that wait and run, and the last ones that ended.

use super::{Finished, Job};
use crate::{
    error::ApiError, hidden::Hidden, memory, model::Active, options::Options, service::blocking,
};
use sdcpp::{ImageRequest, PreviewOptions, Watch};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tracing::Instrument;
use uuid::Uuid;

/// How many jobs may wait, and how much is kept of those that ended.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Jobs that may wait.
    pub queue: usize,
    /// Jobs that ended.
    pub jobs: usize,
    /// Bytes of their pictures.
    pub bytes: usize,
}

impl Limits {
    /// Those of the options.
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            queue: options.queue_limit(),
            jobs: options.keep_jobs.unwrap_or(200),
            bytes: options.keep_bytes.unwrap_or(256 << 20),
        }
    }
}

/// The jobs, by age.
pub struct Jobs {
    all: Mutex<BTreeMap<Uuid, Arc<Job>>>,
    limits: RwLock<Limits>,
    /// Jobs that were taken on, ever.
    submitted: AtomicU64,
    closed: AtomicBool,
    hidden: Hidden,
    /// Those that ended, the first to end first.
    ended: Mutex<VecDeque<Arc<Job>>>,
}

impl Jobs {
    /// None yet.
    pub(crate) fn new(limits: Limits, hidden: Hidden) -> Self {
        Self {
            all: Mutex::default(),
            limits: RwLock::new(limits),
            submitted: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            hidden,
            ended: Mutex::default(),
        }
    }

    fn limits(&self) -> Limits {
        *self.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on. What is kept too long is forgotten when the next job ends.
    pub(crate) fn set_limits(&self, limits: Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Job>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request on. Within a runtime. With `limit`, it must end within that time.
    ///
    /// # Errors
    /// What is wrong with the request; that too many wait, or that nothing is drawn now.
    pub fn submit(
        self: &Arc<Self>,
        active: &Arc<Active>,
        mut request: ImageRequest,
        limit: Option<Duration>,
    ) -> Result<Arc<Job>, ApiError> {
        request.check()?;
        self.check_room(active)?;
        let job = Arc::new(Job::new(active, &mut request));
        let (told, shown) = (Arc::clone(&job), Arc::clone(&job));
        let mut watch = Watch::new()
            .cancel_with(job.token.clone())
            .on_progress(move |progress| {
                told.tell(&progress);
                ControlFlow::Continue(())
            })
            .on_preview(
                PreviewOptions::default().min_interval(Duration::from_millis(500)),
                move |preview| shown.show(preview),
            );
        if let Some(limit) = limit {
            watch = watch.time_limit(limit);
        }
        let work = active.pool.submit(request, watch)?;
        self.all().insert(job.id, Arc::clone(&job));
        self.submitted.fetch_add(1, Ordering::Relaxed);
        let (jobs, ended) = (Arc::clone(self), Arc::clone(&job));
        let drawing = async move {
            let outcome = match work.await {
                Ok(generated) => blocking(move || Finished::new(generated)).await,
                Err(error) => Err(jobs.hidden.clean_error(error.into())),
            };
            match &outcome {
                Ok(_) => tracing::info!("done"),
                Err(error) => tracing::info!(code = %error.code, "{}", error.message),
            }
            ended.finish(outcome);
            jobs.forget_oldest(ended);
            jobs.give_memory_back().await;
        };
        // Its lines have the number of the request.
        tokio::spawn(drawing.in_current_span());
        Ok(job)
    }

    /// Whether one more job may wait, whichever model draws it.
    ///
    /// # Errors
    /// Too many wait, or the service is ending.
    pub fn check_room(&self, active: &Active) -> Result<(), ApiError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(sdcpp::Error::ShutDown.into());
        }
        let most = active.pool.metrics().size + self.limits().queue;
        if self.open().len() < most {
            return Ok(());
        }
        Err(sdcpp::Error::QueueFull { limit: self.limits().queue }.into())
    }

    /// Takes no more jobs on.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// The job of this number.
    ///
    /// # Errors
    /// There is none, or it ended long ago.
    pub fn get(&self, id: Uuid) -> Result<Arc<Job>, ApiError> {
        self.all().get(&id).cloned().ok_or_else(|| ApiError::not_found(format!("job {id}")))
    }

    /// The newest first.
    pub fn list(&self) -> Vec<Arc<Job>> {
        self.all().values().rev().cloned().collect()
    }

    /// Those that wait or run, the oldest first.
    pub fn open(&self) -> Vec<Arc<Job>> {
        self.all().values().filter(|job| job.outcome().is_none()).cloned().collect()
    }

    /// Forgets a job that ended; its pictures are freed when nobody reads them.
    pub fn remove(&self, id: Uuid) {
        self.all().remove(&id);
    }

    /// Some time after the last job, which is this one, unless others come.
    async fn give_memory_back(&self) {
        let last = self.submitted.load(Ordering::Relaxed);
        if !self.open().is_empty() {
            return;
        }
        tokio::time::sleep(memory::IDLE).await;
        if self.submitted.load(Ordering::Relaxed) == last
            && let Err(error) = tokio::task::spawn_blocking(memory::give_back).await
        {
            tracing::warn!("free memory was not given back: {error}");
        }
    }

    /// Forgets those that ended first, and of these first the ones without pictures. `job`, which has
    /// ended just now, stays for its client.
    fn forget_oldest(&self, job: Arc<Job>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = |job: &Arc<Job>| match job.outcome() {
            Some(Ok(finished)) => finished.bytes(),
            _ => 0,
        };
        // A client may have had one forgotten.
        {
            let all = self.all();
            ended.retain(|job| all.contains_key(&job.id));
        }
        let mut total: usize = ended.iter().map(bytes).sum::<usize>() + bytes(&job);
        let limits = self.limits();
        while ended.len() >= limits.jobs.max(1) || total > limits.bytes {
            let empty = ended.iter().position(|job| bytes(job) == 0);
            let place = match empty.filter(|_| total <= limits.bytes) {
                Some(place) => place,
                // The first that has pictures frees some.
                None => ended.iter().position(|job| bytes(job) > 0).unwrap_or(0),
            };
            let Some(forgotten) = ended.remove(place) else { break };
            total -= bytes(&forgotten).min(total);
            self.all().remove(&forgotten.id);
        }
        ended.push_back(job);
    }
}
