//! One operation of a pool, from being asked for to its end.

use crate::{CancelToken, Error, Result, Stage, sync::now};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A thread waits for a model to use as it likes.
    Lease,
    /// A thread waits for a generation.
    Generation,
    /// Nobody's thread waits.
    Job,
}

/// One operation. Its time limit counts from when it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) kind: Kind,
    pub(super) since: Instant,
    pub(super) limit: Option<Duration>,
    /// Its own: the caller's token may stand for other operations too, and is linked to it.
    pub(super) token: CancelToken,
}

impl Turn {
    pub(super) fn new(kind: Kind, limit: Option<Duration>) -> Self {
        Self { kind, since: now(), limit, token: CancelToken::new() }
    }

    /// None too if it is further away than the clock goes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.checked_add(self.limit?)
    }

    /// The deadline that the pool's timer has to mind.
    pub(super) fn timer_deadline(&self) -> Option<Instant> {
        self.deadline().filter(|_| self.kind == Kind::Job)
    }

    pub(super) fn check_cancelled(&self, stage: Stage) -> Result<()> {
        if self.token.is_cancelled() { Err(Error::Cancelled { stage }) } else { Ok(()) }
    }

    /// How much time is left, if it is limited, and the operation goes on at all.
    pub(super) fn remaining(&self, stage: Stage) -> Result<Option<Duration>> {
        self.check_cancelled(stage)?;
        let Some(deadline) = self.deadline() else { return Ok(None) };
        match deadline.saturating_duration_since(now()) {
            Duration::ZERO => Err(self.out_of_time(stage)),
            left => Ok(Some(left)),
        }
    }

    pub(super) fn out_of_time(&self, stage: Stage) -> Error {
        match self.kind {
            Kind::Lease => Error::AcquireTimeout { waited: now() - self.since },
            Kind::Generation | Kind::Job => {
                Error::DeadlineExceeded { stage, limit: self.limit.unwrap_or_default() }
            }
        }
    }
}
