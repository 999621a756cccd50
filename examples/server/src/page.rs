//! The page: files of `page/`, which are in the program.

use crate::error::ApiError;
use axum::{
    Router,
    extract::Path,
    http::{HeaderName, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// Name, kind and text.
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", CSS, include_str!("../page/style.css")),
    ("stage.css", CSS, include_str!("../page/stage.css")),
    ("icon.svg", "image/svg+xml", include_str!("../page/icon.svg")),
    ("brush.js", JAVASCRIPT, include_str!("../page/brush.js")),
    ("form.js", JAVASCRIPT, include_str!("../page/form.js")),
    ("gallery.js", JAVASCRIPT, include_str!("../page/gallery.js")),
    ("handles.js", JAVASCRIPT, include_str!("../page/handles.js")),
    ("main.js", JAVASCRIPT, include_str!("../page/main.js")),
    ("over.js", JAVASCRIPT, include_str!("../page/over.js")),
    ("parameters.js", JAVASCRIPT, include_str!("../page/parameters.js")),
    ("queue.js", JAVASCRIPT, include_str!("../page/queue.js")),
    ("service.js", JAVASCRIPT, include_str!("../page/service.js")),
    ("storage.js", JAVASCRIPT, include_str!("../page/storage.js")),
    ("viewer.js", JAVASCRIPT, include_str!("../page/viewer.js")),
];
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const PAGE: &str = include_str!("../page/index.html");

/// Nothing of other sites, nothing inline, and no frame around it. Pictures are blobs, for they are
/// fetched with the key.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

pub(crate) fn router() -> Router {
    Router::new().route("/", get(async || file("text/html; charset=utf-8", PAGE))).route(
        "/page/{name}",
        get(async |Path(name): Path<String>| {
            let found = FILES.iter().find(|(known, ..)| *known == name);
            found
                .map(|(_, kind, text)| file(kind, text))
                .ok_or_else(|| ApiError::not_found(format!("file {name}")))
        }),
    )
}

/// Whether it is the page itself, which tells nothing and asks for the key.
pub(crate) fn is_page(path: &str) -> bool {
    path == "/" || path.starts_with("/page/")
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A new version of the program has new files.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
