//! Shutting down.

use super::fake::{World, ask, options};
use crate::{Error, Shutdown, Watch};
use std::{
    thread,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);

#[test]
fn what_runs_may_finish() {
    let world = World::new();
    let pool = world.pool(options().size(2));
    // One of the two models is idle.
    drop((pool.acquire(LONG).unwrap(), pool.acquire(LONG).unwrap()));
    let pool1 = world.pool(options().size(1));
    let running = pool1.submit(ask("hold"), Watch::new()).unwrap();
    world.wait_running(1);
    let queued = pool1.submit(ask("x"), Watch::new()).unwrap();
    assert!(!pool1.shutdown_within(Shutdown::Finish, SHORT));
    assert!(matches!(queued.wait(), Err(Error::ShutDown)));
    assert!(matches!(pool1.submit(ask("x"), Watch::new()), Err(Error::ShutDown)));
    assert!(matches!(pool1.generate(&ask("x")), Err(Error::ShutDown)));
    assert!(matches!(pool1.acquire(LONG), Err(Error::ShutDown)));
    assert!(matches!(pool1.try_acquire(), Err(Error::ShutDown)));
    thread::scope(|scope| {
        let closes = scope.spawn(|| pool1.shutdown(Shutdown::Finish));
        world.release();
        closes.join().unwrap();
    });
    assert!(running.is_done(), "the result is there when shutdown returns");
    assert!(running.wait().is_ok());
    assert_eq!(world.0.lock().models, 2, "the other pool's");
    pool.shutdown(Shutdown::Cancel);
    assert_eq!(world.0.lock().models, 0, "idle ones are dropped");
    let metrics = pool1.metrics();
    assert_eq!((metrics.submitted, metrics.done, metrics.cancelled), (2, 1, 1));
}

#[test]
fn what_runs_is_cancelled() {
    let world = World::new();
    let pool = world.pool(options().size(2));
    let job = pool.submit(ask("hold"), Watch::new()).unwrap();
    thread::scope(|scope| {
        let blocking = scope.spawn(|| pool.generate(&ask("hold")).err());
        world.wait_running(2);
        // Asked to wait at first, then not any more.
        assert!(!pool.shutdown_within(Shutdown::Finish, SHORT));
        let begin = Instant::now();
        pool.shutdown(Shutdown::Cancel);
        assert!(begin.elapsed() < LONG);
        assert!(matches!(blocking.join().unwrap(), Some(Error::ShutDown)));
    });
    assert!(matches!(job.wait(), Err(Error::ShutDown)));
    assert_eq!(world.0.lock().models, 0);
}

#[test]
fn a_lease_is_waited_for_and_its_model_dropped() {
    let world = World::new();
    let pool = world.pool(options());
    let lease = pool.acquire(LONG).unwrap();
    assert!(!pool.shutdown_within(Shutdown::Cancel, SHORT));
    assert_eq!(world.0.lock().models, 1);
    drop(lease);
    assert!(pool.shutdown_within(Shutdown::Cancel, Duration::ZERO));
    assert_eq!((world.0.lock().models, pool.metrics().idle), (0, 0));
}

#[test]
fn jobs_outlive_the_handles() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let running = pool.submit(ask("hold"), Watch::new()).unwrap();
    let queued = pool.submit(ask("x"), Watch::new()).unwrap();
    drop(pool);
    world.release();
    assert!(running.wait().is_ok() && queued.wait().is_ok());
    let begin = Instant::now();
    while world.0.lock().models > 0 {
        assert!(begin.elapsed() < LONG, "the last job's thread drops the models");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_limit_holds_though_models_take_long_to_drop() {
    let world = World::new();
    let pool = world.pool(options().size(2));
    drop([(); 2].map(|()| pool.acquire(LONG).unwrap()));
    world.0.lock().dropping_takes = SHORT * 10;
    let begin = Instant::now();
    assert!(!pool.shutdown_within(Shutdown::Finish, SHORT));
    assert!(begin.elapsed() < SHORT * 10, "{:?}", begin.elapsed());
    pool.shutdown(Shutdown::Finish);
    assert_eq!(world.0.lock().models, 0, "waited for");
    assert!(begin.elapsed() >= SHORT * 20);
}
