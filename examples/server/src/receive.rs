//! The bodies of requests: how large they may be, and how long they may take.

use crate::service::Service;
use axum::{
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::{Stream, StreamExt, stream};
use std::{io, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long a whole body may take, however steadily it comes.
const WHOLE: Duration = Duration::from_secs(300);

/// Lets a request's body be read within its limits.
pub(crate) async fn limit(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    let options = service.options();
    DefaultBodyLimit::max(options.max_body_bytes()).apply(&mut request);
    let each = options.read_timeout();
    let request = request.map(|body| Body::from_stream(timed(body, each)));
    next.run(request).await
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
