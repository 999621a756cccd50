//! Operations: waiting for a slot, opening a model in it, and using it.

use super::{
    job::{Cell, Job},
    metrics::Ending,
    queue::{Id, Waiter},
    request::Request,
    shared::{Outstanding, Shared, caught},
    slot::{Lease, Slot},
    state::Verdict,
    turn::{Kind, Turn},
};
use crate::{
    CancelToken, Error, Generated, GeneratedVideo, Model, Result, Stage, Timings, Watch,
    cancel::Subscription,
    sync::{self, Monitor, now},
};
use std::sync::{Arc, Weak};

/// What a generation makes.
pub(super) trait Product: Send + 'static {
    fn timings(&self) -> Timings;
}

impl Product for Generated {
    fn timings(&self) -> Timings {
        self.timings
    }
}

impl Product for GeneratedVideo {
    fn timings(&self) -> Timings {
        self.timings
    }
}

/// Stops an operation when the caller's token is cancelled, also one that waits. To be called when
/// it is in the queue: a token that is cancelled already does it at once.
fn link<M: Model>(
    shared: &Arc<Shared<M>>,
    id: Id,
    own: &CancelToken,
    callers: &CancelToken,
) -> Subscription {
    let (shared, own): (Weak<Shared<M>>, _) = (Arc::downgrade(shared), own.clone());
    callers.on_cancel(move || {
        own.cancel();
        if let Some(shared) = shared.upgrade() {
            shared.cancel(id);
        }
    })
}

type Answer<M> = Monitor<Option<Result<Slot<M>>>>;
type Granted<M> = (Slot<M>, Option<Subscription>);

/// For a thread that waits for the answer.
fn waiter<M: Model>(turn: &Turn, answer: &Answer<M>) -> Waiter<M> {
    let (turn, answer) = (turn.clone(), answer.clone());
    let ready = Box::new(move |slot| {
        *answer.lock() = Some(slot);
        answer.notify_all();
        None
    });
    Waiter { turn, ready, again: false }
}

impl<M: Model> Shared<M> {
    /// A slot for this thread, in its turn; the subscription stops the operation when the caller's
    /// token is cancelled.
    fn wait(self: &Arc<Self>, turn: &Turn, callers: Option<CancelToken>) -> Result<Granted<M>> {
        let answer = Monitor::new(None);
        let id = self.enter(waiter(turn, &answer))?;
        let subscription = callers.map(|callers| link(self, id, &turn.token, &callers));
        Ok((self.granted(turn, id, &answer)?, subscription))
    }

    /// Its slot, when it comes; its deadline is minded here.
    fn granted(self: &Arc<Self>, turn: &Turn, id: Id, answer: &Answer<M>) -> Result<Slot<M>> {
        let mut deadline = turn.deadline();
        let mut guard = answer.lock();
        loop {
            if let Some(slot) = guard.take() {
                return slot;
            }
            if deadline.is_some_and(|deadline| now() >= deadline) {
                // Either this brings the error, or the slot is on its way.
                deadline = None;
                drop(guard);
                self.leave(id, |waiter| waiter.turn.out_of_time(Stage::Queued));
                guard = answer.lock();
            } else {
                guard = answer.wait_until(guard, deadline);
            }
        }
    }

    /// The model of a slot; opened if there is none yet. None if that failed, and others are open:
    /// one of those can be waited for.
    fn open(&self, slot: &mut Slot<M>, turn: &Turn, watch: &mut Watch<'_>) -> Result<Option<M>> {
        turn.check_cancelled(Stage::Queued)?;
        // An open model is given out at the last moment too.
        if let Some(model) = slot.take_open() {
            return Ok(Some(model));
        }
        let left = turn.remaining(Stage::Queued)?;
        let mut opening = Watch::new()
            .on_progress(|progress| {
                let flow = watch.tell(progress);
                if flow.is_break() {
                    // For those who cannot stop half-way.
                    turn.token.cancel();
                }
                flow
            })
            .cancel_with(turn.token.clone());
        opening.time_limit = left;
        match caught("opening a model", || (self.factory)(opening)) {
            Ok(model) => {
                self.opened(slot.id);
                let Err(late) = turn.remaining(Stage::Opening) else { return Ok(Some(model)) };
                // Not this operation's any more, but as good as any.
                slot.keep(model, Verdict::Unknown, Verdict::default);
                Err(late)
            }
            Err(error) if turn.is_callers(&error) => Err(error),
            Err(error) if self.stops_growing() => {
                tracing::warn!(%error, "the pool cannot open a further model");
                Ok(None)
            }
            Err(error) => {
                slot.ended.verdict = Verdict::Failed(error.to_string());
                Err(error)
            }
        }
    }

    /// The model of a slot, or of another one before all who wait.
    fn model(
        self: &Arc<Self>,
        slot: &mut Slot<M>,
        turn: &Turn,
        watch: &mut Watch<'_>,
    ) -> Result<M> {
        loop {
            if let Some(model) = self.open(slot, turn, watch)? {
                return Ok(model);
            }
            slot.exchange(|id| {
                let answer = Monitor::new(None);
                self.enter_again(id, Waiter { again: true, ..waiter(turn, &answer) });
                self.granted(turn, id, &answer)
            })?;
        }
    }

    /// In the words of the whole operation, of which the model saw a part.
    fn told(&self, id: Id, turn: &Turn, error: Error) -> Error {
        match error {
            Error::DeadlineExceeded { stage, .. } if turn.is_over() => turn.out_of_time(stage),
            Error::Cancelled { .. } if self.was_stopped(id) => Error::ShutDown,
            error => error,
        }
    }

    /// Uses a model of the pool in the slot, and gives it back.
    fn work<T: Product>(
        self: &Arc<Self>,
        mut slot: Slot<M>,
        turn: &Turn,
        watch: Watch<'_>,
        generate: impl FnOnce(&mut M, Watch<'_>) -> Result<T>,
    ) -> Result<T> {
        let result = self
            .attempt(&mut slot, turn, watch, generate)
            .map_err(|error| self.told(slot.id, turn, error));
        slot.ended.ending = Some(match &result {
            Ok(product) => Ending::Done(product.timings()),
            Err(error) => Ending::from(error),
        });
        // Before anybody knows the result, so that who has it finds the slot free.
        drop(slot);
        result
    }

    fn attempt<T>(
        self: &Arc<Self>,
        slot: &mut Slot<M>,
        turn: &Turn,
        mut watch: Watch<'_>,
        generate: impl FnOnce(&mut M, Watch<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut model = self.model(slot, turn, &mut watch)?;
        let result = caught("generating", || {
            watch.time_limit = turn.remaining(Stage::Preparing)?;
            watch.cancel = Some(turn.token.clone());
            generate(&mut model, watch)
        });
        let failed = |error: &Error| Verdict::Failed(error.to_string());
        let unless = |callers, error| if callers { Verdict::Unknown } else { failed(error) };
        match &result {
            Err(error @ Error::Panicked { .. }) => slot.replace(model, failed(error)),
            // A worker that does not stop in time is ended.
            Err(error) => slot.keep(model, unless(!turn.is_models(error), error), || {
                unless(turn.is_callers(error), error)
            }),
            Ok(_) => slot.keep(model, Verdict::Good, || {
                let broken = "a model could not be used again after a generation";
                Verdict::Failed(broken.to_owned())
            }),
        }
        result
    }

    fn generation(&self, kind: Kind, watch: &Watch<'_>, request: &impl Request) -> Turn {
        let turn = Turn::new(kind, watch.time_limit.or(self.options.time_limit));
        Turn { own_weights: !request.brings_weights(), ..turn }
    }

    /// Generates on this thread.
    pub(super) fn run<T: Product>(
        self: &Arc<Self>,
        mut watch: Watch<'_>,
        request: &impl Request,
        generate: impl FnOnce(&mut M, Watch<'_>) -> Result<T>,
    ) -> Result<T> {
        let turn = self.generation(Kind::Generation, &watch, request);
        let (slot, _subscription) = self.wait(&turn, watch.cancel.take())?;
        self.work(slot, &turn, watch, generate)
    }

    /// A model for the caller, in its turn.
    pub(super) fn lease(self: &Arc<Self>, mut watch: Watch<'_>) -> Result<Lease<M>> {
        let turn = Turn::new(Kind::Lease, watch.time_limit);
        let (mut slot, _subscription) = self.wait(&turn, watch.cancel.take())?;
        let model = self.model(&mut slot, &turn, &mut watch);
        self.lent(slot, &turn, model)
    }

    /// A model for the caller if there is a slot for it now.
    pub(super) fn lease_at_once(self: &Arc<Self>) -> Result<Option<Lease<M>>> {
        let turn = Turn::new(Kind::Lease, None);
        let answer = Monitor::new(None);
        let Some(id) = self.enter_at_once(waiter(&turn, &answer))? else { return Ok(None) };
        let mut slot = self.granted(&turn, id, &answer)?;
        let model = self.open(&mut slot, &turn, &mut Watch::new()).transpose();
        model.map(|model| self.lent(slot, &turn, model)).transpose()
    }

    /// The model as a lease, or why there is none.
    fn lent(&self, slot: Slot<M>, turn: &Turn, model: Result<M>) -> Result<Lease<M>> {
        model
            .map_err(|error| self.told(slot.id, turn, error))
            .inspect_err(|error| {
                // In the queue it has been counted.
                if slot.is_held() {
                    self.count(|metrics| metrics.count_refusal(error));
                }
            })
            .map(|model| Lease::new(slot, model))
    }

    /// Generates on a thread of its own, which begins when there is a slot.
    pub(super) fn submit<T: Product, R: Request>(
        self: &Arc<Self>,
        mut watch: Watch<'static>,
        request: R,
        generate: impl FnOnce(&mut M, &R, Watch<'_>) -> Result<T> + Send + 'static,
    ) -> Result<Job<T>> {
        let turn = self.generation(Kind::Job, &watch, &request);
        let callers = watch.cancel.take();
        let cell = Cell::<T>::new();
        let token = turn.token.clone();
        let subscriber = tracing::dispatcher::get_default(Clone::clone);
        let span = tracing::Span::current();
        let run = {
            let (shared, turn) = (Arc::clone(self), turn.clone());
            move |slot| {
                let generate = |model: &mut M, watch: Watch<'_>| generate(model, &request, watch);
                tracing::dispatcher::with_default(&subscriber, || {
                    span.in_scope(|| shared.work(slot, &turn, watch, generate))
                })
            }
        };
        let outstanding = Outstanding::new(self);
        let ready = {
            let cell = cell.clone();
            Box::new(move |slot| match slot {
                Ok(slot) => start(slot, run, outstanding, cell),
                Err(error) => {
                    cell.finish(Err(error), outstanding);
                    None
                }
            })
        };
        let id = self.enter(Waiter { turn, ready, again: false })?;
        if let Some(callers) = callers {
            cell.keep(link(self, id, &token, &callers));
        }
        Ok(Job::new(cell, token, Arc::downgrade(self), id))
    }
}

/// Starts a job's thread. If that fails the job has its error, and the slot comes back.
fn start<M: Model, T: Product>(
    slot: Slot<M>,
    run: impl FnOnce(Slot<M>) -> Result<T> + Send + 'static,
    outstanding: Outstanding<M>,
    cell: Cell<T>,
) -> Option<Slot<M>> {
    // The slot must come back from a thread that does not start.
    let parcel = Monitor::new(Some((slot, run, outstanding, cell)));
    let started = {
        let parcel = parcel.clone();
        sync::spawn("sdcpp-job", move || {
            let taken = parcel.lock().take();
            if let Some((slot, run, outstanding, cell)) = taken {
                // What the caller gave along is dropped inside too.
                cell.finish(caught("running a job", || run(slot)), outstanding);
            }
        })
    };
    let error = started.err()?;
    let taken = parcel.lock().take();
    let (slot, _, outstanding, cell) = taken?;
    cell.finish(Err(Error::io("start a job's thread", error)), outstanding);
    Some(slot)
}
