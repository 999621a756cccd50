//! The APIs, and what they have in common: bodies in JSON, and errors in each one's own form.

mod choices;
pub(crate) mod form;
mod health;
mod jobs;
mod metrics;
mod openai;
mod refusals;
mod sdapi;
mod small;
mod upscale;

use crate::{error::ApiError, service::Service};
use axum::{
    Router,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::borrow::Cow;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

/// What went wrong.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// A name that does not change, as `invalid_parameter` or `queue_full`.
    pub code: String,
    /// What failed, on what, and what is allowed.
    pub message: String,
    /// What to try.
    pub advice: Option<String>,
    /// The number of the request, as in the header `X-Request-Id` and in the server's log; the error of a
    /// job has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl From<&ApiError> for ErrorBody {
    fn from(error: &ApiError) -> Self {
        Self {
            code: error.code.to_string(),
            message: error.message.clone(),
            advice: error.advice.as_deref().map(ToOwned::to_owned),
            request_id: None,
        }
    }
}

impl IntoResponse for ApiError {
    /// The error itself goes along: `form` gives it the form of the API that was asked.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A body in JSON. It must say that it is: a page of another site can send other bodies without the
/// browser's asking this server first.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            let message = "the Content-Type is not application/json";
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                message,
            ));
        }
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|rejection| {
            let code = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
                _ => "body_unreadable",
            };
            ApiError::new(rejection.status(), code, rejection.body_text())
        })?;
        // An empty body says nothing, as an empty object does.
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| {
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "invalid_body",
                format!("the body is not what is expected here: {error}"),
            )
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind: Cow<'_, str> = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_lowercase()
        .into();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

#[derive(OpenApi)]
#[openapi(info(
    title = "sdcpp-server",
    description = "Pictures by stable-diffusion.cpp: jobs with progress, the APIs of A1111's web UI and of OpenAI's images."
))]
struct Document;

/// All routes, and the document that describes them.
pub(crate) fn router(service: Service) -> (Router, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(choices::router())
        .merge(health::router())
        .merge(metrics::router())
        .merge(jobs::router())
        .merge(sdapi::router())
        .merge(openai::router())
        .merge(small::router())
        .merge(upscale::router())
        .with_state(service)
        .split_for_parts()
}
