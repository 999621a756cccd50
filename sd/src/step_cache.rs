//! Caches that skip work in sampling steps which change little.

use crate::{Error, Result, setters::setters, validate};

/// Reuses results of earlier steps where little changes: faster, at some cost in detail. Off unless
/// set.
///
/// [`EasyCache`](Self::EasyCache), [`DbCache`](Self::DbCache), [`TaylorSeer`](Self::TaylorSeer) and
/// [`CacheDit`](Self::CacheDit) are for transformers, [`UCache`](Self::UCache) for UNets,
/// [`Spectrum`](Self::Spectrum) for both; a cache that does not fit the model is an error.
///
/// ```
/// use sdcpp::{EasyCache, ImageRequest, StepCache};
///
/// let request = ImageRequest::new("a harbour")
///     .step_cache(StepCache::EasyCache(EasyCache::default().reuse_threshold(0.1)));
/// # drop(request);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StepCache {
    /// Skips whole steps of a transformer while the estimated change stays small.
    EasyCache(EasyCache),
    /// Skips whole steps of a UNet while the estimated change stays small.
    UCache(UCache),
    /// Made to skip the middle blocks of a transformer while its first blocks change little. The
    /// engine at the pin skips the whole step while its input changes little.
    DbCache(DbCache),
    /// Made to extrapolate skipped steps of a transformer by a Taylor series. The engine at the pin
    /// makes the series and does not use it: it draws as [`DbCache`](Self::DbCache) with its
    /// defaults.
    TaylorSeer(TaylorSeer),
    /// [`DbCache`](Self::DbCache) with [`TaylorSeer`](Self::TaylorSeer) for what it skips; at the pin
    /// it draws as the first alone.
    CacheDit {
        /// Which blocks are skipped.
        blocks: DbCache,
        /// How skipped blocks are extrapolated.
        series: TaylorSeer,
    },
    /// Forecasts skipped steps from the spectrum of earlier ones.
    Spectrum(Spectrum),
}

/// Settings of [`StepCache::EasyCache`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct EasyCache {
    /// Steps are skipped until their summed change passes this, 0 to 100. Default 0.2.
    pub reuse_threshold: f32,
    /// Share of the steps before it begins, 0 to below [`end`](Self::end). Default 0.15.
    pub start: f32,
    /// Share of the steps after which it ends, above 0 to 1. Default 0.95.
    pub end: f32,
}

impl Default for EasyCache {
    fn default() -> Self {
        Self { reuse_threshold: 0.2, start: 0.15, end: 0.95 }
    }
}

/// Settings of [`StepCache::UCache`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct UCache {
    /// Steps are skipped until their summed change passes this, 0 to 100. Default 1.
    pub reuse_threshold: f32,
    /// Share of the steps before it begins, 0 to below [`end`](Self::end). Default 0.15.
    pub start: f32,
    /// Share of the steps after which it ends, above 0 to 1. Default 0.95.
    pub end: f32,
    /// What is left of the summed change at each step, 0 to 1. Default 1.
    pub error_decay_rate: f32,
    /// Measures the change relative to the output. Default: yes.
    pub relative: bool,
    /// Forgets the summed change when a step is computed. Default: yes.
    pub reset_on_compute: bool,
}

impl Default for UCache {
    fn default() -> Self {
        Self {
            reuse_threshold: 1.0,
            start: 0.15,
            end: 0.95,
            error_decay_rate: 1.0,
            relative: true,
            reset_on_compute: true,
        }
    }
}

/// Settings of [`StepCache::DbCache`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct DbCache {
    /// Blocks at the front that are always computed, 0 to 1000. At the pin, more of them only raise
    /// the threshold. Default 8.
    pub first_blocks: u32,
    /// Blocks at the back that are always computed, 0 to 1000. At the pin, more of them only lower
    /// the threshold. Default 0.
    pub last_blocks: u32,
    /// Change of the first blocks' residual (at the pin, of the input) below which results are
    /// reused, 0 to 100.
    /// Default 0.08.
    pub residual_threshold: f32,
    /// Steps at the beginning that are computed whole, 0 to 1000. Default 8.
    /// The engine at the pin reads it and makes nothing of it.
    pub warmup_steps: u32,
    /// The most steps that may be cached, 0 to 1000. Default: no limit.
    /// The engine at the pin reads it and makes nothing of it.
    pub max_cached_steps: Option<u32>,
    /// The most steps in a row that may be cached, 0 to 1000. Default: no limit.
    /// The engine at the pin reads it and makes nothing of it.
    pub max_continuous_cached_steps: Option<u32>,
    /// Which steps are computed whole; empty: as the residual says. Steps past its end are computed.
    /// At most [`MAX_STEPS`](crate::MAX_STEPS). Default: empty.
    /// The engine at the pin reads it and makes nothing of it.
    pub steps_mask: Vec<bool>,
    /// Whether a step that the mask would cache is computed all the same when the residual changed
    /// too much. Default: yes.
    /// The engine at the pin reads it and makes nothing of it.
    pub dynamic_mask: bool,
}

impl Default for DbCache {
    fn default() -> Self {
        Self {
            first_blocks: 8,
            last_blocks: 0,
            residual_threshold: 0.08,
            warmup_steps: 8,
            max_cached_steps: None,
            max_continuous_cached_steps: None,
            steps_mask: Vec::new(),
            dynamic_mask: true,
        }
    }
}

/// Settings of [`StepCache::TaylorSeer`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct TaylorSeer {
    /// Order of the series, 1 to 8. Default 1. The engine at the pin makes nothing of it.
    pub derivatives: u32,
    /// Steps between computed ones, 1 to 1000. Default 1. The engine at the pin makes nothing of it.
    pub skip_interval: u32,
}

impl Default for TaylorSeer {
    fn default() -> Self {
        Self { derivatives: 1, skip_interval: 1 }
    }
}

/// Settings of [`StepCache::Spectrum`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct Spectrum {
    /// Share of the forecast that comes from the spectrum, the rest from the last step, 0 to 1.
    /// Default 0.4.
    pub weight: f32,
    /// Order of the polynomials, 1 to 6. Default 3.
    pub order: u32,
    /// Regularisation of the fit, 0.0001 to 100. Default 1.
    pub lambda: f32,
    /// Steps from one computed step to the next, 1 to 1000. Default 2.
    pub window_size: u32,
    /// By how much the window grows each time, 0 to 100. Default 0.5.
    pub flex_window: f32,
    /// Steps at the beginning that are computed, 0 to 1000. Default 4.
    pub warmup_steps: u32,
    /// Share of the steps after which all are computed, 0 to 1. Default 0.9.
    pub stop: f32,
}

impl Default for Spectrum {
    fn default() -> Self {
        Self {
            weight: 0.4,
            order: 3,
            lambda: 1.0,
            window_size: 2,
            flex_window: 0.5,
            warmup_steps: 4,
            stop: 0.9,
        }
    }
}

setters! {
    EasyCache {
        plain reuse_threshold: f32;
        plain start: f32;
        plain end: f32;
    }
}
setters! {
    UCache {
        plain reuse_threshold: f32;
        plain start: f32;
        plain end: f32;
        plain error_decay_rate: f32;
        plain relative: bool;
        plain reset_on_compute: bool;
    }
}
setters! {
    DbCache {
        plain first_blocks: u32;
        plain last_blocks: u32;
        plain residual_threshold: f32;
        plain warmup_steps: u32;
        some max_cached_steps: u32;
        some max_continuous_cached_steps: u32;
        into steps_mask: Vec<bool>;
        plain dynamic_mask: bool;
    }
}
setters! {
    TaylorSeer {
        plain derivatives: u32;
        plain skip_interval: u32;
    }
}
setters! {
    Spectrum {
        plain weight: f32;
        plain order: u32;
        plain lambda: f32;
        plain window_size: u32;
        plain flex_window: f32;
        plain warmup_steps: u32;
        plain stop: f32;
    }
}

impl StepCache {
    /// The engine's name of the mode.
    pub fn name(&self) -> &'static str {
        match self {
            Self::EasyCache(_) => "easycache",
            Self::UCache(_) => "ucache",
            Self::DbCache(_) => "dbcache",
            Self::TaylorSeer(_) => "taylorseer",
            Self::CacheDit { .. } => "cache-dit",
            Self::Spectrum(_) => "spectrum",
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::EasyCache(cache) => check_easy(cache.reuse_threshold, cache.start, cache.end),
            Self::UCache(cache) => {
                check_easy(cache.reuse_threshold, cache.start, cache.end)?;
                validate::range("step_cache.error_decay_rate", cache.error_decay_rate, 0.0..=1.0)
            }
            Self::DbCache(cache) => cache.check(),
            Self::TaylorSeer(cache) => cache.check(),
            Self::CacheDit { blocks, series } => {
                blocks.check()?;
                series.check()
            }
            Self::Spectrum(cache) => cache.check(),
        }
    }

    /// Whether it works with this kind of model; the engine would only warn.
    pub(crate) fn check_model(&self, transformer: bool, family: &str) -> Result<()> {
        let made_for = match self {
            Self::UCache(_) if transformer => "UNets (SD 1.x, SD 2.x, SDXL)",
            Self::EasyCache(_) | Self::DbCache(_) | Self::TaylorSeer(_) | Self::CacheDit { .. }
                if !transformer =>
            {
                "transformers (SD3, FLUX, Z-Image…)"
            }
            _ => return Ok(()),
        };
        Err(Error::Unsupported {
            what: format!("the step cache {} with {family}", self.name()),
            reason: format!("it is made for {made_for}"),
        })
    }
}

/// The engine switches the cache off outside these.
fn check_easy(threshold: f32, start: f32, end: f32) -> Result<()> {
    validate::range("step_cache.reuse_threshold", threshold, 0.0..=100.0)?;
    validate::range("step_cache.end", end, f32::MIN_POSITIVE..=1.0)?;
    validate::range("step_cache.start", start, 0.0..=1.0)?;
    if start < end {
        Ok(())
    } else {
        Err(Error::invalid("step_cache.start", start, format!("below step_cache.end, {end}")))
    }
}

impl DbCache {
    fn check(&self) -> Result<()> {
        for (field, value) in [
            ("step_cache.first_blocks", self.first_blocks),
            ("step_cache.last_blocks", self.last_blocks),
            ("step_cache.warmup_steps", self.warmup_steps),
            ("step_cache.max_cached_steps", self.max_cached_steps.unwrap_or(0)),
            (
                "step_cache.max_continuous_cached_steps",
                self.max_continuous_cached_steps.unwrap_or(0),
            ),
        ] {
            validate::range(field, value, 0..=1000)?;
        }
        if self.steps_mask.len() > crate::MAX_STEPS as usize {
            return Err(Error::invalid(
                "step_cache.steps_mask",
                format!("a list of {}", self.steps_mask.len()),
                format!("at most {} steps", crate::MAX_STEPS),
            ));
        }
        validate::range("step_cache.residual_threshold", self.residual_threshold, 0.0..=100.0)
    }

    /// As the engine reads it: `1,0,0,1`, 1 where a step is computed.
    pub(crate) fn mask_text(&self) -> Option<String> {
        let digits: Vec<_> = self.steps_mask.iter().map(|m| if *m { "1" } else { "0" }).collect();
        (!digits.is_empty()).then(|| digits.join(","))
    }
}

impl TaylorSeer {
    fn check(&self) -> Result<()> {
        validate::range("step_cache.derivatives", self.derivatives, 1..=8)?;
        validate::range("step_cache.skip_interval", self.skip_interval, 1..=1000)
    }
}

impl Spectrum {
    fn check(&self) -> Result<()> {
        validate::range("step_cache.weight", self.weight, 0.0..=1.0)?;
        // Of higher orders the polynomials overflow after a hundred steps, and the picture is NaN.
        validate::range("step_cache.order", self.order, 1..=6)?;
        // Without any, the fit may be singular, and the picture NaN.
        validate::range("step_cache.lambda", self.lambda, 0.0001..=100.0)?;
        validate::range("step_cache.window_size", self.window_size, 1..=1000)?;
        validate::range("step_cache.flex_window", self.flex_window, 0.0..=100.0)?;
        validate::range("step_cache.warmup_steps", self.warmup_steps, 0..=1000)?;
        validate::range("step_cache.stop", self.stop, 0.0..=1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_checked_by_name() {
        use StepCache as C;
        for (cache, start) in [
            (C::EasyCache(EasyCache::default().start(0.96)), "step_cache.start is 0.96"),
            (C::EasyCache(EasyCache::default().end(0.0)), "step_cache.end is 0"),
            (C::UCache(UCache::default().error_decay_rate(2.0)), "step_cache.error_decay_rate"),
            (C::UCache(UCache::default().reuse_threshold(-1.0)), "step_cache.reuse_threshold"),
            (C::DbCache(DbCache::default().first_blocks(9999)), "step_cache.first_blocks"),
            (C::DbCache(DbCache::default().max_cached_steps(9999)), "step_cache.max_cached_steps"),
            (C::DbCache(DbCache::default().steps_mask(vec![true; 2000])), "step_cache.steps_mask"),
            (C::TaylorSeer(TaylorSeer::default().derivatives(0)), "step_cache.derivatives is 0"),
            (C::Spectrum(Spectrum::default().weight(f32::NAN)), "step_cache.weight is NaN"),
            (C::Spectrum(Spectrum::default().order(0)), "step_cache.order is 0"),
        ] {
            let text = cache.check().unwrap_err().to_string();
            assert!(text.starts_with(start), "{text:?} should start with {start:?}");
        }
        for cache in [
            C::EasyCache(EasyCache::default()),
            C::UCache(UCache::default()),
            C::CacheDit { blocks: DbCache::default(), series: TaylorSeer::default() },
            C::Spectrum(Spectrum::default()),
        ] {
            assert!(cache.check().is_ok(), "{}", cache.name());
        }
    }

    #[test]
    fn a_mask_is_written_as_the_engine_reads_it() {
        assert_eq!(DbCache::default().mask_text(), None);
        let mask = DbCache::default().steps_mask(vec![true, false, true]);
        assert_eq!(mask.mask_text().as_deref(), Some("1,0,1"));
    }
}
