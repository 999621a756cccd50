//! Who waits, in the order they came.

use super::{slot::Slot, turn::Turn};
use crate::{Model, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Tells operations of one pool apart; later ones have larger numbers.
pub(super) type Id = u64;

/// Called once with the slot, or with why there is none, and without the pool's lock. Gives back a
/// slot it cannot use.
pub(super) type Ready<M> = Box<dyn FnOnce(Result<Slot<M>>) -> Option<Slot<M>> + Send>;

pub(super) struct Waiter<M: Model> {
    pub(super) turn: Turn,
    pub(super) ready: Ready<M>,
    /// Whether it had a slot before, and could not open a model in it.
    pub(super) again: bool,
}

pub(super) struct Queue<M: Model> {
    next: Id,
    waiters: BTreeMap<Id, Waiter<M>>,
    /// Of jobs: no thread of theirs minds the time.
    deadlines: BTreeSet<(Instant, Id)>,
}

impl<M: Model> Queue<M> {
    pub(super) fn new() -> Self {
        Self { next: 0, waiters: BTreeMap::new(), deadlines: BTreeSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn push(&mut self, waiter: Waiter<M>) -> Id {
        let id = self.next;
        self.next += 1;
        self.put_back(id, waiter);
        id
    }

    /// Before all who came later.
    pub(super) fn put_back(&mut self, id: Id, waiter: Waiter<M>) {
        self.deadlines.extend(waiter.turn.timer_deadline().map(|time| (time, id)));
        self.waiters.insert(id, waiter);
    }

    pub(super) fn pop(&mut self) -> Option<(Id, Waiter<M>)> {
        let (id, waiter) = self.waiters.pop_first()?;
        self.forget_deadline(id, &waiter);
        Some((id, waiter))
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Waiter<M>> {
        let waiter = self.waiters.remove(&id)?;
        self.forget_deadline(id, &waiter);
        Some(waiter)
    }

    fn forget_deadline(&mut self, id: Id, waiter: &Waiter<M>) {
        if let Some(time) = waiter.turn.timer_deadline() {
            self.deadlines.remove(&(time, id));
        }
    }

    /// How many are before it; none if it does not wait.
    pub(super) fn position(&self, id: Id) -> Option<usize> {
        self.waiters.contains_key(&id).then(|| self.waiters.range(..id).count())
    }

    /// The first job's deadline, and whose it is.
    pub(super) fn next_deadline(&self) -> Option<(Instant, Id)> {
        self.deadlines.first().copied()
    }
}
