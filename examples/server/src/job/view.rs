//! A job as clients see it.

use super::{Finished, Job, progress::State};
use crate::{api::ErrorBody, error::ApiError, filter::Verdict};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant, SystemTime};
use utoipa::ToSchema;
use uuid::Uuid;

/// What has come of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// It waits for a model that is free.
    Queued,
    /// The engine works on it.
    Running,
    /// Its pictures are there.
    Done,
    /// It came to an error.
    Failed,
    /// It was stopped on request.
    Cancelled,
}

impl JobStatus {
    /// Whether it waits or runs.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// A finished picture.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PictureView {
    /// Where its PNG is.
    pub url: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The seed it was drawn from.
    pub seed: i64,
    /// What its file says about how it was made, as A1111's pictures do.
    pub parameters: String,
    /// What the safety filter said of it; none without one. A picture that it refused is black.
    pub safety: Option<Verdict>,
}

/// A job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Its number.
    pub id: Uuid,
    /// What has come of it.
    pub status: JobStatus,
    /// The name of the model.
    pub model: String,
    /// What was asked for.
    pub prompt: String,
    /// Whether its pictures are patterns, drawn without a model.
    pub mock: bool,
    /// Whether its pictures were drawn before, for the same request.
    pub cached: bool,
    /// How often the program ended while the job was open, and took it up again.
    pub restarts: u32,
    /// When it was accepted, as RFC 3339.
    pub created_at: String,
    /// When the engine began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// What is being done: `loading`, `encoding`, `sampling`, `decoding` or `upscaling`.
    pub stage: Option<String>,
    /// Sampling steps done of the picture that is being drawn.
    pub step: u32,
    /// Sampling steps of each picture; 0 before the first.
    pub steps: u32,
    /// The picture of the batch that is being drawn, from 1; 0 before the first.
    pub image: u32,
    /// Pictures asked for.
    pub images: u32,
    /// How much of it is done, 0 to 1.
    pub progress: f32,
    /// Seconds that it may take still; none before the first step.
    pub eta_seconds: Option<f32>,
    /// Previews made so far; the last one is at `/api/v1/jobs/{id}/preview`.
    pub previews: u32,
    /// What it brought; empty before the end.
    pub pictures: Vec<PictureView>,
    /// What is worth knowing about the pictures.
    pub warnings: Vec<String>,
    /// Seconds from acceptance to the end, or until now.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<ErrorBody>,
}

fn time((at, _): (SystemTime, Instant)) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

fn status(outcome: Option<&Result<Finished, ApiError>>, state: &State) -> JobStatus {
    match outcome {
        Some(Ok(_)) => JobStatus::Done,
        Some(Err(error)) if error.code == "cancelled" => JobStatus::Cancelled,
        Some(Err(_)) => JobStatus::Failed,
        None if state.started.is_some() => JobStatus::Running,
        None => JobStatus::Queued,
    }
}

impl JobView {
    /// The job, ended by this error now.
    pub(crate) fn failed(self, error: &ApiError) -> Self {
        Self {
            status: JobStatus::Failed,
            finished_at: Some(humantime::format_rfc3339_millis(SystemTime::now()).to_string()),
            stage: None,
            progress: 1.0,
            eta_seconds: None,
            error: Some(ErrorBody::from(error)),
            ..self
        }
    }
}

impl Job {
    /// Where the job stands.
    pub fn status(&self) -> JobStatus {
        let outcome = self.outcome();
        status(outcome, &self.state.borrow())
    }

    /// The job as clients see it.
    pub fn view(&self) -> JobView {
        // In this order: with an outcome the state is that of the end.
        let outcome = self.outcome();
        let state = self.state.borrow().clone();
        self.view_of(outcome, &state)
    }

    /// The job as clients see it when it has come to this.
    pub(super) fn view_of(
        &self,
        outcome: Option<&Result<Finished, ApiError>>,
        state: &State,
    ) -> JobView {
        let finished = outcome.and_then(|outcome| outcome.as_ref().ok());
        let until = state.ended.map_or_else(Instant::now, |(_, ended)| ended);
        let pictures = finished.map_or(&[][..], |finished| &finished.pictures);
        let pictures = pictures.iter().enumerate().map(|(index, picture)| PictureView {
            url: format!("/api/v1/jobs/{}/pictures/{index}", self.id),
            width: picture.width,
            height: picture.height,
            seed: picture.seed,
            parameters: picture.parameters.to_string(),
            safety: picture.safety.clone(),
        });
        JobView {
            id: self.id,
            status: status(outcome, state),
            model: self.model.clone(),
            prompt: self.request.prompt.clone(),
            mock: self.mock,
            cached: finished.is_some_and(|finished| finished.cached),
            restarts: self.restarts,
            created_at: time(self.created),
            started_at: state.started.map(time),
            finished_at: state.ended.map(time),
            stage: state.stage.filter(|_| outcome.is_none()).map(ToOwned::to_owned),
            step: state.step,
            steps: state.steps,
            image: state.image,
            images: self.request.batch,
            progress: state.fraction(),
            eta_seconds: state.remaining().as_ref().map(Duration::as_secs_f32),
            previews: state.previews,
            pictures: pictures.collect(),
            warnings: finished.map(|finished| finished.warnings.clone()).unwrap_or_default(),
            seconds: until.duration_since(self.created.1).as_secs_f64(),
            error: outcome.and_then(|outcome| outcome.as_ref().err()).map(ErrorBody::from),
        }
    }
}
