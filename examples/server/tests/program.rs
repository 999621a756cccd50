//! The program itself: what it prints, workers, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

mod common;

#[path = "common/program.rs"]
mod running;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use running::Program;
use sdcpp_test_support::{Format, WeightType, esrgan};
use serde_json::{Value, json};
use std::{
    process::Command,
    time::{Duration, Instant},
};

fn small(steps: u32) -> Value {
    json!({ "prompt": "a red circle", "width": 64, "height": 64, "steps": steps, "seed": 1 })
}

#[test]
fn it_ends_when_what_it_accepted_is_drawn() {
    let program = Program::start(&[]);
    let job = program.submit(&small(60));
    program.until(&job, &["running"]);
    // The events of the job tell its end to who listens, and the program has ended with it.
    let events = format!("{}/api/v1/jobs/{}/events", program.url, job["id"].as_str().unwrap());
    let listening = std::thread::spawn(move || {
        ureq::get(events).call().unwrap().body_mut().read_to_string().unwrap()
    });
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(program.terminate(), Some(0));
    let events = listening.join().unwrap();
    let last = events.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["status"], "done", "{last}");
}

/// Nobody waits for an answer to a job, and it is drawn all the same, and can be fetched; meanwhile nothing
/// new is accepted.
#[test]
fn while_it_ends_nothing_new_is_accepted() {
    let program = Program::start(&[]);
    let job = program.submit(&small(100));
    program.until(&job, &["running"]);
    program.signal();
    let refused = loop {
        let answer = ureq::post(format!("{}/api/v1/jobs", program.url))
            .config()
            .http_status_as_error(false)
            .build()
            .send_json(small(1))
            .unwrap();
        if answer.status() != 202 {
            break answer.status().as_u16();
        }
    };
    assert_eq!(refused, 503);
    let done = program.until(&job, &["done", "failed", "cancelled"]);
    assert_eq!(done["status"], "done", "{done}");
    let picture = format!("{}{}", program.url, done["pictures"][0]["url"].as_str().unwrap());
    assert_eq!(ureq::get(picture).call().unwrap().status(), 200);
    assert_eq!(program.ended(), Some(0));
}

/// What is being enlarged is answered before the program ends.
#[test]
fn it_ends_when_what_it_enlarges_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = esrgan(4, Format::Gguf(WeightType::F16)).unwrap();
    std::fs::copy(file, folder.path().join("tiny.gguf")).unwrap();
    let program = Program::start(&["--upscalers", folder.path().to_str().unwrap()]);
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(96, 96).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let image = BASE64_STANDARD.encode(png.into_inner());
    let body = json!({ "image": image, "upscaler": "tiny", "scale": 4 });
    let upscale = format!("{}/api/v1/upscale", program.url);
    let enlarging = std::thread::spawn(move || ureq::post(upscale).send_json(body).unwrap());
    let begin = Instant::now();
    loop {
        let metrics = ureq::get(format!("{}/metrics", program.url)).call().unwrap();
        if metrics.into_body().read_to_string().unwrap().contains("sdcpp_upscales_open 1") {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
    program.signal();
    assert!(!enlarging.is_finished(), "it was done before the signal");
    assert_eq!(enlarging.join().unwrap().status(), 200);
    assert_eq!(program.ended(), Some(0));
}

#[test]
fn workers_draw_and_one_that_is_killed_ends_one_job() {
    let program = Program::start(&["--isolated", "--max-concurrent", "1"]);
    let done = program.until(&program.submit(&small(3)), &["done", "failed"]);
    assert_eq!(done["status"], "done", "{done}");
    let job = program.submit(&small(150));
    program.until(&job, &["running"]);
    // The only child is the worker.
    let killed = Command::new("pkill").args(["-KILL", "-P", &program.id().to_string()]).status();
    assert!(killed.unwrap().success());
    let failed = program.until(&job, &["done", "failed"]);
    assert_eq!(failed["error"]["code"], "worker_crashed", "{failed}");
    let done = program.until(&program.submit(&small(3)), &["done", "failed"]);
    assert_eq!(done["status"], "done", "{done}");
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn mistakes_in_arguments_end_it_at_once() {
    for (arguments, part) in [
        (&["--log-level", "loud=="][..], "log-level is loud=="),
        (&["--models", "/no/such/folder"], "/no/such/folder"),
        (&["--config", "/no/such/file"], "/no/such/file"),
        (&["--port", "70000"], "70000"),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_sdcpp-server")).args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(part), "{arguments:?}: {told}");
    }
}
