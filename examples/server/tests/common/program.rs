//! The program `sdcpp-server`, running with the demo model.

#![allow(dead_code, reason = "each test binary uses its own part")]

use crate::common::demo;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The running program; killed if a test fails.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::run(
            Command::new(env!("CARGO_BIN_EXE_sdcpp-server"))
                .args(["--port", "0", "--threads", "1", "--model"])
                .arg(demo("demo_q8_0.gguf"))
                .args(arguments)
                .args(
                    arguments
                        .iter()
                        .all(|argument| *argument != "--data")
                        .then_some("--no-history"),
                )
                .stderr(Stdio::null()),
        )
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut child = sdcpp_test_support::signals::by_default(command)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url:?}");
        Self { child, url: url.trim().to_owned() }
    }

    pub(crate) fn submit(&self, body: &Value) -> Value {
        ureq::post(format!("{}/api/v1/jobs", self.url))
            .send_json(body)
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    pub(crate) fn job(&self, job: &Value) -> Value {
        let id = job["id"].as_str().unwrap();
        ureq::get(format!("{}/api/v1/jobs/{id}", self.url))
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    pub(crate) fn cancel(&self, job: &Value) {
        let id = job["id"].as_str().unwrap();
        ureq::delete(format!("{}/api/v1/jobs/{id}", self.url)).call().unwrap();
    }

    pub(crate) fn until(&self, job: &Value, status: &[&str]) -> Value {
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

    /// The body of an answer.
    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        let mut answer = ureq::get(format!("{}{path}", self.url)).call().unwrap();
        answer.body_mut().read_to_vec().unwrap()
    }

    /// Ends it without a warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end.
    pub(crate) fn signal(&self) {
        self.send("-TERM");
    }

    /// Asks it to read its options again.
    pub(crate) fn reload(&self) {
        self.send("-HUP");
    }

    fn send(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end; its exit status.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Asks it to end; its exit status.
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal();
        self.ended()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
