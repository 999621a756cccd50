//! The job API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::Server;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// As the demo model was trained, but smaller.
fn circle() -> Value {
    json!({
        "prompt": "a red circle", "width": 64, "height": 64, "steps": 3, "cfg_scale": 3,
        "sampler": "euler", "seed": 42,
    })
}

#[test]
fn a_job_is_accepted_drawn_and_fetched() {
    let server = Server::demo(&[]);
    let accepted = server.post("/api/v1/jobs", &circle());
    assert_eq!(accepted.status, 202);
    let job = accepted.good();
    assert_eq!(
        accepted.headers["location"],
        format!("/api/v1/jobs/{}", job["id"].as_str().unwrap()).as_str()
    );
    let done = server.ended(&job);
    assert_eq!(
        (&done["status"], &done["model"], &done["mock"]),
        (&"done".into(), &"demo_q8_0".into(), &false.into())
    );
    assert_eq!((done["progress"].as_f64(), done["steps"].as_u64()), (Some(1.0), Some(3)));
    let picture = &done["pictures"][0];
    assert_eq!((picture["seed"].as_i64(), picture["width"].as_u64()), (Some(42), Some(64)));
    let answer = server.get(picture["url"].as_str().unwrap());
    assert_eq!(answer.headers["content-type"], "image/png");
    let drawn = image::load_from_memory(&answer.bytes).unwrap().into_rgb8();
    // What the crate draws by itself.
    let config = sdcpp::ModelConfig::new(common::demo("demo_q8_0.gguf"))
        .taesd(common::demo("demo_tae.gguf"))
        .threads(1);
    let request = serde_json::from_value(circle()).unwrap();
    let expected = sdcpp::Context::new(config).unwrap().generate(&request).unwrap();
    assert!(drawn.as_raw() == expected.images[0].as_bytes(), "another picture");
    assert!(picture["parameters"].as_str().unwrap().starts_with("a red circle\n"));
    let listed = server.get("/api/v1/jobs").good();
    assert_eq!(listed[0]["id"], job["id"]);
}

#[test]
fn events_tell_each_step_and_end() {
    let server = Server::mock(&[]);
    let job = server.post("/api/v1/jobs", &json!({ "prompt": "x", "steps": 50 })).good();
    let mut stream = TcpStream::connect(server.address).unwrap();
    write!(
        stream,
        "GET /api/v1/jobs/{}/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        job["id"].as_str().unwrap()
    )
    .unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let views: Vec<Value> = lines
        .filter_map(|line| line.strip_prefix("data: ").map(ToOwned::to_owned))
        .map(|data| serde_json::from_str(&data).unwrap())
        .collect();
    assert!(!views.is_empty());
    let last = views.last().unwrap();
    assert_eq!((&last["status"], &last["mock"]), (&"done".into(), &true.into()));
    let open = |view: &&Value| ["queued", "running"].contains(&view["status"].as_str().unwrap());
    assert_eq!(views.iter().filter(open).count(), views.len() - 1, "one end, and it is the last");
    let whole = (last["progress"].as_f64(), last["pictures"].as_array().unwrap().len());
    assert_eq!((whole, last["finished_at"].is_string()), ((Some(1.0), 1), true), "{last}");
    let progress: Vec<_> = views.iter().map(|view| view["progress"].as_f64().unwrap()).collect();
    assert!(progress.is_sorted(), "{progress:?}");
}

#[test]
fn a_job_is_stopped_and_then_forgotten() {
    let server = Server::demo(&[]);
    let job = server.post("/api/v1/jobs", &json!({ "prompt": "x", "steps": 150 })).good();
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    server.delete(&path).good();
    let ended = server.ended(&job);
    assert_eq!(
        (&ended["status"], &ended["error"]["code"]),
        (&"cancelled".into(), &"cancelled".into())
    );
    server.delete(&path).good();
    assert_eq!(server.get(&path).status, 404);
}

#[test]
fn a_full_queue_is_told_and_empties() {
    let server = Server::demo(&["--max-concurrent", "1", "--queue-limit", "1"]);
    let long = json!({ "prompt": "x", "steps": 150 });
    let jobs: Vec<_> = (0..2).map(|_| server.post("/api/v1/jobs", &long).good()).collect();
    let refused = server.post("/api/v1/jobs", &circle());
    assert_eq!((refused.status, &refused.json()["code"]), (429, &"queue_full".into()));
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    let health = server.get("/health").json();
    assert_eq!(health["status"], "degraded", "{health}");
    for job in &jobs {
        server.delete(&format!("/api/v1/jobs/{}", job["id"].as_str().unwrap())).good();
        server.ended(job);
    }
    let done = server.ended(&server.post("/api/v1/jobs", &circle()).good());
    assert_eq!(done["status"], "done", "{done}");
}

#[test]
fn the_time_limit_stops_the_engine() {
    let server = Server::demo(&["--timeout-seconds", "1"]);
    let body = json!({ "prompt": "x", "steps": 150, "width": 256, "height": 256 });
    let begin = Instant::now();
    let failed = server.ended(&server.post("/api/v1/jobs", &body).good());
    assert_eq!(failed["error"]["code"], "deadline_exceeded", "{failed}");
    assert!(begin.elapsed() < Duration::from_secs(60));
    // The model is free again.
    while server.get("/health").json()["running"] != 0 {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn mistakes_are_named() {
    let server = Server::mock(&[]);
    for (body, status, part) in [
        (json!({ "prompt": "x", "steps": 0 }), 400, "steps is 0"),
        (json!({ "prompt": "x", "stpes": 3 }), 400, "stpes"),
        (json!({ "prompt": "x", "width": "wide" }), 400, "width"),
        (json!({ "prompt": "x", "model": "../secret" }), 404, "../secret"),
        (json!({ "prompt": "x", "model": 3 }), 400, "model is 3"),
        (json!({ "prompt": "x", "loras": [{ "path": "/etc/passwd" }] }), 400, "loras"),
        (json!({ "prompt": "x", "hires": { "model": "/etc/passwd" } }), 400, "hires.model"),
        (json!({ "prompt": "x", "init_image": "bm8=" }), 400, "init_image"),
        (json!([1]), 400, "the body"),
    ] {
        let answer = server.post("/api/v1/jobs", &body);
        let told = answer.json();
        assert_eq!(answer.status, status, "{body}: {told}");
        assert!(told["message"].as_str().unwrap().contains(part), "{body}: {told}");
        assert!(!told["code"].as_str().unwrap().is_empty());
    }
    for path in
        ["/api/v1/jobs/7", "/api/v1/jobs/x/preview", "/api/v1/jobs/x/pictures/0", "/no/such"]
    {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.get("/api/v1/jobs?limit=x").status, 400);
}

#[test]
fn only_the_last_jobs_are_kept() {
    let server = Server::mock(&["--keep-jobs", "2"]);
    let jobs: Vec<_> = (0..4)
        .map(|_| server.ended(&server.post("/api/v1/jobs", &json!({ "prompt": "x" })).good()))
        .collect();
    let begin = Instant::now();
    let listed = loop {
        let listed = server.get("/api/v1/jobs").good();
        if listed.as_array().unwrap().len() == 2 {
            break listed;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{listed}");
    };
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&jobs[3]["id"], &jobs[2]["id"]));
}

#[test]
fn the_document_has_every_route() {
    let server = Server::mock(&[]);
    let document = server.get("/api/v1/openapi.json").good();
    let paths = document["paths"].as_object().unwrap();
    for path in
        ["/health", "/metrics", "/api/v1/jobs", "/api/v1/jobs/{id}/events", "/sdapi/v1/txt2img"]
    {
        assert!(paths.contains_key(path), "{path}");
    }
    let metrics = server.get("/metrics");
    let text = String::from_utf8(metrics.bytes).unwrap();
    assert!(
        text.contains("\nsdcpp_model_available 1\n") && text.contains("# TYPE sdcpp_queued gauge"),
        "{text}"
    );
}

#[test]
fn another_model_is_chosen_by_name_and_jobs_keep_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: String| {
        std::fs::copy(common::demo(from), folder.path().join(to)).unwrap();
    };
    for name in ["first", "second"] {
        copy("demo_q8_0.gguf", format!("{name}.gguf"));
        copy("demo_q8_0.preset.json", format!("{name}.preset.json"));
    }
    copy("demo_tae.gguf", "demo_tae.gguf".to_owned());
    std::fs::write(folder.path().join("broken.gguf"), "no model").unwrap();
    let server = Server::start(&[
        "--models",
        folder.path().to_str().unwrap(),
        "--threads",
        "1",
        "--max-concurrent",
        "1",
    ]);
    let models = server.get("/api/v1/models").good();
    let names: Vec<_> = models
        .as_array()
        .unwrap()
        .iter()
        .map(|model| (model["name"].as_str().unwrap(), model["draws"].as_bool().unwrap()))
        .collect();
    assert_eq!(names, [("broken", false), ("demo_tae", false), ("first", true), ("second", true)]);
    assert!(models[2].get("path").is_none(), "{models}");
    let mut body = circle();
    let first: Vec<_> = (0..3).map(|_| server.post("/api/v1/jobs", &body).good()).collect();
    body["model"] = json!("second");
    let second = server.post("/api/v1/jobs", &body).good();
    for (job, model) in first.iter().map(|job| (job, "first")).chain([(&second, "second")]) {
        let done = server.ended(job);
        assert_eq!((&done["status"], &done["model"]), (&"done".into(), &model.into()), "{done}");
    }
    // A request has its model for itself.
    assert_eq!(server.get("/health").json()["model"], "first");
    let choose = |name: &str| {
        server.post("/sdapi/v1/options", &json!({ "sd_model_checkpoint": name })).status
    };
    assert_eq!(choose("second"), 200);
    // What cannot be used leaves the one before in place.
    assert_eq!(choose("broken"), 503);
    body["model"] = json!("broken");
    let refused = server.post("/api/v1/jobs", &body);
    assert_eq!(refused.status, 503, "{}", refused.json());
    assert_eq!(server.get("/health").json()["model"], "second");
    // `false` means: from then on.
    let settings = json!({ "sd_model_checkpoint": "first" });
    for (restores, expected) in [(true, "second"), (false, "first")] {
        let mut body = circle();
        body["override_settings"] = settings.clone();
        body["override_settings_restore_afterwards"] = json!(restores);
        let drawn = server.post("/sdapi/v1/txt2img", &body).good();
        let info: Value = serde_json::from_str(drawn["info"].as_str().unwrap()).unwrap();
        assert_eq!(info["sd_model_name"], "first", "{info}");
        assert_eq!(server.get("/health").json()["model"], expected);
    }
}

/// What the page's form offers.
#[test]
fn choices_have_the_loras_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ink.safetensors"), "read when it is used").unwrap();
    let server = Server::mock(&["--loras", folder.path().to_str().unwrap()]);
    let choices = server.get("/api/v1/choices").good();
    assert_eq!(choices["loras"], json!(["ink"]));
    assert_eq!(server.get("/sdapi/v1/loras").good()[0]["name"], "ink");
    assert_eq!(choices["defaults"]["vae_tiling"], false);
    let upscalers: Vec<_> = choices["hires_upscalers"].as_array().unwrap().iter().collect();
    assert!(upscalers.contains(&&json!({ "name": "Latent", "label": "Latent" })), "{upscalers:?}");
    assert!(upscalers.iter().all(|upscaler| upscaler["name"] != "Model"), "it needs a file");
    // A folder that has gone is said to have gone.
    let path = folder.path().to_str().unwrap().to_owned();
    folder.close().unwrap();
    let answer = server.get("/api/v1/choices");
    assert_eq!(answer.status, 503, "{}", answer.json());
    assert!(!answer.json()["message"].as_str().unwrap().contains(&path), "{}", answer.json());
}

/// Pictures that wait take memory; one job's may be as large as they may be.
#[test]
fn pictures_that_wait_are_bounded_together() {
    let server = Server::demo(&["--max-concurrent", "1", "--max-given-bytes", "20000"]);
    let mut over = circle();
    over["steps"] = json!(150);
    over["init_image"] = json!(common::png([0, 0, 255], 128));
    let first = server.post("/api/v1/jobs", &over).good();
    let refused = server.post("/api/v1/jobs", &over);
    let told = refused.json();
    assert_eq!((refused.status, &told["code"]), (429, &"pictures_wait".into()), "{told}");
    assert!(refused.headers.contains_key("retry-after"));
    assert!(told["message"].as_str().unwrap().contains("49152"), "{told}");
    // One without pictures may wait.
    let other = server.post("/api/v1/jobs", &circle()).good();
    server.delete(&format!("/api/v1/jobs/{}", first["id"].as_str().unwrap())).good();
    assert_eq!(server.ended(&other)["status"], "done");
    over["steps"] = json!(2);
    assert_eq!(server.ended(&server.post("/api/v1/jobs", &over).good())["status"], "done");
}

/// Two services in one process have their own jobs, keys and limits.
#[test]
fn two_listeners_share_nothing() {
    let open = Server::mock(&[]);
    let locked = Server::mock(&["--api-key", "secret", "--max-side", "128"]);
    let body = json!({ "prompt": "x", "width": 256, "height": 256, "steps": 1 });
    let job = open.ended(&open.post("/api/v1/jobs", &body).good());
    assert_eq!(job["status"], "done", "{job}");
    let key = [("x-api-key", "secret")];
    assert_eq!(locked.post("/api/v1/jobs", &body).status, 401);
    let refused = locked.post_with("/api/v1/jobs", &key, &body);
    assert!(refused.json()["message"].as_str().unwrap().starts_with("width is 256"));
    let drawn = locked.post_with(
        "/api/v1/jobs",
        &key,
        &json!({ "prompt": "x", "width": 64, "height": 64 }),
    );
    assert_eq!(drawn.status, 202);
    let id = drawn.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(open.get(&format!("/api/v1/jobs/{id}")).status, 404);
    assert_eq!(open.get("/api/v1/jobs").good().as_array().unwrap().len(), 1);
}
