//! Locks, threads and time of the pool, of cancelling and of worker processes, in one place: the
//! tests under `--cfg shuttle` put others below it, and try orders in which threads may run.

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::sync::atomic;
#[cfg(all(test, shuttle))]
use shuttle::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};
#[cfg(not(all(test, shuttle)))]
pub(crate) use std::sync::atomic;
use std::{
    io,
    sync::{Arc, PoisonError},
    time::Instant,
};
#[cfg(not(all(test, shuttle)))]
use std::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

/// A value behind a lock that a panic does not poison: what runs under these locks leaves the value
/// whole, whatever panics.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value behind a lock, and a way to wait until it changes. Clones are one.
pub(crate) struct Monitor<T>(Arc<(Lock<T>, Condvar)>);

pub(crate) type Guard<'a, T> = MutexGuard<'a, T>;

impl<T> Clone for Monitor<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> Monitor<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new((Lock::new(value), Condvar::new())))
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.0.0.lock()
    }

    pub(crate) fn notify_all(&self) {
        self.0.1.notify_all();
    }

    /// Waits for a notification, or until the time, or a little for no reason at all.
    pub(crate) fn wait_until<'a>(
        &'a self,
        guard: Guard<'a, T>,
        time: Option<Instant>,
    ) -> Guard<'a, T> {
        match time {
            None => self.0.1.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(time) => self.wait_for_time(guard, time),
        }
    }

    #[cfg(not(all(test, shuttle)))]
    fn wait_for_time<'a>(&'a self, guard: Guard<'a, T>, time: Instant) -> Guard<'a, T> {
        let limit = time.saturating_duration_since(now());
        self.0.1.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Time comes as a thread, which is late or early as the scheduler likes.
    #[cfg(all(test, shuttle))]
    fn wait_for_time<'a>(&'a self, guard: Guard<'a, T>, time: Instant) -> Guard<'a, T> {
        if now() >= time {
            return guard;
        }
        let monitor = self.clone();
        thread::spawn(move || {
            let guard = monitor.lock();
            clock::advance_to(time);
            drop(guard);
            monitor.notify_all();
        });
        self.0.1.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a thread that nobody joins.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    #[cfg(test)]
    if refusal::is_set() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

#[cfg(not(all(test, shuttle)))]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(all(test, shuttle))]
pub(crate) use clock::now;

/// A clock that only waiting moves.
#[cfg(all(test, shuttle))]
pub(crate) mod clock {
    use std::{
        cell::Cell,
        sync::OnceLock,
        time::{Duration, Instant},
    };

    thread_local! {
        // Shuttle runs all threads of an execution on one of the system's.
        static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    fn begin() -> Instant {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        *BEGIN.get_or_init(Instant::now)
    }

    pub(crate) fn now() -> Instant {
        begin() + PASSED.get()
    }

    pub(crate) fn advance_to(time: Instant) {
        PASSED.set(PASSED.get().max(time - begin()));
    }
}

/// Runs a test in `SHUTTLE_ITERATIONS` orders of its threads (5000 unless it is set) of each kind: at
/// random, and with few switches at the worst places. Deadlocks are told by themselves. Says how many
/// there were, which scripts/shuttle.sh adds up.
#[cfg(all(test, shuttle))]
pub(crate) fn explore(test: impl Fn() + Send + Sync + Copy + 'static) {
    let set = std::env::var("SHUTTLE_ITERATIONS").ok();
    let iterations = set.map_or(5000, |text| text.parse().unwrap());
    let executed = Arc::<std::sync::atomic::AtomicUsize>::default();
    let counts = Arc::clone(&executed);
    let counted = move || {
        test();
        counts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    };
    shuttle::check_random(counted.clone(), iterations);
    shuttle::check_pct(counted, iterations, 3);
    let executed = executed.load(std::sync::atomic::Ordering::Relaxed);
    // Not by `println`, which tests that pass keep for themselves.
    io::Write::write_all(&mut io::stdout(), format!("executed in {executed} orders\n").as_bytes())
        .unwrap();
}

/// Makes [`spawn`] fail on the thread that asks, as when the system has no more threads.
#[cfg(test)]
pub(crate) mod refusal {
    use std::cell::Cell;

    thread_local! {
        static REFUSED: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn is_set() -> bool {
        REFUSED.get()
    }

    #[cfg(not(shuttle))]
    pub(crate) fn during<T>(body: impl FnOnce() -> T) -> T {
        REFUSED.set(true);
        let result = body();
        REFUSED.set(false);
        result
    }
}
