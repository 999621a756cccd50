//! Who may ask, and how much.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::Server;
use serde_json::json;

#[test]
fn a_key_opens_everything_but_health() {
    let server = Server::mock(&["--api-key", "one,two"]);
    assert_eq!(server.get("/health").status, 200);
    for path in ["/sdapi/v1/options", "/api/v1/jobs", "/metrics", "/api/v1/openapi.json"] {
        let refused = server.get(path);
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (401, &"unauthorized".into()),
            "{path}"
        );
    }
    let body = json!({ "prompt": "x" });
    let with =
        |key: &str| server.post_with("/api/v1/jobs", &[("Authorization", key)], &body).status;
    assert_eq!((with("Bearer two"), with("Bearer three")), (202, 401));
}

#[test]
fn pages_and_names_of_others_are_refused() {
    let server = Server::mock(&["--cors-allow-origins", "https://app.example"]);
    let body = json!({ "prompt": "x" });
    let with = |headers: &[(&str, &str)]| server.post_with("/api/v1/jobs", headers, &body);
    assert_eq!(with(&[("Origin", "https://evil.example")]).status, 403);
    assert_eq!(with(&[("Host", "evil.example")]).status, 403);
    let allowed = with(&[("Origin", "https://app.example")]);
    assert_eq!(allowed.status, 202);
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://app.example");
    // What a page may send without the browser's asking is no JSON.
    let plain = ureq::post(server.url("/api/v1/jobs"))
        .config()
        .http_status_as_error(false)
        .build()
        .header("Content-Type", "text/plain")
        .send(body.to_string())
        .unwrap();
    assert_eq!(plain.status(), 415);
}

#[test]
fn bodies_have_a_limit() {
    let server = Server::mock(&["--max-body-bytes", "1000"]);
    let answer = server.post("/api/v1/jobs", &json!({ "prompt": "x".repeat(2000) }));
    assert_eq!((answer.status, &answer.json()["code"]), (413, &"body_too_large".into()));
}

#[test]
fn without_a_model_it_answers_and_says_why() {
    let server = Server::start(&[]);
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (503, &"unavailable".into()));
    let refused = server.post("/sdapi/v1/txt2img", &json!({ "prompt": "x" }));
    assert_eq!((refused.status, &refused.json()["error"]), (503, &"no_model".into()));
    assert!(refused.json()["body"].as_str().unwrap().contains("--model"));
}
