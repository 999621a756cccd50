//! The whole service as a router.

use crate::{
    api::{self, form},
    error::ApiError,
    guard,
    options::Options,
    page,
    service::Service,
};
use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, Method, header},
    routing::get,
};
use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, TcpSocket};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The service, to be served on any listener.
pub fn app(service: Service) -> Router {
    let limit = service.options().max_body_bytes();
    let cors = cors(service.options());
    let (routes, document) = api::router(service.clone());
    routes
        .merge(page::router())
        .route("/api/v1/openapi.json", get(|| async move { Json(document) }))
        .fallback(async |request: axum::extract::Request| {
            ApiError::not_found(format!("route {} {}", request.method(), request.uri().path()))
        })
        .layer(DefaultBodyLimit::max(limit))
        .layer(axum::middleware::from_fn_with_state(service.clone(), guard::check))
        .layer(axum::middleware::from_fn_with_state(service, form::finish))
        .layer(cors)
}

/// Listens where a service is to be served. Hundreds of clients may come at once: so many wait to be
/// accepted, and are not turned away.
///
/// # Errors
/// The address is in use, or may not be used.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Not on Windows, where it means that others may take the port over.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

/// Which pages of other sites may read the answers.
fn cors(options: &Options) -> CorsLayer {
    let allowed = &options.cors_allow_origins;
    let origins = if allowed.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::HeaderName::from_static("x-api-key"),
        ])
}
