//! `/sdapi/v1`: the API of AUTOMATIC1111's web UI, for the clients it has.
//!
//! A key that is `null` is absent, and unknown keys are ignored, for these clients send many of both.

mod answer;
mod draw;
mod extras;
mod img2img;
mod info;
mod lists;
mod options;
mod progress;
mod request;
mod resize;

use crate::{error::ApiError, service::Service};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .merge(draw::router())
        .merge(extras::router())
        .merge(info::router())
        .merge(lists::router())
        .merge(options::router())
        .merge(progress::router())
}

/// What went wrong, as FastAPI tells it, and A1111 behind it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SdapiError {
    /// A name that does not change, as `invalid_parameter` or `queue_full`.
    error: String,
    /// What failed, on what, and what is allowed.
    detail: String,
    /// What to try; may be empty.
    body: String,
    /// As `detail`.
    errors: String,
}

impl From<&ApiError> for SdapiError {
    fn from(error: &ApiError) -> Self {
        Self {
            error: error.code.to_string(),
            detail: error.message.clone(),
            body: error.advice.as_deref().unwrap_or_default().to_owned(),
            errors: error.message.clone(),
        }
    }
}
