//! A picture, or several, that a client asked for: what has come of it, and how it is stopped.

mod progress;
mod run;
mod store;
mod view;

pub use run::Finished;
pub(crate) use store::Parts;
pub use store::{Jobs, Limits};
pub use view::{JobStatus, JobView, PictureView};

use crate::{
    error::ApiError, filter::Verdict, hash::ModelHash, history::Unfinished, limits::given_bytes,
    model::Active,
};
use progress::State;
use sdcpp::{CancelToken, ImageRequest, Preview, Progress};
use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Instant, SystemTime},
};
use tokio::sync::watch;
use uuid::Uuid;

/// A finished picture, as the bytes of its file.
#[derive(Debug, Clone)]
pub struct Stored {
    /// A PNG with the "parameters" text of A1111.
    pub png: Arc<[u8]>,
    /// That text.
    pub parameters: Arc<str>,
    /// The seed it was drawn from.
    pub seed: i64,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// What the safety filter said; none without one.
    pub safety: Option<Verdict>,
}

/// A job, from its acceptance on.
pub struct Job {
    /// Its number, which nobody guesses; later ones are greater.
    pub id: Uuid,
    /// The name of the model.
    pub model: String,
    /// The hash of the model's file.
    pub hash: ModelHash,
    /// Whether its pictures are patterns.
    pub mock: bool,
    /// What was asked for, without its pictures: those would be kept for as long as the job is.
    pub request: ImageRequest,
    /// Whether it draws over a picture.
    pub over_a_picture: bool,
    /// Bytes of the pictures that came with it.
    pub given_bytes: u64,
    /// Whether nobody waits for its answer: it is taken up again when the program starts again.
    pub detached: bool,
    /// How often the program ended while it was open.
    pub restarts: u32,
    /// What draws it, which stays until it has ended.
    active: Mutex<Option<Arc<Active>>>,
    created: (SystemTime, Instant),
    token: CancelToken,
    /// Whether somebody wants no more of it.
    cancelled: AtomicBool,
    state: watch::Sender<State>,
    preview: Mutex<Option<Preview>>,
    outcome: OnceLock<Result<Finished, ApiError>>,
}

impl Job {
    fn new(active: &Arc<Active>, request: &mut ImageRequest, detached: bool) -> Self {
        let over_a_picture = request.init_image.is_some();
        Self {
            given_bytes: given_bytes(request),
            request: without_pictures(request),
            over_a_picture,
            detached,
            restarts: 0,
            active: Mutex::new(Some(Arc::clone(active))),
            id: Uuid::now_v7(),
            model: active.name.clone(),
            hash: active.hash.clone(),
            mock: active.mock,
            created: (SystemTime::now(), Instant::now()),
            token: CancelToken::new(),
            cancelled: AtomicBool::new(false),
            state: watch::Sender::new(State::default()),
            preview: Mutex::default(),
            outcome: OnceLock::new(),
        }
    }

    /// One that was open when the program ended, with the number and the time it had.
    fn again(active: &Arc<Active>, request: &mut ImageRequest, before: &Unfinished) -> Self {
        let waited = before.created.elapsed().unwrap_or_default();
        let now = Instant::now();
        Self {
            id: before.view.id,
            restarts: before.view.restarts.saturating_add(1),
            created: (before.created, now.checked_sub(waited).unwrap_or(now)),
            ..Self::new(active, request, true)
        }
    }

    /// Stops it, waiting or running, for good. It then ends as cancelled.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.token.cancel();
    }

    /// Stops it, as the program ends: it is left for the next start if it can be.
    pub(crate) fn suspend(&self) {
        self.token.cancel();
    }

    /// Whether it is written down and in the queue.
    pub(crate) fn is_accepted(&self) -> bool {
        self.state.borrow().accepted
    }

    /// How it ended; none while it waits or runs.
    pub fn outcome(&self) -> Option<&Result<Finished, ApiError>> {
        self.outcome.get()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// That of the job.
    pub async fn wait(&self) -> Result<&Finished, ApiError> {
        let mut changes = self.state.subscribe();
        loop {
            if let Some(outcome) = self.outcome.get() {
                return outcome.as_ref().map_err(Clone::clone);
            }
            if changes.changed().await.is_err() {
                return Err(ApiError::internal("the job has gone"));
            }
        }
    }

    /// Waits until it is written down and in the queue.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn accepted(&self) -> Result<(), ApiError> {
        let mut changes = self.state.subscribe();
        loop {
            if self.state.borrow().accepted {
                return Ok(());
            }
            if let Some(Err(error)) = self.outcome.get() {
                return Err(error.clone());
            }
            if changes.changed().await.is_err() {
                return Err(ApiError::internal("the job has gone"));
            }
        }
    }

    /// Told at each change.
    pub(crate) fn changes(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The last preview: its step, and the picture so far.
    pub fn preview(&self) -> Option<Preview> {
        self.preview.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn accept(&self) {
        self.state.send_modify(|state| state.accepted = true);
    }

    fn tell(&self, progress: &Progress) {
        self.state.send_modify(|state| state.see(progress));
    }

    fn show(&self, preview: Preview) {
        *self.preview.lock().unwrap_or_else(PoisonError::into_inner) = Some(preview);
        self.state.send_modify(State::see_preview);
    }

    fn finish(&self, outcome: Result<Finished, ApiError>, now: (SystemTime, Instant)) {
        *self.preview.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // Both at once, for who looks at the outcome first and at the state then.
        self.state.send_modify(|state| {
            // There is one end only.
            if self.outcome.set(outcome).is_ok() {
                state.end(now);
            }
        });
    }
}

/// A copy of the request but for its pictures, of which there is one only.
fn without_pictures(request: &mut ImageRequest) -> ImageRequest {
    let pictures = (request.init_image.take(), request.mask.take(), request.control_image.take());
    let references = std::mem::take(&mut request.reference_images);
    let photo_maker = request.photo_maker.take();
    let copy = request.clone();
    (request.init_image, request.mask, request.control_image) = pictures;
    request.reference_images = references;
    request.photo_maker = photo_maker;
    copy
}

/// Stops a job whose client has gone.
pub(crate) struct CancelOnDrop(pub(crate) Arc<Job>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if self.0.outcome().is_none() {
            self.0.cancel();
        }
    }
}
