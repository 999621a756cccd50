//! Stops trying for a while when the model fails again and again.

use crate::Error;
use std::time::{Duration, Instant};

/// Whether a pool lets operations through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BreakerState {
    /// All of them.
    #[default]
    Closed,
    /// None, after too many failures in a row.
    Open {
        /// How long until the next attempt.
        retry_in: Duration,
    },
    /// One, whose end decides.
    HalfOpen,
}

#[derive(Debug)]
pub(super) struct Breaker {
    limit: u32,
    cool_down: Duration,
    failures: u32,
    cause: String,
    open_until: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(limit: u32, cool_down: Duration) -> Self {
        Self { limit, cool_down, failures: 0, cause: String::new(), open_until: None }
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match self.open_until {
            None => BreakerState::Closed,
            Some(until) if now < until => BreakerState::Open { retry_in: until - now },
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Why nothing is let through, if nothing is.
    pub(super) fn refusal(&self, now: Instant) -> Option<Error> {
        let BreakerState::Open { retry_in } = self.state(now) else { return None };
        let (failures, cause) = (self.failures, self.cause.clone());
        Some(Error::CircuitOpen { failures, retry_in, cause })
    }

    /// While it is open this says nothing: what succeeds then began before.
    pub(super) fn success(&mut self, now: Instant) {
        if !matches!(self.state(now), BreakerState::Open { .. }) {
            self.failures = 0;
            self.cause.clear();
            self.open_until = None;
        }
    }

    /// Says whether that opens it.
    pub(super) fn failure(&mut self, now: Instant, cause: String) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.cause = cause;
        let opens = self.failures >= self.limit;
        if opens {
            self.open_until = Some(now + self.cool_down);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_failures_in_a_row_and_closes_after_a_success() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut breaker = Breaker::new(2, Duration::from_secs(10));
        assert!(!breaker.failure(at(0), "one".to_owned()));
        breaker.success(at(0));
        assert!(!breaker.failure(at(0), "two".to_owned()));
        assert_eq!(breaker.state(at(0)), BreakerState::Closed, "not in a row");
        assert!(breaker.failure(at(1), "three".to_owned()));
        let retry_in = Duration::from_secs(6);
        assert_eq!(breaker.state(at(5)), BreakerState::Open { retry_in });
        match breaker.refusal(at(5)) {
            Some(Error::CircuitOpen { failures: 2, retry_in: told, cause }) => {
                assert_eq!((told, cause.as_str()), (retry_in, "three"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(breaker.state(at(11)), BreakerState::HalfOpen);
        assert!(breaker.refusal(at(11)).is_none());
        assert!(breaker.failure(at(12), "four".to_owned()));
        assert_eq!(
            breaker.state(at(12)),
            BreakerState::Open { retry_in: Duration::from_secs(10) },
            "one failure is enough when half open"
        );
        breaker.success(at(21));
        let retry_in = Duration::from_secs(1);
        assert_eq!(breaker.state(at(21)), BreakerState::Open { retry_in }, "it began before");
        breaker.success(at(22));
        assert_eq!(breaker.state(at(22)), BreakerState::Closed);
    }
}
