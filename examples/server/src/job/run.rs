//! The life of a job: it is written down, drawn, looked at by the safety filter, and its end written.

use super::{Job, Jobs, Stored};
use crate::{
    cache,
    error::ApiError,
    filter::{self, SafetyFilter},
    history::Accepted,
    model::Active,
    service::blocking,
};
use axum::http::StatusCode;
use sdcpp::{Error, Generated, ImageRequest, PreviewOptions, Timings, Watch};
use std::{
    ops::ControlFlow,
    sync::Arc,
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
            let told = filter::apply(filter, &job.request.prompt, &job.model, &mut pictures)?;
            warnings.extend(told);
        }
        Ok(Self { pictures, warnings, timings: generated.timings, cached: false })
    }
}

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
            let found = match &key {
                Some(key) => history.cached(key)?,
                None => None,
            };
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
        // Only where there may be a second attempt.
        let copy = self.opened.has_idle(&active).then(|| request.clone());
        let work = active.pool.submit(request, self.watch(job, limit))?;
        job.accept();
        let generated = match (work.await, copy) {
            // It was refused before it began. Models that nobody draws with make room.
            (Err(Error::InsufficientMemory { .. }), Some(request)) => {
                let (opened, keep) = (Arc::clone(&self.opened), Arc::clone(&active));
                blocking(move || {
                    opened.close_idle(Some(&keep));
                    Ok(())
                })
                .await?;
                active.pool.submit(request, self.watch(job, limit))?.await
            }
            (generated, _) => generated,
        };
        drop(active);
        let (job, filter) = (Arc::clone(job), self.filter.clone());
        let generated = generated?;
        blocking(move || Finished::new(generated, &job, filter.as_deref())).await
    }

    fn watch(&self, job: &Arc<Job>, limit: Option<Duration>) -> Watch<'static> {
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
        if let Some(limit) = limit {
            watch = watch.time_limit(limit);
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
        let is_cancelled = outcome.as_ref().is_err_and(|error| error.code == "cancelled");
        if self.is_suspended() && is_cancelled && job.detached && state.accepted {
            // It stands there as open, and is taken up at the next start.
            self.live().remove(&job.id);
            job.finish(Err(suspended()), now);
            return;
        }
        state.end(now);
        let view = job.view_of(Some(&outcome), &state);
        let (history, keep, accepted) =
            (Arc::clone(&self.history), self.limits().keep, state.accepted);
        let pictures = outcome.as_ref().map_or_else(|_| Vec::new(), |done| done.pictures.clone());
        let written = blocking(move || {
            if !accepted {
                return history.remove(view.id);
            }
            history.end(&view, &pictures, key.as_deref())?;
            history.trim(keep, Some(view.id)).map(drop)
        });
        match written.await {
            Ok(()) => {
                job.finish(outcome, now);
                self.live().remove(&job.id);
            }
            Err(error) => {
                // It stays where it can be fetched.
                tracing::error!(job = %job.id, code = %error.code, "{}", error.message);
                job.finish(outcome, now);
            }
        }
    }
}

fn suspended() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "suspended",
        "the server ends; the job is drawn when it starts again",
    )
}
