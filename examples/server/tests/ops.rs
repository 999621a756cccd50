//! What operators see: numbers of requests, limits, health, headers, slow clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{Answer, Server};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

fn number(answer: &Answer) -> &str {
    answer.headers["x-request-id"].to_str().unwrap()
}

#[test]
fn every_answer_has_the_number_of_its_request() {
    let server = Server::mock(&["--api-key", "one"]);
    let with = |path: &str, headers: &[(&str, &str)]| server.post_with(path, headers, &json!({}));
    let given = with("/api/v1/jobs", &[("X-Request-Id", "my-request.1")]);
    assert_eq!((given.status, number(&given)), (401, "my-request.1"));
    assert_eq!(given.json()["request_id"], "my-request.1");
    // The other APIs' forms are theirs: it is in the header only.
    for path in ["/sdapi/v1/txt2img", "/v1/images/generations", "/generate"] {
        let answer = with(path, &[("X-Request-Id", "my-request.1")]);
        assert_eq!((answer.status, number(&answer)), (401, "my-request.1"));
        assert!(!answer.json().to_string().contains("my-request"), "{path}");
    }
    let (first, second) = (server.get("/health"), server.get("/nothing"));
    assert_ne!(number(&first), number(&second));
    for answer in [first, second, with("/api/v1/jobs", &[("X-Request-Id", "a b{}")])] {
        let made = uuid::Uuid::try_parse(number(&answer)).unwrap();
        assert_eq!(made.get_version_num(), 7);
    }
}

#[test]
fn a_key_may_draw_so_often() {
    let server = Server::mock(&["--api-key", "one,two", "--rate-limit", "6", "--rate-burst", "2"]);
    let draw = |path: &str, key: &str| {
        server.post_with(path, &[("X-API-Key", key)], &json!({ "prompt": "x", "steps": 1 }))
    };
    assert_eq!(draw("/api/v1/jobs", "one").status, 202);
    assert_eq!(draw("/generate", "one").status, 200);
    let told = |path: &str| {
        let answer = draw(path, "one");
        let after: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(answer.status == 429 && (1..=10).contains(&after), "{path}: {after}");
        answer.json()
    };
    assert_eq!(told("/api/v1/jobs")["code"], "rate_limited");
    assert_eq!(told("/sdapi/v1/txt2img")["error"], "rate_limited");
    let openai = told("/v1/images/generations");
    assert_eq!(
        (&openai["error"]["code"], &openai["error"]["type"]),
        (&json!("rate_limited"), &json!("rate_limit_error"))
    );
    assert_eq!(told("/generate")["error_code"], "RATE_LIMITED");
    assert_eq!(told("/image")["error_code"], "RATE_LIMITED");
    // What draws nothing is not counted, and another key has its own.
    assert_eq!(draw("/sdapi/v1/interrupt", "one").status, 200);
    assert_eq!(draw("/api/v1/jobs", "two").status, 202);
    assert_eq!(draw("/api/v1/jobs", "wrong").status, 401);
    let metrics = ureq::get(server.url("/metrics")).header("X-API-Key", "one").call().unwrap();
    let metrics = metrics.into_body().read_to_string().unwrap();
    assert!(metrics.contains("\nsdcpp_rate_limited_total 5\n"), "{metrics}");
    assert!(metrics.contains("\nsdcpp_wrong_keys_total 1\n"), "{metrics}");
}

#[test]
fn without_keys_an_address_may_draw_so_often() {
    let server = Server::mock(&["--rate-limit", "1"]);
    let draw = || server.post("/api/v1/jobs", &json!({ "prompt": "x" })).status;
    assert_eq!((draw(), draw()), (202, 429));
}

#[test]
fn answers_say_what_browsers_may_do_with_them() {
    let server = Server::mock(&[]);
    let job = server.ended(&server.post("/api/v1/jobs", &json!({ "prompt": "x" })).good());
    let picture = server.get(job["pictures"][0]["url"].as_str().unwrap());
    let id = job["id"].as_str().unwrap();
    assert_eq!(picture.headers["content-disposition"], format!("inline; filename=\"{id}-0.png\""));
    assert_eq!(picture.headers["cache-control"], "private, max-age=31536000, immutable");
    let page = server.get("/");
    let own = page.headers["content-security-policy"].to_str().unwrap();
    assert!(own.contains("default-src 'self'"), "the page's own: {own}");
    for answer in [server.get("/health"), server.get("/nothing"), picture, page] {
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "same-site");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    assert_eq!(server.get("/api/v1/jobs").headers["cache-control"], "no-store");
    let shared = Server::mock(&["--cors-allow-origins", "https://app.example"]);
    assert!(!shared.get("/health").headers.contains_key("cross-origin-resource-policy"));
}

#[test]
fn health_tells_what_there_is_and_not_where() {
    let folder = tempfile::tempdir().unwrap();
    let (models, loras) = (folder.path().join("models"), folder.path().join("loras"));
    std::fs::create_dir_all(&models).unwrap();
    let server = Server::mock(&[
        "--models",
        models.to_str().unwrap(),
        "--loras",
        loras.to_str().unwrap(),
        "--api-key",
        "one",
    ]);
    let health = server.get("/health");
    let text = String::from_utf8(health.bytes.clone()).unwrap();
    let health = health.good();
    assert_eq!((&health["status"], &health["mock"]), (&json!("degraded"), &json!(true)));
    assert_eq!(
        health["folders"],
        json!([
            { "name": "models", "exists": true, "writable": true },
            { "name": "loras", "exists": false, "writable": false },
        ])
    );
    assert_eq!((&health["model_available"], &health["repository"]), (&json!(false), &Value::Null));
    assert!(health["memory_available_bytes"].as_u64().unwrap() > 1 << 20);
    let reasons: Vec<_> = health["reasons"].as_array().unwrap().iter().collect();
    assert!(reasons.iter().any(|reason| reason.as_str().unwrap().contains("loras")), "{text}");
    assert!(!text.contains(folder.path().to_str().unwrap()), "{text}");

    let drawing = Server::demo(&[]).get("/health").good();
    assert_eq!((&drawing["status"], &drawing["model_available"]), (&json!("ok"), &json!(true)));
    assert!(drawing["device"].as_str().is_some_and(|device| !device.is_empty()));
}

#[test]
fn health_tells_the_repository_of_a_downloaded_model() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("demo_q8_0.gguf", "a.gguf"),
        ("demo_q8_0.preset.json", "a.preset.json"),
        ("demo_tae.gguf", "demo_tae.gguf"),
    ] {
        std::fs::copy(common::demo(from), folder.path().join(to)).unwrap();
    }
    let record = json!({
        "repo": "owner/name", "revision": "main", "commit": "0", "path": "a.gguf", "size": 1,
        "sha256": "0", "sha256_told": true,
    });
    std::fs::create_dir(folder.path().join(".pulled")).unwrap();
    std::fs::write(folder.path().join(".pulled/a.gguf.json"), record.to_string()).unwrap();
    let path = folder.path().to_str().unwrap();
    let server = Server::start(&["--models", path, "--model", "a.gguf"]);
    assert_eq!(server.get("/health").good()["repository"], "owner/name");
}

/// What a client says, and what it is told until the connection is closed.
fn told(server: &Server, said: &str) -> (String, Duration) {
    let mut client = TcpStream::connect(server.address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.write_all(said.as_bytes()).unwrap();
    let begin = Instant::now();
    let mut text = String::new();
    client.read_to_string(&mut text).expect("it is closed in time");
    (text, begin.elapsed())
}

#[test]
fn slow_clients_are_not_waited_for() {
    let server = Server::mock(&["--read-timeout-seconds", "1"]);
    for head in ["", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let (text, took) = told(&server, head);
        assert!(!text.contains("200 OK") && took < Duration::from_secs(5), "{took:?}: {text}");
    }
    // Who has asked before and then says nothing.
    let (text, took) = told(&server, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(text.contains("200 OK") && took < Duration::from_secs(5), "{took:?}: {text}");
    let (text, took) = told(
        &server,
        "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{\"prompt\":",
    );
    assert!(text.contains("body_unreadable") && took < Duration::from_secs(5), "{took:?}: {text}");
}

#[test]
fn so_many_connections_are_open_and_others_wait() {
    let server = Server::mock(&["--max-connections", "2"]);
    let idle = || {
        let mut client = TcpStream::connect(server.address).unwrap();
        client.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 15];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        client
    };
    let (first, _second) = (idle(), idle());
    let mut third = TcpStream::connect(server.address).unwrap();
    third.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    third.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut answer = [0; 15];
    assert!(third.read(&mut answer).is_err(), "it waits");
    drop(first);
    third.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    third.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[test]
fn many_large_bodies_at_once_are_refused() {
    let server = Server::mock(&["--read-timeout-seconds", "20"]);
    // Each may become 64 MiB, and eight of them are all that is read at once.
    let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n";
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = TcpStream::connect(server.address).unwrap();
        client.write_all(head.as_bytes()).unwrap();
        clients.push(client);
    }
    let begin = Instant::now();
    let refused = loop {
        let answer = server.post("/api/v1/jobs", &json!({ "prompt": "x" }));
        if answer.status != 202 || begin.elapsed() > Duration::from_secs(10) {
            break answer;
        }
    };
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("busy")));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(server.get("/health").status, 200, "what has no body is answered");
    drop(clients);
    let begin = Instant::now();
    while server.post("/api/v1/jobs", &json!({ "prompt": "x" })).status != 202 {
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}
