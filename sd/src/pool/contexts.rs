//! The pool of models in this process.

use super::{Pool, PoolOptions};
use crate::{Context, DeviceKind, Engine, LoraApplyMode, ModelConfig, Result};

/// A pool of [`Context`]s of one configuration, in this process.
///
/// Where the weights stay on the CPU they are mapped from the files, so that all contexts share
/// them: [`ModelConfig::mmap`] is on unless it was set, a GPU is there, or LoRAs are to be merged
/// into the weights (`lora_apply_mode` `Immediately`, and Wan's second model, whose LoRAs only count
/// merged). Only tensors whose type is not converted are mapped. With mapped weights
/// [`LoraApplyMode::Auto`] adds LoRAs at run time, which leaves the shared weights alone.
pub type ContextPool = Pool<Context>;

impl Pool<Context> {
    /// A pool on the engine linked into this program, with [`PoolOptions::default`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn new(config: ModelConfig) -> Result<Self> {
        Self::open(&Engine::linked()?, config, PoolOptions::default())
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
    /// let pool = ContextPool::open(&Engine::linked()?, config, options)?;
    /// # drop(pool);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`PoolOptions::check`] and of [`ModelConfig::check`].
    pub fn open(engine: &Engine, mut config: ModelConfig, options: PoolOptions) -> Result<Self> {
        if engine.mock {
            config.check_values()?;
        } else {
            config.check()?;
        }
        if maps_by_default(&config, || has_gpu(engine))? {
            config.mmap = Some(true);
        }
        let engine = engine.clone();
        Self::with_factory(options, move |watch| Context::open(&engine, &config, watch))
    }
}

/// Whether mapping weights is for the better, and changes nothing else.
pub(crate) fn maps_by_default(
    config: &ModelConfig,
    has_gpu: impl FnOnce() -> Result<bool>,
) -> Result<bool> {
    let merges = config.lora_apply_mode == LoraApplyMode::Immediately
        || config.high_noise_diffusion_model.is_some();
    if config.mmap.is_some() || merges {
        return Ok(false);
    }
    let chosen = config.backend.as_deref().map(str::trim);
    if chosen.is_some_and(|backend| backend.eq_ignore_ascii_case("cpu")) {
        return Ok(true);
    }
    Ok(!has_gpu()?)
}

fn has_gpu(engine: &Engine) -> Result<bool> {
    let is_gpu = |kind| matches!(kind, DeviceKind::Gpu | DeviceKind::IntegratedGpu);
    Ok(engine.devices()?.iter().any(|device| is_gpu(device.kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, mock};
    use std::time::Duration;

    fn mapped(config: ModelConfig) -> Option<bool> {
        let pool = ContextPool::open(&mock::engine(), config, PoolOptions::default()).unwrap();
        let context = pool.acquire(Duration::from_secs(60)).unwrap();
        context.config().mmap
    }

    #[test]
    fn weights_are_mapped_unless_that_changes_something() {
        let config = || ModelConfig::new("any");
        assert_eq!(mapped(config()), Some(true));
        assert_eq!(mapped(config().backend("cpu")), Some(true));
        assert_eq!(mapped(config().mmap(false)), Some(false));
        assert_eq!(mapped(config().lora_apply_mode(LoraApplyMode::Immediately)), None);
        assert_eq!(mapped(config().high_noise_diffusion_model("high")), None);
    }

    #[test]
    fn a_bad_configuration_is_an_error_at_once() {
        let none = ContextPool::new(ModelConfig::new("no such file")).unwrap_err();
        assert!(matches!(none, Error::FileNotFound { .. }), "{none:?}");
        let config = ModelConfig::new("any").threads(0);
        let bad = ContextPool::open(&mock::engine(), config, PoolOptions::default()).unwrap_err();
        assert!(bad.to_string().starts_with("threads is 0"), "{bad}");
        let options = PoolOptions::default().size(0);
        let bad = ContextPool::open(&mock::engine(), ModelConfig::new("any"), options).unwrap_err();
        assert!(bad.to_string().starts_with("size is 0"), "{bad}");
    }
}
