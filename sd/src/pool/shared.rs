//! What the handles of one pool share: the state behind its lock, and how to make a model.

use super::{
    metrics::PoolMetrics,
    options::PoolOptions,
    queue::{Id, Waiter},
    slot::Slot,
    state::{Deliveries, Delivery, Ended, Released, Shutdown, State},
};
use crate::{
    CancelToken, Error, Model, Result, Stage, Watch,
    engine::panic_message,
    sync::{self, Monitor, now},
};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::Duration,
};

pub(super) type Factory<M> = Box<dyn Fn(Watch<'_>) -> Result<M> + Send + Sync>;

/// Lives as long as there is a handle, or an operation with a slot. That is enough for those who
/// wait: somebody has a slot then, whose end serves them.
pub(super) struct Shared<M: Model> {
    pub(super) options: PoolOptions,
    pub(super) factory: Factory<M>,
    state: Monitor<State<M>>,
}

impl<M: Model> Shared<M> {
    pub(super) fn new(options: PoolOptions, factory: Factory<M>) -> Arc<Self> {
        let state = Monitor::new(State::new(&options));
        Arc::new(Self { options, factory, state })
    }

    /// Changes the state, and brings those who wait what follows from it.
    fn change<R>(self: &Arc<Self>, act: impl FnOnce(&mut State<M>, &mut Deliveries<M>) -> R) -> R {
        let mut deliveries = Deliveries::new();
        let mut state = self.state.lock();
        let result = act(&mut state, &mut deliveries);
        let start_timer = state.wants_timer();
        drop(state);
        // The timer, and who shuts the pool down.
        self.state.notify_all();
        self.deliver(deliveries);
        if start_timer {
            self.start_timer();
        }
        result
    }

    fn deliver(self: &Arc<Self>, mut deliveries: Deliveries<M>) {
        while let Some(Delivery { id, waiter, answer }) = deliveries.pop_front() {
            let slot = answer.map(|model| Slot::new(self, id, model, waiter.turn.kind));
            // What the caller gave along may panic when it is dropped.
            let unwanted = caught("waking who waits", || Ok((waiter.ready)(slot)));
            if let Ok(Some(slot)) = unwanted {
                // Here and not by dropping it, which would come back here for each who waits.
                let (id, model, ended) = slot.dissolve();
                self.take_back(id, model, ended, &mut deliveries);
                self.state.notify_all();
            }
        }
    }

    fn take_back(
        &self,
        id: Id,
        mut model: Option<M>,
        mut ended: Ended,
        deliveries: &mut Deliveries<M>,
    ) {
        let mut release = |model, ended| {
            let mut state = self.state.lock();
            state.release(id, model, ended, now(), deliveries)
        };
        loop {
            match release(model.take(), ended) {
                Released::Closed(closed, again) => {
                    discard(closed);
                    ended = again;
                }
                Released::Free(opened) => {
                    // Without the lock, and caught: what logs is foreign code, and others wait.
                    let _ = caught("logging", || {
                        opened.iter().for_each(|why| tracing::warn!(%why, "circuit opened"));
                        Ok(())
                    });
                    return;
                }
            }
        }
    }

    /// Takes a slot back, and gives it to the next.
    pub(super) fn release(self: &Arc<Self>, id: Id, model: Option<M>, ended: Ended) {
        let mut deliveries = Deliveries::new();
        self.take_back(id, model, ended, &mut deliveries);
        // One that could not open a model, and does not wait for another, leaves a pause behind.
        let start_timer = self.state.lock().wants_timer();
        self.state.notify_all();
        self.deliver(deliveries);
        if start_timer {
            self.start_timer();
        }
    }

    /// Lets an operation in, at the queue's end.
    pub(super) fn enter(self: &Arc<Self>, waiter: Waiter<M>) -> Result<Id> {
        // The callbacks of one that is refused are dropped here, without the lock.
        self.change(|state, out| state.enter(waiter, now(), out)).map_err(|refused| refused.0)
    }

    /// Lets an operation in if it gets a slot at once.
    pub(super) fn enter_at_once(self: &Arc<Self>, waiter: Waiter<M>) -> Result<Option<Id>> {
        let entered = self.change(|state, out| state.enter_at_once(waiter, now(), out));
        entered.map_err(|refused| refused.0)
    }

    /// Puts an operation whose slot has no model before all others.
    pub(super) fn enter_again(self: &Arc<Self>, id: Id, waiter: Waiter<M>) {
        self.change(|state, out| state.enter_again(id, waiter, now(), out));
    }

    /// Sends away one that waits; does nothing if it does not wait any more.
    pub(super) fn leave(self: &Arc<Self>, id: Id, why: impl FnOnce(&Waiter<M>) -> Error) {
        self.change(|state, out| state.leave(id, why, out));
    }

    /// As when somebody cancels it.
    pub(super) fn cancel(self: &Arc<Self>, id: Id) {
        self.leave(id, |_| Error::Cancelled { stage: Stage::Queued });
    }

    /// How many wait before it; none if it does not wait.
    pub(super) fn position(&self, id: Id) -> Option<usize> {
        self.state.lock().position(id)
    }

    /// Whether the operation was cancelled by shutting down.
    pub(super) fn was_stopped(&self, id: Id) -> bool {
        self.state.lock().was_stopped(id)
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut PoolMetrics)) {
        count(&mut self.state.lock().metrics);
    }

    /// See the functions of [`State`].
    pub(super) fn opened(&self, id: Id) {
        self.state.lock().opened(id);
    }

    pub(super) fn replaced(&self, id: Id) {
        self.state.lock().replaced(id);
    }

    pub(super) fn take_idle(&self, id: Id) -> Option<M> {
        self.state.lock().take_idle(id)
    }

    pub(super) fn stops_growing(&self) -> bool {
        self.state.lock().stops_growing(now())
    }

    pub(super) fn metrics(&self) -> PoolMetrics {
        self.state.lock().snapshot(now())
    }

    /// Whether all has ended within the time.
    pub(super) fn shut_down(self: &Arc<Self>, how: Shutdown, limit: Option<Duration>) -> bool {
        let until = limit.and_then(|limit| now().checked_add(limit));
        // Another who shuts down must not return before these models are gone.
        let outstanding = Outstanding::new(self);
        let (models, tokens) = self.change(|state, out| state.close(how, out));
        let dropping = scopeguard::guard((models, outstanding), |(models, outstanding)| {
            models.into_iter().for_each(discard);
            drop(outstanding);
        });
        match limit {
            // It takes as long as it takes. Without a thread it is done here, and the wait is longer.
            Some(_) if !dropping.0.is_empty() => {
                if let Err(error) = sync::spawn("sdcpp-drop", move || drop(dropping)) {
                    tracing::warn!(%error, "no thread to drop the pool's models on");
                }
            }
            _ => drop(dropping),
        }
        tokens.iter().for_each(CancelToken::cancel);
        let mut state = self.state.lock();
        while !state.is_quiet() {
            if until.is_some_and(|until| now() >= until) {
                return false;
            }
            state = self.state.wait_until(state, until);
        }
        true
    }

    /// There is one timer, and only while there is something it has to mind.
    fn start_timer(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        if let Err(error) = sync::spawn("sdcpp-timer", move || shared.mind_time()) {
            let kind = error.kind();
            self.change(|state, out| {
                let why = || Error::io("start the pool's timer", kind.into());
                state.without_timer(why, out);
            });
        }
    }

    fn mind_time(self: &Arc<Self>) {
        loop {
            let mut due = Deliveries::new();
            let mut state = self.state.lock();
            let next = state.on_timer(now(), &mut due);
            if !due.is_empty() {
                drop(state);
                self.state.notify_all();
                self.deliver(due);
            } else if next.is_some() {
                drop(self.state.wait_until(state, next));
            } else {
                state.timer = false;
                return;
            }
        }
    }
}

/// Something without a slot that must end before the pool is quiet: a job whose result is not there
/// yet, models that are being dropped.
pub(super) struct Outstanding<M: Model>(Arc<Shared<M>>);

impl<M: Model> Outstanding<M> {
    pub(super) fn new(shared: &Arc<Shared<M>>) -> Self {
        shared.state.lock().outstanding += 1;
        Self(Arc::clone(shared))
    }

    /// Ends it. What it belonged to may be the last that holds the models, to be dropped in its time.
    pub(super) fn end(self) -> Arc<Shared<M>> {
        Arc::clone(&self.0)
    }
}

impl<M: Model> Drop for Outstanding<M> {
    fn drop(&mut self) {
        self.0.state.lock().outstanding -= 1;
        self.0.state.notify_all();
    }
}

/// What `body` returns, or an error of what it panicked with. Does not panic itself.
pub(super) fn caught<T>(doing: &'static str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        let message = panic_message(payload.as_ref());
        // What logs and what was thrown are foreign code, and may panic too.
        let again = panic::catch_unwind(AssertUnwindSafe(|| {
            tracing::error!(doing, message, "panicked");
            drop(payload);
        }));
        // There is no end to it but this.
        again.err().into_iter().for_each(std::mem::forget);
        Err(Error::Panicked { doing: doing.into(), message })
    })
}

/// Drops a model, wherever that happens: a panic in it is logged.
pub(super) fn discard<M>(model: M) {
    // The error has been logged, and the model is gone.
    let _ = caught("dropping a model", || {
        drop(model);
        Ok(())
    });
}
