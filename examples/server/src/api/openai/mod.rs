//! `/v1`: OpenAI's image API, for its clients.

mod edits;
mod encode;
mod generations;
mod models;

use crate::{error::ApiError, service::Service};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().merge(generations::router()).merge(edits::router()).merge(models::router())
}

/// What went wrong, as OpenAI tells it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenAiError {
    error: OpenAiErrorParts,
}

/// Its parts.
#[derive(Debug, Serialize, ToSchema)]
struct OpenAiErrorParts {
    /// What failed, on what, what is allowed, and what to try.
    message: String,
    /// As `invalid_request_error`.
    r#type: &'static str,
    /// Always null: the message names the field.
    param: Option<String>,
    /// A name that does not change, as `invalid_parameter` or `queue_full`.
    code: String,
}

impl From<&ApiError> for OpenAiError {
    fn from(error: &ApiError) -> Self {
        let kind = match error.status.as_u16() {
            401 | 403 => "authentication_error",
            429 => "rate_limit_error",
            400..500 => "invalid_request_error",
            _ => "server_error",
        };
        let message = match &error.advice {
            Some(advice) => format!("{}; {advice}", error.message),
            None => error.message.clone(),
        };
        let code = error.code.to_string();
        Self { error: OpenAiErrorParts { message, r#type: kind, param: None, code } }
    }
}

/// `512x768`; none for `auto`.
fn size(text: &str) -> Result<Option<(u32, u32)>, ApiError> {
    if text == "auto" {
        return Ok(None);
    }
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides
        .map(Some)
        .ok_or_else(|| ApiError::invalid("size", text, "WIDTHxHEIGHT, as 512x512, or auto"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_two_numbers() {
        assert_eq!(size("512x768").unwrap(), Some((512, 768)));
        assert_eq!(size("auto").unwrap(), None);
        for text in ["", "512", "x", "512x", "-1x2", "1x2x3", "512×512"] {
            assert!(size(text).unwrap_err().message.starts_with("size is "), "{text}");
        }
    }
}
