//! The pool of models in this process.

use super::{Pool, PoolOptions};
use crate::{
    Context, Device, Engine, LoraApplyMode, ModelConfig, Result, Watch, memory::PartDevices,
};
use std::ops::ControlFlow;

/// A pool of [`Context`]s of one configuration, in this process.
///
/// The opening of a context is not left half-way: an operation that is cancelled meanwhile, or whose
/// time passes, ends when the context is open, later than it should, and the context stays in the
/// pool for the next.
///
/// Where the engine computes on the CPU, and the configuration leaves it open:
///
/// - The processor is shared out: [`ModelConfig::threads`] is the physical cores divided by
///   [`PoolOptions::size`]. More threads than cores draw no faster, as they wait for each other; and
///   many times slower on systems other than Linux, where the engine's threads do so by spinning.
/// - Weights are mapped from the files, so that all contexts share them: [`ModelConfig::mmap`] is
///   on. Only tensors whose type is not converted are mapped. [`LoraApplyMode::Auto`] then adds
///   LoRAs at run time, which leaves the shared weights alone; where they are to be merged (the mode
///   `Immediately`, and Wan's second model, whose LoRAs only count merged), mapping stays off.
pub type ContextPool = Pool<Context>;

impl Pool<Context> {
    /// A pool on the engine of [`Engine::auto`], with [`PoolOptions::default`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn new(config: ModelConfig) -> Result<Self> {
        Self::open(&Engine::auto()?, config, PoolOptions::default())
    }

    /// A pool on `engine`. The configuration is checked now; contexts are opened when they are
    /// first needed.
    ///
    /// ```no_run
    /// use sdcpp::{ContextPool, Engine, ModelConfig, PoolOptions, Settings};
    ///
    /// # fn main() -> sdcpp::Result<()> {
    /// let options = PoolOptions::from(&Settings::from_env()?).queue_limit(10);
    /// let config = ModelConfig::new("sd15.safetensors");
    /// let pool = ContextPool::open(&Engine::auto()?, config, options)?;
    /// # drop(pool);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`PoolOptions::check`] and of [`ModelConfig::check`].
    pub fn open(engine: &Engine, config: ModelConfig, options: PoolOptions) -> Result<Self> {
        options.check()?;
        if engine.mock {
            config.check_values()?;
        } else {
            config.check()?;
        }
        let config = shared_out(engine, config, options.size)?;
        let engine = engine.clone();
        Self::with_factory(options, move |watch| open_whole(&engine, &config, watch))
    }
}

/// Opens a context, always to the end: one that has come open is worth keeping for the next, whoever
/// does not want it any more.
fn open_whole(engine: &Engine, config: &ModelConfig, mut watch: Watch<'_>) -> Result<Context> {
    let told = Watch::new().on_progress(move |progress| {
        // `Break` has cancelled the operation already, which ends after this.
        let _ = watch.tell(progress);
        ControlFlow::Continue(())
    });
    Context::open(engine, config, told)
}

/// The configuration of each of `size` models side by side on `engine`, as [`ContextPool`] says.
pub(crate) fn shared_out(engine: &Engine, config: ModelConfig, size: usize) -> Result<ModelConfig> {
    Ok(share_of(config, size, engine.physical_cores(), &engine.devices()?))
}

fn share_of(mut config: ModelConfig, size: usize, cores: u32, devices: &[Device]) -> ModelConfig {
    if !PartDevices::of(&config, devices).all_on_processor() {
        return config;
    }
    let size = u32::try_from(size).unwrap_or(u32::MAX).max(1);
    config.threads = config.threads.or(Some((cores / size).max(1)));
    let merges = config.lora_apply_mode == LoraApplyMode::Immediately
        || config.high_noise_diffusion_model.is_some();
    if !merges {
        config.mmap = config.mmap.or(Some(true));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CancelToken, Error, mock};
    use std::time::Duration;

    #[test]
    fn weights_are_mapped_unless_that_changes_something() {
        let mapped = |config| share_of(config, 2, 4, &[Device::cpu()]).mmap;
        let config = || ModelConfig::new("any");
        assert_eq!(mapped(config()), Some(true));
        assert_eq!(mapped(config().backend("cpu")), Some(true));
        assert_eq!(mapped(config().mmap(false)), Some(false));
        assert_eq!(mapped(config().lora_apply_mode(LoraApplyMode::Immediately)), None);
        assert_eq!(mapped(config().high_noise_diffusion_model("high")), None);
    }

    #[test]
    fn an_opening_comes_to_its_end() {
        let (engine, config) = (mock::engine(), ModelConfig::new("any"));
        let token = CancelToken::new();
        token.cancel();
        let stopped = || Watch::new().cancel_with(token.clone()).time_limit(Duration::ZERO);
        assert!(matches!(Context::open(&engine, &config, stopped()), Err(Error::Cancelled { .. })));
        assert!(open_whole(&engine, &config, stopped()).is_ok());
    }

    #[test]
    fn the_processor_is_shared_out() {
        // The mock's processor has one core.
        let config = ModelConfig::new("any");
        let pool = ContextPool::open(&mock::engine(), config.clone(), PoolOptions::default());
        let context = pool.unwrap().acquire(Duration::from_secs(60)).unwrap();
        assert_eq!(context.config().threads, Some(1));
        let threads = |config: &ModelConfig, size| {
            share_of(config.clone(), size, 8, &[Device::cpu()]).threads
        };
        assert_eq!(threads(&config, 1), Some(8));
        assert_eq!(threads(&config, 3), Some(2));
        assert_eq!(threads(&config, 1024), Some(1));
        assert_eq!(threads(&config.clone().threads(3), 2), Some(3));
        let both = [Device::cpu(), Device::cuda()];
        let beside_gpu = |config: ModelConfig| {
            let share = share_of(config, 2, 8, &both);
            (share.threads, share.mmap)
        };
        assert_eq!(beside_gpu(config.clone()), (None, None));
        assert_eq!(beside_gpu(config.clone().backend("cpu,vae=cuda0")), (None, None));
        for all in ["CPU ", "all=cpu", "diffusion=cpu,te=cpu,vae=cpu"] {
            assert_eq!(beside_gpu(config.clone().backend(all)), (Some(4), Some(true)), "{all}");
        }
    }

    #[test]
    fn a_bad_configuration_is_an_error_at_once() {
        #[cfg(feature = "static")]
        {
            let none = ContextPool::new(ModelConfig::new("no such file")).unwrap_err();
            assert!(matches!(none, crate::Error::FileNotFound { .. }), "{none:?}");
        }
        let config = ModelConfig::new("any").threads(0);
        let bad = ContextPool::open(&mock::engine(), config, PoolOptions::default()).unwrap_err();
        assert!(bad.to_string().starts_with("threads is 0"), "{bad}");
        let options = PoolOptions::default().size(0);
        let bad = ContextPool::open(&mock::engine(), ModelConfig::new("any"), options).unwrap_err();
        assert!(bad.to_string().starts_with("size is 0"), "{bad}");
    }
}
