//! The pool of models in worker processes.

use super::{Worker, WorkerCommand, WorkerOptions};
use crate::{ModelConfig, Pool, PoolOptions, Result, pool::shared_out};

/// A pool of [`Worker`]s with one configuration, a process each.
///
/// On the CPU the workers share the cores and, by mapping the files, the weights, as the contexts of
/// a [`ContextPool`](crate::ContextPool) do. Whether there is a GPU is not asked, for that would
/// start its drivers in this process: a build with `cuda`, `vulkan` or another of these features
/// counts as one that has, and an engine opened at run time as one that has not, unless [`ModelConfig::backend`] is `cpu`. On a machine without a GPU the workers of such a
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
        // Neither devices nor an engine are asked for here: that would start drivers in this process,
        // and the worker's engine may be another.
        let gpu = cfg!(any(
            feature = "cuda",
            feature = "hip",
            feature = "sycl",
            feature = "vulkan",
            feature = "metal"
        ));
        let config = shared_out(config, options.size, cores()?, || Ok(gpu))?;
        Self::with_factory(options, move |watch| Worker::start(&command, &config, &worker, watch))
    }
}

/// Physical cores; without a linked engine, which knows them, all processors.
fn cores() -> Result<u32> {
    #[cfg(feature = "static")]
    return Ok(crate::Engine::linked()?.physical_cores());
    #[cfg(not(feature = "static"))]
    return Ok(
        std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
    );
}
