//! Pools that cannot have as many models as they should.

use super::fake::{Fake, World, ask, options};
use crate::{BreakerState, CancelToken, Error, JobStatus, Lease, Pool, Shutdown, Stage, Watch};
use std::{
    thread,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);

/// One model is lent; opening others fails, and one failure of the model would open the circuit.
fn cramped(cool_down: Duration) -> (World, Pool<Fake>, Lease<Fake>) {
    let world = World::new();
    let pool = world.pool(options().size(3).failure_limit(1).cool_down(cool_down));
    let lease = pool.acquire(LONG).unwrap();
    world.0.lock().bad_openings = 100;
    (world, pool, lease)
}

fn wait_queued(pool: &Pool<Fake>, count: usize) {
    let begin = Instant::now();
    while pool.metrics().queued != count {
        assert!(begin.elapsed() < LONG, "{:?}", pool.metrics());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_pool_makes_do_with_the_models_it_has() {
    let (world, pool, lease) = cramped(LONG);
    world.release();
    let first = pool.submit(ask("first"), Watch::new()).unwrap();
    wait_queued(&pool, 1);
    assert_eq!(first.status(), JobStatus::Queued { position: 0 });
    let second = pool.submit(ask("second"), Watch::new()).unwrap();
    assert_eq!(second.status(), JobStatus::Queued { position: 1 });
    assert!(pool.try_acquire().unwrap().is_none());
    let metrics = pool.metrics();
    assert_eq!((metrics.failures, metrics.granted, metrics.in_use), (1, 2, 1));
    assert_eq!(metrics.breaker, BreakerState::Closed);
    assert_eq!(world.0.lock().bad_openings, 99, "no more attempts for a while");
    drop(lease);
    assert!(first.wait().is_ok() && second.wait().is_ok());
    assert_eq!(world.0.lock().begun, ["first", "second"]);
    let metrics = pool.metrics();
    assert_eq!((metrics.opened, metrics.granted, metrics.failed), (1, 3, 0));
}

#[test]
fn what_does_not_wait_gets_none_then() {
    let (world, pool, _lease) = cramped(LONG);
    assert!(pool.try_acquire().unwrap().is_none());
    assert_eq!((pool.metrics().failures, pool.metrics().in_use), (1, 1));
    assert_eq!(world.0.lock().bad_openings, 99);
}

#[test]
fn who_went_back_to_the_queue_can_be_stopped_there() {
    let (_world, pool, _lease) = cramped(LONG);
    let begin = Instant::now();
    let error = pool.acquire(SHORT).err().unwrap();
    assert!(matches!(error, Error::AcquireTimeout { waited } if waited >= SHORT), "{error}");
    assert!(begin.elapsed() < LONG);
    let token = CancelToken::new();
    let watch = || Watch::new().cancel_with(token.clone());
    let jobs = [(); 2].map(|()| pool.submit(ask("x"), watch()).unwrap());
    wait_queued(&pool, 2);
    token.cancel();
    for job in jobs {
        assert!(matches!(job.wait(), Err(Error::Cancelled { stage: Stage::Queued })));
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.acquire_timeouts, metrics.cancelled, metrics.queued), (1, 2, 0));
}

#[test]
fn who_went_back_is_stopped_by_time_and_by_shutting_down() {
    let (_world, pool, lease) = cramped(LONG);
    let late = pool.submit(ask("x"), Watch::new().time_limit(SHORT * 3)).unwrap();
    let error = late.wait().unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { stage: Stage::Queued, .. }), "{error}");
    drop(lease);
    let (_world, pool, lease) = cramped(LONG);
    let job = pool.submit(ask("x"), Watch::new()).unwrap();
    wait_queued(&pool, 1);
    assert!(!pool.shutdown_within(Shutdown::Finish, Duration::ZERO));
    assert!(matches!(job.wait(), Err(Error::ShutDown)));
    drop(lease);
    pool.shutdown(Shutdown::Finish);
    let metrics = pool.metrics();
    assert_eq!((metrics.submitted, metrics.cancelled, metrics.in_use), (1, 1, 0));
}

#[test]
fn after_a_pause_a_pool_grows_again_for_those_who_wait() {
    let (world, pool, _lease) = cramped(Duration::ZERO);
    world.0.lock().bad_openings = 1;
    let begin = Instant::now();
    pool.generate(&ask("x")).unwrap();
    assert!(
        begin.elapsed() >= Duration::from_millis(100),
        "not at once, though no cool-down is set"
    );
    assert_eq!((pool.metrics().opened, pool.metrics().failures), (2, 1));
}

/// Who tried does not wait, and nobody else comes or goes.
#[test]
fn after_a_pause_a_pool_grows_again_for_one_that_waited_while_another_tried() {
    let world = World::new();
    let pool = world.pool(options().size(2).cool_down(Duration::ZERO));
    let _lease = pool.acquire(LONG).unwrap();
    {
        let mut seen = world.0.lock();
        seen.bad_openings = 1;
        seen.opening_takes = SHORT * 10;
    }
    let other = pool.clone();
    let tries = thread::spawn(move || other.try_acquire().unwrap().is_none());
    while pool.metrics().in_use != 2 && pool.metrics().failures == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    // Its thread minds the limit: the timer knows nothing of it.
    pool.generate_with(&ask("x"), Watch::new().time_limit(LONG)).unwrap();
    assert!(tries.join().unwrap());
    assert_eq!((pool.metrics().opened, pool.metrics().failures), (2, 1));
}

#[test]
fn when_the_last_model_is_gone_a_failing_opening_counts() {
    let (world, pool, mut lease) = cramped(LONG);
    let job = pool.submit(ask("x"), Watch::new()).unwrap();
    wait_queued(&pool, 1);
    lease.usable = false;
    drop(lease);
    assert!(matches!(job.wait(), Err(Error::CircuitOpen { .. })), "by the lease");

    world.0.lock().bad_openings = 0;
    let pool = world.pool(options().size(2).failure_limit(2).cool_down(LONG));
    let mut lease = pool.acquire(LONG).unwrap();
    world.0.lock().bad_openings = 2;
    let job = pool.submit(ask("x"), Watch::new()).unwrap();
    wait_queued(&pool, 1);
    lease.usable = false;
    drop(lease);
    assert!(matches!(job.wait(), Err(Error::Unsupported { .. })), "by its own opening");
    assert!(matches!(pool.metrics().breaker, BreakerState::Open { .. }));
    assert_eq!(pool.metrics().failures, 3);
}
