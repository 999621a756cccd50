//! The handle of a generation that runs without its caller.

use super::{
    queue::Id,
    shared::{Outstanding, Shared, caught},
};
use crate::{
    CancelToken, Error, Model, Result,
    cancel::Subscription,
    sync::{Monitor, now},
};
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum JobStatus {
    /// It waits for a model.
    Queued {
        /// How many operations wait before it; 0 if it is the next.
        position: usize,
    },
    /// It has a model, or opens one.
    Running,
    /// Its result is there.
    Done,
}

enum Phase<T> {
    Pending,
    /// None when somebody has taken it.
    Done(Option<Result<T>>),
}

struct Inner<T> {
    phase: Phase<T>,
    waker: Option<Waker>,
    /// To the caller's token, while it matters.
    link: Option<Subscription>,
}

impl<T> Inner<T> {
    /// The result, once.
    fn take(&mut self) -> Option<Result<T>> {
        let Phase::Done(result) = &mut self.phase else { return None };
        Some(result.take().unwrap_or_else(|| {
            Err(Error::Unsupported {
                what: "a job's result a second time".to_owned(),
                reason: "it was taken before".to_owned(),
            })
        }))
    }
}

/// Where a job's result comes to. Clones are one.
pub(super) struct Cell<T>(Monitor<Inner<T>>);

impl<T> Clone for Cell<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Cell<T> {
    pub(super) fn new() -> Self {
        Self(Monitor::new(Inner { phase: Phase::Pending, waker: None, link: None }))
    }

    /// Keeps the link until the job is done.
    pub(super) fn keep(&self, link: Subscription) {
        let mut inner = self.0.lock();
        if !matches!(inner.phase, Phase::Done(_)) {
            inner.link = Some(link);
        }
    }

    pub(super) fn finish<M: Model>(&self, result: Result<T>, outstanding: Outstanding<M>) {
        let mut inner = self.0.lock();
        inner.phase = Phase::Done(Some(result));
        let (waker, link) = (inner.waker.take(), inner.link.take());
        drop(inner);
        self.0.notify_all();
        // Before foreign code runs: who is woken here may shut the pool down.
        let shared = outstanding.end();
        // An executor's fault must not end the thread that serves others. It has been logged.
        let _ = caught("waking a job's task", || {
            drop(link);
            waker.into_iter().for_each(Waker::wake);
            drop(shared);
            Ok(())
        });
    }
}

/// What a job asks of its pool, whatever its models are.
trait Place: Send + Sync {
    fn position(self: Arc<Self>, id: Id) -> Option<usize>;
    fn cancel(self: Arc<Self>, id: Id);
}

impl<M: Model> Place for Shared<M> {
    fn position(self: Arc<Self>, id: Id) -> Option<usize> {
        Shared::position(&self, id)
    }

    fn cancel(self: Arc<Self>, id: Id) {
        Shared::cancel(&self, id);
    }
}

/// A generation that a pool was asked for: a [`Future`] of its result, for any executor, and a
/// handle that can be waited for without one.
///
/// Dropping it cancels the generation, unless it is [detached](Self::detach).
///
/// ```
/// use sdcpp::{ContextPool, ImageRequest, ModelConfig, PoolOptions, Watch, mock};
///
/// # fn main() -> sdcpp::Result<()> {
/// let pool =
///     ContextPool::open(&mock::engine(), ModelConfig::new("any"), PoolOptions::default())?;
/// let job = pool.submit(ImageRequest::new("a cat").size(64, 64), Watch::new())?;
/// let generated = job.wait()?; // or, in an async function: job.await?
/// assert_eq!(generated.images[0].width(), 64);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a job cancels it"]
pub struct Job<T: Send + 'static> {
    cell: Cell<T>,
    token: CancelToken,
    pool: Weak<dyn Place>,
    id: Id,
    detached: bool,
}

impl<T: Send + 'static> Job<T> {
    pub(super) fn new<M: Model>(
        cell: Cell<T>,
        token: CancelToken,
        pool: Weak<Shared<M>>,
        id: Id,
    ) -> Self {
        Self { cell, token, pool, id, detached: false }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// As [`Pool::generate_with`](crate::Pool::generate_with).
    pub fn wait(self) -> Result<T> {
        let mut inner = self.cell.0.lock();
        loop {
            if let Some(result) = inner.take() {
                return result;
            }
            inner = self.cell.0.wait_until(inner, None);
        }
    }

    /// Waits for the result until the time has passed, and gives the job back then.
    ///
    /// # Errors
    /// The job, if its result is not there yet.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<T>, Self> {
        let until = now().checked_add(timeout);
        let mut inner = self.cell.0.lock();
        loop {
            if let Some(result) = inner.take() {
                return Ok(result);
            }
            if until.is_some_and(|until| now() >= until) {
                drop(inner);
                return Err(self);
            }
            inner = self.cell.0.wait_until(inner, until);
        }
    }

    /// Cancels it: at once if it waits; else where a [`CancelToken`] takes effect.
    pub fn cancel(&self) {
        self.token.cancel();
        if let Some(pool) = self.pool.upgrade() {
            pool.cancel(self.id);
        }
    }

    /// Lets it go on by itself. Its result is lost; its [`Watch`](crate::Watch) tells still.
    pub fn detach(mut self) {
        self.detached = true;
    }

    /// What it is doing.
    pub fn status(&self) -> JobStatus {
        if let Phase::Done(_) = self.cell.0.lock().phase {
            return JobStatus::Done;
        }
        // Without the job's lock. One that has left the queue meanwhile begins just now.
        let position = self.pool.upgrade().and_then(|pool| pool.position(self.id));
        position.map_or(JobStatus::Running, |position| JobStatus::Queued { position })
    }

    /// Whether its result is there.
    pub fn is_done(&self) -> bool {
        self.status() == JobStatus::Done
    }
}

impl<T: Send + 'static> Future for Job<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        // Cloned and dropped without the lock: both are the executor's code.
        let waker = context.waker().clone();
        let mut inner = self.cell.0.lock();
        if let Some(result) = inner.take() {
            drop(inner);
            return Poll::Ready(result);
        }
        let before = inner.waker.replace(waker);
        drop(inner);
        drop(before);
        Poll::Pending
    }
}

impl<T: Send + 'static> Drop for Job<T> {
    fn drop(&mut self) {
        if !self.detached && !self.is_done() {
            self.cancel();
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("id", &self.id).field("status", &self.status()).finish()
    }
}
