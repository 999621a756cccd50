//! Who may enlarge when: one request at a time, in the order in which they came.

use crate::{error::ApiError, memory, service::blocking};
use sdcpp::{CancelToken, Error, Stage, Upscaler, Watch};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::OwnedMutexGuard;

/// How long an opened model is kept after its last use.
const KEPT: Duration = Duration::from_secs(60);

/// An opened model.
pub(super) struct Open {
    path: PathBuf,
    /// Of the file.
    modified: Option<SystemTime>,
    upscaler: Upscaler,
    used: Instant,
}

impl Open {
    pub(super) fn new(path: &Path, upscaler: Upscaler) -> Self {
        Self { path: path.to_owned(), modified: modified(path), upscaler, used: Instant::now() }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|file| file.modified()).ok()
}

/// The requests that wait, with the one that runs, by age; each is stopped by its token.
#[derive(Default)]
struct Waiting(Mutex<(u64, BTreeMap<u64, CancelToken>)>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, CancelToken>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue, given back when the request has ended.
struct Place {
    number: u64,
    waiting: Arc<Waiting>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.lock().1.remove(&self.number);
    }
}

/// Stops the request of a client that has gone.
struct StopOnDrop(CancelToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The queue, and the model that was opened last.
pub(super) struct Queue {
    /// Who holds it has the turn; it is given in the order of asking.
    turn: Arc<tokio::sync::Mutex<Option<Open>>>,
    waiting: Arc<Waiting>,
    limit: usize,
    time_limit: Option<Duration>,
    closed: AtomicBool,
}

impl Queue {
    pub(super) fn new(limit: usize, time_limit: Option<Duration>) -> Self {
        Self {
            turn: Arc::default(),
            waiting: Arc::default(),
            limit,
            time_limit,
            closed: AtomicBool::new(false),
        }
    }

    /// Requests that wait or run.
    pub(super) fn open(&self) -> usize {
        self.waiting.lock().1.len()
    }

    /// Stops the request that runs, which is the oldest; those that wait go on.
    pub(super) fn interrupt(&self) {
        if let Some(token) = self.waiting.lock().1.values().next() {
            token.cancel();
        }
    }

    fn place(&self, token: &CancelToken) -> Result<Place, ApiError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::ShutDown.into());
        }
        let mut waiting = self.waiting.lock();
        // One of them runs.
        if waiting.1.len() > self.limit {
            return Err(Error::QueueFull { limit: self.limit }.into());
        }
        waiting.0 += 1;
        let number = waiting.0;
        waiting.1.insert(number, token.clone());
        Ok(Place { number, waiting: Arc::clone(&self.waiting) })
    }

    /// Waits for the turn, and works on a thread of its own. When this is dropped, the work is stopped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Turn) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let token = CancelToken::new();
        let place = self.place(&token)?;
        let _stops = StopOnDrop(token.clone());
        let deadline = self.time_limit.map(|limit| (Instant::now() + limit, limit));
        let turn = Arc::clone(&self.turn).lock_owned();
        let kept = match deadline {
            None => turn.await,
            Some((at, limit)) => tokio::time::timeout_at(at.into(), turn)
                .await
                .map_err(|_| Error::DeadlineExceeded { stage: Stage::Upscaling, limit })?,
        };
        let used = blocking(move || {
            let _place = place;
            let mut turn = Turn { kept, token, deadline };
            turn.check()?;
            let done = work(&mut turn)?;
            Ok((done, turn.kept.is_some()))
        })
        .await;
        let (done, kept) = used?;
        if kept {
            tokio::spawn(forget(Arc::clone(&self.turn)));
        }
        Ok(done)
    }

    /// Takes nothing more on, waits for what was taken, and stops what takes longer than `limit`.
    pub(super) async fn drain(&self, limit: Duration) {
        self.closed.store(true, Ordering::Relaxed);
        // Who asked before has had the turn when this has it.
        if tokio::time::timeout(limit, self.turn.lock()).await.is_err() {
            tracing::warn!("enlarging is stopped, as it did not end within {limit:?}");
            self.waiting.lock().1.values().for_each(CancelToken::cancel);
            // Weights that are being read cannot be interrupted.
            if tokio::time::timeout(limit, self.turn.lock()).await.is_err() {
                tracing::warn!("enlarging did not stop");
            }
        }
    }
}

/// Closes a model that nobody has used for a while.
async fn forget(turn: Arc<tokio::sync::Mutex<Option<Open>>>) {
    tokio::time::sleep(KEPT).await;
    // Who has the turn now comes here later.
    let Ok(mut kept) = turn.try_lock_owned() else { return };
    if kept.as_ref().is_some_and(|open| open.used.elapsed() >= KEPT) {
        let open = kept.take();
        drop(kept);
        let closed = tokio::task::spawn_blocking(move || {
            drop(open);
            memory::give_back();
        });
        if let Err(error) = closed.await {
            tracing::warn!("an upscaler was not closed: {error}");
        }
    }
}

/// What a request has while it works.
pub(super) struct Turn {
    kept: OwnedMutexGuard<Option<Open>>,
    token: CancelToken,
    deadline: Option<(Instant, Duration)>,
}

impl Turn {
    /// Whether it is to go on.
    ///
    /// # Errors
    /// It was stopped, or its time has passed.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        self.watch().map(drop)
    }

    /// For the engine.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(super) fn watch(&self) -> Result<Watch<'static>, ApiError> {
        if self.token.is_cancelled() {
            return Err(Error::Cancelled { stage: Stage::Upscaling }.into());
        }
        let watch = Watch::new().cancel_with(self.token.clone());
        let Some((at, limit)) = self.deadline else { return Ok(watch) };
        match at.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(watch.time_limit(left)),
            _ => Err(Error::DeadlineExceeded { stage: Stage::Upscaling, limit }.into()),
        }
    }

    /// The model of this file, if it is open; another one that is open is closed first.
    pub(super) fn kept(&mut self, path: &Path) -> Option<Upscaler> {
        let open = self.kept.take()?;
        (open.path == path && open.modified == modified(path)).then_some(open.upscaler)
    }

    /// For the next one who comes.
    pub(super) fn keep(&mut self, open: Open) {
        *self.kept = Some(open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Work that has begun, and goes on until it is stopped.
    fn endless(begun: oneshot::Sender<()>) -> impl FnOnce(&mut Turn) -> Result<(), ApiError> {
        move |turn| {
            begun.send(()).unwrap();
            loop {
                turn.check()?;
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn one_works_some_wait_and_the_next_is_turned_away() {
        runtime().block_on(async {
            let queue = Arc::new(Queue::new(1, None));
            let (begun, begins) = oneshot::channel();
            let spawned = |work| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { queue.run(work).await })
            };
            let first = spawned(endless(begun));
            begins.await.unwrap();
            let (begun, second_begins) = oneshot::channel();
            let second = spawned(endless(begun));
            while queue.open() < 2 {
                tokio::task::yield_now().await;
            }
            let refused = queue.run(|_| Ok(())).await.unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.code.as_ref()), (429, "queue_full"));
            // A client that goes away ends its work, and the next one comes.
            first.abort();
            second_begins.await.unwrap();
            // An end that waits for nobody.
            queue.drain(Duration::from_millis(10)).await;
            assert_eq!(second.await.unwrap().unwrap_err().code, "cancelled");
            assert_eq!(queue.run(|_| Ok(())).await.unwrap_err().code, "shut_down");
            assert_eq!(queue.open(), 0);
        });
    }

    #[test]
    fn the_time_limit_counts_waiting_and_working() {
        runtime().block_on(async {
            let queue = Arc::new(Queue::new(5, Some(Duration::from_millis(50))));
            let (begun, begins) = oneshot::channel();
            let working = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(endless(begun)).await }
            });
            begins.await.unwrap();
            assert_eq!(queue.open(), 1);
            let error = working.await.unwrap().unwrap_err();
            assert_eq!((error.status.as_u16(), error.code.as_ref()), (408, "deadline_exceeded"));
            let _turn = Arc::clone(&queue.turn).lock_owned().await;
            let waited = queue.run(|_| Ok(())).await.unwrap_err();
            assert_eq!(waited.status.as_u16(), 408);
        });
    }
}
