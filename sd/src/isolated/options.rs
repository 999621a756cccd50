//! How a worker is kept.

use crate::{Error, Result, setters::setters};
use std::time::Duration;

/// How long a host waits for its worker, and what the worker may use.
///
/// ```
/// use sdcpp::isolated::WorkerOptions;
/// use std::time::Duration;
///
/// let options = WorkerOptions::default()
///     .memory_limit(8 << 30)
///     .grace(Duration::from_secs(1));
/// # drop(options);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// How long a program may take to greet as a worker, whatever it sends before, and before the
    /// model is opened; more than 0.
    /// Default: 10 s.
    pub start_timeout: Duration,
    /// How long a worker may take to stop when an operation is cancelled or its time limit passes;
    /// then it is killed. 0 kills at once, [`Duration::MAX`] never. Default: 5 s.
    pub grace: Duration,
    /// How long a worker may be silent during an operation before it is killed. It sends a sign of
    /// life each second, whatever the engine does: an engine that hangs is ended by a time limit, a
    /// worker that is stopped or swapped out by this. A pause of the host counts as 1 s at most. At
    /// least 2 s. Default: 10 s.
    pub heartbeat_timeout: Duration,
    /// Bytes of memory that the worker may have, at least 256 MiB; Linux only. Default: no limit.
    ///
    /// The limit is `RLIMIT_DATA`, set by the worker before it opens the model. It counts all that
    /// the process could write to: the heap, weights (read or mapped: the engine maps them for
    /// writing), and 64 MiB of stack for the engine's thread, 8 MiB for each of its helpers. It does
    /// not count the program's code, nor what drivers and allocators only reserve, nor the memory of
    /// a graphics card.
    pub memory_limit: Option<u64>,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            heartbeat_timeout: Duration::from_secs(10),
            memory_limit: None,
        }
    }
}

setters! {
    WorkerOptions {
        plain start_timeout: Duration;
        plain grace: Duration;
        plain heartbeat_timeout: Duration;
        some memory_limit: u64;
    }
}

impl WorkerOptions {
    /// The least [`memory_limit`](Self::memory_limit). The smallest models need more: of the engine's
    /// own tables each part of a model takes about 140 MiB, whatever its size.
    pub const LEAST_MEMORY: u64 = 256 << 20;

    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the field, its value and what is allowed;
    /// [`Error::Unsupported`] for a memory limit on a system without.
    pub fn check(&self) -> Result<()> {
        let show = |time: Duration| format!("{time:?}");
        if self.start_timeout.is_zero() {
            return Err(Error::invalid("start_timeout", show(self.start_timeout), "more than 0"));
        }
        if self.heartbeat_timeout < Duration::from_secs(2) {
            let value = show(self.heartbeat_timeout);
            return Err(Error::invalid("heartbeat_timeout", value, "at least 2 s"));
        }
        let Some(limit) = self.memory_limit else { return Ok(()) };
        if limit < Self::LEAST_MEMORY {
            let allowed = format!("at least {} bytes", Self::LEAST_MEMORY);
            return Err(Error::invalid("memory_limit", limit, allowed));
        }
        if cfg!(not(target_os = "linux")) {
            return Err(Error::Unsupported {
                what: "memory_limit".to_owned(),
                reason: "only Linux keeps such a limit".to_owned(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_checked_by_name() {
        let new = WorkerOptions::default;
        assert!(new().check().is_ok());
        assert!(new().grace(Duration::ZERO).heartbeat_timeout(Duration::MAX).check().is_ok());
        for (options, start) in [
            (new().start_timeout(Duration::ZERO), "start_timeout is 0ns; allowed: more than 0"),
            (new().heartbeat_timeout(Duration::from_secs(1)), "heartbeat_timeout is 1s"),
            (new().memory_limit(1 << 20), "memory_limit is 1048576; allowed: at least 268435456"),
        ] {
            let text = options.check().unwrap_err().to_string();
            assert!(text.starts_with(start), "{text:?} should start with {start:?}");
        }
    }
}
