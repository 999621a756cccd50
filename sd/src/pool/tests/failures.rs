//! What goes wrong, and what does not go wrong then.

use super::fake::{World, ask, options};
use crate::{BreakerState, CancelToken, Error, Lora, Model, Stage, Watch};
use std::{
    thread,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_model_that_broke_is_replaced() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    assert!(matches!(pool.generate(&ask("break")), Err(Error::Poisoned { .. })));
    let metrics = pool.metrics();
    assert_eq!((metrics.idle, metrics.replaced, metrics.failures), (0, 1, 1));
    pool.generate(&ask("x")).unwrap();
    assert_eq!((pool.metrics().opened, world.0.lock().most_models), (2, 1), "freed before");
    let mut lease = pool.acquire(LONG).unwrap();
    lease.usable = false;
    drop(lease);
    assert_eq!((pool.metrics().replaced, world.0.lock().models), (2, 0));
}

#[test]
fn a_panic_in_model_or_factory_is_an_error() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let error = pool.generate(&ask("panic")).unwrap_err();
    assert_eq!(error.to_string(), "panicked while generating: as asked");
    assert_eq!(pool.metrics().replaced, 1);
    let error = pool.submit(ask("panic"), Watch::new()).unwrap().wait().unwrap_err();
    assert_eq!(error.to_string(), "panicked while generating: as asked");
    pool.generate(&ask("x")).unwrap();
    drop(pool);

    world.0.lock().opening_panics = true;
    let pool = world.pool(options().size(1).failure_limit(100));
    let expected = "panicked while opening a model: no luck";
    assert_eq!(pool.acquire(LONG).err().unwrap().to_string(), expected);
    assert_eq!(pool.try_acquire().err().unwrap().to_string(), expected);
    let job = pool.submit(ask("x"), Watch::new()).unwrap();
    assert_eq!(job.wait().unwrap_err().to_string(), expected);
    world.0.lock().opening_panics = false;
    pool.generate(&ask("x")).unwrap();
    assert_eq!((pool.metrics().in_use, pool.metrics().failures), (0, 3));
}

#[test]
fn what_cannot_be_opened_is_an_error_of_one() {
    let world = World::new();
    world.0.lock().bad_openings = 2;
    let pool = world.pool(options().size(1));
    let held = || pool.submit(ask("x"), Watch::new()).unwrap();
    let jobs: Vec<_> = (0..4).map(|_| held()).collect();
    let results: Vec<_> = jobs.into_iter().map(|job| job.wait().is_ok()).collect();
    assert_eq!(results, [false, false, true, true], "the slot goes to the next");
}

#[test]
fn failures_in_a_row_open_the_circuit() {
    let world = World::new();
    world.0.lock().bad_openings = 3;
    let pool = world.pool(options().failure_limit(2).cool_down(LONG));
    for _ in 0..2 {
        assert!(matches!(pool.acquire(LONG), Err(Error::Unsupported { .. })));
    }
    for error in [
        pool.acquire(LONG).err().unwrap(),
        pool.try_acquire().err().unwrap(),
        pool.generate(&ask("x")).unwrap_err(),
        pool.submit(ask("x"), Watch::new()).unwrap_err(),
    ] {
        let Error::CircuitOpen { failures: 2, retry_in, cause } = error else { panic!("{error}") };
        assert!(retry_in <= LONG && retry_in > LONG / 2, "{retry_in:?}");
        assert_eq!(cause, "this is not supported: bad");
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.refused_circuit_open, metrics.failures, metrics.submitted), (4, 2, 0));
    assert_eq!(world.0.lock().bad_openings, 1, "nothing was tried any more");
}

#[test]
fn after_the_cool_down_one_attempt_decides() {
    let world = World::new();
    world.0.lock().bad_openings = 3;
    let cool_down = Duration::from_millis(50);
    let pool = world.pool(options().size(2).failure_limit(2).cool_down(cool_down));
    let cool = || {
        while let BreakerState::Open { retry_in } = pool.metrics().breaker {
            thread::sleep(retry_in);
        }
        assert_eq!(pool.metrics().breaker, BreakerState::HalfOpen);
    };
    let failure = || assert!(matches!(pool.generate(&ask("x")), Err(Error::Unsupported { .. })));
    failure();
    let begin = Instant::now();
    failure();
    cool();
    assert!(begin.elapsed() >= cool_down);
    let begin = Instant::now();
    failure();
    cool();
    assert!(begin.elapsed() >= cool_down, "one failure opened it again");
    let trial = pool.submit(ask("hold"), Watch::new()).unwrap();
    world.wait_running(1);
    let waiting = pool.submit(ask("x"), Watch::new()).unwrap();
    assert_eq!(pool.metrics().queued, 1, "one at a time, though there is room");
    world.release();
    assert!(trial.wait().is_ok() && waiting.wait().is_ok());
    assert_eq!(pool.metrics().breaker, BreakerState::Closed);
}

#[test]
fn an_open_circuit_sends_away_those_who_wait() {
    let world = World::new();
    let pool = world.pool(options().size(1).failure_limit(1).cool_down(LONG));
    let mut lease = pool.acquire(LONG).unwrap();
    let job = pool.submit(ask("x"), Watch::new()).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.acquire(LONG).err());
        while pool.metrics().queued < 2 {
            thread::sleep(Duration::from_millis(1));
        }
        lease.usable = false;
        drop(lease);
        assert!(matches!(waiter.join().unwrap(), Some(Error::CircuitOpen { failures: 1, .. })));
    });
    assert!(matches!(job.wait(), Err(Error::CircuitOpen { .. })));
    let metrics = pool.metrics();
    assert_eq!((metrics.failed, metrics.refused_circuit_open, metrics.queued), (1, 2, 0));
}

#[test]
fn an_attempt_that_says_nothing_leaves_it_to_the_next() {
    let world = World::new();
    world.0.lock().bad_openings = 1;
    let pool = world.pool(options().size(2).failure_limit(1).cool_down(Duration::ZERO));
    assert!(pool.generate(&ask("x")).is_err());
    drop(pool.acquire(LONG).unwrap());
    assert_eq!(pool.metrics().breaker, BreakerState::HalfOpen, "it was not used");
    assert!(matches!(pool.generate(&ask("fail")), Err(Error::Sampling { .. })));
    assert_eq!(pool.metrics().breaker, BreakerState::HalfOpen, "the request may be at fault");
    let mut lease = pool.acquire(LONG).unwrap();
    assert!(pool.try_acquire().unwrap().is_none(), "one at a time");
    lease.generate_with(&ask("x"), Watch::new()).unwrap();
    drop(lease);
    assert_eq!(pool.metrics().breaker, BreakerState::HalfOpen, "nobody said how it went");
    pool.generate(&ask("x")).unwrap();
    assert_eq!(pool.metrics().breaker, BreakerState::Closed);
}

#[test]
fn a_cancelled_opening_is_nobodys_failure() {
    let world = World::new();
    let pool = world.pool(options().size(1).failure_limit(1));
    let token = CancelToken::new();
    token.cancel();
    for _ in 0..3 {
        let watch = Watch::new().cancel_with(token.clone());
        assert!(matches!(pool.acquire_with(watch), Err(Error::Cancelled { .. })));
    }
    assert_eq!(pool.metrics().failures, 0);
    assert!(pool.acquire(LONG).is_ok());
}

#[test]
fn what_the_caller_stopped_is_no_failure_though_the_model_is_lost() {
    let world = World::new();
    let pool = world.pool(options().size(1).failure_limit(1));
    let limited = Watch::new().time_limit(Duration::from_millis(20));
    let error = pool.generate_with(&ask("hold to the death"), limited).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
    let job = pool.submit(ask("hold to the death"), Watch::new()).unwrap();
    world.wait_running(1);
    job.cancel();
    assert!(matches!(job.wait(), Err(Error::Cancelled { .. })));
    assert!(matches!(pool.generate(&ask("callback")), Err(Error::CallbackPanicked { .. })));
    let metrics = pool.metrics();
    assert_eq!((metrics.replaced, metrics.failures), (3, 0));
    assert_eq!(metrics.breaker, BreakerState::Closed);
}

#[test]
fn a_model_that_died_while_idle_is_not_given_out() {
    let world = World::new();
    let pool = world.pool(options().size(3).failure_limit(1));
    drop([(); 3].map(|()| pool.acquire(LONG).unwrap()));
    world.0.lock().dead = 2;
    pool.generate(&ask("x")).unwrap();
    pool.generate(&ask("x")).unwrap();
    world.0.lock().dead = 3;
    pool.generate(&ask("x")).unwrap();
    let metrics = pool.metrics();
    assert_eq!((metrics.opened, metrics.replaced, metrics.failures), (4, 3, 0));
    assert_eq!((metrics.idle, world.0.lock().models), (1, 1));
}

#[test]
fn weights_that_do_not_load_are_the_models_failure_unless_the_request_brings_some() {
    let world = World::new();
    let pool = world.pool(options().size(1).failure_limit(1).cool_down(LONG));
    for request in [ask("load").lora(Lora::new("x")), ask("<lora:x:1> load")] {
        assert!(matches!(pool.generate(&request), Err(Error::ModelLoad { .. })));
        assert_eq!(pool.metrics().failures, 0);
    }
    assert!(matches!(pool.generate(&ask("load")), Err(Error::ModelLoad { .. })));
    let metrics = pool.metrics();
    assert_eq!((metrics.failures, metrics.replaced, metrics.idle), (1, 0, 1), "kept");
    assert!(matches!(pool.generate(&ask("x")), Err(Error::CircuitOpen { failures: 1, .. })));
}

#[test]
fn a_model_that_takes_too_long_to_open_by_itself_is_a_failure() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    for (failures, limit) in [(1, None), (2, Some(LONG))] {
        world.0.lock().slow_opening = true;
        let mut watch = Watch::new();
        watch.time_limit = limit;
        let error = pool.acquire_with(watch).err().unwrap();
        let own = Duration::from_secs(5);
        let expected = Error::DeadlineExceeded { stage: Stage::Opening, limit: own };
        assert_eq!(error.to_string(), expected.to_string(), "as it is");
        assert_eq!(pool.metrics().failures, failures);
    }
}

#[test]
fn a_model_that_comes_open_too_late_is_kept() {
    let world = World::new();
    let takes = Duration::from_millis(100);
    world.0.lock().opening_takes = takes;
    let pool = world.pool(options().size(1));
    let error = pool.acquire(takes / 2).err().unwrap();
    assert!(matches!(error, Error::AcquireTimeout { waited } if waited >= takes), "{error}");
    let metrics = pool.metrics();
    assert_eq!((metrics.idle, metrics.opened, metrics.acquire_timeouts), (1, 1, 1));
    assert!(pool.acquire(Duration::ZERO).is_ok());
}

/// Logs into the pool itself, which is to say that nothing may be logged under its lock.
mod nosy {
    use super::super::fake::Fake;
    use crate::Pool;
    use std::sync::mpsc::Sender;
    use tracing::{Event, Metadata, Subscriber, span};

    pub(super) struct Nosy(pub(super) Pool<Fake>, pub(super) Sender<u64>);

    impl Subscriber for Nosy {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, _: &Event<'_>) {
            self.1.send(self.0.metrics().failures).unwrap();
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }
}

#[test]
fn what_logs_may_ask_the_pool() {
    let world = World::new();
    world.0.lock().bad_openings = 1;
    let cool_down = Duration::from_millis(50);
    let pool = world.pool(options().size(2).failure_limit(1).cool_down(cool_down));
    let (sender, logged) = std::sync::mpsc::channel();
    // On a thread of its own, which may be stuck.
    thread::spawn(move || {
        let nosy = tracing::Dispatch::new(nosy::Nosy(pool.clone(), sender));
        // With a single one, tracing asks only the thread that first comes by whether to log: one of
        // another test, as a rule, which has no subscriber.
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        tracing::dispatcher::with_default(&nosy, || {
            assert!(pool.generate(&ask("x")).is_err());
            while matches!(pool.metrics().breaker, BreakerState::Open { .. }) {
                thread::sleep(Duration::from_millis(1));
            }
            assert!(pool.generate(&ask("break")).is_err());
        });
    });
    assert_eq!(logged.recv_timeout(LONG), Ok(1), "the circuit opened");
    assert_eq!(logged.recv_timeout(LONG), Ok(1), "the model is replaced");
    assert_eq!(logged.recv_timeout(LONG), Ok(2), "the circuit opened again");
}
