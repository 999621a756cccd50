//! The program itself: what it prints, workers, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

mod common;

use common::demo;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The running program; killed if a test fails.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sdcpp-server"))
            .args(["--port", "0", "--threads", "1", "--model"])
            .arg(demo("demo_q8_0.gguf"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url:?}");
        Self { child, url: url.trim().to_owned() }
    }

    fn submit(&self, body: &Value) -> Value {
        ureq::post(format!("{}/api/v1/jobs", self.url))
            .send_json(body)
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    fn job(&self, job: &Value) -> Value {
        let id = job["id"].as_str().unwrap();
        ureq::get(format!("{}/api/v1/jobs/{id}", self.url))
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    fn until(&self, job: &Value, status: &[&str]) -> Value {
        let begin = Instant::now();
        loop {
            let now = self.job(job);
            if status.contains(&now["status"].as_str().unwrap()) {
                return now;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{now}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to end; its exit status.
    fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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

#[test]
fn workers_draw_and_one_that_is_killed_ends_one_job() {
    let program = Program::start(&["--isolated", "--max-concurrent", "1"]);
    let done = program.until(&program.submit(&small(3)), &["done", "failed"]);
    assert_eq!(done["status"], "done", "{done}");
    let job = program.submit(&small(150));
    program.until(&job, &["running"]);
    // The only child is the worker.
    let killed =
        Command::new("pkill").args(["-KILL", "-P", &program.child.id().to_string()]).status();
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
