//! The whole service as a router.

use crate::{
    api::{self, form},
    error::ApiError,
    guard, headers,
    observe::{self, REQUEST_ID},
    page, rates,
    receive::{self, Room},
    service::Service,
};
use axum::{
    Json, Router,
    http::{Method, header},
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The service, to be served on any listener.
pub fn app(service: Service) -> Router {
    let (routes, document) = api::router(service.clone());
    routes
        .merge(page::router())
        .route("/api/v1/openapi.json", get(|| async move { Json(document) }))
        .fallback(async |request: axum::extract::Request| {
            ApiError::not_found(format!("route {} {}", request.method(), request.uri().path()))
        })
        .layer(from_fn_with_state((service.clone(), Room::new()), receive::limit))
        .layer(from_fn_with_state(service.clone(), rates::check))
        .layer(from_fn_with_state(service.clone(), guard::check))
        .layer(from_fn_with_state(service.clone(), form::finish))
        .layer(cors(service.clone()))
        .layer(from_fn_with_state(service, headers::add))
        .layer(from_fn(observe::request))
}

/// Which pages of other sites may read the answers.
fn cors(service: Service) -> CorsLayer {
    let allowed = AllowOrigin::predicate(move |origin, _| {
        origin.to_str().is_ok_and(|origin| service.options().allows_origin(origin))
    });
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::HeaderName::from_static("x-api-key"),
            REQUEST_ID,
        ])
        .expose_headers([header::LOCATION, header::RETRY_AFTER, REQUEST_ID])
}
