//! Who may ask, and how much.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use clap::Parser;
use common::Server;
use sdcpp_server::{Options, Service};
use serde_json::json;

#[test]
fn a_key_opens_everything_but_health() {
    let server = Server::mock(&["--api-key", "one,two"]);
    assert_eq!(server.get("/health").status, 200);
    for path in ["/api/v1/jobs", "/metrics", "/api/v1/openapi.json"] {
        let refused = server.get(path);
        assert_eq!((refused.status, &refused.json()["code"]), (401, &"unauthorized".into()));
        assert!(refused.headers.contains_key("www-authenticate"));
    }
    // In each API's own form.
    assert_eq!(server.get("/sdapi/v1/options").json()["error"], "unauthorized");
    assert_eq!(server.get("/v1/models").json()["error"]["code"], "unauthorized");
    assert_eq!(server.get("/v1/nothing").json()["error"]["type"], "authentication_error");
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

#[test]
fn an_empty_key_does_not_open_the_server() {
    for key in ["", "one,", " "] {
        let options = Options::parse_from(["sdcpp-server", "--mock", "--api-key", key]);
        let error = Service::start(options).err().unwrap();
        assert!(error.message.starts_with("api-key is "), "{}", error.message);
    }
}

/// A form may be sent by any page unasked: its origin is what gives it away.
#[test]
fn a_form_of_another_site_is_refused() {
    let server = Server::mock(&["--max-body-bytes", "1000"]);
    let send = |origin: &str, content: &str| {
        ureq::post(server.url("/v1/images/edits"))
            .config()
            .http_status_as_error(false)
            .build()
            .header("Content-Type", "multipart/form-data; boundary=edge")
            .header("Origin", origin)
            .send(format!("--edge\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n{content}\r\n--edge--\r\n"))
            .unwrap()
            .status()
            .as_u16()
    };
    let own = server.url("");
    assert_eq!(send("https://evil.example", "x"), 403);
    assert_eq!(send(&own, "x"), 400, "the picture is missing");
    assert_eq!(send(&own, &"x".repeat(2000)), 413);
}

#[test]
fn where_files_are_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.gguf"), "no model").unwrap();
    let path = folder.path().to_str().unwrap();
    let server = Server::start(&["--models", path, "--model", "broken.gguf"]);
    for told in [
        server.get("/health").json(),
        server.post("/sdapi/v1/txt2img", &json!({ "prompt": "x" })).json(),
        server.post("/api/v1/jobs", &json!({ "prompt": "x", "model": "broken" })).json(),
    ] {
        let text = told.to_string();
        assert!(text.contains("broken.gguf") && !text.contains(path), "{text}");
    }
    let wrong = ureq::put(server.url("/api/v1/jobs"))
        .config()
        .http_status_as_error(false)
        .build()
        .send("x");
    assert_eq!(wrong.unwrap().status(), 405);
}
