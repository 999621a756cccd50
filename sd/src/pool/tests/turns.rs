//! Who gets a model, and when.

use super::fake::{World, ask, options};
use crate::{
    BreakerState, CancelToken, Error, Model, Pool, PoolMetrics, Stage, Watch,
    pool::tests::fake::Fake,
};
use std::{
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything takes, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);

fn wait_for(pool: &Pool<Fake>, when: impl Fn(&PoolMetrics) -> bool) {
    let begin = Instant::now();
    while !when(&pool.metrics()) {
        assert!(begin.elapsed() < LONG, "{:?}", pool.metrics());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn models_are_opened_when_needed_and_used_again() {
    let world = World::new();
    let pool = world.pool(options().size(3));
    assert_eq!(world.0.lock().models, 0);
    for _ in 0..5 {
        pool.generate(&ask("x")).unwrap();
    }
    assert_eq!(world.0.lock().most_models, 1);
    let leases: Vec<_> = (0..3).map(|_| pool.acquire(LONG).unwrap()).collect();
    assert!(pool.try_acquire().unwrap().is_none());
    assert_eq!((pool.metrics().in_use, pool.metrics().idle), (3, 0));
    drop(leases);
    let metrics = pool.metrics();
    assert_eq!((metrics.in_use, metrics.idle, metrics.opened, metrics.granted), (0, 3, 3, 8));
    assert_eq!(metrics.breaker, BreakerState::Closed);
    drop(pool);
    assert_eq!(world.0.lock().models, 0);
}

#[test]
fn fifty_waiters_are_served_in_the_order_they_came() {
    let world = World::new();
    let pool = world.pool(options().size(1).queue_limit(50));
    let held = pool.acquire(LONG).unwrap();
    let served = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for turn in 0..50 {
            let (pool, served) = (&pool, &served);
            scope.spawn(move || {
                let lease = pool.acquire(LONG).unwrap();
                served.lock().unwrap().push(turn);
                drop(lease);
            });
            wait_for(pool, |metrics| metrics.queued == turn + 1);
        }
        assert!(matches!(pool.acquire(LONG), Err(Error::QueueFull { limit: 50 })));
        assert!(pool.try_acquire().unwrap().is_none());
        drop(held);
    });
    assert_eq!(served.into_inner().unwrap(), (0..50).collect::<Vec<_>>());
    assert_eq!(pool.metrics().refused_queue_full, 1);
    assert_eq!(pool.metrics().granted, 51);
}

#[test]
fn nobody_overtakes_one_that_waits() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let held = pool.acquire(LONG).unwrap();
    let (sender, got) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| sender.send(pool.acquire(LONG).unwrap()).unwrap());
        wait_for(&pool, |metrics| metrics.queued == 1);
        drop(held);
        // It is the waiter's from then on, whether its thread has run yet or not.
        assert!(pool.try_acquire().unwrap().is_none());
        drop(got.recv().unwrap());
        assert!(pool.try_acquire().unwrap().is_some());
    });
}

#[test]
fn an_acquire_ends_when_its_time_has_passed_and_not_before() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let held = pool.acquire(LONG).unwrap();
    for timeout in [Duration::ZERO, SHORT, SHORT * 5] {
        let begin = Instant::now();
        let error = pool.acquire(timeout).err().unwrap();
        let took = begin.elapsed();
        assert!(matches!(error, Error::AcquireTimeout { waited } if waited >= timeout), "{error}");
        assert!(took >= timeout && took < LONG, "{took:?}");
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.acquire_timeouts, metrics.queued, metrics.in_use), (3, 0, 1));
    drop(held);
    assert!(pool.acquire(Duration::ZERO).is_ok(), "one that is free needs no time");
}

#[test]
fn a_token_ends_a_wait_at_once() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let _held = pool.acquire(LONG).unwrap();
    let token = CancelToken::new();
    thread::scope(|scope| {
        let (pool, token) = (&pool, &token);
        let watch = || Watch::new().cancel_with(token.clone());
        let waiters = [
            scope.spawn(move || pool.acquire_with(watch().time_limit(LONG)).err()),
            scope.spawn(move || pool.generate_with(&ask("x"), watch()).err()),
        ];
        wait_for(pool, |metrics| metrics.queued == 2);
        let begin = Instant::now();
        token.cancel();
        assert_eq!(pool.metrics().queued, 0, "gone when cancel returns");
        for waiter in waiters {
            let error = waiter.join().unwrap();
            assert!(matches!(error, Some(Error::Cancelled { stage: Stage::Queued })), "{error:?}");
        }
        assert!(begin.elapsed() < LONG);
        let late = pool.acquire_with(watch()).err();
        assert!(matches!(late, Some(Error::Cancelled { stage: Stage::Queued })), "{late:?}");
    });
}

#[test]
fn a_generation_has_one_time_limit_for_waiting_and_running() {
    let world = World::new();
    let pool = world.pool(options().size(1).time_limit(SHORT));
    let held = pool.acquire(LONG).unwrap();
    let queued = pool.generate(&ask("x")).unwrap_err();
    let expected = "the time limit of 30ms passed while waiting for a free model";
    assert_eq!(queued.to_string(), expected);
    drop(held);
    let begin = Instant::now();
    let running = pool.generate(&ask("hold")).unwrap_err();
    assert_eq!(running.to_string(), "the time limit of 30ms passed while sampling");
    assert!(begin.elapsed() >= SHORT);
    let own = pool.generate_with(&ask("hold"), Watch::new().time_limit(SHORT * 2)).unwrap_err();
    assert_eq!(own.to_string(), "the time limit of 60ms passed while sampling");
    let metrics = pool.metrics();
    assert_eq!((metrics.submitted, metrics.timed_out, metrics.opened), (3, 3, 1));
}

#[test]
fn a_panic_with_a_lease_loses_nothing() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _lease = pool.acquire(LONG).unwrap();
        panic!("the caller's");
    }));
    assert!(panicked.is_err());
    let mut lease = pool.try_acquire().unwrap().expect("free again");
    lease.generate_with(&ask("x"), Watch::new()).unwrap();
    drop(lease);
    assert_eq!(pool.metrics().opened, 1, "the model is usable still");
}

#[test]
fn waits_are_measured() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let held = pool.acquire(LONG).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| pool.acquire(LONG).unwrap());
        wait_for(&pool, |metrics| metrics.queued == 1);
        thread::sleep(SHORT);
        drop(held);
    });
    let metrics = pool.metrics();
    assert!(metrics.longest_wait >= SHORT, "{metrics:?}");
    assert!(metrics.waited >= metrics.longest_wait && metrics.granted == 2, "{metrics:?}");
}

#[test]
fn bad_requests_do_not_wait() {
    let pool = World::new().pool(options());
    let request = ask("x").size(0, 0);
    assert!(matches!(pool.generate(&request), Err(Error::InvalidParameter { .. })));
    assert!(matches!(pool.submit(request, Watch::new()), Err(Error::InvalidParameter { .. })));
    assert_eq!(pool.metrics().submitted, 0);
}
