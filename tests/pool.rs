//! The pool with the demo model: contexts side by side draw as one alone does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo, demo_config, quick_request};
use sdcpp::{
    CancelToken, ContextPool, DeviceKind, Engine, Error, ImageRequest, JobStatus, PoolOptions,
    Progress, Shutdown, Stage, Watch,
};
use std::{
    ops::ControlFlow,
    pin::pin,
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake},
    thread::{self, Thread},
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(120);

fn pool(size: usize) -> ContextPool {
    let options = PoolOptions::default().size(size);
    ContextPool::open(&Engine::linked().unwrap(), demo_config(), options).unwrap()
}

fn long_request() -> ImageRequest {
    quick_request("a red circle").steps(1000)
}

/// A watch that says when sampling has begun.
fn begins() -> (Watch<'static>, mpsc::Receiver<()>) {
    let (sender, receiver) = mpsc::channel();
    let watch = Watch::new().on_progress(move |progress| {
        if matches!(progress, Progress::Sampling { step: 1, .. }) {
            // Nobody may listen any more.
            let _ = sender.send(());
        }
        ControlFlow::Continue(())
    });
    (watch, receiver)
}

/// Awaits on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn two_contexts_at_once_draw_as_one_alone() {
    let requests: Vec<_> = ["a red circle", "a blue square", "a green triangle"]
        .into_iter()
        .flat_map(|prompt| [1, 2].map(|seed| quick_request(prompt).seed(seed)))
        .collect();
    let mut context = demo();
    let expected: Vec<_> = requests.iter().map(|r| context.generate(r).unwrap()).collect();
    let pool = pool(2);
    let jobs: Vec<_> =
        requests.iter().map(|r| pool.submit(r.clone(), Watch::new()).unwrap()).collect();
    for (job, expected) in jobs.into_iter().zip(&expected) {
        let generated = block_on(job).unwrap();
        assert_eq!(generated.images[0].as_bytes(), expected.images[0].as_bytes());
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.opened, metrics.done, metrics.idle, metrics.replaced), (2, 6, 2, 0));
    assert!(metrics.timings.sampling > Duration::ZERO && metrics.longest_wait > Duration::ZERO);
    let lease = pool.acquire(LONG).unwrap();
    let is_gpu = |kind| matches!(kind, DeviceKind::Gpu | DeviceKind::IntegratedGpu);
    let gpus = lease.engine().devices().unwrap().iter().any(|device| is_gpu(device.kind));
    assert_eq!(lease.config().mmap, if gpus { None } else { Some(true) });
    drop(lease);
    pool.shutdown(Shutdown::Finish);
    assert_eq!(pool.metrics().idle, 0);
}

#[test]
fn what_is_stopped_leaves_the_context_as_it_was() {
    let request = quick_request("a red circle");
    let expected = demo().generate(&request).unwrap();
    let pool = pool(1);
    let same = || {
        let again = pool.generate(&request).unwrap();
        assert_eq!(again.images[0].as_bytes(), expected.images[0].as_bytes());
    };
    // Dropped while it runs.
    let (watch, begun) = begins();
    let running = pool.submit(long_request(), watch).unwrap();
    begun.recv_timeout(LONG).unwrap();
    assert_eq!(running.status(), JobStatus::Running);
    let queued = pool.submit(request.clone(), Watch::new()).unwrap();
    assert_eq!(queued.status(), JobStatus::Queued { position: 0 });
    drop(queued);
    drop(running);
    same();
    // By a token, on another thread.
    let token = CancelToken::new();
    let (watch, begun) = begins();
    let running = pool.submit(long_request(), watch.cancel_with(token.clone())).unwrap();
    begun.recv_timeout(LONG).unwrap();
    token.cancel();
    assert!(matches!(running.wait(), Err(Error::Cancelled { .. })));
    same();
    // By time: in the queue, and running.
    let limit = Duration::from_millis(200);
    let begin = Instant::now();
    let running = pool.submit(long_request(), Watch::new().time_limit(limit * 2)).unwrap();
    let queued = pool.submit(request.clone(), Watch::new().time_limit(limit)).unwrap();
    let error = queued.wait().unwrap_err();
    assert!(
        matches!(error, Error::DeadlineExceeded { stage: Stage::Queued, limit: told } if told == limit)
    );
    assert!(begin.elapsed() >= limit);
    let error = running.wait().unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { limit: told, .. } if told == limit * 2));
    same();
    let metrics = pool.metrics();
    assert_eq!((metrics.opened, metrics.cancelled, metrics.timed_out), (1, 3, 2));
}

#[test]
fn shutting_down_cancels_a_picture() {
    let pool = pool(1);
    let (watch, begun) = begins();
    let running = pool.submit(long_request(), watch).unwrap();
    let queued = pool.submit(long_request(), Watch::new()).unwrap();
    begun.recv_timeout(LONG).unwrap();
    assert!(pool.shutdown_within(Shutdown::Cancel, LONG));
    assert!(matches!(running.wait(), Err(Error::ShutDown)));
    assert!(matches!(queued.wait(), Err(Error::ShutDown)));
}
