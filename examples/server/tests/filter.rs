//! The safety filter: a program, a service, and one of the application's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

mod common;

use clap::Parser;
use common::Server;
use sdcpp_server::{Candidate, Options, SafetyFilter, Service, Verdict};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

fn program(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("judge");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn body(prompt: &str) -> Value {
    json!({ "prompt": prompt, "width": 64, "height": 64, "steps": 2, "seed": 1 })
}

fn draw(server: &Server, prompt: &str) -> Value {
    server.ended(&server.post("/api/v1/jobs", &body(prompt)).good())
}

fn is_black(server: &Server, job: &Value) -> bool {
    let url = job["pictures"][0]["url"].as_str().unwrap();
    let picture = image::load_from_memory(&server.get(url).bytes).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (64, 64));
    picture.iter().all(|byte| *byte == 0)
}

#[test]
fn a_program_judges_each_picture() {
    let folder = tempfile::tempdir().unwrap();
    let judge = program(
        folder.path(),
        r#"if grep -q '"prompt":"bad'; then echo '{"allowed": false, "reason": "it is bad"}'; else echo '{"allowed": true}'; fi"#,
    );
    let server = Server::demo(&["--safety-filter-command", judge.to_str().unwrap()]);
    let good = draw(&server, "good");
    assert_eq!(good["pictures"][0]["safety"], json!({ "allowed": true, "reason": null }));
    assert!(!is_black(&server, &good));
    let bad = draw(&server, "bad");
    assert_eq!(bad["pictures"][0]["safety"]["reason"], "it is bad");
    assert!(bad["warnings"][0].as_str().unwrap().contains("it is bad"), "{bad}");
    assert!(is_black(&server, &bad));
    // Nothing is shown that was not looked at.
    assert_eq!((&good["previews"], &bad["previews"]), (&0.into(), &0.into()));
    // All APIs tell it.
    let told = server.post("/sdapi/v1/txt2img", &body("bad")).good();
    let info: Value = serde_json::from_str(told["info"].as_str().unwrap()).unwrap();
    assert_eq!(info["safety"][0]["allowed"], false);
    let told = server.post("/v1/images/generations", &json!({ "prompt": "bad", "size": "64x64" }));
    assert_eq!(told.good()["data"][0]["safety"]["allowed"], false);
    let small = json!({ "prompt": "bad", "width": 64, "height": 64 });
    assert_eq!(server.post("/image", &small).good()["safety"]["allowed"], false);
}

#[test]
fn without_a_verdict_nothing_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (text, part) in [
        ("cat > /dev/null; exit 3", "exit status: 3"),
        ("cat > /dev/null; echo yes", "no verdict"),
        // What is told is read even if nothing of the picture was.
        ("exit 1", "exit status: 1"),
    ] {
        let judge = program(folder.path(), text);
        let server = Server::mock(&["--safety-filter-command", judge.to_str().unwrap()]);
        let failed = draw(&server, "x");
        assert_eq!(failed["error"]["code"], "safety_filter_failed", "{failed}");
        let told = failed["error"]["message"].as_str().unwrap();
        // And where the program is, is nobody's business.
        assert!(told.contains(part) && !told.contains(folder.path().to_str().unwrap()), "{told}");
        assert_eq!(failed["pictures"], json!([]));
    }
}

/// Answers each request by the prompt in it.
fn judge_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/judge", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).unwrap() > 2 {
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let asked: Value = serde_json::from_slice(&body).unwrap();
            assert!(asked["image"].as_str().unwrap().starts_with("iVBOR"), "{asked}");
            let (status, answer) = match asked["prompt"].as_str().unwrap() {
                "bad" => ("200 OK", json!({ "allowed": false })),
                "busy" => ("503 Service Unavailable", json!({ "allowed": true })),
                "elsewhere" => ("302 Found", json!({ "allowed": true })),
                _ => ("200 OK", json!({ "allowed": true })),
            };
            let answer = answer.to_string();
            write!(
                stream.get_mut(),
                "HTTP/1.1 {status}\r\nLocation: /other\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
                answer.len()
            )
            .unwrap();
        }
    });
    url
}

#[test]
fn a_service_judges_each_picture() {
    let server = Server::mock(&["--safety-filter-url", &judge_service()]);
    assert_eq!(draw(&server, "good")["pictures"][0]["safety"]["allowed"], true);
    let bad = draw(&server, "bad");
    assert_eq!(bad["pictures"][0]["safety"]["allowed"], false);
    for (prompt, part) in [("busy", "503"), ("elsewhere", "302")] {
        let failed = draw(&server, prompt);
        assert_eq!(failed["error"]["code"], "safety_filter_failed", "{failed}");
        assert!(failed["error"]["message"].as_str().unwrap().contains(part), "{failed}");
    }
}

/// What was drawn before there was a filter is not answered again without one's verdict.
#[test]
fn what_was_not_judged_is_not_answered_again() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let cached = |more: &[&str]| {
        let server = Server::mock(&[&["--cache", "--data", data][..], more].concat());
        let told = draw(&server, "bad");
        (told["cached"].as_bool().unwrap(), told["pictures"][0]["safety"]["allowed"].clone())
    };
    assert_eq!(cached(&[]), (false, Value::Null));
    assert_eq!(cached(&[]), (true, Value::Null));
    let url = judge_service();
    assert_eq!(cached(&["--safety-filter-url", &url]), (false, false.into()));
    assert_eq!(cached(&["--safety-filter-url", &url]), (true, false.into()));
}

struct NeverShown;

impl SafetyFilter for NeverShown {
    fn name(&self) -> String {
        "never shown".to_owned()
    }

    fn judge(&self, candidate: &Candidate<'_>) -> Result<Verdict, String> {
        Ok(Verdict { allowed: false, reason: Some(candidate.model.to_owned()) })
    }
}

#[test]
fn an_application_brings_its_own() {
    let options = Options::parse_from(["sdcpp-server", "--mock", "--port", "0", "--no-history"]);
    let server = Server::serve(Service::start_with(options, Some(Arc::new(NeverShown))).unwrap());
    assert_eq!(draw(&server, "x")["pictures"][0]["safety"]["reason"], "mock");
}

#[test]
fn mistakes_are_told_at_the_start() {
    for (arguments, part) in [
        (&["--safety-filter-command", "/no/such/program"][..], "/no/such/program"),
        (&["--safety-filter-url", "ftp://x"], "ftp://x"),
        (&["--safety-filter-url", "http://x", "--safety-filter-command", "true"], "either"),
    ] {
        let all = ["sdcpp-server", "--mock", "--no-history"].iter().chain(arguments);
        let Err(error) = Service::start(Options::parse_from(all)) else {
            panic!("{arguments:?} was taken")
        };
        assert!(error.message.contains(part), "{}", error.message);
    }
}

/// A program that never ends is killed after half a minute.
#[test]
fn a_program_that_hangs_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    // What it starts is ended with it.
    let judge = program(folder.path(), "sleep 987.123 & wait");
    let server = Server::mock(&["--safety-filter-command", judge.to_str().unwrap()]);
    let begin = Instant::now();
    let failed = draw(&server, "x");
    let told = failed["error"]["message"].as_str().unwrap();
    assert!(told.contains("took longer") && !told.contains("judge"), "{told}");
    let left = std::process::Command::new("pgrep").args(["-f", "sleep 987.123"]).status().unwrap();
    assert_eq!(left.code(), Some(1), "what it started goes on");
    assert!(begin.elapsed() < Duration::from_secs(60));
}
