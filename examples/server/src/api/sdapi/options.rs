//! `options`: which model draws. Other settings of A1111's are taken and have no effect.

use crate::{api::Body, error::ApiError, service::Service};
use axum::{Json, extract::State};
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(get, set))
}

/// The settings that there are.
#[utoipa::path(get, path = "/sdapi/v1/options", tag = "a1111",
    responses((status = 200, description = "sd_model_checkpoint and others", body = Object)))]
async fn get(State(service): State<Service>) -> Json<Value> {
    let model = service.active().map(|active| active.name.clone()).ok();
    Json(json!({
        "sd_model_checkpoint": model,
        "sd_checkpoint_hash": null,
        "sd_vae": "Automatic",
        "CLIP_stop_at_last_layers": 1,
        "samples_format": "png",
        "live_previews_enable": true,
    }))
}

/// Has another model draw, by `sd_model_checkpoint`. Other keys are ignored.
#[utoipa::path(post, path = "/sdapi/v1/options", tag = "a1111",
    request_body(content = Object, description = "sd_model_checkpoint"), responses(
    (status = 200, description = "null"),
    (status = 400, description = "the body is wrong"),
    (status = 404, description = "there is no such model"),
    (status = 413, description = "the body is too large"),
    (status = 415, description = "the body is not JSON"),
    (status = 503, description = "the model cannot be used"),
))]
async fn set(
    State(service): State<Service>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    match body.get("sd_model_checkpoint") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) => drop(service.choose(name).await?),
        Some(other) => {
            return Err(ApiError::invalid("sd_model_checkpoint", other, "the name of a model"));
        }
    }
    let ignored: Vec<_> = body.keys().filter(|key| *key != "sd_model_checkpoint").collect();
    if !ignored.is_empty() {
        tracing::debug!("settings without effect: {ignored:?}");
    }
    Ok(Json(Value::Null))
}
