//! What a pool knows, and its rules. Everything here happens under the pool's lock; what follows
//! from it for those who wait is handed out as [`Delivery`]s, for when the lock is free again.

use super::{
    breaker::{Breaker, BreakerState},
    metrics::{Ending, PoolMetrics},
    options::PoolOptions,
    queue::{Id, Queue, Waiter},
    turn::Kind,
};
use crate::{CancelToken, Error, Model, Result, Stage};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// The shortest time between two attempts to open a further model, where the cool-down is shorter.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// How a pool shuts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// What runs may finish.
    Finish,
    /// What runs is cancelled, and ends with [`Error::ShutDown`].
    Cancel,
}

/// What a waiter gets: a slot, with a model if there is one already, or why not.
pub(super) struct Delivery<M: Model> {
    pub(super) id: Id,
    pub(super) waiter: Waiter<M>,
    pub(super) answer: Result<Option<M>>,
}

/// One that was not let in, and why. Its callbacks are the caller's, and not to be dropped under the
/// lock.
pub(super) type Refused<M> = Box<(Error, Waiter<M>)>;

pub(super) type Deliveries<M> = VecDeque<Delivery<M>>;

/// What the end of an operation says about the model.
#[derive(Debug, Default)]
pub(super) enum Verdict {
    /// It works.
    Good,
    /// Nothing: it was lent, or the request or its caller was at fault.
    #[default]
    Unknown,
    /// It could not be opened or loaded, or not be used again.
    Failed(String),
}

/// How an operation with a slot ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) verdict: Verdict,
    /// Of a generation.
    pub(super) ending: Option<Ending>,
}

/// What came of giving a slot back.
pub(super) enum Released<M> {
    /// It is free; why nothing is let through from now on, if this is what opened the circuit.
    Free(Option<Error>),
    /// The pool shuts down: the model must be dropped first.
    Closed(M, Ended),
}

/// An operation with a slot.
struct Active {
    token: CancelToken,
    /// By shutting down.
    stopped: bool,
    /// Whether its model is open.
    has_model: bool,
}

pub(super) struct State<M: Model> {
    size: usize,
    queue_limit: usize,
    queue: Queue<M>,
    idle: Vec<M>,
    active: BTreeMap<Id, Active>,
    breaker: Breaker,
    /// The one operation that is let through while the breaker is half open.
    trial: Option<Id>,
    cool_down: Duration,
    /// Until then no model is opened beside others, for that failed.
    grows_at: Option<Instant>,
    closing: Option<Shutdown>,
    /// Whether the timer's thread runs.
    pub(super) timer: bool,
    /// See [`Outstanding`](super::shared::Outstanding).
    pub(super) outstanding: usize,
    pub(super) metrics: PoolMetrics,
}

impl<M: Model> State<M> {
    pub(super) fn new(options: &PoolOptions) -> Self {
        Self {
            size: options.size,
            queue_limit: options.queue_limit,
            queue: Queue::new(),
            idle: Vec::new(),
            active: BTreeMap::new(),
            breaker: Breaker::new(options.failure_limit, options.cool_down),
            trial: None,
            cool_down: options.cool_down,
            grows_at: None,
            closing: None,
            timer: false,
            outstanding: 0,
            metrics: PoolMetrics { size: options.size, ..PoolMetrics::default() },
        }
    }

    fn has_room(&self, now: Instant) -> bool {
        let allowed = match self.breaker.state(now) {
            BreakerState::Closed => true,
            BreakerState::HalfOpen => self.trial.is_none(),
            BreakerState::Open { .. } => false,
        };
        allowed && self.active.len() < self.size && (!self.idle.is_empty() || self.may_open(now))
    }

    fn may_open(&self, now: Instant) -> bool {
        self.grows_at.is_none_or(|time| now >= time) || !self.has_models()
    }

    /// Whether any model is open.
    fn has_models(&self) -> bool {
        !self.idle.is_empty() || self.active.values().any(|active| active.has_model)
    }

    fn set_has_model(&mut self, id: Id, has_model: bool) {
        if let Some(active) = self.active.get_mut(&id) {
            active.has_model = has_model;
        }
    }

    /// The operation opened a model in its slot.
    pub(super) fn opened(&mut self, id: Id) {
        self.metrics.opened += 1;
        self.set_has_model(id, true);
    }

    /// The slot's model was dropped, because it cannot be used again.
    pub(super) fn replaced(&mut self, id: Id) {
        self.metrics.replaced += 1;
        self.set_has_model(id, false);
    }

    /// An idle model for a slot, if there is one.
    pub(super) fn take_idle(&mut self, id: Id) -> Option<M> {
        let model = self.idle.pop()?;
        self.set_has_model(id, true);
        Some(model)
    }

    /// A model could not be opened. If others are open, as many as there are must do for a while:
    /// true then. Else it is the operation's failure.
    pub(super) fn stops_growing(&mut self, now: Instant) -> bool {
        let others = self.has_models();
        if others {
            self.metrics.failures += 1;
            self.grows_at = Some(now + self.cool_down.max(LEAST_PAUSE));
        }
        others
    }

    /// Whether one that comes now would be served at once.
    fn serves(&self, now: Instant) -> bool {
        self.queue.is_empty() && self.has_room(now)
    }

    /// Puts an operation at the queue's end.
    pub(super) fn enter(
        &mut self,
        waiter: Waiter<M>,
        now: Instant,
        out: &mut Deliveries<M>,
    ) -> std::result::Result<Id, Refused<M>> {
        let full = !self.serves(now) && self.queue.len() >= self.queue_limit;
        let error = match self.closing {
            Some(_) => Some(Error::ShutDown),
            None => self.breaker.refusal(now),
        };
        let full = full.then_some(Error::QueueFull { limit: self.queue_limit });
        if let Some(error) = error.or(full) {
            self.metrics.count_refusal(&error);
            return Err(Box::new((error, waiter)));
        }
        if waiter.turn.kind != Kind::Lease {
            self.metrics.submitted += 1;
        }
        let id = self.queue.push(waiter);
        self.serve(now, out);
        Ok(id)
    }

    /// The same, if it is served at once.
    pub(super) fn enter_at_once(
        &mut self,
        waiter: Waiter<M>,
        now: Instant,
        out: &mut Deliveries<M>,
    ) -> std::result::Result<Option<Id>, Refused<M>> {
        let open = matches!(self.breaker.state(now), BreakerState::Open { .. });
        if self.serves(now) || self.closing.is_some() || open {
            return self.enter(waiter, now, out).map(Some);
        }
        Ok(None)
    }

    /// Puts an operation whose slot has no model before all others.
    pub(super) fn enter_again(
        &mut self,
        id: Id,
        waiter: Waiter<M>,
        now: Instant,
        out: &mut Deliveries<M>,
    ) {
        self.free(id);
        let refusal = match self.closing {
            Some(_) => Some(Error::ShutDown),
            // Who cancelled it while it had the slot did not find it here.
            None => self.breaker.refusal(now).or(waiter.turn.check_cancelled(Stage::Queued).err()),
        };
        match refusal {
            Some(error) => self.refuse(id, waiter, error, out),
            None => self.queue.put_back(id, waiter),
        }
        self.serve(now, out);
    }

    fn free(&mut self, id: Id) {
        self.active.remove(&id);
        self.trial = self.trial.filter(|trial| *trial != id);
    }

    /// Gives free slots to those who wait longest.
    fn serve(&mut self, now: Instant, out: &mut Deliveries<M>) {
        while self.has_room(now) {
            let Some((id, waiter)) = self.queue.pop() else { break };
            if self.breaker.state(now) == BreakerState::HalfOpen {
                self.trial = Some(id);
            }
            // The one used last, for its memory is the least likely to be swapped out.
            let model = self.idle.pop();
            let token = waiter.turn.token.clone();
            self.active.insert(id, Active { token, stopped: false, has_model: model.is_some() });
            if !waiter.again {
                self.metrics.count_wait(now.saturating_duration_since(waiter.turn.since));
            }
            out.push_back(Delivery { id, waiter, answer: Ok(model) });
        }
    }

    /// Takes a slot back, with its model if that can be used again.
    pub(super) fn release(
        &mut self,
        id: Id,
        model: Option<M>,
        ended: Ended,
        now: Instant,
        out: &mut Deliveries<M>,
    ) -> Released<M> {
        match model {
            Some(model) if self.closing.is_some() => return Released::Closed(model, ended),
            model => self.idle.extend(model),
        }
        self.free(id);
        if let Some(ending) = ended.ending {
            self.metrics.count_ending(ending);
        }
        let mut opens = false;
        match ended.verdict {
            Verdict::Good => self.breaker.success(now),
            Verdict::Unknown => {}
            Verdict::Failed(cause) => {
                self.metrics.failures += 1;
                opens = self.breaker.failure(now, cause);
                while let Some(error) = self.breaker.refusal(now) {
                    let Some((id, waiter)) = self.queue.pop() else { break };
                    self.refuse(id, waiter, error, out);
                }
            }
        }
        self.serve(now, out);
        Released::Free(self.breaker.refusal(now).filter(|_| opens))
    }

    fn refuse(&mut self, id: Id, waiter: Waiter<M>, error: Error, out: &mut Deliveries<M>) {
        self.metrics.count_refusal(&error);
        if waiter.turn.kind != Kind::Lease {
            self.metrics.count_ending(Ending::from(&error));
        }
        out.push_back(Delivery { id, waiter, answer: Err(error) });
    }

    /// Sends away one that waits; does nothing if it does not wait any more.
    pub(super) fn leave(
        &mut self,
        id: Id,
        why: impl FnOnce(&Waiter<M>) -> Error,
        out: &mut Deliveries<M>,
    ) {
        if let Some(waiter) = self.queue.remove(id) {
            let error = why(&waiter);
            self.refuse(id, waiter, error, out);
        }
    }

    /// Does what is due now: sends away the jobs whose time has passed, and opens models again after
    /// a pause. Returns when there is something to do next.
    pub(super) fn on_timer(&mut self, now: Instant, out: &mut Deliveries<M>) -> Option<Instant> {
        if self.grows_at.is_some_and(|time| time <= now) {
            self.grows_at = None;
            self.serve(now, out);
        }
        while let Some((time, id)) = self.queue.next_deadline()
            && time <= now
        {
            self.leave(id, |waiter| waiter.turn.out_of_time(Stage::Queued), out);
        }
        self.next_alarm()
    }

    /// When something is to be done though nobody comes or goes.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        let deadline = self.queue.next_deadline().map(|(time, _)| time);
        let grows_at = self.grows_at.filter(|_| !self.queue.is_empty());
        deadline.into_iter().chain(grows_at).min()
    }

    /// Whether the timer's thread has to be started, which the caller does then.
    pub(super) fn wants_timer(&mut self) -> bool {
        let wanted = self.next_alarm().is_some() && !self.timer;
        self.timer |= wanted;
        wanted
    }

    /// Where there is no timer: sends away the jobs with deadlines, and leaves it to the next who
    /// comes or goes to open models again.
    pub(super) fn without_timer(&mut self, why: impl Fn() -> Error, out: &mut Deliveries<M>) {
        self.timer = false;
        self.grows_at = None;
        while let Some((_, id)) = self.queue.next_deadline() {
            self.leave(id, |_| why(), out);
        }
    }

    /// Lets nothing in any more and sends away all who wait. Returns the models to drop, and whom to
    /// cancel.
    pub(super) fn close(
        &mut self,
        how: Shutdown,
        out: &mut Deliveries<M>,
    ) -> (Vec<M>, Vec<CancelToken>) {
        if self.closing != Some(Shutdown::Cancel) {
            self.closing = Some(how);
        }
        while let Some((id, waiter)) = self.queue.pop() {
            self.refuse(id, waiter, Error::ShutDown, out);
        }
        let mut tokens = Vec::new();
        if how == Shutdown::Cancel {
            for active in self.active.values_mut() {
                active.stopped = true;
                tokens.push(active.token.clone());
            }
        }
        (std::mem::take(&mut self.idle), tokens)
    }

    /// Whether nothing waits or runs.
    pub(super) fn is_quiet(&self) -> bool {
        self.active.is_empty() && self.queue.is_empty() && self.outstanding == 0
    }

    /// Whether the operation was cancelled by shutting down.
    pub(super) fn was_stopped(&self, id: Id) -> bool {
        self.active.get(&id).is_some_and(|active| active.stopped)
    }

    pub(super) fn position(&self, id: Id) -> Option<usize> {
        self.queue.position(id)
    }

    pub(super) fn snapshot(&self, now: Instant) -> PoolMetrics {
        PoolMetrics {
            queued: self.queue.len(),
            in_use: self.active.len(),
            idle: self.idle.len(),
            breaker: self.breaker.state(now),
            ..self.metrics.clone()
        }
    }
}
