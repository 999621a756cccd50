//! `progress`, `interrupt` and `skip`. A1111 knows one job; here it is the oldest that runs, and where none
//! does, the pictures that are enlarged.

use super::answer::timestamp;
use crate::{
    api::jobs::preview_png,
    error::ApiError,
    job::{Job, JobStatus},
    service::Service,
};
use axum::{
    Json,
    extract::{Query, State},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(progress)).routes(routes!(interrupt)).routes(routes!(skip))
}

#[derive(Debug, Deserialize, IntoParams)]
struct ProgressQuery {
    /// `true` leaves the preview out.
    #[param(value_type = Option<bool>)]
    skip_current_image: Option<String>,
}

/// 0 is how clients know that nothing runs.
const SOME: f32 = 0.001;

fn running(service: &Service) -> Option<Arc<Job>> {
    service.jobs().open().into_iter().find(|job| job.status() == JobStatus::Running)
}

/// How far the oldest running job is.
#[utoipa::path(get, path = "/sdapi/v1/progress", tag = "a1111", params(ProgressQuery), responses(
    (status = 200, description = "progress from 0 to 1, 0 when nothing runs; state; current_image", body = Object),
))]
async fn progress(
    State(service): State<Service>,
    Query(query): Query<ProgressQuery>,
) -> Result<Json<Value>, ApiError> {
    let enlarging = service.upscaling().open();
    let open = service.jobs().open().len() + enlarging;
    let Some(job) = running(&service) else {
        let text = match (enlarging, open) {
            (0, 0) => None,
            (0, _) => Some("waiting for a model"),
            _ => Some("upscaling"),
        };
        return Ok(Json(json!({
            "progress": if enlarging > 0 { SOME } else { 0.0 },
            "eta_relative": 0.0,
            "state": state(open, "", 0, 0, ""),
            "current_image": null,
            "textinfo": text,
        })));
    };
    let view = job.view();
    let skips = query.skip_current_image.is_some_and(|skip| skip.eq_ignore_ascii_case("true"));
    let image = match skips {
        true => None,
        // There may be none yet, or none any more.
        false => preview_png(&job).await.ok(),
    };
    Ok(Json(json!({
        "progress": view.progress.max(SOME),
        "eta_relative": view.eta_seconds.unwrap_or(0.0),
        "state": state(open, &job.id.to_string(), view.step, view.steps, &timestamp(&view.created_at)),
        "current_image": image.map(|bytes| BASE64_STANDARD.encode(bytes)),
        "textinfo": view.stage,
    })))
}

fn state(count: usize, job: &str, step: u32, steps: u32, timestamp: &str) -> Value {
    json!({
        "skipped": false,
        "interrupted": false,
        "stopping_generation": false,
        "job": job,
        "job_count": count,
        "job_timestamp": timestamp,
        "job_no": 0,
        "sampling_step": step,
        "sampling_steps": steps,
    })
}

fn stop(service: &Service) {
    match running(service) {
        Some(job) => job.cancel(),
        None => service.upscaling().interrupt(),
    }
}

/// Stops what `progress` tells of; what waits goes on.
#[utoipa::path(post, path = "/sdapi/v1/interrupt", tag = "a1111",
    responses((status = 200, description = "an empty object", body = Object)))]
async fn interrupt(State(service): State<Service>) -> Json<Value> {
    stop(&service);
    Json(json!({}))
}

/// The same: a picture of a batch cannot be left out.
#[utoipa::path(post, path = "/sdapi/v1/skip", tag = "a1111",
    responses((status = 200, description = "an empty object", body = Object)))]
async fn skip(State(service): State<Service>) -> Json<Value> {
    stop(&service);
    Json(json!({}))
}
