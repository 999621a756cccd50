//! Several models of one kind, shared by any number of threads and tasks.
//!
//! - `state`, with `queue`, `breaker`, `options` and `metrics`: the rules, without locks and threads;
//! - `shared`: the state behind its lock, and the timer;
//! - `run`, with `request`, `turn` and `slot`: operations, from the queue to giving the model back;
//! - `job`: results that come later.
//!
//! Locks, threads and time are of `crate::sync`.

mod breaker;
mod contexts;
mod job;
mod job_pool;
mod metrics;
mod options;
mod queue;
mod request;
mod run;
mod shared;
mod slot;
mod state;
#[cfg(test)]
mod tests;
mod turn;

pub use breaker::BreakerState;
pub use contexts::ContextPool;
#[cfg(feature = "isolated")]
pub(crate) use contexts::shared_out;
pub use job::{Job, JobStatus};
pub use job_pool::JobPool;
pub use metrics::PoolMetrics;
pub use options::PoolOptions;
pub use slot::Lease;
pub use state::Shutdown;

use crate::{Generated, GeneratedVideo, ImageRequest, Model, Result, VideoRequest, Watch};
use shared::Shared;
use std::{fmt, sync::Arc, time::Duration};

/// A bounded number of models, opened when they are first needed, used by one operation each.
///
/// Operations that find no model free wait in a queue of bounded length and are served strictly in
/// the order they came. A model that cannot be used again is dropped, and another opened in its
/// place when it is needed. After several failures in a row nothing is tried for a while
/// ([`Error::CircuitOpen`](crate::Error::CircuitOpen)); then one operation at a time is let through,
/// until the end of one decides. A failure is a model that cannot be opened while no other is open,
/// cannot be used again, or cannot load its own weights; not one that is lost because its operation
/// was stopped, or that died while nobody used it.
///
/// While others are open, a further one that cannot be opened is nobody's error: the operation that
/// needed it goes back to the head of the queue, and for the cool-down, at least 100 ms, the pool
/// makes do with the models it has.
///
/// Clones are cheap and share one pool. It lives until the last of them is dropped and what was
/// asked for has ended: jobs go on without it.
///
/// [`ContextPool`] is the pool of models in this process:
///
/// ```no_run
/// use sdcpp::{ContextPool, ImageRequest, ModelConfig, Shutdown, Watch};
/// use std::time::Duration;
///
/// # fn main() -> sdcpp::Result<()> {
/// let pool = ContextPool::new(ModelConfig::new("sd15.safetensors"))?;
/// // Waits for its turn, and draws.
/// pool.generate(&ImageRequest::new("a cat"))?;
/// // Does not wait; the job is a future as well.
/// let limit = Watch::new().time_limit(Duration::from_secs(120));
/// let job = pool.submit(ImageRequest::new("a dog"), limit)?;
/// job.wait()?.images[0].save("dog.png")?;
/// pool.shutdown(Shutdown::Finish);
/// # Ok(())
/// # }
/// ```
pub struct Pool<M: Model>(Arc<Shared<M>>);

impl<M: Model> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Model> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("options", &self.0.options)
            .field("metrics", &self.metrics())
            .finish()
    }
}

impl<M: Model> Pool<M> {
    /// A pool of what `open` opens. It is called with the progress callback, the cancel token and
    /// the rest of the time of the operation that needs the model, on its thread. A panic in it is
    /// an [`Error::Panicked`](crate::Error::Panicked). A model that it returns too late for its
    /// operation is kept for the next.
    ///
    /// ```
    /// use sdcpp::{Context, ModelConfig, Pool, PoolOptions, mock};
    ///
    /// # fn main() -> sdcpp::Result<()> {
    /// let config = ModelConfig::new("any");
    /// let open = move |watch: sdcpp::Watch<'_>| Context::open(&mock::engine(), &config, watch);
    /// let pool: Pool<Context> = Pool::with_factory(PoolOptions::default(), open)?;
    /// # drop(pool);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`PoolOptions::check`].
    pub fn with_factory(
        options: PoolOptions,
        open: impl Fn(Watch<'_>) -> Result<M> + Send + Sync + 'static,
    ) -> Result<Self> {
        options.check()?;
        Ok(Self(Shared::new(options, Box::new(open))))
    }

    /// Waits for a model, for as long as `timeout`, the opening of one included; longer where that
    /// cannot be left half-way, as in a [`ContextPool`]. It goes back to the pool when the lease is
    /// dropped.
    ///
    /// # Errors
    /// [`Error::AcquireTimeout`](crate::Error::AcquireTimeout),
    /// [`Error::QueueFull`](crate::Error::QueueFull),
    /// [`Error::CircuitOpen`](crate::Error::CircuitOpen),
    /// [`Error::ShutDown`](crate::Error::ShutDown), and what opening a model fails with.
    pub fn acquire(&self, timeout: Duration) -> Result<Lease<M>> {
        self.acquire_with(Watch::new().time_limit(timeout))
    }

    /// Waits for a model, watched by `watch`: its token ends the wait, its time limit is the
    /// timeout, and none is no timeout. It is told of the opening of a model.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), and [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn acquire_with(&self, watch: Watch<'_>) -> Result<Lease<M>> {
        self.0.lease(watch)
    }

    /// A model, if one is free; opens one if fewer are open than there may be. None if all are in
    /// use or no further one can be opened, if others wait for them, or while the one attempt after a cool-down runs.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), without the timeout and the full queue.
    pub fn try_acquire(&self) -> Result<Option<Lease<M>>> {
        self.0.lease_at_once()
    }

    /// Draws, with a model of the pool, when its turn comes.
    ///
    /// # Errors
    /// As [`generate_with`](Self::generate_with).
    pub fn generate(&self, request: &ImageRequest) -> Result<Generated> {
        self.generate_with(request, Watch::new())
    }

    /// Draws, watched by `watch`, which can stop it. Its time limit counts from now, and so
    /// includes the wait for a model.
    ///
    /// # Errors
    /// As [`Context::generate_with`](crate::Context::generate_with);
    /// [`Error::QueueFull`](crate::Error::QueueFull),
    /// [`Error::CircuitOpen`](crate::Error::CircuitOpen),
    /// [`Error::ShutDown`](crate::Error::ShutDown), and what opening a model fails with.
    pub fn generate_with(&self, request: &ImageRequest, watch: Watch<'_>) -> Result<Generated> {
        request.check()?;
        self.0.run(watch, request, |model, watch| model.generate_with(request, watch))
    }

    /// Makes a video, with a model of the pool, when its turn comes.
    ///
    /// # Errors
    /// As [`generate_video_with`](Self::generate_video_with).
    pub fn generate_video(&self, request: &VideoRequest) -> Result<GeneratedVideo> {
        self.generate_video_with(request, Watch::new())
    }

    /// Makes a video, watched by `watch`, as [`generate_with`](Self::generate_with).
    ///
    /// # Errors
    /// As [`generate_with`](Self::generate_with), and
    /// [`Context::generate_video_with`](crate::Context::generate_video_with).
    pub fn generate_video_with(
        &self,
        request: &VideoRequest,
        watch: Watch<'_>,
    ) -> Result<GeneratedVideo> {
        request.check()?;
        self.0.run(watch, request, |model, watch| model.generate_video_with(request, watch))
    }

    /// Puts a request in the queue and returns at once. A thread draws it when its turn comes; none
    /// waits for it until then. `watch` follows and stops it, in the queue too; its time limit counts
    /// from now.
    ///
    /// # Errors
    /// Those of [`ImageRequest::check`], [`Error::QueueFull`](crate::Error::QueueFull),
    /// [`Error::CircuitOpen`](crate::Error::CircuitOpen) and
    /// [`Error::ShutDown`](crate::Error::ShutDown). All others are the job's.
    pub fn submit(&self, request: ImageRequest, watch: Watch<'static>) -> Result<Job<Generated>> {
        request.check()?;
        self.0.submit(watch, request, |model, request, watch| model.generate_with(request, watch))
    }

    /// Puts the request of a video in the queue, as [`submit`](Self::submit).
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_video(
        &self,
        request: VideoRequest,
        watch: Watch<'static>,
    ) -> Result<Job<GeneratedVideo>> {
        request.check()?;
        self.0.submit(watch, request, |model, request, watch| {
            model.generate_video_with(request, watch)
        })
    }

    /// What the pool is doing, and has done so far.
    pub fn metrics(&self) -> PoolMetrics {
        self.0.metrics()
    }

    /// Ends the pool: what waits and what comes later gets
    /// [`Error::ShutDown`](crate::Error::ShutDown), what runs finishes or is cancelled, and all
    /// models are dropped. Returns when nothing runs any more.
    ///
    /// That is never if the caller is what it waits for: one that holds a [`Lease`], since leases are
    /// not taken away, or code that runs within an operation of this pool: a progress or preview
    /// callback, a model or the function that opens it, and what these drop. A task's
    /// [`Waker`](std::task::Waker) must not call it either: it may run on a thread that has yet to
    /// give a model back.
    pub fn shutdown(&self, how: Shutdown) {
        self.0.shut_down(how, None);
    }

    /// The same, but waits no longer than `limit`, also where idle models take long to drop: that
    /// goes on on a thread of its own. Says whether nothing runs any more; what still does ends as it
    /// would, and a second call can wait again, or cancel.
    #[must_use = "something may run still"]
    pub fn shutdown_within(&self, how: Shutdown, limit: Duration) -> bool {
        self.0.shut_down(how, Some(limit))
    }
}
