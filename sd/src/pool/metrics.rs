//! What a pool has done so far.

use super::breaker::BreakerState;
use crate::{Error, Timings};
use std::time::Duration;

/// What a pool is doing, and what it has done since it was made.
///
/// Generations are what [`submit`](crate::Pool::submit), [`generate`](crate::Pool::generate) and
/// their like were asked for and took on: `submitted` is the sum of `done`, `failed`, `cancelled`,
/// `timed_out` and those that still wait or run. Operations on a [`Lease`](crate::Lease) are not
/// known to the pool, and counted in `granted` and the waits only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PoolMetrics {
    /// Models at most.
    pub size: usize,
    /// Operations that wait now.
    pub queued: usize,
    /// Models in use now, those that are being opened included.
    pub in_use: usize,
    /// Models that are open and free now.
    pub idle: usize,
    /// Whether operations are let through now.
    pub breaker: BreakerState,
    /// Operations that got a model, or the right to open one.
    pub granted: u64,
    /// How long they waited for it, in all.
    pub waited: Duration,
    /// The longest of these waits.
    pub longest_wait: Duration,
    /// Models opened.
    pub opened: u64,
    /// Models dropped because they could not be used again.
    pub replaced: u64,
    /// Models that could not be opened, loaded or used again, further ones beside others included.
    pub failures: u64,
    /// Generations taken on.
    pub submitted: u64,
    /// Generations that came to their end.
    pub done: u64,
    /// Generations that failed.
    pub failed: u64,
    /// Generations cancelled by the caller, or ended by shutting down.
    pub cancelled: u64,
    /// Generations whose time limit passed, waiting or running.
    pub timed_out: u64,
    /// Operations refused because too many waited.
    pub refused_queue_full: u64,
    /// Operations refused, or sent away from the queue, after too many failures in a row.
    pub refused_circuit_open: u64,
    /// [`acquire`](crate::Pool::acquire)s that ended for lack of time.
    pub acquire_timeouts: u64,
    /// How long the phases of the generations that are done took, summed up.
    pub timings: Timings,
}

/// How a generation ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Done(Timings),
    Failed,
    Cancelled,
    TimedOut,
}

impl From<&Error> for Ending {
    fn from(error: &Error) -> Self {
        match error {
            Error::Cancelled { .. } | Error::ShutDown => Self::Cancelled,
            Error::DeadlineExceeded { .. } => Self::TimedOut,
            _ => Self::Failed,
        }
    }
}

impl PoolMetrics {
    pub(super) fn count_wait(&mut self, waited: Duration) {
        self.granted += 1;
        self.waited = self.waited.saturating_add(waited);
        self.longest_wait = self.longest_wait.max(waited);
    }

    pub(super) fn count_ending(&mut self, ending: Ending) {
        match ending {
            Ending::Done(timings) => {
                self.done += 1;
                self.timings += timings;
            }
            Ending::Failed => self.failed += 1,
            Ending::Cancelled => self.cancelled += 1,
            Ending::TimedOut => self.timed_out += 1,
        }
    }

    /// What was refused, of any kind.
    pub(super) fn count_refusal(&mut self, error: &Error) {
        match error {
            Error::QueueFull { .. } => self.refused_queue_full += 1,
            Error::CircuitOpen { .. } => self.refused_circuit_open += 1,
            Error::AcquireTimeout { .. } => self.acquire_timeouts += 1,
            _ => {}
        }
    }
}
