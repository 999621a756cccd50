//! `/api/v1`: jobs that are submitted, watched, stopped and fetched.

use super::{Body, ErrorBody, refusals::NotTaken};
use crate::{
    error::ApiError,
    job::{Job, JobView},
    model::ModelEntry,
    service::{Service, blocking},
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, StreamExt, stream};
use image::ImageFormat;
use sdcpp::ImageRequest;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{convert::Infallible, io::Cursor, sync::Arc};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(submit, list))
        .routes(routes!(get, cancel))
        .routes(routes!(events))
        .routes(routes!(preview))
        .routes(routes!(picture))
        .routes(routes!(models))
}

/// Keys of a request that name files of the server's.
const FILES: [(&str, &str); 2] = [("hires", "model"), ("photo_maker", "id_embed")];

/// The request in a body: the defaults of the model, and above them what the body says.
fn request(
    defaults: &ImageRequest,
    mut body: Map<String, Value>,
) -> Result<ImageRequest, ApiError> {
    for (key, field) in FILES {
        if body.get(key).and_then(|value| value.get(field)).is_some_and(|value| !value.is_null()) {
            return Err(ApiError::invalid(
                &format!("{key}.{field}"),
                "a path",
                "nothing: it is a file of the server",
            ));
        }
    }
    if body.get("loras").is_some_and(|loras| *loras != Value::Array(Vec::new()) && !loras.is_null())
    {
        return Err(ApiError::invalid(
            "loras",
            "a list of paths",
            "nothing: name LoRAs in the prompt, as <lora:name:1>",
        ));
    }
    body.remove("model");
    let unwritable = |error: serde_json::Error| ApiError::internal(error.to_string());
    let Value::Object(mut all) = serde_json::to_value(defaults).map_err(unwritable)? else {
        return Err(ApiError::internal("the defaults are no object"));
    };
    all.extend(body);
    let wrong = |error: serde_json::Error| {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_parameter", error.to_string())
    };
    serde_json::from_value(Value::Object(all)).map_err(wrong)
}

/// Asks for pictures.
///
/// The body is an `ImageRequest` of the crate `sdcpp` in JSON; what it leaves out is as the model's
/// defaults say. `model` chooses another model by name. Keys that name files are refused.
#[utoipa::path(post, path = "/api/v1/jobs", tag = "jobs",
    request_body(content = Object, description = "prompt, negative_prompt, width, height, steps, cfg_scale, sampler, scheduler, seed, batch, init_image, mask …"),
    responses(
        (status = 202, description = "accepted", body = JobView, headers(("location" = String, description = "the job"))),
        (status = 404, description = "there is no such model", body = ErrorBody),
        NotTaken<ErrorBody>,
    ))]
async fn submit(
    State(service): State<Service>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let model = match body.get("model") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name.as_str()),
        Some(other) => return Err(ApiError::invalid("model", other, "the name of a model")),
    };
    let active = service.model(model).await?;
    let defaults = active.defaults.clone();
    // Pictures in it are decoded, which takes a while.
    let request = service.prepare(&active, move || request(&defaults, body)).await?;
    let job = service.submit(&active, request).await?;
    let location = HeaderValue::from_str(&format!("/api/v1/jobs/{}", job.id))
        .map_err(|error| ApiError::internal(error.to_string()))?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(job.view())).into_response())
}

/// What is no number is none of a job.
fn number(id: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(id).map_err(|_| ApiError::not_found(format!("job {id}")))
}

/// Jobs that one answer lists.
const MOST_LISTED: usize = 2000;

#[derive(Debug, Deserialize, IntoParams)]
struct ListQuery {
    /// Jobs at most, up to 2000. Default 50.
    #[param(value_type = Option<usize>)]
    limit: Option<String>,
    /// The number of a job: those that were accepted before it.
    #[param(value_type = Option<String>)]
    before: Option<String>,
}

/// The last jobs, the newest first.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(ListQuery), responses(
    (status = 200, description = "jobs", body = Vec<JobView>),
    (status = 400, description = "the limit is no number, or `before` is no job's", body = ErrorBody),
    (status = 503, description = "the history cannot be read", body = ErrorBody),
))]
async fn list(
    State(service): State<Service>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<JobView>>, ApiError> {
    let limit = query.limit.as_deref().unwrap_or("50");
    let limit: usize = limit.parse().map_err(|_| ApiError::invalid("limit", limit, "a number"))?;
    let before = query.before.as_deref().map(|before| {
        Uuid::try_parse(before)
            .map_err(|_| ApiError::invalid("before", before, "the number of a job"))
    });
    Ok(Json(service.jobs().list(limit.min(MOST_LISTED), before.transpose()?).await?))
}

/// A job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "the job", body = JobView),
    (status = 404, description = "there is none", body = ErrorBody),
    (status = 503, description = "the history cannot be used", body = ErrorBody),
))]
async fn get(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, ApiError> {
    Ok(Json(service.jobs().view(number(&id)?).await?))
}

/// Stops a job that waits or runs, and forgets one that has ended.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "the job; it may take until its next step to end", body = JobView),
    (status = 404, description = "there is none", body = ErrorBody),
    (status = 503, description = "the history cannot be used", body = ErrorBody),
))]
async fn cancel(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, ApiError> {
    let id = number(&id)?;
    if let Some(job) = service.jobs().get(id).filter(|job| job.status().is_open()) {
        job.cancel();
        return Ok(Json(job.view()));
    }
    let ended = service.jobs().view(id).await?;
    service.jobs().remove(id).await?;
    Ok(Json(ended))
}

/// An event of a job.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what the document says of events")]
struct JobEvent {
    /// `job`.
    event: String,
    /// The job, a `JobView` in JSON.
    data: String,
}

/// The job at each change, as server-sent events named `job`, until it ends.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/events", tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "events", body = JobEvent, content_type = "text/event-stream"),
    (status = 404, description = "there is none", body = ErrorBody),
    (status = 503, description = "the history cannot be used", body = ErrorBody),
))]
async fn events(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let id = number(&id)?;
    let events = match service.jobs().get(id) {
        Some(job) => follow(job).left_stream(),
        // It has ended, and that is all there is to tell.
        None => stream::iter([Ok(event(&service.jobs().view(id).await?))]).right_stream(),
    };
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// A job at each change, until it ends.
fn follow(job: Arc<Job>) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut changes = job.changes();
    // The first event is how it stands.
    changes.mark_changed();
    stream::unfold((job, changes, false), async |(job, mut changes, ended)| {
        if ended {
            return None;
        }
        changes.changed().await.ok()?;
        let view = job.view();
        Some((Ok(event(&view)), (job, changes, !view.status.is_open())))
    })
}

fn event(view: &JobView) -> Event {
    match Event::default().event("job").json_data(view) {
        Ok(event) => event,
        Err(error) => Event::default().event("error").data(error.to_string()),
    }
}

/// Pictures are saved by names that are made of the job's number, and never of what a client said.
fn file_name(job: Uuid, index: usize) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(&format!("inline; filename=\"{job}-{index}.png\""))
        .map_err(|error| ApiError::internal(error.to_string()))
}

fn png(bytes: impl Into<axum::body::Body>, cache: &'static str) -> Response {
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, cache)];
    (headers, bytes.into()).into_response()
}

/// What the picture looks like so far.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/preview", tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "a PNG, as a rule an eighth of the size", body = Vec<u8>, content_type = "image/png"),
    (status = 404, description = "there is none now", body = ErrorBody),
))]
async fn preview(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let none = || ApiError::not_found("preview now");
    let job = service.jobs().get(number(&id)?).ok_or_else(none)?;
    Ok(png(preview_png(&job).await?, "no-store"))
}

/// The last preview of a job, as the bytes of a PNG.
///
/// # Errors
/// There is none yet, or the job has ended.
pub(crate) async fn preview_png(job: &Job) -> Result<Vec<u8>, ApiError> {
    let none = || ApiError::not_found("preview now");
    let preview = job.preview().ok_or_else(none)?;
    let frame = preview.frames.into_iter().next().ok_or_else(none)?;
    blocking(move || {
        let mut bytes = Cursor::new(Vec::new());
        frame
            .write_to(&mut bytes, ImageFormat::Png)
            .map_err(|error| ApiError::internal(error.to_string()))?;
        Ok(bytes.into_inner())
    })
    .await
}

/// A finished picture.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/pictures/{index}", tag = "jobs",
    params(("id" = String, Path), ("index" = usize, Path, description = "from 0")), responses(
    (status = 200, description = "a PNG with A1111's parameters", body = Vec<u8>, content_type = "image/png"),
    (status = 404, description = "there is none, or not yet", body = ErrorBody),
    (status = 503, description = "the history cannot be read", body = ErrorBody),
))]
async fn picture(
    State(service): State<Service>,
    Path((id, index)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let none = || ApiError::not_found(format!("picture {index} of job {id}"));
    let place = index.parse::<usize>().map_err(|_| none())?;
    let job = number(&id)?;
    let bytes = service.jobs().png(job, place).await?;
    // It never changes.
    let mut answer = png(bytes, "private, max-age=31536000, immutable");
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, file_name(job, place)?);
    Ok(answer)
}

/// The models that can be chosen.
#[utoipa::path(get, path = "/api/v1/models", tag = "models", responses(
    (status = 200, description = "models", body = Vec<ModelEntry>),
    (status = 500, description = "the folder cannot be read", body = ErrorBody),
))]
async fn models(State(service): State<Service>) -> Result<Json<Vec<ModelEntry>>, ApiError> {
    Ok(Json(service.models().await?))
}
