//! Random operations one after the other, against the simplest thing that could be right.

use super::fake::{Fake, World, ask, options};
use crate::{Error, Job, Lease, Pool, Watch};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
enum Step {
    Acquire,
    Release(usize),
    Break(usize),
    Submit,
    CancelJob(usize),
    BadOpening,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Acquire),
        3 => (0..8_usize).prop_map(Step::Release),
        1 => (0..8_usize).prop_map(Step::Break),
        3 => Just(Step::Submit),
        2 => (0..8_usize).prop_map(Step::CancelJob),
        1 => Just(Step::BadOpening),
    ];
    prop::collection::vec(step, 1..40)
}

/// What must be so after each step.
fn holds(pool: &Pool<Fake>, world: &World, leases: usize, size: usize) {
    let metrics = pool.metrics();
    let models = world.0.lock().models;
    assert!(models <= size && metrics.in_use + metrics.idle <= size, "{metrics:?}");
    assert!(metrics.in_use >= leases);
    // After a failure a pool may make do with the models it has.
    assert!(metrics.queued == 0 || metrics.in_use == size || metrics.failures > 0, "{metrics:?}");
    assert!(models >= leases + metrics.idle);
}

fn run(steps: Vec<Step>, size: usize) {
    let world = World::new();
    // The breaker has its own tests.
    let pool = world.pool(options().size(size).queue_limit(3).failure_limit(1000));
    let mut leases: Vec<Lease<Fake>> = Vec::new();
    let mut jobs: Vec<Job<_>> = Vec::new();
    let mut submitted = 0;
    for step in steps {
        match step {
            Step::Acquire => match pool.try_acquire() {
                Ok(Some(lease)) => leases.push(lease),
                Ok(None) => {
                    assert!(pool.metrics().in_use == size || pool.metrics().failures > 0);
                }
                Err(error) => assert!(matches!(error, Error::Unsupported { .. }), "{error}"),
            },
            Step::Release(at) if at < leases.len() => drop(leases.remove(at)),
            Step::Break(at) if at < leases.len() => leases.remove(at).usable = false,
            Step::Submit => match pool.submit(ask("hold"), Watch::new()) {
                Ok(job) => {
                    submitted += 1;
                    jobs.push(job);
                }
                Err(error) => {
                    assert!(matches!(error, Error::QueueFull { limit: 3 }), "{error}");
                    let metrics = pool.metrics();
                    // Those that went back come on top. An opening that has failed since then
                    // has ended its job, and the next one has left the queue.
                    assert!(metrics.queued <= 3 + size, "{metrics:?}");
                    assert!(metrics.queued >= 3 || metrics.failures > 0, "{metrics:?}");
                    assert!(metrics.in_use == size || metrics.failures > 0, "{metrics:?}");
                }
            },
            Step::CancelJob(at) if at < jobs.len() => {
                let job = jobs.remove(at);
                job.cancel();
                // Its opening may have failed before.
                assert!(job.wait().is_err());
            }
            Step::BadOpening => world.0.lock().bad_openings = 1,
            Step::Release(_) | Step::Break(_) | Step::CancelJob(_) => {}
        }
        holds(&pool, &world, leases.len(), size);
    }
    drop(leases);
    world.release();
    for job in jobs {
        match job.wait_timeout(Duration::from_secs(60)).expect("no job is stuck") {
            Ok(_) | Err(Error::Unsupported { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.in_use, metrics.queued), (0, 0), "{metrics:?}");
    assert_eq!(metrics.submitted, submitted);
    assert_eq!(metrics.submitted, metrics.done + metrics.failed + metrics.cancelled);
    assert_eq!(metrics.opened, metrics.replaced + metrics.idle as u64);
    assert_eq!(world.0.lock().models, metrics.idle);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_the_counts_add_up(steps in steps(), size in 1..4_usize) {
        run(steps, size);
    }
}
