//! The pool of models in worker processes.

use super::{Worker, WorkerCommand, WorkerOptions};
use crate::{Engine, ModelConfig, Pool, PoolOptions, Result, pool::shared_out};

/// A pool of [`Worker`]s with one configuration, a process each.
///
/// On the CPU the workers share the cores and, by mapping the files, the weights, as the contexts of
/// a [`ContextPool`](crate::ContextPool) do. Whether there is a GPU is not asked, for that would
/// start its drivers in this process: a build with `cuda`, `vulkan` or `metal` counts as one that
/// has, unless [`ModelConfig::backend`] is `cpu`. On a machine without a GPU the workers of such a
/// build take all cores each and a copy of the weights each; set `backend` to `cpu` there, or
/// [`ModelConfig::threads`] and [`ModelConfig::mmap`].
pub type WorkerPool = Pool<Worker>;

impl Pool<Worker> {
    /// A pool of workers that `command` starts. The options are checked now; processes are started
    /// when they are first needed, and check the configuration.
    ///
    /// ```no_run
    /// use sdcpp::{ImageRequest, ModelConfig, PoolOptions};
    /// use sdcpp::isolated::{WorkerCommand, WorkerOptions, WorkerPool};
    ///
    /// # fn main() -> sdcpp::Result<()> {
    /// let pool = WorkerPool::open(
    ///     WorkerCommand::beside_this_program(),
    ///     ModelConfig::new("sd15.safetensors"),
    ///     WorkerOptions::default().memory_limit(8 << 30),
    ///     PoolOptions::default(),
    /// )?;
    /// pool.generate(&ImageRequest::new("a lighthouse at dusk"))?.images[0].save("lighthouse.png")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`PoolOptions::check`], [`WorkerOptions::check`] and
    /// [`ModelConfig::check`].
    pub fn open(
        command: WorkerCommand,
        config: ModelConfig,
        worker: WorkerOptions,
        options: PoolOptions,
    ) -> Result<Self> {
        worker.check()?;
        config.check()?;
        // Devices are not asked here: that would start their drivers in this process.
        let gpu = cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal"));
        let cores = Engine::auto()?.physical_cores();
        let config = shared_out(config, options.size, cores, || Ok(gpu))?;
        Self::with_factory(options, move |watch| Worker::start(&command, &config, &worker, watch))
    }
}
