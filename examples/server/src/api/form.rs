//! The form that each API has for errors. One place for all of them, those of the routes, of the guard
//! and of requests that lead nowhere.

use super::{ErrorBody, openai, sdapi, small};
use crate::{error::ApiError, observe::RequestId, service::Service};
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Gives an error the form of the API that was asked.
pub(crate) async fn finish(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let mut response = next.run(request).await;
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None if response.status() == StatusCode::METHOD_NOT_ALLOWED => ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("{path} is asked in another way"),
        ),
        None => return response,
    };
    let error = service.hidden().clean_error(error);
    let mut formed = match path.as_str() {
        path if path.starts_with("/sdapi/") => {
            Json(sdapi::SdapiError::from(&error)).into_response()
        }
        path if path.starts_with("/v1/") => Json(openai::OpenAiError::from(&error)).into_response(),
        "/image" | "/generate" => Json(small::SmallError::from(&error)).into_response(),
        // The others' forms are theirs, and the header has it too.
        _ => Json(ErrorBody { request_id: id, ..ErrorBody::from(&error) }).into_response(),
    };
    *formed.status_mut() = error.status;
    let headers = formed.headers_mut();
    if let Some(after) = error.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    if let Some(methods) = response.headers().get(header::ALLOW) {
        headers.insert(header::ALLOW, methods.clone());
    }
    if error.status == StatusCode::UNAUTHORIZED {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer, Basic realm=\"sdcpp\""),
        );
    }
    // OpenAI's clients ask again after these by themselves, and would have the same drawn three times.
    let ended = [StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT].contains(&error.status);
    if ended && path.starts_with("/v1/") {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    formed
}
