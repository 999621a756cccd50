//! `GET /v1/models`.

use crate::{error::ApiError, service::Service};
use axum::{Json, extract::State};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(models))
}

/// The models that draw.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses(
    (status = 200, description = "a list", body = Object),
    (status = 500, description = "the models folder cannot be read"),
))]
async fn models(State(service): State<Service>) -> Result<Json<Value>, ApiError> {
    let model =
        |name: &str| json!({ "id": name, "object": "model", "created": 0, "owned_by": "local" });
    let data: Vec<_> = service.drawing_models().await?.iter().map(|name| model(name)).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}
