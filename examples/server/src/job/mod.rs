//! A picture, or several, that a client asked for: what has come of it, and how it is stopped.

mod progress;
mod store;
mod view;

pub use store::{Jobs, Limits};
pub use view::{JobStatus, JobView, PictureView};

use crate::{error::ApiError, hash::ModelHash, model::Active};
use progress::State;
use sdcpp::{CancelToken, Generated, ImageRequest, Preview, Progress, Timings};
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
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
}

/// What a job brought.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The pictures, in the order of their seeds.
    pub pictures: Vec<Stored>,
    /// What is worth knowing.
    pub warnings: Vec<String>,
    /// How long each phase took.
    pub timings: Timings,
}

impl Finished {
    /// Encodes the pictures; takes a while, so not on a thread that serves others.
    fn new(generated: Generated) -> Result<Self, ApiError> {
        let pictures = generated.images.iter().map(|picture| {
            Ok(Stored {
                png: picture.to_png()?.into(),
                parameters: picture.parameters().into(),
                seed: picture.seed(),
                width: picture.width(),
                height: picture.height(),
            })
        });
        Ok(Self {
            pictures: pictures.collect::<Result<_, ApiError>>()?,
            warnings: generated.warnings.iter().map(ToString::to_string).collect(),
            timings: generated.timings,
        })
    }

    /// Bytes of all pictures.
    pub fn bytes(&self) -> usize {
        self.pictures.iter().map(|picture| picture.png.len()).sum()
    }
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
    /// What draws it, which stays until it has ended.
    active: Mutex<Option<Arc<Active>>>,
    created: (SystemTime, Instant),
    token: CancelToken,
    state: watch::Sender<State>,
    preview: Mutex<Option<Preview>>,
    outcome: OnceLock<Result<Finished, ApiError>>,
}

impl Job {
    fn new(active: &Arc<Active>, request: &mut ImageRequest) -> Self {
        let over_a_picture = request.init_image.is_some();
        Self {
            request: without_pictures(request),
            over_a_picture,
            active: Mutex::new(Some(Arc::clone(active))),
            id: Uuid::now_v7(),
            model: active.name.clone(),
            hash: active.hash.clone(),
            mock: active.mock,
            created: (SystemTime::now(), Instant::now()),
            token: CancelToken::new(),
            state: watch::Sender::new(State::default()),
            preview: Mutex::default(),
            outcome: OnceLock::new(),
        }
    }

    /// Stops it, waiting or running. It then ends as cancelled.
    pub fn cancel(&self) {
        self.token.cancel();
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

    /// Told at each change.
    pub(crate) fn changes(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The last preview: its step, and the picture so far.
    pub fn preview(&self) -> Option<Preview> {
        self.preview.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, progress: &Progress) {
        self.state.send_modify(|state| state.see(progress));
    }

    fn show(&self, preview: Preview) {
        *self.preview.lock().unwrap_or_else(PoisonError::into_inner) = Some(preview);
        self.state.send_modify(State::see_preview);
    }

    fn finish(&self, outcome: Result<Finished, ApiError>) {
        *self.preview.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // Both at once, for who looks at the outcome first and at the state then.
        self.state.send_modify(|state| {
            // There is one end only.
            if self.outcome.set(outcome).is_ok() {
                state.end();
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
