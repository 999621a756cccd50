//! What is told of each request: a number, in the answer and in the log, and a line when it is answered.
//!
//! The log has the path and never the query, the headers or the body: prompts and keys are in those.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use std::time::Instant;
use tracing::{Instrument, Span, field};
use uuid::Uuid;

/// The header that a request's number is in.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The number of a request: the client's, or one of ours.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// The client's, if it can stand in a log: up to 64 letters, digits, `-`, `_` and `.`.
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let fits = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        Self(given.filter(fits).map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned))
    }
}

/// Characters of a path that the log has.
const PATH: usize = 200;

/// Gives a request its number, and tells how it was answered.
pub(crate) async fn request(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let path: String = request.uri().path().chars().take(PATH).collect();
    let span = tracing::info_span!(
        "request",
        id = %id.0,
        method = %request.method(),
        path = %path,
        job = field::Empty,
    );
    let header = HeaderValue::from_str(&id.0);
    let quiet = request.method() == Method::GET || request.method() == Method::HEAD;
    request.extensions_mut().insert(id);
    let mut line = Line { span: span.clone(), begin: Instant::now(), answered: false };
    let mut response = next.run(request).instrument(span).await;
    line.answer(&response, quiet);
    if let Ok(header) = header {
        response.headers_mut().insert(REQUEST_ID, header);
    }
    response
}

/// Has the later lines of this request tell its job.
pub(crate) fn submitted(job: Uuid) {
    Span::current().record("job", field::display(job));
}

/// The line of a request, also where nobody waits for the answer any more.
struct Line {
    span: Span,
    begin: Instant,
    answered: bool,
}

impl Line {
    fn answer(&mut self, response: &Response, quiet: bool) {
        self.answered = true;
        let (status, milliseconds) = (response.status().as_u16(), self.milliseconds());
        self.span.in_scope(|| match status {
            500.. => tracing::warn!(status, milliseconds, "answered"),
            // Who watches a job asks twice a second.
            _ if quiet => tracing::debug!(status, milliseconds, "answered"),
            _ => tracing::info!(status, milliseconds, "answered"),
        });
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.answered {
            let milliseconds = self.milliseconds();
            self.span.in_scope(|| tracing::info!(milliseconds, "the client has gone"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_bytes(given).unwrap());
        RequestId::of(&headers).0
    }

    #[test]
    fn a_clients_number_is_kept_if_it_can_stand_in_a_log() {
        let longest = "a".repeat(64);
        for given in ["abc-1_2.3", "x", longest.as_str()] {
            assert_eq!(id(given.as_bytes()), given);
        }
        let too_long = "a".repeat(65);
        for given in ["", "a b", "a=b", "{}", "ä", "a;b", too_long.as_str()] {
            let made = id(given.as_bytes());
            assert_eq!(Uuid::try_parse(&made).unwrap().get_version_num(), 7, "{given}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()).0, RequestId::of(&HeaderMap::new()).0);
    }
}
