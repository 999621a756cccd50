//! The life of a job: it is written down, drawn, looked at by the safety filter, and its end written.

use super::{Job, JobView, Jobs, Stored};
use crate::{
    cache,
    error::ApiError,
    filter::{self, SafetyFilter},
    history::Accepted,
    model::Active,
    service::blocking,
};
use axum::http::StatusCode;
use sdcpp::{Error, Generated, ImageRequest, PreviewOptions, Stage, Timings, Watch};
use std::{
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

/// What a job brought.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The pictures, in the order of their seeds.
    pub pictures: Vec<Stored>,
    /// What is worth knowing.
    pub warnings: Vec<String>,
    /// How long each phase took; nothing for pictures that were drawn before.
    pub timings: Timings,
    /// Whether they were drawn before, for the same request.
    pub cached: bool,
}

impl Finished {
    /// Encodes the pictures, and has the filter look at them; takes a while, so not on a thread that
    /// serves others.
    fn new(
        generated: Generated,
        job: &Job,
        filter: Option<&dyn SafetyFilter>,
    ) -> Result<Self, ApiError> {
        let pictures = generated.images.iter().map(|picture| {
            Ok(Stored {
                png: picture.to_png()?.into(),
                parameters: picture.parameters().into(),
                seed: picture.seed(),
                width: picture.width(),
                height: picture.height(),
                safety: None,
            })
        });
        let mut pictures = pictures.collect::<Result<Vec<_>, ApiError>>()?;
        let mut warnings: Vec<_> = generated.warnings.iter().map(ToString::to_string).collect();
        if let Some(filter) = filter {
            let about = (job.request.prompt.as_str(), job.model.as_str());
            // Nobody waits for the rest of the verdicts on what was cancelled.
            let proceed = || match job.token.is_cancelled() {
                true => Err(Error::Cancelled { stage: Stage::VaeDecoding }.into()),
                false => Ok(()),
            };
            let told = filter::apply(filter, about, &mut pictures, proceed)?;
            warnings.extend(told);
        }
        Ok(Self { pictures, warnings, timings: generated.timings, cached: false })
    }
}

/// How long it takes until an end that could not be written is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(5);

impl Jobs {
    /// From the acceptance to the end, which is written before anybody is told of it.
    pub(super) async fn run(
        self: Arc<Self>,
        active: Arc<Active>,
        job: Arc<Job>,
        request: ImageRequest,
        limit: Option<Duration>,
    ) {
        let (outcome, key) = match self.write_down(&job, request).await {
            Ok(request) => self.draw(active, &job, request, limit).await,
            Err(error) => (Err(error), None),
        };
        self.end(&job, outcome, key).await;
        // It may have been the last of a model that is one too many.
        let opened = Arc::clone(&self.opened);
        let closed = blocking(move || {
            opened.close_surplus();
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::error!(code = %error.code, "{}", error.message);
        }
        self.give_memory_back().await;
    }

    async fn write_down(
        &self,
        job: &Arc<Job>,
        request: ImageRequest,
    ) -> Result<ImageRequest, ApiError> {
        let (history, job) = (Arc::clone(&self.history), Arc::clone(job));
        blocking(move || {
            // It stands there already when it is taken up again.
            let text = match job.detached && job.restarts == 0 && history.is_on_disk() {
                true => Some(serde_json::to_string(&request).map_err(|error| {
                    ApiError::internal(format!("the request cannot be written: {error}"))
                })?),
                false => None,
            };
            history.accept(&Accepted {
                view: &job.view(),
                created: job.created.0,
                detached: job.detached,
                request: text.as_deref(),
            })?;
            Ok(request)
        })
        .await
    }

    /// What comes of it, and the key that the answer is found by again.
    async fn draw(
        &self,
        active: Arc<Active>,
        job: &Arc<Job>,
        request: ImageRequest,
        limit: Option<Duration>,
    ) -> (Result<Finished, ApiError>, Option<Vec<u8>>) {
        let Some(judge) = self.cache.clone() else {
            return (self.generate(active, job, request, limit).await, None);
        };
        let history = Arc::clone(&self.history);
        let model = Arc::clone(&active);
        let looked_up = blocking(move || {
            let key = cache::key(&model, &request, &judge);
            // What cannot be looked up is drawn.
            let found = key.as_ref().and_then(|key| match history.cached(key) {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(code = %error.code, "{}", error.message);
                    None
                }
            });
            Ok((request, key, found))
        });
        match looked_up.await {
            Err(error) => (Err(error), None),
            Ok((_, key, Some((view, pictures)))) => {
                job.accept();
                let warnings = view.warnings;
                let timings = Timings::default();
                (Ok(Finished { pictures, warnings, timings, cached: true }), key)
            }
            Ok((request, key, None)) => (self.generate(active, job, request, limit).await, key),
        }
    }

    async fn generate(
        &self,
        active: Arc<Active>,
        job: &Arc<Job>,
        request: ImageRequest,
        limit: Option<Duration>,
    ) -> Result<Finished, ApiError> {
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        // Only where there may be a second attempt.
        let copy = self.opened.has_others(&active).then(|| request.clone());
        let work = self.enqueued(&active, job, request, end).await?;
        job.accept();
        let generated = match (self.begun(job, work).await, copy) {
            // It was refused before it began. Models that nobody draws with make room.
            (Err(Error::InsufficientMemory { .. }), Some(request)) => {
                let (opened, keep) = (Arc::clone(&self.opened), Arc::clone(&active));
                blocking(move || {
                    opened.close_idle(Some(&keep));
                    Ok(())
                })
                .await?;
                active.pool.submit(request, self.watch(job, end))?.await
            }
            (generated, _) => generated,
        };
        drop(active);
        let generated = generated?;
        // Verdicts may take long: others draw, and few threads wait for them.
        let _permit = match &self.filter {
            Some(_) => Some(self.judging.acquire().await),
            None => None,
        };
        let (job, filter) = (Arc::clone(job), self.filter.clone());
        blocking(move || Finished::new(generated, &job, filter.as_deref())).await
    }

    /// Puts it into the queue of the model. What is taken up again waits until there is room.
    async fn enqueued(
        &self,
        active: &Active,
        job: &Arc<Job>,
        request: ImageRequest,
        end: Option<Instant>,
    ) -> Result<sdcpp::Job<Generated>, ApiError> {
        const AGAIN: Duration = Duration::from_millis(500);
        if job.restarts == 0 {
            return Ok(active.pool.submit(request, self.watch(job, end))?);
        }
        loop {
            match active.pool.submit(request.clone(), self.watch(job, end)) {
                Err(Error::QueueFull { .. } | Error::CircuitOpen { .. })
                    if !job.token.is_cancelled() =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                other => return Ok(other?),
            }
        }
    }

    /// Waits for the end, and writes meanwhile that the engine has begun: should the program end now, this
    /// job may be why.
    async fn begun(&self, job: &Arc<Job>, work: sdcpp::Job<Generated>) -> sdcpp::Result<Generated> {
        let mut changes = job.changes();
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            generated = &mut work => return generated,
            _ = changes.wait_for(|state| state.started.is_some()) => {}
        }
        if job.detached {
            let (history, id) = (Arc::clone(&self.history), job.id);
            if let Err(error) = blocking(move || history.set_started(id, true)).await {
                tracing::error!(job = %job.id, code = %error.code, "{}", error.message);
            }
        }
        work.await
    }

    fn watch(&self, job: &Arc<Job>, end: Option<Instant>) -> Watch<'static> {
        let (told, shown) = (Arc::clone(job), Arc::clone(job));
        let mut watch = Watch::new().cancel_with(job.token.clone()).on_progress(move |progress| {
            told.tell(&progress);
            ControlFlow::Continue(())
        });
        // What a filter has not looked at is not shown.
        if self.filter.is_none() {
            let options = PreviewOptions::default().min_interval(Duration::from_millis(500));
            watch = watch.on_preview(options, move |preview| shown.show(preview));
        }
        if let Some(end) = end {
            // Not nothing, which would be no limit that can be set.
            let left = end.saturating_duration_since(Instant::now());
            watch = watch.time_limit(left.max(Duration::from_millis(1)));
        }
        watch
    }

    /// Writes the end, and tells it.
    async fn end(&self, job: &Arc<Job>, outcome: Result<Finished, ApiError>, key: Option<Vec<u8>>) {
        let outcome = outcome.map_err(|error| self.hidden.clean_error(error));
        match &outcome {
            Ok(_) => tracing::info!(job = %job.id, "done"),
            Err(error) if error.status.is_server_error() => {
                tracing::warn!(job = %job.id, code = %error.code, "{}", error.message);
            }
            Err(error) => {
                tracing::info!(job = %job.id, code = %error.code, "ended without pictures");
                // A part of the prompt may stand in it, as the name of a LoRA.
                tracing::debug!(job = %job.id, "{}", error.message);
            }
        }
        let now = (SystemTime::now(), Instant::now());
        let mut state = job.state.borrow().clone();
        let (history, id) = (Arc::clone(&self.history), job.id);
        if !state.accepted && job.restarts == 0 {
            // Its client is told that it was not accepted.
            job.finish(outcome, now);
            self.live().remove(&id);
            if let Err(error) = blocking(move || history.remove(id)).await {
                tracing::error!(job = %id, code = %error.code, "{}", error.message);
            }
            return;
        }
        let stopped = outcome.as_ref().is_err_and(|error| error.code == "cancelled");
        if stopped && job.detached && self.is_suspended() && !job.cancelled.load(Ordering::Relaxed)
        {
            // It stands there as open, and is taken up at the next start.
            if let Err(error) = blocking(move || history.set_started(id, false)).await {
                tracing::error!(job = %id, code = %error.code, "{}", error.message);
            }
            job.finish(Err(suspended()), now);
            return;
        }
        state.end(now);
        let view = job.view_of(Some(&outcome), &state);
        let pictures = outcome.as_ref().map_or_else(|_| Vec::new(), |done| done.pictures.clone());
        let end = Arc::new(End { view, pictures, key });
        let mut written = self.write_end(&end).await;
        // Whether or not: its client has waited for long enough.
        job.finish(outcome, now);
        while let Err(error) = written {
            tracing::error!(job = %id, code = %error.code, "{}", error.message);
            tokio::time::sleep(WRITE_AGAIN).await;
            written = self.write_end(&end).await;
        }
        self.live().remove(&id);
        let keep = self.limits().keep;
        if let Err(error) = blocking(move || history.trim(keep, Some(id))).await {
            tracing::error!(code = %error.code, "old jobs cannot be forgotten: {}", error.message);
        }
    }

    async fn write_end(&self, end: &Arc<End>) -> Result<(), ApiError> {
        let (history, end) = (Arc::clone(&self.history), Arc::clone(end));
        blocking(move || history.end(&end.view, &end.pictures, end.key.as_deref())).await
    }
}

/// What is written of an end.
struct End {
    view: JobView,
    pictures: Vec<Stored>,
    /// What the answer is found by again.
    key: Option<Vec<u8>>,
}

fn suspended() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "suspended",
        "the server ends; the job is drawn when it starts again",
    )
}
