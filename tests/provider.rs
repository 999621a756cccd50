//! The example that falls back to an OpenAI-compatible endpoint, both ways.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sdcpp::{Provider, Settings, Unavailable, image};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    thread::{self, JoinHandle},
};

/// Answers one request; gives its first line, its header lines and its body.
fn endpoint(status: &'static str, answer: String) -> (String, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1/", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{answer}",
            answer.len()
        )
        .unwrap();
        (head, String::from_utf8(body).unwrap())
    });
    (base, served)
}

fn run(folder: &Path, variables: &[(&str, &str)]) -> (Output, String) {
    let mut command = Command::new(common::example("provider_fallback"));
    command.args(["-p", "a red circle", "-o", "out.png", "-t", "1"]).current_dir(folder);
    for name in ["SD_MODEL_PATH", "OPENAI_API_KEY", "http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

#[test]
fn a_local_model_is_used_if_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (model, _) = common::demo_files();
    let variables =
        [("SD_MODEL_PATH", model.to_str().unwrap()), ("OPENAI_BASE_URL", "http://127.0.0.1:1")];
    let (output, text) = run(folder.path(), &variables);
    assert!(output.status.success() && text.contains("drawing here"), "{text}");
    let picture = image::open(folder.path().join("out.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (128, 128), "the size of the preset");
}

#[test]
fn without_one_the_endpoint_draws() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = common::test_picture(32, 16);
    let mut png = std::io::Cursor::new(Vec::new());
    drawn.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let answer =
        format!(r#"{{"created":1,"data":[{{"b64_json":"{}"}}]}}"#, STANDARD.encode(png.get_ref()));
    let (base, served) = endpoint("200 OK", answer);
    let variables = [
        ("SD_MODEL_PATH", "no/such.gguf"),
        ("OPENAI_BASE_URL", &base),
        ("OPENAI_API_KEY", "secret"),
        ("SD_IMAGE_SIZE", "256"),
    ];
    let (output, text) = run(folder.path(), &variables);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("not drawing here: model not found: no/such.gguf"), "{text}");
    let (head, body) = served.join().unwrap();
    assert!(head.starts_with("POST /v1/images/generations "), "{head}");
    assert!(head.to_ascii_lowercase().contains("authorization: bearer secret"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["prompt"], "a red circle");
    assert_eq!((&body["size"], &body["response_format"]), (&"256x256".into(), &"b64_json".into()));
    assert_eq!(image::open(folder.path().join("out.png")).unwrap().into_rgb8(), drawn);
}

#[test]
fn an_endpoint_that_refuses_is_quoted() {
    for (status, answer, said) in [
        ("401 Unauthorized", r#"{"error":{"message":"no such key"}}"#, "no such key"),
        ("503 Service Unavailable", "busy", "refuses (503 Service Unavailable): busy"),
        ("200 OK", r#"{"data":[]}"#, "sent no picture"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (base, served) = endpoint(status, answer.to_owned());
        let (output, text) = run(folder.path(), &[("OPENAI_BASE_URL", &base)]);
        served.join().unwrap();
        assert!(!output.status.success() && text.contains(said), "{text}");
        assert!(text.contains("SD_MODEL_PATH is not set"), "{text}");
        assert!(!folder.path().join("out.png").exists());
    }
    let folder = tempfile::tempdir().unwrap();
    let (output, text) = run(folder.path(), &[("OPENAI_BASE_URL", "http://127.0.0.1:1")]);
    assert!(!output.status.success() && text.contains("does not answer"), "{text}");
}

#[test]
fn the_demo_model_is_ready_and_too_large_a_picture_is_not() {
    let (model, _) = common::demo_files();
    let mut settings = Settings::default();
    settings.model_path = Some(model);
    let provider = Provider::detect(&settings).unwrap();
    assert_eq!(provider.request("x").width, 128, "the preset's");
    settings.image_size = Some(sdcpp::MAX_SIDE);
    let reason = Provider::detect(&settings).unwrap_err();
    assert!(matches!(reason, Unavailable::NoMemory(_)), "{reason:?}");
}
