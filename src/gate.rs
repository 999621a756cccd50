//! Callbacks of the caller that come to an end: after a gate is closed, none of its callbacks runs.

use crate::handle::lock;
use std::{
    cell::RefCell,
    sync::{Condvar, Mutex, PoisonError},
};

/// Who may be waiting for a callback to return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum HeldUp {
    /// No pool.
    #[default]
    Nobody,
    /// The pool of this number, whose operation calls back.
    Pool(u64),
    /// Any pool: the callback may run on a thread of each.
    AnyPool,
}

/// Counts callbacks in and out.
#[derive(Default)]
pub(crate) struct Gate {
    held_up: HeldUp,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    inside: usize,
}

thread_local! {
    /// Whose callbacks run on this thread, the innermost last: a gate's address, and who waits.
    static INSIDE: RefCell<Vec<(usize, HeldUp)>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread is in a callback that this pool may be waiting for, and must not wait for it.
pub(crate) fn in_callback_of(pool: u64) -> bool {
    let of_pool =
        |of: &(usize, HeldUp)| matches!(of.1, HeldUp::AnyPool) || of.1 == HeldUp::Pool(pool);
    INSIDE.try_with(|inside| inside.borrow().iter().any(of_pool)).unwrap_or(false)
}

impl Gate {
    /// The gate of callbacks that hold up others.
    pub(crate) fn holding_up(held_up: HeldUp) -> Self {
        Self { held_up, ..Self::default() }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// How many of this gate's callbacks this thread is in.
    pub(crate) fn depth(&self) -> usize {
        let here = |inside: &RefCell<Vec<_>>| {
            inside.borrow().iter().filter(|of: &&(usize, _)| of.0 == self.address()).count()
        };
        INSIDE.try_with(here).unwrap_or(0)
    }

    /// Calls back, unless the gate is closed.
    pub(crate) fn pass<T>(&self, callback: impl FnOnce() -> T) -> Option<T> {
        {
            let mut state = lock(&self.state);
            if state.closed {
                return None;
            }
            state.inside += 1;
        }
        let _leave = Leave(self);
        // A thread that is ending keeps no list; it waits for nobody either.
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().push((self.address(), self.held_up)));
        Some(callback())
    }

    /// Lets no callback in any more, and waits for those that run; but not in a callback, whose thread
    /// may be waited for by the other.
    pub(crate) fn close(&self) {
        let in_callback = INSIDE.try_with(|inside| !inside.borrow().is_empty()).unwrap_or(true);
        let mut state = lock(&self.state);
        state.closed = true;
        while state.inside > 0 && !in_callback {
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Leave<'a>(&'a Gate);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().pop());
        lock(&self.0.state).inside -= 1;
        self.0.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
            mpsc,
        },
        thread,
        time::Duration,
    };

    #[test]
    fn a_closed_gate_is_passed_no_more_and_closing_waits() {
        let gate = Arc::new(Gate::holding_up(HeldUp::Pool(7)));
        let done = Arc::new(AtomicBool::new(false));
        let (inside, is_inside) = mpsc::channel();
        let other = thread::spawn({
            let (gate, done) = (Arc::clone(&gate), Arc::clone(&done));
            move || {
                gate.pass(|| {
                    assert!(in_callback_of(7) && !in_callback_of(8));
                    inside.send(()).unwrap();
                    thread::sleep(Duration::from_millis(50));
                    done.store(true, Ordering::Relaxed);
                })
            }
        });
        is_inside.recv().unwrap();
        assert!(!in_callback_of(7), "that is another thread's");
        gate.close();
        assert!(done.load(Ordering::Relaxed));
        assert!(gate.pass(|| ()).is_none());
        assert!(other.join().unwrap().is_some());
    }

    #[test]
    fn closed_from_within_it_does_not_wait_for_itself() {
        let gate = Gate::default();
        gate.pass(|| {
            assert_eq!(gate.depth(), 1);
            gate.pass(|| gate.close());
        });
        assert!(gate.depth() == 0 && gate.pass(|| ()).is_none());
    }

    #[test]
    fn a_callback_of_no_pool_may_hold_up_each() {
        let gate = Gate::holding_up(HeldUp::AnyPool);
        gate.pass(|| assert!(in_callback_of(7) && in_callback_of(8)));
        assert!(!in_callback_of(7));
        Gate::default().pass(|| assert!(!in_callback_of(7)));
    }

    /// Each of two callbacks closes the other's gate: nobody waits for ever.
    #[test]
    fn callbacks_that_close_each_others_gates_both_end() {
        let gates = Arc::new([Gate::default(), Gate::default()]);
        let both = Arc::new(std::sync::Barrier::new(2));
        let callbacks: Vec<_> = [(0, 1), (1, 0)]
            .map(|(own, other)| {
                let (gates, both) = (Arc::clone(&gates), Arc::clone(&both));
                thread::spawn(move || {
                    gates[own].pass(|| {
                        both.wait();
                        gates[other].close();
                    })
                })
            })
            .into();
        for callback in callbacks {
            assert!(callback.join().unwrap().is_some());
        }
    }
}
