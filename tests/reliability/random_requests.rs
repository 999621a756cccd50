//! Requests that nobody would make on purpose, to worker processes and to contexts in this process.

use super::{
    application::{Pictures, Row, application},
    cases, common,
    kinds::Kinds,
    random, workers,
};
use fastrand::Rng;
use sdcpp::{
    ContextPool, Engine, Generated, Pool, PoolOptions, Result, Watch,
    isolated::{Worker, WorkerOptions, WorkerPool},
};
use std::time::{Duration, Instant};

/// What is more than this is stopped: only few requests are so large.
const LIMIT: Duration = Duration::from_secs(20);

/// A breaker that never opens: these tests fail on purpose.
pub(crate) fn patient() -> PoolOptions {
    PoolOptions::default().failure_limit(1000).cool_down(Duration::ZERO)
}

/// Draws each, by as many threads as the pool has models. Every result must be pictures of the size
/// asked for, or a typed error, and both models draw afterwards as one did before.
fn storm<M: sdcpp::Model>(
    pool: &Pool<M>,
    seed: u64,
    count: usize,
    pictures: &mut Pictures,
) -> Kinds {
    let whole = common::quick_request("a red circle").steps(1);
    let expected = pool.generate(&whole).unwrap();
    let came: Vec<Result<Generated>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|part| {
                scope.spawn(move || {
                    (part..count)
                        .step_by(2)
                        .map(|case| {
                            let request = random::request(&mut Rng::with_seed(seed + case as u64));
                            let watch = Watch::new().time_limit(LIMIT);
                            let came = pool.generate_with(&request, watch);
                            if let Ok(generated) = &came {
                                assert_eq!(generated.images.len(), request.batch as usize);
                                let first = &generated.images[0];
                                let bytes = first.width() * first.height() * first.channels();
                                assert_eq!(first.as_bytes().len(), bytes as usize);
                            }
                            came.inspect_err(|error| {
                                if error.kind() == "worker_crashed" {
                                    println!("seed {}: {error}\n{request:?}", seed + case as u64);
                                }
                            })
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut kinds = Kinds::default();
    for came in &came {
        kinds.add(came);
    }
    kinds.assert_all_are_answers(count, "invalid_parameter");
    let mut models = [(); 2].map(|()| pool.acquire(LIMIT).unwrap());
    for model in &mut models {
        pictures.compare(&model.generate_with(&whole, Watch::new()).unwrap(), &expected);
    }
    kinds
}

#[test]
fn any_request_to_a_worker_is_drawn_or_refused_in_words() {
    const TEST: &str = "random_requests::any_request_to_a_worker_is_drawn_or_refused_in_words";
    application(TEST, |pictures| {
        let count = cases(100, 10_000);
        let pool: Pool<Worker> = WorkerPool::open(
            workers::command(),
            common::demo_config(),
            WorkerOptions::default(),
            patient(),
        )
        .unwrap();
        let start = Instant::now();
        let kinds = storm(&pool, 0, count, pictures);
        Row::new(
            "random requests to a pool of worker processes",
            format!("{count} in {:.0} s", start.elapsed().as_secs_f64()),
            format!("host alive, {} workers crashed; {kinds}", kinds.count("worker_crashed")),
        )
    });
}

#[test]
fn any_request_to_a_context_is_drawn_or_refused_in_words() {
    const TEST: &str = "random_requests::any_request_to_a_context_is_drawn_or_refused_in_words";
    application(TEST, |pictures| {
        let count = cases(100, 2000);
        let pool = ContextPool::open(&Engine::linked().unwrap(), common::demo_config(), patient())
            .unwrap();
        let start = Instant::now();
        let kinds = storm(&pool, 1_000_000, count, pictures);
        Row::new(
            "random requests to a pool of contexts in process",
            format!("{count} in {:.0} s", start.elapsed().as_secs_f64()),
            format!("process alive; {kinds}"),
        )
    });
}
