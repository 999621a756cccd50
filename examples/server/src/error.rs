//! What went wrong, as a status, a code and words. Each API has its own form of it (`api`).

use axum::http::StatusCode;
use sdcpp::{Error, Unavailable};
use std::{borrow::Cow, time::Duration};

/// An error of any of the APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The answer's status.
    pub status: StatusCode,
    /// A name that does not change, as [`sdcpp::Error::kind`].
    pub code: Cow<'static, str>,
    /// What failed, on what, and what is allowed.
    pub message: String,
    /// What to try.
    pub advice: Option<Cow<'static, str>>,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// An error with this code.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), advice: None, retry_after: None }
    }

    /// A value of the request that is not allowed.
    pub fn invalid(field: &str, value: impl std::fmt::Display, allowed: &str) -> Self {
        let message = format!("{field} is {value}; allowed: {allowed}");
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", message)
    }

    /// There is nothing of this name.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what}"))
    }

    /// A mistake of the server's own.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// Whether less memory in use elsewhere would have helped.
    pub(crate) fn is_lack_of_memory(&self) -> bool {
        ["insufficient_memory", "out_of_memory"].contains(&self.code.as_ref())
    }

    #[must_use]
    pub(crate) fn advise(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// What a client can do about an error decides its status.
fn status(error: &Error) -> StatusCode {
    match error {
        Error::InvalidParameter { .. }
        | Error::DoesNotFit { .. }
        | Error::ImageCodec { .. }
        | Error::Unsupported { .. } => StatusCode::BAD_REQUEST,
        Error::QueueFull { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::DeadlineExceeded { .. } | Error::AcquireTimeout { .. } => {
            StatusCode::REQUEST_TIMEOUT
        }
        // Who cancelled knows; others learn that it came to no end.
        Error::Cancelled { .. } => StatusCode::CONFLICT,
        // With another size, or a little later, it may work.
        Error::OutOfMemory { .. }
        | Error::InsufficientMemory { .. }
        | Error::CircuitOpen { .. }
        | Error::ShutDown
        | Error::FileNotFound { .. }
        | Error::FileUnreadable { .. }
        | Error::NotAModel { .. }
        | Error::MissingParts { .. }
        | Error::ModelLoad { .. }
        | Error::WorkerStart { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let retry_after = match &error {
            Error::QueueFull { .. } => Some(Duration::from_secs(5)),
            Error::CircuitOpen { .. } | Error::ShutDown => Some(Duration::from_secs(30)),
            _ => None,
        };
        Self {
            status: status(&error),
            code: error.kind().into(),
            message: error.to_string(),
            advice: error.advice().map(Cow::Borrowed),
            retry_after,
        }
    }
}

impl From<Unavailable> for ApiError {
    fn from(why: Unavailable) -> Self {
        let advice = why.advice();
        let code = match &why {
            Unavailable::NoMemory(error) => error.kind(),
            _ => "model_unavailable",
        };
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, why.to_string());
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_says_when_to_come_again() {
        let error = ApiError::from(Error::ShutDown);
        assert_eq!(error.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(error.code, "shut_down");
        assert!(error.retry_after.is_some());
    }

    #[test]
    fn a_bad_value_is_the_clients_mistake() {
        let request = sdcpp::ImageRequest::new("x").steps(0);
        let error = ApiError::from(request.check().unwrap_err());
        assert_eq!(
            (error.status, error.code.as_ref()),
            (StatusCode::BAD_REQUEST, "invalid_parameter")
        );
        assert!(error.message.starts_with("steps is 0"), "{}", error.message);
    }
}
