//! Headers that every answer has, unless it says something else: browsers take answers for what they say
//! they are, show them in no frame, keep none, and tell no other site of them.

use crate::service::Service;
use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

const ALWAYS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(crate) async fn add(State(service): State<Service>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Pages of other sites show no picture of this one, unless some of them may use it.
    if service.options().cors_allow_origins.is_empty() {
        headers.entry(RESOURCE_POLICY).or_insert(HeaderValue::from_static("same-site"));
    }
    response
}
