//! The pool of models in worker processes.

use super::{Worker, WorkerCommand, WorkerOptions};
use crate::{ModelConfig, Pool, PoolOptions, Result};

/// A pool of [`Worker`]s with one configuration, a process each.
///
/// On the CPU the workers share the cores and, by mapping the files, the weights, as the contexts of
/// a [`ContextPool`](crate::ContextPool) do. Each worker asks its own engine for the cores, and whether
/// there is a GPU: this process may have another engine, or none, and asking would start drivers in it.
/// [`Worker::config`] has what came of it.
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
        let models = Some(options.size);
        Self::with_factory(options, move |watch| {
            Worker::start_for(models, &command, &config, &worker, watch)
        })
    }
}
