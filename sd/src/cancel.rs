//! Asking an operation to stop, from anywhere.

use crate::sync::{
    Lock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::{
    fmt,
    sync::{Arc, Weak},
};

/// Stops an operation from anywhere. Clones share one state.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<State>);

type Listener = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    cancelled: AtomicBool,
    next: AtomicU64,
    /// Who waits without asking again and again: a queue, a worker's host.
    listeners: Lock<Vec<(u64, Listener)>>,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop. The operation ends with [`Error::Cancelled`](crate::Error::Cancelled) at its
    /// next sampling step, tile, stage or, on the CPU, at the next operation of the graph it is
    /// computing; but not while weights load.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        // Called without the lock: a listener may drop its own subscription.
        let listeners = std::mem::take(&mut *self.0.listeners.lock());
        for (_, listener) in listeners {
            listener();
        }
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Calls `listener` once when the token is cancelled, on the thread that cancels it; at once if
    /// it is already. Not any more when the subscription is dropped, unless it is running by then.
    pub(crate) fn on_cancel(&self, listener: impl FnOnce() + Send + 'static) -> Subscription {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut listeners = self.0.listeners.lock();
        // Asked under the lock: `cancel` sets the flag before it takes the list.
        if self.is_cancelled() {
            drop(listeners);
            listener();
        } else {
            listeners.push((id, Box::new(listener)));
        }
        Subscription { id, state: Arc::downgrade(&self.0) }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken").field(&self.is_cancelled()).finish()
    }
}

/// A listener of a token, until it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    id: u64,
    state: Weak<State>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("cancelled", &self.cancelled).finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(state) = self.state.upgrade() else { return };
        let removed = {
            let mut listeners = state.listeners.lock();
            let at = listeners.iter().position(|(id, _)| *id == self.id);
            at.map(|at| listeners.swap_remove(at))
        };
        // What it holds is dropped without the lock.
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::atomic::AtomicUsize;

    #[test]
    fn listeners_are_called_once_and_not_after_they_left() {
        let (token, calls) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
        let listen = |token: &CancelToken| {
            let calls = Arc::clone(&calls);
            token.on_cancel(move || {
                calls.fetch_add(1, Ordering::Relaxed);
            })
        };
        let stays = listen(&token);
        drop(listen(&token));
        token.clone().cancel();
        token.cancel();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        drop(stays);
        let late = listen(&token);
        assert_eq!(calls.load(Ordering::Relaxed), 2, "called at once");
        drop(late);
    }
}
