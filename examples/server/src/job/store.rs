//! The jobs there are: those that wait and run, and the last ones that ended.

use super::{Finished, Job};
use crate::{error::ApiError, memory, model::Active};
use sdcpp::{ImageRequest, PreviewOptions, Watch};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

/// How much is kept of jobs that ended.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Jobs.
    pub jobs: usize,
    /// Bytes of their pictures.
    pub bytes: usize,
}

/// The jobs, by age.
#[derive(Debug)]
pub struct Jobs {
    all: Mutex<BTreeMap<Uuid, Arc<Job>>>,
    limits: Limits,
    /// Jobs that were taken on, ever.
    submitted: AtomicU64,
}

impl Jobs {
    /// None yet.
    pub fn new(limits: Limits) -> Self {
        Self { all: Mutex::default(), limits, submitted: AtomicU64::new(0) }
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
        active: &Active,
        request: ImageRequest,
        limit: Option<Duration>,
    ) -> Result<Arc<Job>, ApiError> {
        request.check()?;
        let job = Arc::new(Job::new(active, Arc::new(request.clone())));
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
        tokio::spawn(async move {
            let outcome = match work.await {
                Ok(generated) => encoded(generated).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = &outcome {
                tracing::info!(job = %ended.id, code = %error.code, "{}", error.message);
            }
            ended.finish(outcome);
            jobs.forget_oldest();
            drop(ended);
            jobs.give_memory_back().await;
        });
        Ok(job)
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

    fn forget_oldest(&self) {
        let mut all = self.all();
        let ended = |job: &&Arc<Job>| job.outcome().is_some();
        let bytes = |job: &Arc<Job>| match job.outcome() {
            Some(Ok(finished)) => finished.bytes(),
            _ => 0,
        };
        let mut count = all.values().filter(ended).count();
        let mut total: usize = all.values().map(bytes).sum();
        while count > self.limits.jobs || (total > self.limits.bytes && count > 1) {
            let Some(oldest) = all.values().find(ended).cloned() else { return };
            total -= bytes(&oldest).min(total);
            count -= 1;
            all.remove(&oldest.id);
        }
    }
}

async fn encoded(generated: sdcpp::Generated) -> Result<Finished, ApiError> {
    tokio::task::spawn_blocking(move || Finished::new(generated))
        .await
        .map_err(|error| ApiError::internal(format!("the pictures were not encoded: {error}")))?
}
