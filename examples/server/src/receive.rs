//! The bodies of requests: how large they may be, and how long they may take.

use crate::{error::ApiError, service::Service};
use axum::{
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

/// How long a whole body may take, however steadily it comes.
const WHOLE: Duration = Duration::from_secs(300);

/// KiB that the bodies of all requests may have that are not answered yet: many clients can send a large one
/// at once.
const ALL: u32 = 512 << 10;

/// What is left of [`ALL`].
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ALL as usize)))
    }
}

/// KiB that a body takes; as many as it may where it does not say.
fn kib(headers: &HeaderMap, most: usize) -> u32 {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let unsaid = if headers.contains_key(header::TRANSFER_ENCODING) { most } else { 0 };
    u32::try_from(length.unwrap_or(unsaid).min(most).div_ceil(1024)).unwrap_or(ALL).min(ALL)
}

/// Lets a request's body be read within its limits.
pub(crate) async fn limit(
    State((service, room)): State<(Service, Room)>,
    mut request: Request,
    next: Next,
) -> Response {
    let options = service.options();
    // Until it is answered: what draws may keep it for as long.
    let Ok(_room) = room.0.try_acquire_many(kib(request.headers(), options.max_body_bytes()))
    else {
        return full().into_response();
    };
    DefaultBodyLimit::max(options.max_body_bytes()).apply(&mut request);
    let each = options.read_timeout();
    let request = request.map(|body| Body::from_stream(timed(body, each)));
    next.run(request).await
}

fn full() -> ApiError {
    let message = "too many large bodies are being read";
    let mut error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
        .advise("ask again in some seconds");
    error.retry_after = Some(Duration::from_secs(5));
    error
}

/// The parts of a body, until one takes longer than `each`, or all of them longer than [`WHOLE`].
fn timed(body: Body, each: Duration) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    let end = Instant::now() + WHOLE;
    stream::unfold(Some(body.into_data_stream()), move |parts| async move {
        let mut parts = parts?;
        match timeout_at(end.min(Instant::now() + each), parts.next()).await {
            Ok(part) => part.map(|part| (part, Some(parts))),
            Err(_) => {
                let late =
                    io::Error::new(io::ErrorKind::TimedOut, "the body took too long to come");
                Some((Err(axum::Error::new(late)), None))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_what_it_says_or_may_have() {
        let with = |name: header::HeaderName, value: &'static str| {
            kib(&HeaderMap::from_iter([(name, header::HeaderValue::from_static(value))]), 64 << 20)
        };
        assert_eq!(kib(&HeaderMap::new(), 64 << 20), 0);
        for (length, expected) in [("0", 0), ("1", 1), ("1025", 2), ("999999999999", 64 << 10)] {
            assert_eq!(with(header::CONTENT_LENGTH, length), expected, "{length}");
        }
        assert_eq!(with(header::TRANSFER_ENCODING, "chunked"), 64 << 10);
        let large = HeaderMap::from_iter([(header::TRANSFER_ENCODING, "chunked".parse().unwrap())]);
        assert_eq!(kib(&large, usize::MAX), ALL, "one alone can always be read");
    }

    async fn parts(body: Body) -> Vec<Option<Bytes>> {
        timed(body, Duration::from_millis(50)).map(Result::ok).collect().await
    }

    #[tokio::test]
    async fn a_body_that_stops_coming_is_an_error() {
        let whole = parts(Body::from("abc")).await;
        assert_eq!(whole, [Some(Bytes::from("abc"))]);
        let first = stream::once(async { Ok::<_, io::Error>(Bytes::from("abc")) });
        let stalled = parts(Body::from_stream(first.chain(stream::pending()))).await;
        assert_eq!(stalled, [Some(Bytes::from("abc")), None]);
    }
}
