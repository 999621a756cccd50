//! Five hundred clients at once, many of which hang up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(target_os = "linux")]

mod common;

#[path = "common/program.rs"]
mod running;

use running::Program;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

fn ask(address: SocketAddr, path: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream
}

/// The status of an answer, and its body.
fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap_or_else(|e| panic!("{e} after {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {text}")))
}

/// A picture that takes a fraction of a second.
fn small(seed: usize) -> Value {
    json!({ "prompt": "x", "steps": 1, "width": 64, "height": 64, "seed": seed, "cfg_scale": 1 })
}

/// So many clients at once; how many got a picture, and how many jobs were forgotten.
fn storm(program: &Program, clients: usize) -> (usize, usize) {
    let address: SocketAddr = program.url.strip_prefix("http://").unwrap().parse().unwrap();
    let [drawn, refused, gone, cancelled, forgotten] = [const { AtomicUsize::new(0) }; 5];
    let begin = Instant::now();
    thread::scope(|scope| {
        for client in 0..clients {
            let (drawn, refused, gone, cancelled, forgotten) =
                (&drawn, &refused, &gone, &cancelled, &forgotten);
            scope.spawn(move || match client % 5 {
                // Waits for its picture.
                0 | 1 => match answer(ask(address, "/sdapi/v1/txt2img", &small(client))) {
                    (200, told) => {
                        assert_eq!(told["images"].as_array().unwrap().len(), 1);
                        drawn.fetch_add(1, Ordering::Relaxed);
                    }
                    (429, told) => {
                        assert_eq!(told["error"], "queue_full", "{told}");
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    (status, told) => panic!("{status}: {told}"),
                },
                // Hangs up, at once or a little later.
                2 | 3 => {
                    let stream = ask(address, "/sdapi/v1/txt2img", &small(client));
                    thread::sleep(Duration::from_millis((client as u64 * 37) % 3000));
                    drop(stream);
                    gone.fetch_add(1, Ordering::Relaxed);
                }
                // Asks for a job, and stops it.
                _ => {
                    let (status, job) = answer(ask(address, "/api/v1/jobs", &small(client)));
                    if status == 429 {
                        refused.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    assert_eq!(status, 202, "{job}");
                    let id = job["id"].as_str().unwrap();
                    let mut told =
                        ureq::delete(format!("{}/api/v1/jobs/{id}", program.url)).call().unwrap();
                    let told: Value = told.body_mut().read_json().unwrap();
                    // One that had ended is forgotten.
                    let open = told["status"] == "queued" || told["status"] == "running";
                    assert!(open || told["status"] == "done", "{told}");
                    forgotten.fetch_add(usize::from(!open), Ordering::Relaxed);
                    cancelled.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let counts = [drawn, refused, gone, cancelled].map(AtomicUsize::into_inner);
    let [drawn, refused, gone, cancelled] = counts;
    println!(
        "{drawn} drawn, {refused} refused, {gone} hung up, {cancelled} cancelled in {:?}",
        begin.elapsed()
    );
    assert_eq!(counts.iter().sum::<usize>(), clients);
    while metric(program, "jobs_open") > 0.0 {
        assert!(begin.elapsed() < Duration::from_secs(300), "jobs are left");
        thread::sleep(Duration::from_millis(10));
    }
    (drawn, forgotten.into_inner())
}

/// A number of `/metrics`.
fn metric(program: &Program, name: &str) -> f64 {
    let url = format!("{}/metrics", program.url);
    let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("sdcpp_{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap()
}

/// Mebibytes of the program's own memory: no files.
fn anonymous(program: &Program) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() >> 10
}

#[test]
fn every_answer_is_valid_and_no_job_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let folder = ["--data", data.path().to_str().unwrap()];
    let limits = ["--max-concurrent", "2", "--queue-limit", "400", "--keep-jobs", "2000"];
    let program = Program::start(&[&folder[..], &limits].concat());
    let first =
        ureq::post(format!("{}/sdapi/v1/txt2img", program.url)).send_json(small(0)).unwrap();
    assert_eq!(first.status(), 200);
    let before = anonymous(&program);
    let (drawn, forgotten) = storm(&program, 500);
    assert!(drawn > 100, "{drawn}");
    // What was used by so many at once is given back a little later.
    let begin = Instant::now();
    let mut after = anonymous(&program);
    while after > before + 64 {
        assert!(begin.elapsed() < Duration::from_secs(30), "{before} to {after} MiB");
        thread::sleep(Duration::from_millis(200));
        after = anonymous(&program);
    }
    println!("anonymous memory {before} to {after} MiB");

    // Each job that was accepted came to one end, and the pool counts the same.
    let url = format!("{}/api/v1/jobs?limit=2000", program.url);
    let jobs: Vec<Value> = ureq::get(url)
        .call()
        .unwrap()
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_json()
        .unwrap();
    let count = |status: &str| jobs.iter().filter(|job| job["status"] == status).count() as f64;
    let [submitted, done, failed, cancelled] = ["submitted", "done", "failed", "cancelled"]
        .map(|name| metric(&program, &format!("jobs_{name}_total")));
    assert_eq!((done + cancelled, failed), (submitted, 0.0));
    assert_eq!((count("done") + forgotten as f64, count("cancelled")), (done, cancelled));
    assert_eq!((metric(&program, "queued"), metric(&program, "models_in_use")), (0.0, 0.0));
}
