//! How large a pool is, and how patient.

use crate::{Error, Result, Settings, setters::setters, validate};
use std::time::Duration;

/// The most models a pool may have.
const MAX_SIZE: usize = 1024;
/// The most operations that may wait.
const MAX_QUEUE: usize = 65_536;
/// The longest time a limit or cool-down may be.
const MAX_TIME: Duration = Duration::from_secs(7 * 86_400);

/// How large a pool is, and how patient.
///
/// ```
/// use sdcpp::PoolOptions;
/// use std::time::Duration;
///
/// let options = PoolOptions::default().size(3).time_limit(Duration::from_secs(300));
/// # drop(options);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolOptions {
    /// Models at most, and so operations at once, 1 to 1024. Default 2.
    pub size: usize,
    /// Operations that may wait while all models are in use, 0 to 65536. Default 64. Those that go
    /// back to the queue, because no further model could be opened, come on top.
    pub queue_limit: usize,
    /// Time limit of a generation whose [`Watch`](crate::Watch) has none, waiting included; up to
    /// 7 days. Default: none.
    pub time_limit: Option<Duration>,
    /// Failures in a row after which nothing is tried for a while, 1 to 1000. Default 3.
    pub failure_limit: u32,
    /// How long nothing is tried then, up to 7 days. Default 30 seconds.
    pub cool_down: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            size: 2,
            queue_limit: 64,
            time_limit: None,
            failure_limit: 3,
            cool_down: Duration::from_secs(30),
        }
    }
}

/// `SD_MAX_CONCURRENT` is the size, `SD_TIMEOUT_SECONDS` the time limit.
impl From<&Settings> for PoolOptions {
    fn from(settings: &Settings) -> Self {
        Self { size: settings.concurrency(), time_limit: settings.time_limit(), ..Self::default() }
    }
}

impl PoolOptions {
    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the field, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        validate::range("size", self.size, 1..=MAX_SIZE)?;
        validate::range("queue_limit", self.queue_limit, 0..=MAX_QUEUE)?;
        validate::range("failure_limit", self.failure_limit, 1..=1000)?;
        let time = |field, value: Duration, least: Duration| {
            let allowed = format!("{least:?} to {MAX_TIME:?}");
            let fits = (least..=MAX_TIME).contains(&value);
            if fits { Ok(()) } else { Err(Error::invalid(field, format!("{value:?}"), allowed)) }
        };
        time("cool_down", self.cool_down, Duration::ZERO)?;
        self.time_limit.map_or(Ok(()), |limit| time("time_limit", limit, Duration::from_nanos(1)))
    }
}

setters! {
    PoolOptions {
        plain size: usize;
        plain queue_limit: usize;
        some time_limit: Duration;
        plain failure_limit: u32;
        plain cool_down: Duration;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let new = PoolOptions::default;
        assert!(new().check().is_ok());
        for (options, text) in [
            (new().size(0), "size is 0; allowed: 1..=1024"),
            (new().size(1025), "size is 1025"),
            (new().queue_limit(65_537), "queue_limit is 65537; allowed: 0..=65536"),
            (new().failure_limit(0), "failure_limit is 0; allowed: 1..=1000"),
            (new().cool_down(Duration::MAX), "cool_down is 18446744073709551615"),
            (new().time_limit(Duration::ZERO), "time_limit is 0ns; allowed: 1ns to 604800s"),
        ] {
            let error = options.check().unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
        }
    }

    #[test]
    fn the_environment_sets_size_and_limit() {
        let settings = Settings {
            max_concurrent: Some(5),
            timeout: Some(Duration::from_secs(9)),
            ..Settings::default()
        };
        let options = PoolOptions::from(&settings);
        assert_eq!((options.size, options.time_limit), (5, Some(Duration::from_secs(9))));
        let unlimited = Settings { timeout: Some(Duration::ZERO), ..Settings::default() };
        assert_eq!(PoolOptions::from(&unlimited).time_limit, None);
    }
}
