//! Operations: waiting for a slot, opening a model in it, and using it.

use super::{
    job::{Cell, Job},
    metrics::Ending,
    queue::{Id, Waiter},
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
    Waiter { turn, ready }
}

impl<M: Model> Shared<M> {
    /// A slot for this thread, in its turn; the subscription stops the operation when the caller's
    /// token is cancelled.
    fn wait(self: &Arc<Self>, turn: &Turn, callers: Option<CancelToken>) -> Result<Granted<M>> {
        let answer = Monitor::new(None);
        let id = self.enter(waiter(turn, &answer))?;
        self.granted(turn, callers, id, &answer)
    }

    /// Its slot, when it comes; its deadline is minded here.
    fn granted(
        self: &Arc<Self>,
        turn: &Turn,
        callers: Option<CancelToken>,
        id: Id,
        answer: &Answer<M>,
    ) -> Result<Granted<M>> {
        let subscription = callers.map(|callers| link(self, id, &turn.token, &callers));
        let mut deadline = turn.deadline();
        let mut guard = answer.lock();
        loop {
            if let Some(slot) = guard.take() {
                return Ok((slot?, subscription));
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

    /// The model of a slot; opened if there is none yet.
    fn model(&self, slot: &mut Slot<M>, turn: &Turn, watch: &mut Watch<'_>) -> Result<M> {
        turn.check_cancelled(Stage::Queued)?;
        // An open model is given out at the last moment too.
        if let Some(model) = slot.take_model() {
            return Ok(model);
        }
        let left = turn.remaining(Stage::Queued)?;
        let mut opening = Watch::new()
            .on_progress(|progress| watch.tell(progress))
            .cancel_with(turn.token.clone());
        opening.time_limit = left;
        let opened = caught("opening a model", || (self.factory)(opening));
        match &opened {
            Ok(_) => self.count(|metrics| metrics.opened += 1),
            // The caller's doing.
            Err(error) if error.is_stopped() => {}
            Err(Error::CallbackPanicked { .. }) => {}
            Err(error) => slot.ended.verdict = Verdict::Failed(error.to_string()),
        }
        opened
    }

    /// In the words of the whole operation, of which the model saw a part.
    fn told(&self, id: Id, turn: &Turn, error: Error) -> Error {
        match error {
            Error::DeadlineExceeded { stage, .. } => turn.out_of_time(stage),
            Error::Cancelled { .. } if self.was_stopped(id) => Error::ShutDown,
            error => error,
        }
    }

    /// Uses a model of the pool in the slot, and gives it back.
    fn work<T: Product>(
        &self,
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
        &self,
        slot: &mut Slot<M>,
        turn: &Turn,
        mut watch: Watch<'_>,
        generate: impl FnOnce(&mut M, Watch<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut model = self.model(slot, turn, &mut watch)?;
        let result = turn.remaining(Stage::Preparing).and_then(|left| {
            watch.time_limit = left;
            watch.cancel = Some(turn.token.clone());
            caught("generating", || generate(&mut model, watch))
        });
        match &result {
            Err(error @ Error::Panicked { .. }) => slot.replace(model, error.to_string()),
            Err(error) => slot.keep(model, Verdict::Unknown, || error.to_string()),
            Ok(_) => slot.keep(model, Verdict::Good, || {
                "a model could not be used again after a generation".to_owned()
            }),
        }
        result
    }

    fn generation(&self, kind: Kind, watch: &Watch<'_>) -> Turn {
        Turn::new(kind, watch.time_limit.or(self.options.time_limit))
    }

    /// Generates on this thread.
    pub(super) fn run<T: Product>(
        self: &Arc<Self>,
        mut watch: Watch<'_>,
        generate: impl FnOnce(&mut M, Watch<'_>) -> Result<T>,
    ) -> Result<T> {
        let turn = self.generation(Kind::Generation, &watch);
        let (slot, _subscription) = self.wait(&turn, watch.cancel.take())?;
        self.work(slot, &turn, watch, generate)
    }

    /// A model for the caller, in its turn.
    pub(super) fn lease(self: &Arc<Self>, mut watch: Watch<'_>) -> Result<Lease<M>> {
        let turn = Turn::new(Kind::Lease, watch.time_limit);
        let (slot, _subscription) = self.wait(&turn, watch.cancel.take())?;
        self.lent(slot, &turn, watch)
    }

    /// A model for the caller if there is a slot for it now.
    pub(super) fn lease_at_once(self: &Arc<Self>) -> Result<Option<Lease<M>>> {
        let turn = Turn::new(Kind::Lease, None);
        let answer = Monitor::new(None);
        let Some(id) = self.enter_at_once(waiter(&turn, &answer))? else { return Ok(None) };
        let (slot, _) = self.granted(&turn, None, id, &answer)?;
        self.lent(slot, &turn, Watch::new()).map(Some)
    }

    fn lent(&self, mut slot: Slot<M>, turn: &Turn, mut watch: Watch<'_>) -> Result<Lease<M>> {
        match self.model(&mut slot, turn, &mut watch) {
            Ok(model) => Ok(Lease::new(slot, model)),
            Err(error) => {
                let error = self.told(slot.id, turn, error);
                self.count(|metrics| metrics.count_refusal(&error));
                Err(error)
            }
        }
    }

    /// Generates on a thread of its own, which begins when there is a slot.
    pub(super) fn submit<T: Product>(
        self: &Arc<Self>,
        mut watch: Watch<'static>,
        generate: impl FnOnce(&mut M, Watch<'_>) -> Result<T> + Send + 'static,
    ) -> Result<Job<T>> {
        let turn = self.generation(Kind::Job, &watch);
        let callers = watch.cancel.take();
        let cell = Cell::<T>::new();
        let token = turn.token.clone();
        let subscriber = tracing::dispatcher::get_default(Clone::clone);
        let span = tracing::Span::current();
        let run = {
            let (shared, turn, cell) = (Arc::clone(self), turn.clone(), cell.clone());
            move |slot| {
                cell.begin();
                let result = tracing::dispatcher::with_default(&subscriber, || {
                    span.in_scope(|| shared.work(slot, &turn, watch, generate))
                });
                cell.finish(result);
            }
        };
        let outstanding = Outstanding::new(self);
        let ready = {
            let cell = cell.clone();
            Box::new(move |slot| {
                let outstanding = outstanding;
                match slot {
                    Ok(slot) => start(slot, run, outstanding, &cell),
                    Err(error) => {
                        cell.finish(Err(error));
                        None
                    }
                }
            })
        };
        let id = self.enter(Waiter { turn, ready })?;
        if let Some(callers) = callers {
            cell.keep(link(self, id, &token, &callers));
        }
        Ok(Job::new(cell, token, Arc::downgrade(self), id))
    }
}

/// Starts a job's thread. If that fails the job has its error, and the slot comes back.
fn start<M: Model, T: Product>(
    slot: Slot<M>,
    run: impl FnOnce(Slot<M>) + Send + 'static,
    outstanding: Outstanding<M>,
    cell: &Cell<T>,
) -> Option<Slot<M>> {
    // The slot must come back from a thread that does not start.
    let parcel = Monitor::new(Some((slot, run, outstanding)));
    let started = {
        let parcel = parcel.clone();
        sync::spawn("sdcpp-job", move || {
            let taken = parcel.lock().take();
            if let Some((slot, run, _outstanding)) = taken {
                run(slot);
            }
        })
    };
    let error = started.err()?;
    let taken = parcel.lock().take();
    let (mut slot, _, _outstanding) = taken?;
    let error = Error::io("start a job's thread", error);
    slot.ended.ending = Some(Ending::from(&error));
    cell.finish(Err(error));
    Some(slot)
}
