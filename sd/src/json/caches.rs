//! [`StepCache`] as an object whose key `mode` says which.

use super::{Object, object};
use crate::{DbCache, EasyCache, Spectrum, StepCache, TaylorSeer, UCache};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{Map, Value};
use std::fmt;

object! {
    EasyCache = EasyCache::default();
    reuse_threshold => range(0.0_f32..=100.0);
    start => range(0.0_f32..=1.0);
    end => range(f32::MIN_POSITIVE..=1.0);
}

object! {
    UCache = UCache::default();
    reuse_threshold => range(0.0_f32..=100.0);
    start => range(0.0_f32..=1.0);
    end => range(f32::MIN_POSITIVE..=1.0);
    error_decay_rate => range(0.0_f32..=1.0);
    relative;
    reset_on_compute;
}

object! {
    DbCache = DbCache::default();
    first_blocks => range(0_u32..=1000);
    last_blocks => range(0_u32..=1000);
    residual_threshold => range(0.0_f32..=100.0);
    warmup_steps => range(0_u32..=1000);
    max_cached_steps => range(0_u32..=1000);
    max_continuous_cached_steps => range(0_u32..=1000);
    steps_mask => list(0..=crate::MAX_STEPS as usize);
    dynamic_mask;
}

object! {
    TaylorSeer = TaylorSeer::default();
    derivatives => range(1_u32..=8);
    skip_interval => range(1_u32..=1000);
}

object! {
    Spectrum = Spectrum::default();
    weight => range(0.0_f32..=1.0);
    order => range(1_u32..=6);
    lambda => range(0.0001_f32..=100.0);
    window_size => range(1_u32..=1000);
    flex_window => range(0.0_f32..=100.0);
    warmup_steps => range(0_u32..=1000);
    stop => range(0.0_f32..=1.0);
}

/// The fields of [`StepCache::CacheDit`].
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = super::schema::finish::<Self>))]
pub(super) struct CacheDit {
    /// Which blocks are skipped.
    blocks: DbCache,
    /// How skipped blocks are extrapolated.
    series: TaylorSeer,
}

object! {
    CacheDit = CacheDit::default();
    blocks;
    series;
}

/// The names of all modes.
pub(super) fn modes() -> [&'static str; 6] {
    let blocks = DbCache::default();
    [
        StepCache::EasyCache(EasyCache::default()).name(),
        StepCache::UCache(UCache::default()).name(),
        StepCache::DbCache(blocks.clone()).name(),
        StepCache::TaylorSeer(TaylorSeer::default()).name(),
        StepCache::CacheDit { blocks, series: TaylorSeer::default() }.name(),
        StepCache::Spectrum(Spectrum::default()).name(),
    ]
}

impl Serialize for StepCache {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("mode", self.name())?;
        match self {
            Self::EasyCache(cache) => cache.write_keys(&mut map)?,
            Self::UCache(cache) => cache.write_keys(&mut map)?,
            Self::DbCache(cache) => cache.write_keys(&mut map)?,
            Self::TaylorSeer(cache) => cache.write_keys(&mut map)?,
            Self::CacheDit { blocks, series } => {
                CacheDit { blocks: blocks.clone(), series: series.clone() }.write_keys(&mut map)?;
            }
            Self::Spectrum(cache) => cache.write_keys(&mut map)?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for StepCache {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Cache)
    }
}

struct Cache;

impl<'de> Visitor<'de> for Cache {
    type Value = StepCache;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the key mode, one of {}", modes().join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StepCache, A::Error> {
        // The mode need not come first.
        let mut rest = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if rest.contains_key(&key) {
                return Err(de::Error::custom(format!("the key `{key}` is there twice")));
            }
            rest.insert(key, map.next_value()?);
        }
        let Some(mode) = rest.remove("mode") else {
            let modes = modes().join(", ");
            return Err(de::Error::custom(format!("the key `mode` is missing, one of {modes}")));
        };
        let cache = match mode.as_str() {
            Some("easycache") => of(rest).map(StepCache::EasyCache),
            Some("ucache") => of(rest).map(StepCache::UCache),
            Some("dbcache") => of(rest).map(StepCache::DbCache),
            Some("taylorseer") => of(rest).map(StepCache::TaylorSeer),
            Some("cache-dit") => {
                of(rest).map(|CacheDit { blocks, series }| StepCache::CacheDit { blocks, series })
            }
            Some("spectrum") => of(rest).map(StepCache::Spectrum),
            _ => {
                let modes = modes().join(", ");
                return Err(super::named(
                    "mode",
                    de::Error::custom(format!("{mode} is none of {modes}")),
                ));
            }
        };
        cache.map_err(de::Error::custom)
    }
}

fn of<T: de::DeserializeOwned>(rest: Map<String, Value>) -> serde_json::Result<T> {
    T::deserialize(Value::Object(rest))
}
