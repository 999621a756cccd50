//! The jobs there are: those that wait and run are here, those that ended in the history.

use super::{Job, JobView};
use crate::{
    error::ApiError,
    filter::SafetyFilter,
    hidden::Hidden,
    history::{History, Keep, Unfinished},
    memory,
    model::Active,
    observe,
    opened::Opened,
    options::Options,
    service::blocking,
};
use axum::http::StatusCode;
use futures_util::FutureExt;
use sdcpp::ImageRequest;
use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::Semaphore;
use tracing::Instrument;
use uuid::Uuid;

/// How many jobs may wait, and how much is kept of those that ended.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Jobs that may wait.
    pub queue: usize,
    /// Bytes of the pictures that came with open jobs. One job may have more, by itself.
    pub given_bytes: u64,
    /// What is kept.
    pub keep: Keep,
}

impl Limits {
    /// Those of the options.
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            queue: options.queue_limit(),
            given_bytes: options.max_given_bytes(),
            keep: options.keep(),
        }
    }
}

/// Jobs whose pictures are judged at once.
const JUDGING: usize = 4;

/// The jobs, by age.
pub struct Jobs {
    /// Those that are open, and those whose end could not be written.
    live: Mutex<BTreeMap<Uuid, Arc<Job>>>,
    limits: RwLock<Limits>,
    /// Jobs that were taken on, ever.
    submitted: AtomicU64,
    closed: AtomicBool,
    suspended: AtomicBool,
    pub(super) hidden: Hidden,
    pub(super) history: Arc<History>,
    pub(super) opened: Arc<Opened>,
    pub(super) filter: Option<Arc<dyn SafetyFilter>>,
    /// Jobs whose pictures the filter looks at.
    pub(super) judging: Semaphore,
    /// Whether answers are looked up among those that were given: who judged them then.
    pub(super) cache: Option<String>,
}

/// What a service's jobs are made with.
pub(crate) struct Parts {
    pub(crate) limits: Limits,
    pub(crate) hidden: Hidden,
    pub(crate) history: History,
    pub(crate) opened: Arc<Opened>,
    pub(crate) filter: Option<Arc<dyn SafetyFilter>>,
    pub(crate) cache: Option<String>,
}

/// Those that wait or run, the oldest first.
fn open(live: &BTreeMap<Uuid, Arc<Job>>) -> impl Iterator<Item = &Arc<Job>> {
    live.values().filter(|job| job.outcome().is_none())
}

impl Jobs {
    /// None yet.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { limits, hidden, history, opened, filter, cache } = parts;
        Self {
            live: Mutex::default(),
            limits: RwLock::new(limits),
            submitted: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            hidden,
            history: Arc::new(history),
            opened,
            filter,
            judging: Semaphore::new(JUDGING),
            cache,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        *self.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on. What is too much is forgotten when the next job ends.
    pub(crate) fn set_limits(&self, limits: Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    pub(super) fn live(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Job>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request on. Within a runtime. With `limit`, it must end within that time. A `detached`
    /// job has nobody who waits for it: if the program ends, it is taken up again.
    ///
    /// [`Job::accepted`] tells when it is written down and in the queue.
    ///
    /// # Errors
    /// What is wrong with the request; that too many wait, or that nothing is drawn now.
    pub fn submit(
        self: &Arc<Self>,
        active: &Arc<Active>,
        mut request: ImageRequest,
        limit: Option<Duration>,
        detached: bool,
    ) -> Result<Arc<Job>, ApiError> {
        request.check()?;
        let job = Arc::new(Job::new(active, &mut request, detached));
        {
            let mut live = self.live();
            self.check_room_in(&live, active)?;
            self.check_memory_in(&live, &job)?;
            live.insert(job.id, Arc::clone(&job));
        }
        self.begin(active, &job, request, limit);
        Ok(job)
    }

    /// Puts a job among those that there are that was open when the program ended, however many wait.
    /// [`begin`](Self::begin) comes next.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub(crate) fn take_up(
        &self,
        active: &Arc<Active>,
        mut request: ImageRequest,
        before: &Unfinished,
    ) -> Result<(Arc<Job>, ImageRequest), ApiError> {
        request.check()?;
        let job = Arc::new(Job::again(active, &mut request, before));
        self.live().insert(job.id, Arc::clone(&job));
        Ok((job, request))
    }

    /// Has a job drawn that is among those that there are.
    pub(crate) fn begin(
        self: &Arc<Self>,
        active: &Arc<Active>,
        job: &Arc<Job>,
        request: ImageRequest,
        limit: Option<Duration>,
    ) {
        self.submitted.fetch_add(1, Ordering::Relaxed);
        let (jobs, active, job) = (Arc::clone(self), Arc::clone(active), Arc::clone(job));
        observe::submitted(job.id);
        let run = {
            let (jobs, job) = (Arc::clone(&jobs), Arc::clone(&job));
            AssertUnwindSafe(jobs.run(active, job, request, limit)).catch_unwind()
        };
        let guarded = async move {
            if run.await.is_err() {
                // A mistake of this program. Nobody is to wait for ever.
                tracing::error!(job = %job.id, "panicked");
                let now = (SystemTime::now(), Instant::now());
                job.finish(Err(ApiError::internal("the job panicked")), now);
            }
        };
        // Its lines have the number of the request.
        tokio::spawn(guarded.in_current_span());
    }

    /// Whether one more job may wait, whichever model draws it.
    ///
    /// # Errors
    /// Too many wait, or the service is ending.
    pub fn check_room(&self, active: &Active) -> Result<(), ApiError> {
        self.check_room_in(&self.live(), active)
    }

    fn check_room_in(
        &self,
        live: &BTreeMap<Uuid, Arc<Job>>,
        active: &Active,
    ) -> Result<(), ApiError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(sdcpp::Error::ShutDown.into());
        }
        let most = active.pool.metrics().size + self.limits().queue;
        if open(live).count() < most {
            return Ok(());
        }
        Err(sdcpp::Error::QueueFull { limit: self.limits().queue }.into())
    }

    /// Where they are written.
    pub(crate) fn history(&self) -> Arc<History> {
        Arc::clone(&self.history)
    }

    /// Whether the pictures that come with the job may wait beside those of others.
    fn check_memory_in(&self, live: &BTreeMap<Uuid, Arc<Job>>, job: &Job) -> Result<(), ApiError> {
        let held: u64 = open(live).map(|job| job.given_bytes).sum();
        let most = self.limits().given_bytes;
        if job.given_bytes == 0 || held == 0 || held + job.given_bytes <= most {
            return Ok(());
        }
        let message = format!(
            "this job's pictures have {} bytes when decoded, and those of jobs that wait {held}; allowed: {most} together",
            job.given_bytes
        );
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "pictures_wait", message)
            .advise("ask again when others have been drawn, or send smaller pictures");
        error.retry_after = Some(Duration::from_secs(5));
        Err(error)
    }

    /// Takes no more jobs on.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// From now on, jobs that nobody waits for are left for the next start when they are cancelled. Whether
    /// that can be.
    pub(crate) fn suspend(&self) -> bool {
        self.suspended.store(self.history.is_on_disk(), Ordering::Relaxed);
        self.is_suspended()
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Relaxed)
    }

    /// The job of this number, if it waits or runs.
    pub fn get(&self, id: Uuid) -> Option<Arc<Job>> {
        self.live().get(&id).cloned()
    }

    /// The job of this number, as clients see it.
    ///
    /// # Errors
    /// There is none, or it ended long ago.
    pub async fn view(&self, id: Uuid) -> Result<JobView, ApiError> {
        if let Some(job) = self.get(id) {
            return Ok(job.view());
        }
        let history = Arc::clone(&self.history);
        let found = blocking(move || history.view(id)).await?;
        found.ok_or_else(|| ApiError::not_found(format!("job {id}")))
    }

    /// The newest first: so many of those before `before`.
    ///
    /// # Errors
    /// The history cannot be read.
    pub async fn list(&self, limit: usize, before: Option<Uuid>) -> Result<Vec<JobView>, ApiError> {
        // One that is not written down yet is none yet.
        let is_shown = |job: &&Arc<Job>| job.is_accepted() || job.restarts > 0;
        let live: Vec<_> = match before {
            Some(before) => {
                self.live().range(..before).map(|(_, job)| job).filter(is_shown).cloned().collect()
            }
            None => self.live().values().filter(is_shown).cloned().collect(),
        };
        let history = Arc::clone(&self.history);
        let mut all = blocking(move || history.list(limit, before)).await?;
        // One may have ended meanwhile, and is in both.
        all.retain(|ended| live.iter().all(|job| job.id != ended.id));
        all.extend(live.iter().map(|job| job.view()));
        all.sort_by_key(|job| std::cmp::Reverse(job.id));
        all.truncate(limit);
        Ok(all)
    }

    /// The file of a picture.
    ///
    /// # Errors
    /// There is none, or not yet.
    pub async fn png(&self, id: Uuid, index: usize) -> Result<Vec<u8>, ApiError> {
        let live = self.get(id);
        let outcome = live.as_ref().and_then(|job| job.outcome()?.as_ref().ok());
        if let Some(picture) = outcome.and_then(|finished| finished.pictures.get(index)) {
            return Ok(picture.png.to_vec());
        }
        let history = Arc::clone(&self.history);
        let found = blocking(move || history.png(id, index)).await?;
        found.ok_or_else(|| ApiError::not_found(format!("picture {index} of job {id}")))
    }

    /// Those that wait or run, the oldest first.
    pub fn open(&self) -> Vec<Arc<Job>> {
        open(&self.live()).cloned().collect()
    }

    /// Forgets a job that ended; its pictures are freed when nobody reads them.
    ///
    /// # Errors
    /// The history cannot be written.
    pub async fn remove(&self, id: Uuid) -> Result<(), ApiError> {
        let history = Arc::clone(&self.history);
        blocking(move || history.remove(id)).await?;
        self.live().remove(&id);
        Ok(())
    }

    /// Forgets what is too old, for as long as the service is there.
    pub(crate) async fn forget_by_age(jobs: Weak<Self>) {
        const INTERVAL: Duration = Duration::from_secs(600);
        // It does not keep them.
        while let Some(jobs) = jobs.upgrade() {
            let (history, keep) = (Arc::clone(&jobs.history), jobs.limits().keep);
            drop(jobs);
            if keep.age.is_some()
                && let Err(error) = blocking(move || history.trim(keep, None)).await
            {
                tracing::error!(code = %error.code, "{}", error.message);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Some time after the last job, which is this one, unless others come.
    pub(super) async fn give_memory_back(&self) {
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
}
