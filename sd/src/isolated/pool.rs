//! The pool of models in worker processes.

use super::{Worker, WorkerCommand, WorkerOptions};
use crate::{ModelConfig, Pool, PoolOptions, Result, pool::maps_by_default};

/// A pool of [`Worker`]s with one configuration, a process each.
///
/// Where the weights stay on the CPU they are mapped from the files, so that all workers share
/// them, under the same conditions as in a [`ContextPool`](crate::ContextPool).
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
        mut config: ModelConfig,
        worker: WorkerOptions,
        options: PoolOptions,
    ) -> Result<Self> {
        worker.check()?;
        config.check()?;
        // Devices are not asked here: that would start their drivers in this process.
        let gpu = cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal"));
        if maps_by_default(&config, || Ok(gpu))? {
            config.mmap = Some(true);
        }
        Self::with_factory(options, move |watch| Worker::start(&command, &config, &worker, watch))
    }
}
