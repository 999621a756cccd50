//! The program: options that are read again, what the log tells, and what systemd is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(target_os = "linux")]

mod common;

#[path = "common/program.rs"]
mod running;

use common::demo;
use running::Program;
use serde_json::{Value, json};
use std::{
    fs::File,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// The program with a configuration and a folder of models, in a folder of its own.
struct Configured {
    folder: tempfile::TempDir,
    program: Option<Program>,
}

impl Configured {
    fn start(options: &str, change: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        std::fs::create_dir(&models).unwrap();
        for name in ["a", "b"] {
            std::fs::copy(demo("demo_q8_0.gguf"), models.join(format!("{name}.gguf"))).unwrap();
            let preset = models.join(format!("{name}.preset.json"));
            std::fs::copy(demo("demo_q8_0.preset.json"), preset).unwrap();
        }
        std::fs::copy(demo("demo_tae.gguf"), models.join("demo_tae.gguf")).unwrap();
        let mut this = Self { folder, program: None };
        this.configure(options);
        let mut command = Command::new(env!("CARGO_BIN_EXE_sdcpp-server"));
        command.arg("--config").arg(this.path("server.toml"));
        command.stderr(File::create(this.path("log")).unwrap());
        change(&mut command);
        this.program = Some(Program::run(&mut command));
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, options: &str) {
        let models = self.path("models");
        let common = format!("no_history = true\nport = 0\nthreads = 1\nmodels = {models:?}\n");
        std::fs::write(self.path("server.toml"), common + options).unwrap();
    }

    fn program(&self) -> &Program {
        self.program.as_ref().unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    /// Waits for a line of the log with all of these.
    fn logged(&self, parts: &[&str]) -> String {
        let begin = Instant::now();
        loop {
            let log = self.log();
            if let Some(line) =
                log.lines().find(|line| parts.iter().all(|part| line.contains(part)))
            {
                return line.to_owned();
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{parts:?}: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Has the options read again, and waits until they are.
    fn reload(&self, options: &str, told: &str) {
        let before = self.log().len();
        self.configure(options);
        self.program().reload();
        let begin = Instant::now();
        while !self.log()[before..].contains(told) {
            assert!(begin.elapsed() < Duration::from_secs(60), "{told}: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn get(&self, path: &str, key: &str) -> (u16, Value) {
        let mut answer = ureq::get(format!("{}{path}", self.program().url))
            .config()
            .http_status_as_error(false)
            .build()
            .header("X-API-Key", key)
            .call()
            .unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
    }

    fn terminate(mut self) -> (Option<i32>, String) {
        let ended = self.program.take().unwrap().terminate();
        (ended, self.log())
    }
}

const READ_AGAIN: &str = "the options were read again";

#[test]
fn options_are_read_again_and_a_broken_file_changes_nothing() {
    let server = Configured::start("model = \"a.gguf\"\napi_key = [\"one\"]\n", |_| {});
    assert_eq!(server.get("/api/v1/jobs", "one").0, 200);
    let options = "model = \"a.gguf\"\napi_key = [\"two\"]\nmax_side = 256\nlisten = \"0.0.0.0\"\n\
                   log_level = \"debug\"\n";
    server.reload(options, READ_AGAIN);
    server.logged(&["WARN", "listen stays as it is"]);
    assert_eq!(
        (server.get("/api/v1/jobs", "one").0, server.get("/api/v1/jobs", "two").0),
        (401, 200)
    );
    assert_eq!(server.get("/api/v1/choices", "two").1["limits"]["side"], 256);
    server.logged(&["DEBUG"]);
    for (broken, why) in [
        ("max_side = \"many\"\n", "server.toml: line 5"),
        ("api_key = \"sesame\"\n", "the keys are not as expected"),
        ("api_key = [\"\"]\n", "api-key is "),
        ("log_level = \"loud==\"\n", "log-level is loud=="),
        (
            "model = \"nowhere.gguf\"\nloras = \"/no/such\"\nmodels = \"/no/such\"\n",
            "duplicate key",
        ),
        ("require_api_key = true\n", "api-key is not given"),
    ] {
        server.reload(broken, why);
        server.logged(&["ERROR", "the options stay as they were", why]);
        assert_eq!(server.get("/api/v1/jobs", "two").0, 200, "{broken}");
        assert_eq!(server.get("/api/v1/choices", "two").1["limits"]["side"], 256);
    }
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn another_model_draws_and_no_job_is_lost() {
    let server = Configured::start("model = \"a.gguf\"\nmax_concurrent = 1\n", |_| {});
    let program = server.program();
    let body = json!({ "prompt": "x", "width": 64, "height": 64, "steps": 100, "seed": 1 });
    let jobs = [program.submit(&body), program.submit(&body)];
    program.until(&jobs[0], &["running"]);
    server.reload("model = \"b.gguf\"\nmax_concurrent = 1\nqueue_limit = 7\n", READ_AGAIN);
    assert_eq!(server.get("/health", "").1["model"], "b");
    let later = program.submit(&json!({ "prompt": "x", "width": 64, "height": 64, "steps": 2 }));
    assert_eq!(program.until(&later, &["done", "failed"])["model"], "b");
    for job in &jobs {
        let done = program.until(job, &["done", "failed", "cancelled"]);
        assert_eq!((&done["status"], &done["model"]), (&json!("done"), &json!("a")), "{done}");
    }
    // One that cannot be opened: the one before goes on.
    std::fs::write(server.path("models/broken.gguf"), "no model").unwrap();
    server.reload("model = \"broken.gguf\"\n", "the options stay as they were");
    assert_eq!(server.get("/health", "").1["model"], "b");
    assert_eq!(server.terminate().0, Some(0));
}

/// A measurement is used from the next reload on.
#[test]
fn a_file_of_measured_settings_is_read_again() {
    let options = "model = \"a.gguf\"\nmax_concurrent = 1\n";
    let folder = tempfile::tempdir().unwrap();
    let tuned = folder.path().join("tuned.json");
    let server = Configured::start(options, |command| {
        command.env("SDCPP_TUNED", &tuned);
    });
    server.logged(&["WARN", "no tuned settings: nothing was measured here: there is no "]);
    // For no machine that there is.
    std::fs::write(&tuned, r#"{"version":1,"entries":[]}"#).unwrap();
    server.reload(options, READ_AGAIN);
    server.logged(&["WARN", "tuned.json has no entry"]);
    // One that cannot be used stops nobody.
    std::fs::write(&tuned, "no JSON").unwrap();
    server.reload(options, READ_AGAIN);
    server.logged(&["WARN", "no tuned settings: tuned is no usable JSON"]);
    assert_eq!(server.get("/health", "").1["model"], "a");
    // As it is, it is not looked at again.
    let opened = || server.log().matches("no tuned settings").count();
    server.reload(options, READ_AGAIN);
    assert_eq!(opened(), 3);
    assert_eq!(server.terminate().0, Some(0));
}

/// From the number of a request to its job, and to the job's last line.
#[test]
fn the_log_is_json_and_has_no_secrets() {
    let server = Configured::start(
        "model = \"a.gguf\"\napi_key = [\"sesame-sesame-sesame\"]\n",
        |command| {
            command.env("LOG_FORMAT", "json").env("LOG_LEVEL", "info");
        },
    );
    let post = |path: &str, body: &Value| {
        ureq::post(format!("{}{path}?token=open-sesame", server.program().url))
            .config()
            .http_status_as_error(false)
            .build()
            .header("Authorization", "Bearer sesame-sesame-sesame")
            .header("X-Request-Id", "find-me")
            .send_json(body)
            .unwrap()
    };
    let body = json!({ "prompt": "a very private wish", "width": 64, "height": 64, "steps": 2 });
    let job: Value = post("/api/v1/jobs", &body).body_mut().read_json().unwrap();
    let id = job["id"].as_str().unwrap();
    let drawn = post("/sdapi/v1/txt2img", &body);
    assert_eq!(drawn.status(), 200);
    let invalid = json!({ "prompt": "a very private wish", "width": 100_000 });
    assert_eq!(post("/sdapi/v1/txt2img", &invalid).status(), 400);
    let lora = json!({ "prompt": "x <lora:private-lora:1>", "width": 64, "height": 64 });
    assert!(post("/sdapi/v1/txt2img", &lora).status() != 200);
    let line: Value = serde_json::from_str(&server.logged(&["find-me", id, "done"])).unwrap();
    assert_eq!((&line["span"]["id"], &line["span"]["job"]), (&json!("find-me"), &json!(id)));
    let line: Value =
        serde_json::from_str(&server.logged(&["find-me", "txt2img", "\"answered\""])).unwrap();
    assert_eq!((&line["status"], &line["span"]["method"]), (&json!(200), &json!("POST")));
    assert!(line["milliseconds"].is_u64() && line["level"] == "INFO", "{line}");
    let (ended, log) = server.terminate();
    assert_eq!(ended, Some(0));
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    for secret in ["private", "sesame"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    // What it found when it started.
    for part in
        ["\"device: ", "\"memory_available_mb\"", "\"file_mb\"", "needs", "\"keys\":1", "\"ready\""]
    {
        assert!(log.contains(part), "{part}: {log}");
    }
}

/// What systemd is told, at the address that it gives.
#[test]
fn systemd_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().join("notify");
    let told = UnixDatagram::bind(&address).unwrap();
    told.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let next = || {
        let mut text = [0; 200];
        let length = told.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).trim().to_owned()
    };
    let server = Configured::start("model = \"a.gguf\"\n", |command| {
        command.env("NOTIFY_SOCKET", Path::new(&address));
    });
    assert_eq!(next(), "READY=1");
    server.reload("model = \"a.gguf\"\nmax_side = 64\n", READ_AGAIN);
    assert_eq!((next(), next()), ("RELOADING=1".to_owned(), "READY=1".to_owned()));
    assert_eq!(server.terminate().0, Some(0));
    assert_eq!(next(), "STOPPING=1");
}

/// Without a file there is nothing to read again: a hang-up ends it, as when its terminal is closed.
#[test]
fn without_a_file_a_hang_up_ends_it() {
    let program = Program::start(&[]);
    program.reload();
    assert_eq!(program.ended(), None, "by the signal");
}
