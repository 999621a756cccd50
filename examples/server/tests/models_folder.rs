//! `sdcpp-server models` and the folder: names, checks and removals; the token; models known by name; and
//! the server that downloads its own model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

#[path = "common/hub.rs"]
mod hub;
#[path = "common/pulling.rs"]
mod pulling;

use hub::{Asked, Fault, Hub};
use pulling::{Place, noise, output};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

const REPO: &str = "painter/brush";

fn demo(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name)).unwrap()
}

#[test]
fn a_flipped_byte_is_found() {
    let hub = Hub::start();
    let place = Place::new(&hub);
    hub.put(REPO, "a.gguf", noise(10_000, 1));
    hub.put(REPO, "b.gguf", noise(10_000, 2));
    place.good(&["pull", REPO, "a.gguf", "b.gguf"]);
    let mut bytes = place.read("a.gguf");
    bytes[5000] ^= 1;
    fs::write(place.path("a.gguf"), &bytes).unwrap();
    let told = place.bad(&["verify"]);
    assert!(
        told.contains("a.gguf: its SHA-256 is") && told.contains("b.gguf: as it was"),
        "{told}"
    );
    place.good(&["verify", "b"]);
    assert!(place.bad(&["verify", "a.gguf"]).contains("pull it again with --force"));
    fs::write(place.path("a.gguf"), "short").unwrap();
    assert!(place.bad(&["verify", "a"]).contains("it has 5 bytes, and 10000 were pulled"));
    // A length that is wrong is seen by the next pull.
    place.good(&["pull", REPO, "a.gguf"]);
    fs::remove_file(place.path("a.gguf")).unwrap();
    assert!(place.bad(&["verify"]).contains("a.gguf: the file is not there"));
}

#[test]
fn files_that_were_not_pulled_are_inspected() {
    let hub = Hub::start();
    let place = Place::new(&hub);
    fs::write(place.path("own.gguf"), demo("demo_tae.gguf")).unwrap();
    let told = place.good(&["verify"]);
    assert!(told.contains("own.gguf: unrecorded") && told.contains("TAESD"), "{told}");
    fs::write(place.path("page.gguf"), "<html>").unwrap();
    let told = place.bad(&["verify"]);
    assert!(
        told.contains("page.gguf: unrecorded") && told.contains("own.gguf: unrecorded"),
        "{told}"
    );
    // The same file on the hub is taken for what it is, and has a record then.
    hub.put(REPO, "own.gguf", demo("demo_tae.gguf"));
    assert!(place.good(&["pull", REPO, "own.gguf"]).contains("there already"));
    assert!(hub.asked_at("storage").is_empty());
    assert!(place.good(&["verify", "own"]).contains("as it was pulled"));
}

#[test]
fn removed_is_what_is_named_and_no_path() {
    let hub = Hub::start();
    let place = Place::new(&hub);
    hub.put(REPO, "a.gguf", noise(10_000, 1));
    hub.put(REPO, "b.gguf", noise(10_000, 2));
    place.good(&["pull", REPO, "a.gguf"]);
    let outside = place.path("a.gguf").parent().unwrap().parent().unwrap().join("outside.gguf");
    for name in ["../outside.gguf", "./a.gguf", "/etc/passwd", "", ".pulled", "none"] {
        assert!(place.bad(&["rm", "a", name]).contains("there is no file"), "{name}");
    }
    assert!(!outside.exists() && place.path("a.gguf").exists(), "nothing goes if a name is wrong");
    hub.fail([Fault::Cut(4000), Fault::File(404)]);
    place.bad(&["pull", REPO, "b.gguf"]);
    let told = place.good(&["rm", "a.gguf", "b"]);
    let freed = |line: &str| -> u64 {
        let count = told.lines().find(|l| l.starts_with(line)).unwrap().rsplit_once('(').unwrap().1;
        count.split(' ').next().unwrap().parse().unwrap()
    };
    assert!(freed("a.gguf") > 10_000 && freed("b.gguf") > 4000, "{told}");
    assert!(place.names().is_empty());
    assert_eq!(place.good(&["verify"]), "");
    let kept = place.hidden("").read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    assert!(kept.into_iter().all(|name| name.to_string_lossy().ends_with(".lock")));
}

#[test]
fn names_are_checked_before_anything_is_asked() {
    let hub = Hub::start();
    let place = Place::new(&hub);
    for arguments in [
        &["pull", REPO, "../a.gguf"][..],
        &["pull", REPO, "/etc/a.gguf"],
        &["pull", REPO, "a/../../b.gguf"],
        &["pull", REPO, "a\\b.gguf"],
        &["pull", REPO, "a.exe"],
        &["pull", REPO, "README.md"],
        &["pull", "--as", "../a.gguf", REPO, "a.gguf"],
        &["pull", "--as", ".hidden.gguf", REPO, "a.gguf"],
        &["pull", "--as", "a.json", REPO, "a.gguf"],
        &["pull", "--as", "a.gguf", REPO, "b.gguf", "c.gguf"],
        &["pull", "../x", "a.gguf"],
        &["pull", "a/b/../c.gguf"],
        &["pull", "a/b@../c", "a.gguf"],
        &["pull", "none-such"],
        &["pull", "sdxl", "a.gguf"],
        &["pull", "ltx-2"],
    ] {
        place.bad(arguments);
    }
    assert!(hub.asked().is_empty() && place.names().is_empty());
    // One name, two files.
    hub.put(REPO, "a.gguf", "one");
    hub.put("other/brush", "a.gguf", "two");
    place.good(&["pull", REPO, "a.gguf"]);
    assert!(place.bad(&["pull", "other/brush", "a.gguf"]).contains("--as"));
    assert_eq!(place.read("a.gguf"), b"one");
    place.good(&["pull", "--as", "b.gguf", "other/brush", "a.gguf"]);
    assert_eq!(place.read("b.gguf"), b"two");
}

#[test]
fn the_token_goes_to_the_hub_alone_and_is_never_told() {
    const TOKEN: &str = "hf_0123456789secret";
    let hub = Hub::start();
    hub.put("painter/new", "a.gguf", noise(10_000, 1));
    hub.require_token(TOKEN);
    let sent = Some(format!("Bearer {TOKEN}"));
    let check = |all: &[Asked]| {
        assert!(all.iter().any(|asked| asked.place == "storage"), "{all:?}");
        for asked in all {
            let expected = if asked.place == "storage" { &None } else { &sent };
            assert_eq!(&asked.authorization, expected, "{asked:?}");
        }
    };
    for variable in ["HUGGINGFACE_TOKEN", "HF_TOKEN"] {
        let place = Place::new(&hub);
        // This repository leads to its new name: at the hub, where the token is needed again.
        let mut command = place.command(&["pull", "painter/old@main", "a.gguf"]);
        let (result, told) = output(command.env(variable, TOKEN).env("RUST_LOG", "trace"));
        // Its files are asked for by the old name, which has none here.
        assert!(!result.status.success() && told.contains("check the file's name"), "{told}");
        let (result, told) =
            output(place.command(&["pull", "painter/new", "a.gguf"]).env(variable, TOKEN));
        assert!(result.status.success() && !told.contains(TOKEN), "{told}");
        check(&hub.asked());
    }
    let place = Place::new(&hub);
    assert!(place.bad(&["pull", "painter/new", "a.gguf"]).contains("set HUGGINGFACE_TOKEN"));
    fs::write(place.token_file(), format!("{TOKEN}\n")).unwrap();
    hub.asked();
    place.good(&["pull", "painter/new", "a.gguf"]);
    check(&hub.asked());
    for token in ["wrong", "two words"] {
        let mut command = place.command(&["pull", "painter/new", "--force", "a.gguf"]);
        let (result, told) = output(command.env("HUGGINGFACE_TOKEN", token));
        assert!(!result.status.success() && told.contains("HUGGINGFACE_TOKEN"), "{told}");
        assert!(!told.contains("two words"), "{told}");
    }
}

#[test]
fn a_model_that_is_known_by_name_comes_with_its_parts_and_preset() {
    let hub = Hub::start();
    let place = Place::new(&hub);
    let presets: Value =
        serde_json::from_str(&place.good(&["list", "--presets", "--json"])).unwrap();
    let known = presets.as_array().unwrap();
    let z_image = known.iter().find(|known| known["name"] == "z-image-turbo").unwrap();
    for (seed, file) in z_image["files"].as_array().unwrap().iter().enumerate() {
        let (at, _) = file.as_str().unwrap().match_indices('/').nth(1).unwrap();
        let (repo, path) = file.as_str().unwrap().split_at(at);
        let main = path.contains("z_image");
        let bytes = if main { demo("demo_q8_0.gguf") } else { noise(100, seed as u64) };
        hub.put(repo, &path[1..], bytes);
    }
    place.good(&["pull", "z-image-turbo"]);
    let preset: Value =
        serde_json::from_slice(&place.read("z_image_turbo-Q4_0.preset.json")).unwrap();
    assert_eq!(
        (preset["steps"].as_u64(), preset["vae"].as_str()),
        (Some(8), Some("ae.safetensors"))
    );
    assert!(place.path(preset["llm"].as_str().unwrap()).is_file());
    // What the user wrote stays.
    fs::write(place.path("z_image_turbo-Q4_0.preset.json"), "{}").unwrap();
    assert!(place.good(&["pull", "z-image-turbo"]).contains("kept as it was"));
    assert_eq!(place.read("z_image_turbo-Q4_0.preset.json"), b"{}");
    assert!(place.good(&["list"]).contains("lacks a VAE"));
    assert!(place.good(&["list", "--presets"]).contains("sdxl-turbo"));
}

/// A server on this place; killed with this.
struct Server(Child, String);

impl Server {
    fn start(place: &Place, model: &str) -> Self {
        let mut child = place
            .program()
            .args(["--port", "0", "--threads", "1", "--no-history"])
            .args(["--auto-download", "--model", model])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self(child, url.trim().to_owned())
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.get(format!("{}{path}", self.1)).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[test]
fn a_server_downloads_its_model_and_draws() {
    let hub = Hub::start();
    let place = Place::new(&hub);
    hub.put("painter/demo", "demo_q8_0.gguf", demo("demo_q8_0.gguf"));
    hub.put("painter/demo", "demo_tae.gguf", demo("demo_tae.gguf"));
    place.good(&["pull", "painter/demo", "demo_tae.gguf"]);
    fs::write(place.path("demo_q8_0.preset.json"), demo("demo_q8_0.preset.json")).unwrap();
    hub.fail([Fault::Cut(1_000_000)]);
    let server = Server::start(&place, "painter/demo/demo_q8_0.gguf");
    let (status, health) = server.get("/health");
    assert_eq!((status, health["model"].as_str()), (200, Some("demo_q8_0")), "{health}");
    let body = json!({ "prompt": "a red circle", "width": 64, "height": 64, "steps": 1 });
    let mut job: Value = ureq::post(format!("{}/api/v1/jobs", server.1))
        .send_json(body)
        .unwrap()
        .body_mut()
        .read_json()
        .unwrap();
    let begun = Instant::now();
    while job["status"] == "queued" || job["status"] == "running" {
        assert!(begun.elapsed() < Duration::from_secs(60), "{job}");
        std::thread::sleep(Duration::from_millis(50));
        job = server.get(&format!("/api/v1/jobs/{}", job["id"].as_str().unwrap())).1;
    }
    assert_eq!(job["status"], "done", "{job}");
    drop(server);
    // What is there is not asked for again, so the hub may be gone.
    hub.asked();
    let server = Server::start(&place, "painter/demo/demo_q8_0.gguf");
    assert_eq!(server.get("/health").0, 200);
    assert!(hub.asked().is_empty());
}

#[test]
fn a_server_whose_download_fails_says_why() {
    let hub = Hub::start();
    let place = Place::new(&hub);
    let server = Server::start(&place, "painter/none/a.gguf");
    let (status, health) = server.get("/health");
    assert_eq!((status, health["status"].as_str()), (503, Some("unavailable")));
    let reasons = health["reasons"].to_string();
    assert!(reasons.contains("404") && reasons.contains("painter/none"), "{reasons}");
}
