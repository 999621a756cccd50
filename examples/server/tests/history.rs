//! The history: what is there after the program was killed, what is forgotten, and what is answered again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

mod common;

#[path = "common/program.rs"]
mod running;

use common::Server;
use running::Program;
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};

fn small(steps: u32) -> Value {
    json!({ "prompt": "a red circle", "width": 64, "height": 64, "steps": steps, "seed": 1 })
}

/// One that takes seconds.
fn large(steps: u32) -> Value {
    let mut body = small(steps);
    (body["width"], body["height"]) = (json!(256), json!(256));
    body
}

fn start(data: &Path) -> Program {
    Program::start(&["--data", data.to_str().unwrap(), "--max-concurrent", "1"])
}

fn get(program: &Program, path: &str) -> Value {
    ureq::get(format!("{}{path}", program.url)).call().unwrap().body_mut().read_json().unwrap()
}

/// Killed in the middle of a picture: what had ended is there, with its picture; what nobody waits for is
/// drawn as it would have been; and what a client waited for has failed, and says why.
#[test]
fn nothing_is_lost_when_it_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let program = start(data.path());
    let done = program.until(&program.submit(&small(2)), &["done", "failed"]);
    let url = done["pictures"][0]["url"].as_str().unwrap().to_owned();
    let before = program.bytes(&url);
    let running = program.submit(&large(40));
    program.until(&running, &["running"]);
    // One that draws over a picture, so that its pictures must be there again as well.
    let mut over = small(3);
    over["init_image"] = json!(common::png([0, 0, 255], 64));
    over["denoising_strength"] = json!(0.5);
    let queued = program.submit(&over);
    let waits = {
        let url = format!("{}/sdapi/v1/txt2img", program.url);
        std::thread::spawn(move || ureq::post(url).send_json(small(2)).unwrap_err())
    };
    let begin = Instant::now();
    while get(&program, "/api/v1/jobs").as_array().unwrap().len() < 4 {
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
    program.kill();
    waits.join().unwrap();

    let program = start(data.path());
    assert_eq!(program.job(&done), done);
    assert!(program.bytes(&url) == before, "another picture");
    for (job, restarts) in [(&running, 1), (&queued, 1)] {
        let now = program.job(job);
        assert_eq!((&now["restarts"], &now["created_at"]), (&json!(restarts), &job["created_at"]));
    }
    let lost = get(&program, "/api/v1/jobs?limit=1")[0].clone();
    assert_eq!(
        (&lost["status"], &lost["error"]["code"]),
        (&"failed".into(), &"interrupted".into())
    );
    // The events of what has ended are its end.
    let path = format!("/api/v1/jobs/{}/events", lost["id"].as_str().unwrap());
    let events = String::from_utf8(program.bytes(&path)).unwrap();
    assert!(events.contains("\"status\":\"failed\""), "{events}");
    let drawn = program.until(&queued, &["done", "failed"]);
    assert_eq!(drawn["status"], "done", "{drawn}");
    let expected = program.until(&program.submit(&over), &["done", "failed"]);
    let file = |job: &Value| program.bytes(job["pictures"][0]["url"].as_str().unwrap());
    assert!(file(&drawn) == file(&expected), "another picture than without the kill");
    assert_eq!(program.job(&running)["status"], "done");
    assert_eq!(program.terminate(), Some(0));
}

/// A job at which the program ends each time is given up.
#[test]
fn a_job_that_may_be_the_reason_is_given_up() {
    let data = tempfile::tempdir().unwrap();
    let mut program = start(data.path());
    let job = program.submit(&large(150));
    let waits = program.submit(&small(2));
    for restarts in 0..3 {
        // That the engine has begun is written while it goes on.
        let begin = Instant::now();
        let now = loop {
            let now = program.job(&job);
            if now["step"].as_u64() > Some(3) {
                break now;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{now}");
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(now["restarts"], restarts);
        program.kill();
        program = start(data.path());
    }
    let given_up = program.job(&job);
    assert_eq!(given_up["error"]["code"], "interrupted", "{given_up}");
    let told = given_up["error"]["message"].as_str().unwrap();
    assert!(told.contains("3 times while it was drawn"), "{told}");
    // One that only waited is not the reason.
    let drawn = program.until(&waits, &["done", "failed"]);
    assert_eq!((&drawn["status"], &drawn["restarts"]), (&"done".into(), &3.into()), "{drawn}");
}

/// A model that is gone is said to be, and the rest is taken up.
#[test]
fn what_cannot_be_taken_up_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let second = folder.path().join("second.gguf");
    std::fs::copy(common::demo("demo_q8_0.gguf"), &second).unwrap();
    std::fs::copy(common::demo("demo_tae.gguf"), folder.path().join("tae.gguf")).unwrap();
    let preset = r#"{ "width": 64, "height": 64, "taesd": "tae.gguf" }"#;
    std::fs::write(folder.path().join("second.preset.json"), preset).unwrap();
    let arguments = [
        "--data",
        data.path().to_str().unwrap(),
        "--models",
        folder.path().to_str().unwrap(),
        "--max-concurrent",
        "1",
    ];
    let program = Program::start(&arguments);
    let running = program.submit(&large(20));
    program.until(&running, &["running"]);
    let mut body = small(2);
    body["model"] = json!("second");
    let other = program.submit(&body);
    program.kill();
    std::fs::remove_file(second).unwrap();
    let program = Program::start(&arguments);
    let failed = program.job(&other);
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(failed["error"]["message"].as_str().unwrap().contains("second"), "{failed}");
    assert_eq!(program.until(&running, &["done", "failed"])["status"], "done");
}

#[test]
fn old_and_many_are_forgotten() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let draw = |server: &Server, steps: u32| {
        server.ended(&server.post("/api/v1/jobs", &small(steps)).good())
    };
    let count = |server: &Server| server.get("/api/v1/jobs").good().as_array().unwrap().len();
    let server = Server::mock(&["--data", folder]);
    let jobs: Vec<_> = (1..=4).map(|steps| draw(&server, steps)).collect();
    // By pages, the newest first.
    let page = server.get("/api/v1/jobs?limit=2").good();
    assert_eq!((&page[0]["id"], &page[1]["id"]), (&jobs[3]["id"], &jobs[2]["id"]));
    let next = format!("/api/v1/jobs?limit=2&before={}", page[1]["id"].as_str().unwrap());
    let page = server.get(&next).good();
    assert_eq!((&page[0]["id"], &page[1]["id"]), (&jobs[1]["id"], &jobs[0]["id"]));
    drop(server);

    let server = Server::mock(&["--data", folder, "--keep-jobs", "3"]);
    draw(&server, 5);
    assert_eq!(count(&server), 3);
    // What has gone has gone with its pictures.
    assert_eq!(server.get(jobs[1]["pictures"][0]["url"].as_str().unwrap()).status, 404);
    assert_eq!(server.get(jobs[3]["pictures"][0]["url"].as_str().unwrap()).status, 200);
    drop(server);
    let server = Server::mock(&["--data", folder, "--keep-bytes", "1"]);
    let last = draw(&server, 6);
    assert_eq!(server.get("/api/v1/jobs").good()[0]["id"], last["id"]);
    assert_eq!(count(&server), 1);
    drop(server);
    // At the start, and not only when another job ends.
    let server = Server::mock(&["--data", folder, "--keep-days", "0"]);
    let begin = Instant::now();
    while count(&server) > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The same request, the same answer, without drawing; with another in anything, another.
#[test]
fn what_was_drawn_is_answered_again() {
    let server = Server::demo(&["--cache"]);
    let draw = |body: &Value| server.ended(&server.post("/api/v1/jobs", body).good());
    let file = |job: &Value| server.get(job["pictures"][0]["url"].as_str().unwrap()).bytes;
    // The model's hash is part of the key, and takes a moment to be known.
    let begin = Instant::now();
    while server.get("/sdapi/v1/sd-models").good()[0]["sha256"].is_null() {
        assert!(begin.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    let first = draw(&small(2));
    assert_eq!(first["cached"], false);
    let again = draw(&small(2));
    assert_eq!((&again["cached"], &again["status"]), (&true.into(), &"done".into()));
    assert!(again["id"] != first["id"] && file(&again) == file(&first));
    assert_eq!(again["pictures"][0]["parameters"], first["pictures"][0]["parameters"]);
    // Each has its own pictures.
    server.delete(&format!("/api/v1/jobs/{}", first["id"].as_str().unwrap())).good();
    assert!(!file(&again).is_empty());
    let (mut other_seed, mut other_prompt, mut random) = (small(2), small(2), small(2));
    other_seed["seed"] = json!(2);
    other_prompt["prompt"] = json!("a blue square");
    random["seed"] = Value::Null;
    let mut negative = small(2);
    negative["seed"] = json!(-1);
    let mut over = small(2);
    over["init_image"] = json!(common::png([0, 0, 255], 64));
    let mut over_another = over.clone();
    over_another["init_image"] = json!(common::png([0, 255, 0], 64));
    for body in [
        small(3),
        other_seed,
        other_prompt,
        random.clone(),
        random,
        negative.clone(),
        negative,
        over.clone(),
        over_another,
    ] {
        assert_eq!(draw(&body)["cached"], false, "{body}");
    }
    assert_eq!(draw(&over)["cached"], true);
    let drawn = server.post("/sdapi/v1/txt2img", &small(3)).good();
    let info: Value = serde_json::from_str(drawn["info"].as_str().unwrap()).unwrap();
    assert_eq!(info["cached"], true, "{info}");
}

/// What takes longer than the program waits when it is asked to end is drawn at the next start.
#[test]
fn what_is_left_at_the_end_is_drawn_at_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let program =
        Program::start(&["--data", folder, "--max-concurrent", "1", "--drain-seconds", "1"]);
    let running = program.submit(&large(150));
    let queued = program.submit(&small(2));
    program.until(&running, &["running"]);
    assert_eq!(program.terminate(), Some(0));
    let program = start(data.path());
    for job in [&running, &queued] {
        let now = program.job(job);
        assert_eq!(now["restarts"], 1, "{now}");
        assert!(["queued", "running"].contains(&now["status"].as_str().unwrap()), "{now}");
    }
    program.cancel(&running);
    assert_eq!(program.until(&running, &["done", "failed", "cancelled"])["status"], "cancelled");
    assert_eq!(program.until(&queued, &["done", "failed"])["status"], "done");
    // What is cancelled stays so.
    program.kill();
    assert_eq!(start(data.path()).job(&running)["status"], "cancelled");
}

#[test]
fn two_programs_do_not_share_a_folder() {
    let data = tempfile::tempdir().unwrap();
    let program = start(data.path());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sdcpp-server"))
        .args(["--mock", "--port", "0", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("is in use by another"), "{told}");
    assert!(told.contains("--data"), "{told}");
    drop(program);
}
