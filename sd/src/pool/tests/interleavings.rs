//! Orders in which the threads of a pool may run, tried by shuttle: `scripts/shuttle.sh`.

use super::fake::{Fake, World, ask, block_on, options};
use crate::{
    BreakerState, CancelToken, Error, Lease, Pool, Shutdown, Watch,
    sync::{Monitor, clock, explore},
};
use shuttle::thread::{self, JoinHandle};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(1);

fn start<T: Send + 'static>(
    pool: &Pool<Fake>,
    body: impl FnOnce(Pool<Fake>) -> T + Send + 'static,
) -> JoinHandle<T> {
    let pool = pool.clone();
    thread::spawn(move || body(pool))
}

/// What must be so when all have ended: no slot is lost, no model, and no count.
fn quiet(pool: &Pool<Fake>, world: &World, size: usize) {
    let metrics = pool.metrics();
    assert_eq!((metrics.in_use, metrics.queued), (0, 0), "{metrics:?}");
    let ended = metrics.done + metrics.failed + metrics.cancelled + metrics.timed_out;
    assert_eq!(metrics.submitted, ended, "{metrics:?}");
    let seen = world.0.lock();
    assert_eq!((seen.models, seen.running), (metrics.idle, 0));
    assert!(seen.most_models <= size);
}

#[test]
fn leases_come_and_go() {
    explore(|| {
        let world = World::new();
        let pool = world.pool(options().size(2));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                start(&pool, |pool| {
                    drop(pool.acquire_with(Watch::new()).unwrap());
                    drop(pool.try_acquire().unwrap());
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        quiet(&pool, &world, 2);
        assert!(pool.metrics().granted >= 4);
    });
}

#[test]
fn time_passes_while_a_slot_comes() {
    explore(|| {
        let world = World::new();
        let pool = world.pool(options().size(1));
        let lease = pool.acquire_with(Watch::new()).unwrap();
        let waits = start(&pool, |pool| pool.acquire(LIMIT).map(drop));
        let limited = pool.submit(ask("x"), Watch::new().time_limit(LIMIT)).unwrap();
        let unlimited = pool.submit(ask("x"), Watch::new()).unwrap();
        drop(lease);
        match waits.join().unwrap() {
            Ok(()) | Err(Error::AcquireTimeout { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        match limited.wait() {
            Ok(_) | Err(Error::DeadlineExceeded { limit: LIMIT, .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(unlimited.wait().is_ok());
        pool.shutdown(Shutdown::Finish);
        quiet(&pool, &world, 1);
    });
}

#[test]
fn deadlines_pass_though_no_slot_comes() {
    explore(|| {
        let world = World::new();
        let pool = world.pool(options().size(1));
        let lease = pool.acquire_with(Watch::new()).unwrap();
        let submit = |limit| pool.submit(ask("x"), Watch::new().time_limit(limit)).unwrap();
        let (late, early) = (submit(LIMIT * 2), submit(LIMIT));
        let also =
            start(&pool, |pool| pool.generate_with(&ask("x"), Watch::new().time_limit(LIMIT)));
        assert!(matches!(early.wait(), Err(Error::DeadlineExceeded { .. })));
        assert!(matches!(block_on(late), Err(Error::DeadlineExceeded { .. })));
        assert!(matches!(also.join().unwrap(), Err(Error::DeadlineExceeded { .. })));
        drop(lease);
        quiet(&pool, &world, 1);
        assert_eq!(pool.metrics().timed_out, 3);
    });
}

#[test]
fn jobs_are_cancelled_dropped_and_detached_anywhere() {
    explore(|| {
        let world = World::new();
        let pool = world.pool(options().size(1));
        let token = CancelToken::new();
        let shared = pool.submit(ask("hold"), Watch::new().cancel_with(token.clone())).unwrap();
        let dropped = pool.submit(ask("hold"), Watch::new()).unwrap();
        let cancelled = pool.submit(ask("hold"), Watch::new()).unwrap();
        pool.submit(ask("x"), Watch::new()).unwrap().detach();
        let threads = [
            thread::spawn(move || token.cancel()),
            thread::spawn(move || drop(dropped)),
            thread::spawn(move || {
                cancelled.cancel();
                assert!(matches!(block_on(cancelled), Err(Error::Cancelled { .. })));
            }),
        ];
        assert!(matches!(block_on(shared), Err(Error::Cancelled { .. })));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        pool.shutdown(Shutdown::Finish);
        quiet(&pool, &world, 1);
        let metrics = pool.metrics();
        // The detached one may still wait when the pool closes.
        assert!(metrics.cancelled >= 3 && metrics.cancelled + metrics.done == 4, "{metrics:?}");
    });
}

#[test]
fn a_listener_is_called_once_whenever_the_token_is_cancelled() {
    explore(|| {
        let (token, calls) = (CancelToken::new(), Monitor::new(0));
        let (remote, also, listens) = (token.clone(), token.clone(), calls.clone());
        let cancels =
            [thread::spawn(move || remote.cancel()), thread::spawn(move || also.cancel())];
        let stays = token.on_cancel(move || *listens.lock() += 1);
        let leaves = {
            let token = token.clone();
            // Called or not, but neither twice nor stuck, also while another drops its own.
            thread::spawn(move || {
                let calls = Monitor::new(0);
                let listens = calls.clone();
                drop(token.on_cancel(move || *listens.lock() += 1));
                assert!(*calls.lock() <= 1);
            })
        };
        cancels.into_iter().for_each(|thread| thread.join().unwrap());
        leaves.join().unwrap();
        assert_eq!(*calls.lock(), 1);
        drop(stays);
    });
}

#[test]
fn a_token_cancelled_while_it_is_linked_is_seen() {
    explore(|| {
        let world = World::new();
        let pool = world.pool(options().size(1));
        let lease = pool.acquire_with(Watch::new()).unwrap();
        let token = CancelToken::new();
        let remote = token.clone();
        let cancels = thread::spawn(move || remote.cancel());
        let watch = Watch::new().cancel_with(token.clone());
        let waits = start(&pool, move |pool| pool.acquire_with(watch).map(drop));
        let job = pool.submit(ask("hold"), Watch::new().cancel_with(token)).unwrap();
        assert!(matches!(waits.join().unwrap(), Err(Error::Cancelled { .. })));
        assert!(matches!(job.wait(), Err(Error::Cancelled { .. })));
        cancels.join().unwrap();
        drop(lease);
        quiet(&pool, &world, 1);
    });
}

fn shuts_down(how: Shutdown) {
    let world = World::new();
    let pool = world.pool(options().size(2));
    let command = if how == Shutdown::Cancel { "hold" } else { "x" };
    let allowed = |result: Result<(), Error>| match result {
        Ok(()) | Err(Error::ShutDown) => {}
        Err(error) => panic!("{error}"),
    };
    let submits = start(&pool, move |pool| match pool.submit(ask(command), Watch::new()) {
        Ok(job) => allowed(block_on(job).map(drop)),
        Err(error) => allowed(Err(error)),
    });
    let generates = start(&pool, move |pool| allowed(pool.generate(&ask(command)).map(drop)));
    let acquires = start(&pool, move |pool| allowed(pool.acquire_with(Watch::new()).map(drop)));
    let other = start(&pool, move |pool| pool.shutdown(how));
    pool.shutdown(how);
    assert_eq!(world.0.lock().models, 0, "nothing runs, and no model is left");
    for thread in [submits, generates, acquires, other] {
        thread.join().unwrap();
    }
    quiet(&pool, &world, 2);
    assert!(matches!(pool.try_acquire(), Err(Error::ShutDown)));
}

#[test]
fn shutting_down_lets_what_runs_finish() {
    explore(|| shuts_down(Shutdown::Finish));
}

#[test]
fn shutting_down_cancels_what_runs() {
    explore(|| shuts_down(Shutdown::Cancel));
}

#[test]
fn the_breaker_opens_and_closes_under_load() {
    explore(|| {
        let world = World::new();
        world.0.lock().bad_openings = 2;
        let pool = world.pool(options().size(2).failure_limit(2).cool_down(LIMIT));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                start(&pool, |pool| match pool.generate(&ask("x")) {
                    Ok(_) | Err(Error::Unsupported { .. } | Error::CircuitOpen { .. }) => {}
                    Err(error) => panic!("{error}"),
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        quiet(&pool, &world, 2);
        if let BreakerState::Open { retry_in } = pool.metrics().breaker {
            assert!(matches!(pool.try_acquire(), Err(Error::CircuitOpen { failures: 2, .. })));
            clock::advance_to(clock::now() + retry_in);
            let threads = [start(&pool, good), start(&pool, good)];
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        quiet(&pool, &world, 2);
        assert_eq!(pool.metrics().breaker, BreakerState::Closed);
    });
}

fn good(pool: Pool<Fake>) {
    pool.generate(&ask("x")).unwrap();
}

/// One model of two is lent; the next opening fails.
fn cramped() -> (World, Pool<Fake>, Lease<Fake>) {
    let world = World::new();
    let pool = world.pool(options().size(2).failure_limit(1).cool_down(LIMIT));
    let lease = pool.acquire_with(Watch::new()).unwrap();
    world.0.lock().bad_openings = 1;
    (world, pool, lease)
}

#[test]
fn a_pool_that_cannot_grow_loses_nobody() {
    explore(|| {
        let (world, pool, lease) = cramped();
        let token = CancelToken::new();
        let watch = Watch::new().cancel_with(token.clone());
        let cancelled = pool.submit(ask("x"), watch).unwrap();
        let waits = start(&pool, good);
        let tries = start(&pool, |pool| drop(pool.try_acquire().unwrap()));
        let cancels = thread::spawn(move || token.cancel());
        let returns = thread::spawn(move || drop(lease));
        match cancelled.wait() {
            Ok(_) | Err(Error::Cancelled { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        for thread in [waits, tries, cancels, returns] {
            thread.join().unwrap();
        }
        quiet(&pool, &world, 2);
        assert_eq!(pool.metrics().breaker, BreakerState::Closed);
    });
}

/// The lease stays lent: who waits while another tries in vain, and goes, has the timer alone.
#[test]
fn a_pool_that_cannot_grow_serves_who_waits_though_nobody_comes_or_goes() {
    explore(|| {
        let (world, pool, lease) = cramped();
        let waits = start(&pool, good);
        let tries = start(&pool, |pool| drop(pool.try_acquire().unwrap()));
        waits.join().unwrap();
        tries.join().unwrap();
        drop(lease);
        quiet(&pool, &world, 2);
        assert_eq!(pool.metrics().breaker, BreakerState::Closed);
    });
}

#[test]
fn broken_models_are_replaced_under_load() {
    explore(|| {
        let world = World::new();
        let pool = world.pool(options().size(2).failure_limit(100));
        let threads: Vec<_> = ["break", "x", "break", "x"]
            .into_iter()
            .map(|command| {
                start(&pool, move |pool| {
                    assert_eq!(pool.generate(&ask(command)).is_ok(), command == "x");
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        quiet(&pool, &world, 2);
        assert_eq!(pool.metrics().replaced, 2);
    });
}

#[test]
fn the_last_handle_goes_while_jobs_wait() {
    explore(|| {
        let world = World::new();
        let pool = world.pool(options().size(1));
        let jobs = [(); 2].map(|()| pool.submit(ask("x"), Watch::new()).unwrap());
        let limited = pool.submit(ask("x"), Watch::new().time_limit(LIMIT)).unwrap();
        drop(pool);
        jobs.into_iter().for_each(|job| assert!(job.wait().is_ok()));
        match limited.wait() {
            Ok(_) | Err(Error::DeadlineExceeded { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    });
}

#[test]
fn panics_lose_no_slot() {
    explore(|| {
        let world = World::new();
        let pool = world.pool(options().size(1).failure_limit(100));
        let job = pool.submit(ask("panic"), Watch::new()).unwrap();
        let panics = start(&pool, |pool| pool.generate(&ask("panic")).is_err());
        let waits = start(&pool, |pool| pool.generate(&ask("x")).is_ok());
        assert!(matches!(job.wait(), Err(Error::Panicked { .. })));
        assert!(panics.join().unwrap() && waits.join().unwrap());
        quiet(&pool, &world, 1);
        assert_eq!(pool.metrics().replaced, 2);
    });
}
