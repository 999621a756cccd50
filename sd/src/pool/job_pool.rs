//! Pools, whatever their models are.

use super::{Job, Pool, PoolMetrics, Shutdown};
use crate::{Generated, GeneratedVideo, ImageRequest, Model, Result, VideoRequest, Watch};
use std::time::Duration;

/// What every [`Pool`] can do, whatever its models are: for a server that holds one as
/// `Arc<dyn JobPool>`.
///
/// ```
/// use sdcpp::{ContextPool, JobPool, ModelConfig, PoolOptions, mock};
/// use std::sync::Arc;
///
/// # fn main() -> sdcpp::Result<()> {
/// let pool =
///     ContextPool::open(&mock::engine(), ModelConfig::new("any"), PoolOptions::default())?;
/// let pool: Arc<dyn JobPool> = Arc::new(pool);
/// assert_eq!(pool.metrics().queued, 0);
/// # Ok(())
/// # }
/// ```
pub trait JobPool: Send + Sync {
    /// As [`Pool::submit`].
    ///
    /// # Errors
    /// As [`Pool::submit`].
    fn submit(&self, request: ImageRequest, watch: Watch<'static>) -> Result<Job<Generated>>;

    /// As [`Pool::submit_video`].
    ///
    /// # Errors
    /// As [`Pool::submit`].
    fn submit_video(
        &self,
        request: VideoRequest,
        watch: Watch<'static>,
    ) -> Result<Job<GeneratedVideo>>;

    /// As [`Pool::metrics`].
    fn metrics(&self) -> PoolMetrics;

    /// As [`Pool::shutdown`].
    fn shutdown(&self, how: Shutdown);

    /// As [`Pool::shutdown_within`].
    #[must_use = "something may run still"]
    fn shutdown_within(&self, how: Shutdown, limit: Duration) -> bool;
}

impl<M: Model> JobPool for Pool<M> {
    fn submit(&self, request: ImageRequest, watch: Watch<'static>) -> Result<Job<Generated>> {
        Self::submit(self, request, watch)
    }

    fn submit_video(
        &self,
        request: VideoRequest,
        watch: Watch<'static>,
    ) -> Result<Job<GeneratedVideo>> {
        Self::submit_video(self, request, watch)
    }

    fn metrics(&self) -> PoolMetrics {
        Self::metrics(self)
    }

    fn shutdown(&self, how: Shutdown) {
        Self::shutdown(self, how);
    }

    fn shutdown_within(&self, how: Shutdown, limit: Duration) -> bool {
        Self::shutdown_within(self, how, limit)
    }
}
