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
    /// Whether all weights it needs are the model's own, which is at fault then if they do not load.
    pub(super) own_weights: bool,
}

impl Turn {
    pub(super) fn new(kind: Kind, limit: Option<Duration>) -> Self {
        Self { kind, since: now(), limit, token: CancelToken::new(), own_weights: false }
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

    /// Whether its time has passed.
    pub(super) fn is_over(&self) -> bool {
        self.deadline().is_some_and(|deadline| now() >= deadline)
    }

    /// Whether an error is the doing of whoever asked for the operation.
    pub(super) fn is_callers(&self, error: &Error) -> bool {
        match error {
            Error::Cancelled { .. } | Error::CallbackPanicked { .. } => true,
            Error::DeadlineExceeded { .. } => self.is_over(),
            _ => false,
        }
    }

    /// Whether an error is the model's fault, though the model can be used again: the engine loads
    /// weights at their first use.
    pub(super) fn is_models(&self, error: &Error) -> bool {
        self.own_weights
            && matches!(
                error,
                Error::ModelLoad { .. }
                    | Error::OutOfMemory { stage: Stage::Loading, .. }
                    | Error::FileNotFound { .. }
                    | Error::FileUnreadable { .. }
                    | Error::NotAModel { .. }
            )
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
