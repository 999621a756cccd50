//! Results that come later.

use super::fake::{SAMPLING, Woken, World, ask, block_on, options};
use crate::{
    CancelToken, Error, Job, JobPool, JobStatus, Progress, Stage, VideoRequest, Watch,
    sync::refusal,
};
use std::{
    ops::ControlFlow,
    pin::Pin,
    sync::{Arc, mpsc},
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);

static_assertions::assert_impl_all!(Job<crate::Generated>: Future, Send, Sync, Unpin);

#[test]
fn jobs_are_futures_and_can_be_waited_for() {
    let world = World::new();
    let pool = world.pool(options());
    assert!(block_on(pool.submit(ask("a"), Watch::new()).unwrap()).is_ok());
    assert!(pool.submit(ask("b"), Watch::new()).unwrap().wait().is_ok());
    let video = pool.submit_video(VideoRequest::new("c"), Watch::new()).unwrap();
    assert_eq!(block_on(video).unwrap().fps, 8);
    let error = block_on(pool.submit(ask("fail"), Watch::new()).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Sampling { .. }), "{error}");
    let metrics = pool.metrics();
    assert_eq!((metrics.submitted, metrics.done, metrics.failed), (4, 3, 1));
    assert_eq!((metrics.in_use, metrics.timings.sampling), (0, SAMPLING * 3));
}

#[test]
fn a_job_is_polled_with_the_last_waker_and_gives_its_result_once() {
    let world = World::new();
    let pool = world.pool(options());
    let mut job = pool.submit(ask("hold"), Watch::new()).unwrap();
    let (first, second) = (Woken::new(), Woken::new());
    for woken in [&first, &second] {
        let waker = Arc::clone(woken).into();
        assert!(Pin::new(&mut job).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    world.release();
    assert_eq!(second.wait(0), 1);
    let waker = Arc::clone(&second).into();
    assert!(Pin::new(&mut job).poll(&mut Context::from_waker(&waker)).is_ready());
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
fn a_result_taken_twice_is_an_error() {
    let pool = World::new().pool(options());
    let mut job = pool.submit(ask("a"), Watch::new()).unwrap();
    assert!(block_on(&mut job).is_ok());
    assert!(block_on(&mut job).unwrap_err().to_string().contains("taken before"));
    assert!(job.wait().is_err());
}

#[test]
fn a_job_says_where_it_is() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let submit = || pool.submit(ask("hold"), Watch::new()).unwrap();
    let (first, second, third) = (submit(), submit(), submit());
    world.wait_running(1);
    assert_eq!(first.status(), JobStatus::Running);
    assert_eq!(second.status(), JobStatus::Queued { position: 0 });
    assert_eq!(third.status(), JobStatus::Queued { position: 1 });
    assert_eq!(world.0.lock().begun.len(), 1);
    second.cancel();
    assert_eq!(second.status(), JobStatus::Done);
    assert_eq!(third.status(), JobStatus::Queued { position: 0 });
    assert!(matches!(second.wait(), Err(Error::Cancelled { stage: Stage::Queued })));
    let first = first.wait_timeout(SHORT).expect_err("held still");
    world.release();
    assert!(first.wait().is_ok() && third.wait().is_ok());
}

#[test]
fn dropping_a_job_cancels_it() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let running = pool.submit(ask("hold"), Watch::new()).unwrap();
    world.wait_running(1);
    let queued = pool.submit(ask("never"), Watch::new()).unwrap();
    drop(queued);
    assert_eq!((pool.metrics().queued, pool.metrics().cancelled), (0, 1));
    drop(running);
    world.wait_running(0);
    pool.generate(&ask("after")).unwrap();
    assert_eq!(world.0.lock().begun, ["hold", "after"]);
    assert_eq!(pool.metrics().cancelled, 2);
    assert_eq!(pool.metrics().opened, 1, "a cancelled model is used again");
}

#[test]
fn a_detached_job_goes_on() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let (told, hears) = mpsc::channel();
    let tell = {
        let world = world.clone();
        // Dropped with the watch, when the job is over.
        let told = scopeguard::guard(told, move |told: mpsc::Sender<usize>| {
            let _ = told.send(world.0.lock().begun.len());
        });
        move |_: Progress| {
            let _ = &told;
            ControlFlow::Continue(())
        }
    };
    let token = CancelToken::new();
    let watch = Watch::new().on_progress(tell).cancel_with(token);
    pool.submit(ask("a"), watch).unwrap().detach();
    // Jobs keep the pool's parts alive.
    drop(pool);
    assert_eq!(hears.recv_timeout(LONG), Ok(1));
}

#[test]
fn a_shared_token_cancels_what_waits_and_what_runs() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let token = CancelToken::new();
    let submit = || pool.submit(ask("hold"), Watch::new().cancel_with(token.clone())).unwrap();
    let (running, queued) = (submit(), submit());
    let other = pool.submit(ask("other"), Watch::new()).unwrap();
    world.wait_running(1);
    // Of two jobs with one token, cancelling one leaves the other.
    submit().cancel();
    assert!(!token.is_cancelled());
    token.cancel();
    assert!(matches!(queued.wait(), Err(Error::Cancelled { stage: Stage::Queued })));
    assert!(matches!(running.wait(), Err(Error::Cancelled { stage: Stage::Sampling })));
    assert!(other.wait().is_ok());
    let late = submit().wait();
    assert!(matches!(late, Err(Error::Cancelled { .. })), "{late:?}");
}

#[test]
fn a_job_expires_in_the_queue_when_its_time_has_passed() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let held = pool.acquire(LONG).unwrap();
    let begin = Instant::now();
    let jobs: Vec<_> = [SHORT * 4, SHORT, SHORT * 2]
        .into_iter()
        .map(|limit| (limit, pool.submit(ask("x"), Watch::new().time_limit(limit)).unwrap()))
        .collect();
    let unlimited = pool.submit(ask("x"), Watch::new()).unwrap();
    for (limit, job) in jobs {
        let error = job.wait().unwrap_err();
        let took = begin.elapsed();
        assert!(took >= limit && took < LONG, "{took:?}");
        let Error::DeadlineExceeded { stage: Stage::Queued, limit: told } = error else {
            panic!("{error}")
        };
        assert_eq!(told, limit);
    }
    assert_eq!((pool.metrics().timed_out, pool.metrics().queued), (3, 1));
    drop(held);
    assert!(unlimited.wait().is_ok());
}

#[test]
fn the_timer_is_there_only_while_it_is_needed() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let parts = Arc::downgrade(&pool.0);
    let held = pool.acquire(LONG).unwrap();
    let job = pool.submit(ask("x"), Watch::new().time_limit(LONG * 60)).unwrap();
    drop(job);
    drop(held);
    drop(pool);
    // The timer's thread keeps them alive; it must not wait for an hour.
    let begin = Instant::now();
    while parts.strong_count() > 0 {
        assert!(begin.elapsed() < LONG);
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_limit_counts_waiting_and_running_of_a_job() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    let held = pool.acquire(LONG).unwrap();
    let begin = Instant::now();
    let job = pool.submit(ask("hold"), Watch::new().time_limit(SHORT * 10)).unwrap();
    thread::sleep(SHORT);
    drop(held);
    let error = job.wait().unwrap_err();
    assert!(begin.elapsed() >= SHORT * 10);
    let Error::DeadlineExceeded { limit, .. } = error else { panic!("{error}") };
    assert_eq!(limit, SHORT * 10);
}

#[test]
fn jobs_run_at_once_and_no_more_than_there_are_models() {
    let world = World::new();
    let pool = world.pool(options().size(3).queue_limit(40));
    let jobs: Vec<_> = (0..40).map(|_| pool.submit(ask("hold"), Watch::new()).unwrap()).collect();
    world.wait_running(3);
    assert_eq!((pool.metrics().in_use, pool.metrics().queued), (3, 37));
    world.release();
    assert!(jobs.into_iter().all(|job| job.wait().is_ok()));
    assert_eq!(world.0.lock().most_models, 3);
    assert_eq!(pool.metrics().done, 40);
}

#[test]
fn threads_that_do_not_start_are_errors_of_their_jobs() {
    let world = World::new();
    let pool = world.pool(options().size(1).queue_limit(5000));
    let error =
        refusal::during(|| pool.submit(ask("x"), Watch::new()).unwrap().wait()).unwrap_err();
    assert!(error.to_string().starts_with("cannot start a job's thread"), "{error}");
    let held = pool.acquire(LONG).unwrap();
    let jobs: Vec<_> = (0..5000).map(|_| pool.submit(ask("x"), Watch::new()).unwrap()).collect();
    // One after the other, and not one inside of the other.
    refusal::during(|| drop(held));
    assert!(jobs.into_iter().all(|job| matches!(job.wait(), Err(Error::Io { .. }))));
    let held = pool.acquire(LONG).unwrap();
    let limited = || pool.submit(ask("x"), Watch::new().time_limit(LONG)).unwrap();
    let error = refusal::during(|| limited().wait()).unwrap_err();
    assert!(error.to_string().starts_with("cannot start the pool's timer"), "{error}");
    let job = limited();
    drop(held);
    assert!(job.wait().is_ok());
    let metrics = pool.metrics();
    assert_eq!((metrics.failed, metrics.done, metrics.in_use), (5002, 1, 0));
    assert_eq!(metrics.failures, 0, "none of it is the model's fault");
}

#[cfg(feature = "serde")]
#[test]
fn metrics_and_states_can_be_serialized() {
    let world = World::new();
    let pool = world.pool(options().size(1));
    pool.generate(&ask("a")).unwrap();
    let text = serde_json::to_string(&pool.metrics()).unwrap();
    assert!(text.starts_with(r#"{"size":1,"queued":0,"in_use":0,"idle":1,"breaker":"closed","#));
    assert!(text.contains(r#""sampling":{"secs":0,"nanos":7000000}"#), "{text}");
    let status = serde_json::to_string(&JobStatus::Queued { position: 2 }).unwrap();
    assert_eq!(status, r#"{"queued":{"position":2}}"#);
}

#[test]
fn a_server_can_hold_any_pool() {
    let world = World::new();
    let pool: Arc<dyn JobPool> = Arc::new(world.pool(options()));
    let job = pool.submit(ask("a"), Watch::new()).unwrap();
    let video = pool.submit_video(VideoRequest::new("b"), Watch::new()).unwrap();
    assert!(job.wait().is_ok() && video.wait().is_ok());
    assert_eq!(pool.metrics().done, 2);
    pool.shutdown(crate::Shutdown::Finish);
    assert!(matches!(pool.submit(ask("a"), Watch::new()), Err(Error::ShutDown)));
}

#[test]
fn polling_does_not_lose_a_wakeup() {
    let world = World::new();
    let pool = world.pool(options());
    world.release();
    for _ in 0..200 {
        let mut job = pool.submit(ask("hold"), Watch::new()).unwrap();
        let result =
            block_on(std::future::poll_fn(|context| match Pin::new(&mut job).poll(context) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => Poll::Pending,
            }));
        assert!(result.is_ok());
    }
}

#[test]
fn a_job_ends_whatever_panics_on_the_way() {
    let world = World::new();
    let pool = world.pool(options().size(1).failure_limit(100));
    let watch = || {
        let bomb = scopeguard::guard((), |()| panic!("dropped"));
        Watch::new().on_progress(move |_| {
            let _ = &bomb;
            ControlFlow::Continue(())
        })
    };
    world.0.lock().bad_openings = 1;
    for doing in ["running a job", "generating"] {
        let job = pool.submit(ask("x"), watch()).unwrap();
        let error = job.wait_timeout(LONG).expect("it ends").unwrap_err();
        assert_eq!(error.to_string(), format!("panicked while {doing}: dropped"));
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.submitted, metrics.failed, metrics.in_use), (2, 2, 0));
    assert_eq!((metrics.opened, metrics.replaced), (1, 1));
    pool.shutdown(crate::Shutdown::Finish);
}

#[test]
fn who_is_woken_by_a_job_may_shut_the_pool_down() {
    struct Closes(crate::Pool<super::fake::Fake>, mpsc::Sender<()>);
    impl std::task::Wake for Closes {
        fn wake(self: Arc<Self>) {
            self.0.shutdown(crate::Shutdown::Finish);
            self.1.send(()).unwrap();
        }
    }
    let world = World::new();
    let pool = world.pool(options().size(1));
    let mut job = pool.submit(ask("hold"), Watch::new()).unwrap();
    let (sender, closed) = mpsc::channel();
    let waker = Arc::new(Closes(pool, sender)).into();
    assert!(Pin::new(&mut job).poll(&mut Context::from_waker(&waker)).is_pending());
    world.release();
    closed.recv_timeout(LONG).unwrap();
    assert!(job.wait().is_ok());
}
