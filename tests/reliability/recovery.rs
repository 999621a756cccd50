//! How soon pictures come again after a worker was killed.

use super::{
    application::{Pictures, Row, application},
    cases, common,
    random_requests::patient,
    workers::{at_first_step, command, send},
};
use sdcpp::{
    Error,
    isolated::{WorkerOptions, WorkerPool},
};
use std::time::{Duration, Instant};

#[test]
fn a_killed_worker_costs_one_picture() {
    application("recovery::a_killed_worker_costs_one_picture", kill_workers);
}

fn kill_workers(pictures: &mut Pictures) -> Row {
    let rounds = cases(2, 100);
    let options = patient().size(1);
    let pool =
        WorkerPool::open(command(), common::demo_config(), WorkerOptions::default(), options)
            .unwrap();
    let request = common::quick_request("a red circle");
    let expected = pool.generate(&request).unwrap();
    let usual = {
        let start = Instant::now();
        pool.generate(&request).unwrap();
        start.elapsed()
    };
    let mut recovered: Vec<Duration> = (0..rounds)
        .map(|_| {
            let process = pool.acquire(Duration::from_secs(10)).unwrap().process_id();
            let kill = at_first_step(move || send("-9", process));
            let error = pool.generate_with(&request, kill).unwrap_err();
            assert!(matches!(error, Error::WorkerCrashed { signal: Some(9), .. }), "{error:?}");
            let start = Instant::now();
            let again = pool.generate(&request).unwrap();
            let elapsed = start.elapsed();
            pictures.compare(&again, &expected);
            elapsed
        })
        .collect();
    recovered.sort();
    let metrics = pool.metrics();
    assert_eq!(metrics.replaced, rounds as u64, "{metrics:?}");
    Row::new(
        "workers killed by signal 9 while sampling",
        rounds,
        format!(
            "one picture lost each; the next came after {:.0} ms (median; worst {:.0}), of which {:.0} ms \
             are the picture",
            recovered[rounds / 2].as_secs_f64() * 1e3,
            recovered[rounds - 1].as_secs_f64() * 1e3,
            usual.as_secs_f64() * 1e3,
        ),
    )
}
