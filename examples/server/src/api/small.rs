//! `POST /image` and `POST /generate`: the two small services that applications were written against.

use super::{
    Body,
    refusals::{NotDone, NotTaken},
};
use crate::{error::ApiError, filter::Verdict, service::Service};
use axum::{Json, extract::State};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// How long `POST /generate` may take, as its clients expect.
const GENERATE_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(image)).routes(routes!(generate))
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SmallError {
    /// What failed, on what, and what is allowed.
    error: String,
    /// What to try.
    details: Option<String>,
    /// A name that does not change, as `INVALID_PARAMETER` or `QUEUE_FULL`.
    error_code: String,
}

impl From<&ApiError> for SmallError {
    fn from(error: &ApiError) -> Self {
        Self {
            error: error.message.clone(),
            details: error.advice.as_deref().map(ToOwned::to_owned),
            error_code: error.code.to_uppercase(),
        }
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    field: &str,
    value: T,
    least: T,
    most: T,
) -> Result<T, ApiError> {
    if value >= least && value <= most {
        return Ok(value);
    }
    Err(ApiError::invalid(field, value, &format!("{least} to {most}")))
}

fn multiple(field: &str, value: u32, of: u32) -> Result<u32, ApiError> {
    if value.is_multiple_of(of) {
        return Ok(value);
    }
    Err(ApiError::invalid(field, value, &format!("multiples of {of}")))
}

/// What `POST /image` draws. Only the prompt is needed.
#[derive(Debug, Deserialize, ToSchema)]
struct ImageBody {
    prompt: String,
    negative_prompt: Option<String>,
    /// 1 to 150.
    num_inference_steps: Option<u32>,
    /// 0 to 30.
    guidance_scale: Option<f32>,
    /// 64 to 2048, a multiple of 8.
    width: Option<u32>,
    /// 64 to 2048, a multiple of 8.
    height: Option<u32>,
    /// 0 to 2³²−1; a random one if it is left out.
    seed: Option<i64>,
}

/// What `POST /image` drew.
#[derive(Debug, Serialize, ToSchema)]
struct ImageAnswer {
    job_id: Uuid,
    /// `local` or `mock`.
    provider: &'static str,
    device: String,
    model: String,
    created_at: String,
    finished_at: Option<String>,
    /// Whether it is a pattern, drawn without a model.
    mock: bool,
    /// Whether it was drawn before, for the same request.
    cached: bool,
    /// What the safety filter said of it; none without one.
    safety: Option<Verdict>,
    seed: i64,
    width: u32,
    height: u32,
    /// Where the PNG is.
    image_url: String,
}

/// Draws one picture, and says where it is.
#[utoipa::path(post, path = "/image", tag = "small", request_body = ImageBody, responses(
    (status = 200, description = "the picture", body = ImageAnswer),
    NotTaken<SmallError>,
    NotDone<SmallError>,
))]
async fn image(
    State(service): State<Service>,
    Body(body): Body<ImageBody>,
) -> Result<Json<ImageAnswer>, ApiError> {
    let active = service.active()?;
    let mut request = active.defaults.clone();
    request.prompt = body.prompt;
    if let Some(negative) = body.negative_prompt {
        request.negative_prompt = negative;
    }
    if let Some(steps) = body.num_inference_steps {
        request.sampling.steps = within("num_inference_steps", steps, 1, 150)?;
    }
    if let Some(scale) = body.guidance_scale {
        request.sampling.cfg_scale = within("guidance_scale", scale, 0.0, 30.0)?;
    }
    for (field, value, side) in
        [("width", body.width, &mut request.width), ("height", body.height, &mut request.height)]
    {
        if let Some(value) = value {
            *side = multiple(field, within(field, value, 64, 2048)?, 8)?;
        }
    }
    if let Some(seed) = body.seed {
        request.seed = Some(within("seed", seed, 0, i64::from(u32::MAX))?);
    }
    let job = service.draw(&active, request, None).await?;
    let view = job.view();
    let picture =
        view.pictures.into_iter().next().ok_or_else(|| ApiError::internal("no picture"))?;
    Ok(Json(ImageAnswer {
        job_id: job.id,
        provider: if job.mock { "mock" } else { "local" },
        device: active.device.clone(),
        model: view.model,
        created_at: view.created_at,
        finished_at: view.finished_at,
        mock: job.mock,
        cached: view.cached,
        safety: picture.safety,
        seed: picture.seed,
        width: picture.width,
        height: picture.height,
        image_url: picture.url,
    }))
}

/// What `POST /generate` draws. Only the prompt is needed.
#[derive(Debug, Deserialize, ToSchema)]
struct GenerateBody {
    /// 1 to 500 characters.
    prompt: String,
    /// 1 to 50. Default 20.
    steps: Option<u32>,
    /// 256 to 768, a multiple of 64. Default 512.
    width: Option<u32>,
    /// 256 to 768, a multiple of 64. Default 512.
    height: Option<u32>,
    /// 0 to 2³²−1; a random one if it is left out.
    seed: Option<i64>,
}

/// What `POST /generate` drew.
#[derive(Debug, Serialize, ToSchema)]
struct GenerateAnswer {
    /// Base64 of a PNG.
    image_base64: String,
    metadata: Metadata,
}

/// How it was drawn.
#[derive(Debug, Serialize, ToSchema)]
struct Metadata {
    prompt: String,
    steps: u32,
    width: u32,
    height: u32,
    seed: i64,
    generation_time_seconds: f64,
    model_version: String,
    /// Whether it is a pattern, drawn without a model.
    mock: bool,
    /// Whether it was drawn before, for the same request.
    cached: bool,
    /// What the safety filter said of it; none without one.
    safety: Option<Verdict>,
}

/// Draws one picture, in a minute at most.
#[utoipa::path(post, path = "/generate", tag = "small", request_body = GenerateBody, responses(
    (status = 200, description = "the picture", body = GenerateAnswer),
    NotTaken<SmallError>,
    NotDone<SmallError>,
))]
async fn generate(
    State(service): State<Service>,
    Body(body): Body<GenerateBody>,
) -> Result<Json<GenerateAnswer>, ApiError> {
    let characters = body.prompt.chars().count();
    within("the number of the prompt's characters", characters, 1, 500)?;
    let active = service.active()?;
    let mut request = active.defaults.clone();
    request.prompt = body.prompt;
    request.sampling.steps = within("steps", body.steps.unwrap_or(20), 1, 50)?;
    for (field, value, side) in
        [("width", body.width, &mut request.width), ("height", body.height, &mut request.height)]
    {
        *side = multiple(field, within(field, value.unwrap_or(512), 256, 768)?, 64)?;
    }
    if let Some(seed) = body.seed {
        request.seed = Some(within("seed", seed, 0, i64::from(u32::MAX))?);
    }
    let job = service.draw(&active, request, Some(GENERATE_LIMIT)).await?;
    let Some(Ok(finished)) = job.outcome() else { return Err(ApiError::internal("no outcome")) };
    let picture = finished.pictures.first().ok_or_else(|| ApiError::internal("no picture"))?;
    Ok(Json(GenerateAnswer {
        image_base64: BASE64_STANDARD.encode(&picture.png),
        metadata: Metadata {
            prompt: job.request.prompt.clone(),
            steps: job.request.sampling.steps,
            width: picture.width,
            height: picture.height,
            seed: picture.seed,
            generation_time_seconds: finished.timings.total.as_secs_f64(),
            model_version: job.model.clone(),
            mock: job.mock,
            cached: finished.cached,
            safety: picture.safety.clone(),
        },
    }))
}
