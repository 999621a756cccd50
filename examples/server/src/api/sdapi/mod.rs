//! `/sdapi/v1`: the API of AUTOMATIC1111's web UI, for the clients it has.
//!
//! A key that is `null` is absent, and unknown keys are ignored, for these clients send many of both.

mod answer;
mod draw;
mod info;
mod lists;
mod options;
mod progress;
mod request;

use crate::{error::ApiError, service::Service};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .merge(draw::router())
        .merge(info::router())
        .merge(lists::router())
        .merge(options::router())
        .merge(progress::router())
}

/// As FastAPI tells errors, and A1111 behind it.
pub(super) fn form(error: &ApiError) -> Value {
    json!({
        "error": error.code,
        "detail": error.message,
        "body": error.advice.as_deref().unwrap_or_default(),
        "errors": error.message,
    })
}
