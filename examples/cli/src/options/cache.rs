//! Caches that skip work in steps which change little.

use crate::values::{Pairs, invalid};
use clap::{Args, ValueEnum};
use sdcpp::{DbCache, EasyCache, Error, Spectrum, StepCache, TaylorSeer, UCache};

/// A step cache.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Step cache")]
pub(crate) struct CacheOptions {
    /// Skip work in steps that change little
    #[arg(long, value_enum, value_name = "MODE")]
    cache_mode: Option<CacheMode>,
    /// Its settings, as "threshold=0.25,start=0.1". easycache, ucache: threshold, start, end; ucache
    /// also decay, relative, reset; dbcache, cache-dit: Fn, Bn, threshold, warmup, max,
    /// continuous; taylorseer, cache-dit: order, interval; spectrum: w, m, lam, window, flex,
    /// warmup, stop
    #[arg(long, requires = "cache_mode", value_name = "KEY=VALUE,…")]
    cache_option: Option<String>,
    /// dbcache, cache-dit: which steps are computed whole (1) and may be cached (0), as "1,1,0,0,1"
    #[arg(long, requires = "cache_mode", value_name = "LIST")]
    scm_mask: Option<String>,
    /// Whether a step the mask would cache is computed when it changed too much (dynamic) or not
    #[arg(long, requires = "scm_mask", value_enum, value_name = "POLICY")]
    scm_policy: Option<ScmPolicy>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum CacheMode {
    /// No cache
    Disabled,
    /// Whole steps, transformers
    Easycache,
    /// Whole steps, UNets
    Ucache,
    /// Middle blocks, transformers
    Dbcache,
    /// Extrapolation, transformers
    Taylorseer,
    /// dbcache and taylorseer
    CacheDit,
    /// Forecast, both kinds
    Spectrum,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum ScmPolicy {
    Dynamic,
    Static,
}

const OPTION: &str = "cache-option";

impl CacheOptions {
    /// Sets the cache, if one is asked for.
    pub(crate) fn apply(&self, cache: &mut Option<StepCache>) -> Result<(), Error> {
        let Some(mode) = self.cache_mode else { return Ok(()) };
        let mut pairs = Pairs::parse(OPTION, self.cache_option.as_deref().unwrap_or_default())?;
        let mask = self.mask()?;
        if !mask.is_empty() && !matches!(mode, CacheMode::Dbcache | CacheMode::CacheDit) {
            return Err(invalid("scm-mask", "set", "with the cache mode dbcache or cache-dit"));
        }
        *cache = match mode {
            CacheMode::Disabled => None,
            CacheMode::Easycache => Some(StepCache::EasyCache(easy(&mut pairs)?)),
            CacheMode::Ucache => Some(StepCache::UCache(u_cache(&mut pairs)?)),
            CacheMode::Dbcache => Some(StepCache::DbCache(self.blocks(&mut pairs, mask)?)),
            CacheMode::Taylorseer => Some(StepCache::TaylorSeer(series(&mut pairs)?)),
            CacheMode::CacheDit => Some(StepCache::CacheDit {
                blocks: self.blocks(&mut pairs, mask)?,
                series: series(&mut pairs)?,
            }),
            CacheMode::Spectrum => Some(StepCache::Spectrum(spectrum(&mut pairs)?)),
        };
        pairs.finish()
    }

    fn mask(&self) -> Result<Vec<bool>, Error> {
        let text = self.scm_mask.as_deref().unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| match part {
                "1" => Ok(true),
                "0" => Ok(false),
                other => Err(invalid("scm-mask", other, "0 and 1, separated by commas")),
            })
            .collect()
    }

    fn blocks(&self, pairs: &mut Pairs, mask: Vec<bool>) -> Result<DbCache, Error> {
        let mut cache = DbCache::default();
        pairs.take("Fn", &mut cache.first_blocks)?;
        pairs.take("fn", &mut cache.first_blocks)?;
        pairs.take("Bn", &mut cache.last_blocks)?;
        pairs.take("bn", &mut cache.last_blocks)?;
        pairs.take("threshold", &mut cache.residual_threshold)?;
        pairs.take("warmup", &mut cache.warmup_steps)?;
        let (mut max, mut continuous) = (u32::MAX, u32::MAX);
        pairs.take("max", &mut max)?;
        pairs.take("continuous", &mut continuous)?;
        cache.max_cached_steps = Some(max).filter(|max| *max != u32::MAX);
        cache.max_continuous_cached_steps = Some(continuous).filter(|max| *max != u32::MAX);
        cache.steps_mask = mask;
        cache.dynamic_mask = self.scm_policy != Some(ScmPolicy::Static);
        Ok(cache)
    }
}

fn easy(pairs: &mut Pairs) -> Result<EasyCache, Error> {
    let mut cache = EasyCache::default();
    pairs.take("threshold", &mut cache.reuse_threshold)?;
    pairs.take("start", &mut cache.start)?;
    pairs.take("end", &mut cache.end)?;
    Ok(cache)
}

fn u_cache(pairs: &mut Pairs) -> Result<UCache, Error> {
    let mut cache = UCache::default();
    pairs.take("threshold", &mut cache.reuse_threshold)?;
    pairs.take("start", &mut cache.start)?;
    pairs.take("end", &mut cache.end)?;
    pairs.take("decay", &mut cache.error_decay_rate)?;
    pairs.take_flag("relative", &mut cache.relative)?;
    pairs.take_flag("reset", &mut cache.reset_on_compute)?;
    Ok(cache)
}

fn series(pairs: &mut Pairs) -> Result<TaylorSeer, Error> {
    let mut cache = TaylorSeer::default();
    pairs.take("order", &mut cache.derivatives)?;
    pairs.take("interval", &mut cache.skip_interval)?;
    Ok(cache)
}

fn spectrum(pairs: &mut Pairs) -> Result<Spectrum, Error> {
    let mut cache = Spectrum::default();
    pairs.take("w", &mut cache.weight)?;
    pairs.take("m", &mut cache.order)?;
    pairs.take("lam", &mut cache.lambda)?;
    pairs.take("window", &mut cache.window_size)?;
    pairs.take("flex", &mut cache.flex_window)?;
    pairs.take("warmup", &mut cache.warmup_steps)?;
    pairs.take("stop", &mut cache.stop)?;
    Ok(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(mode: CacheMode, option: &str) -> Result<Option<StepCache>, Error> {
        let options = CacheOptions {
            cache_mode: Some(mode),
            cache_option: Some(option.to_owned()),
            ..CacheOptions::default()
        };
        let mut cache = None;
        options.apply(&mut cache).map(|()| cache)
    }

    #[test]
    fn upstreams_keys_set_each_cache() {
        assert_eq!(
            cache(CacheMode::Easycache, "threshold=0.3,start=0.1,end=0.9").unwrap(),
            Some(StepCache::EasyCache(
                EasyCache::default().reuse_threshold(0.3).start(0.1).end(0.9)
            ))
        );
        assert_eq!(
            cache(CacheMode::Ucache, "threshold=1.5,reset=0,relative=0,decay=0.5").unwrap(),
            Some(StepCache::UCache(
                UCache::default()
                    .reuse_threshold(1.5)
                    .reset_on_compute(false)
                    .relative(false)
                    .error_decay_rate(0.5)
            ))
        );
        assert_eq!(
            cache(CacheMode::CacheDit, "Fn=4,Bn=2,threshold=0.1,warmup=3,max=9,order=2").unwrap(),
            Some(StepCache::CacheDit {
                blocks: DbCache::default()
                    .first_blocks(4)
                    .last_blocks(2)
                    .residual_threshold(0.1)
                    .warmup_steps(3)
                    .max_cached_steps(9),
                series: TaylorSeer::default().derivatives(2),
            })
        );
        assert_eq!(
            cache(CacheMode::Spectrum, "w=0.5,m=4,lam=2,window=3,flex=0.1,warmup=5,stop=0.8")
                .unwrap(),
            Some(StepCache::Spectrum(
                Spectrum::default()
                    .weight(0.5)
                    .order(4)
                    .lambda(2.0)
                    .window_size(3)
                    .flex_window(0.1)
                    .warmup_steps(5)
                    .stop(0.8)
            ))
        );
        assert_eq!(cache(CacheMode::Disabled, "").unwrap(), None);
    }

    #[test]
    fn keys_of_other_caches_are_mistakes() {
        let error = cache(CacheMode::Easycache, "decay=1").unwrap_err().to_string();
        assert_eq!(error, "cache-option is decay; allowed: threshold, start, end");
        let masked = CacheOptions {
            cache_mode: Some(CacheMode::Easycache),
            scm_mask: Some("1,0".into()),
            ..CacheOptions::default()
        };
        assert!(masked.apply(&mut None).unwrap_err().to_string().contains("dbcache"));
    }

    #[test]
    fn masks_are_for_block_caches() {
        let options = CacheOptions {
            cache_mode: Some(CacheMode::Dbcache),
            scm_mask: Some("1, 0,1".into()),
            scm_policy: Some(ScmPolicy::Static),
            ..CacheOptions::default()
        };
        let mut cache = None;
        options.apply(&mut cache).unwrap();
        let blocks = DbCache::default().steps_mask(vec![true, false, true]).dynamic_mask(false);
        assert_eq!(cache, Some(StepCache::DbCache(blocks)));
    }
}
