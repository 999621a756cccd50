//! `sdcpp-server models` against a hub of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

#[path = "common/hub.rs"]
mod hub;
#[path = "common/pulling.rs"]
mod pulling;

use hub::{Fault, Hub};
use pulling::{Place, noise};
use serde_json::Value;
use std::{
    fs,
    time::{Duration, Instant},
};

const REPO: &str = "painter/brush";
const FILE: &str = "brush.gguf";

/// A hub with one file, and a folder.
fn place() -> (Hub, Place, Vec<u8>) {
    let hub = Hub::start();
    let bytes = noise(300_000, 1);
    hub.put(REPO, FILE, bytes.clone());
    let place = Place::new(&hub);
    (hub, place, bytes)
}

#[test]
fn a_file_is_pulled_recorded_listed_and_checked() {
    let (hub, place, bytes) = place();
    let path = "deep/in there/other.safetensors";
    hub.put(REPO, path, bytes.clone());
    place.good(&["pull", REPO, FILE, path]);
    assert_eq!(place.read(FILE), bytes);
    assert_eq!(place.read("other.safetensors"), bytes);
    let asked = hub.asked();
    assert_eq!(asked.iter().filter(|asked| asked.place == "api").count(), 1);
    assert_eq!(asked.iter().filter(|asked| asked.place == "storage").count(), 2);
    // The names in the folder are the two, and no part is left.
    assert_eq!(place.names(), [FILE, "other.safetensors"]);
    assert!(!place.hidden("brush.gguf.part").exists());

    let told = place.good(&["pull", &format!("{REPO}/{FILE}")]);
    assert!(told.contains("brush.gguf: there already"), "{told}");
    assert!(hub.asked_at("storage").is_empty());

    let list: Value = serde_json::from_str(&place.good(&["list", "--json"])).unwrap();
    let brush = list["models"].as_array().unwrap().iter().find(|m| m["file"] == FILE).unwrap();
    assert_eq!(
        (brush["name"].as_str(), brush["record"]["repo"].as_str()),
        (Some("brush"), Some(REPO))
    );
    assert_eq!(brush["record"]["commit"].as_str().unwrap().len(), 40);
    let hash = brush["record"]["sha256"].as_str().unwrap().to_owned();
    assert!(place.good(&["list"]).contains(&hash[..12]));
    assert!(
        place.good(&["verify"]).contains(&format!("brush.gguf: as it was pulled, SHA-256 {hash}"))
    );
}

#[test]
fn a_lost_connection_is_taken_up_where_it_broke() {
    let (hub, place, bytes) = place();
    hub.fail([Fault::Cut(100_000), Fault::Cut(50_000)]);
    place.good(&["pull", REPO, FILE]);
    assert_eq!(place.read(FILE), bytes);
    let ranges: Vec<_> = hub.asked_at("storage").into_iter().map(|asked| asked.range).collect();
    let from = |at: u32| Some(format!("bytes={at}-"));
    assert_eq!(ranges, [None, from(100_000), from(150_000)]);
}

#[test]
fn another_run_asks_for_the_rest_only() {
    let (hub, place, bytes) = place();
    hub.fail([Fault::Cut(100_000), Fault::File(404)]);
    let told = place.bad(&["pull", REPO, FILE]);
    assert!(told.contains("404") && place.names().is_empty(), "{told}");
    assert!(place.good(&["list"]).contains("brush.gguf"), "what is not whole is told");
    hub.asked();
    place.good(&["pull", REPO, FILE]);
    let asked = hub.asked_at("storage");
    assert_eq!((asked.len(), asked[0].range.as_deref()), (1, Some("bytes=100000-")));
    assert!(asked[0].if_range.is_some());
    assert_eq!(place.read(FILE), bytes);
}

#[test]
fn ctrl_c_leaves_what_has_come() {
    let (hub, place, bytes) = place();
    hub.fail([Fault::Stall(100_000)]);
    let mut command = place.command(&["pull", REPO, FILE]);
    let mut child = sdcpp_test_support::signals::by_default(&mut command).spawn().unwrap();
    let part = place.hidden("brush.gguf.part");
    let begun = Instant::now();
    while part.metadata().map_or(0, |metadata| metadata.len()) < 100_000 {
        assert!(begun.elapsed() < Duration::from_secs(30) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert!(!child.wait().unwrap().success());
    hub.asked();
    place.good(&["pull", REPO, FILE]);
    assert_eq!(hub.asked_at("storage")[0].range.as_deref(), Some("bytes=100000-"));
    assert_eq!(place.read(FILE), bytes);
}

#[test]
fn a_file_that_changed_is_begun_anew() {
    let (hub, place, _) = place();
    hub.fail([Fault::Cut(100_000), Fault::File(404)]);
    place.bad(&["pull", REPO, FILE]);
    let changed = noise(300_000, 2);
    hub.put(REPO, FILE, changed.clone());
    hub.asked();
    place.good(&["pull", REPO, FILE]);
    assert_eq!(hub.asked_at("storage")[0].range, None);
    assert_eq!(place.read(FILE), changed);
    // One that is there and came from the same place is brought up to date.
    let newer = noise(1000, 3);
    hub.put(REPO, FILE, newer.clone());
    place.good(&["pull", REPO, FILE]);
    assert_eq!(place.read(FILE), newer);
}

/// The storage says by its ETag that its file is another one, and sends all of it.
#[test]
fn a_storage_may_refuse_to_go_on() {
    let (hub, place, bytes) = place();
    hub.fail([Fault::Cut(100_000), Fault::File(404)]);
    place.bad(&["pull", REPO, FILE]);
    hub.change_etags();
    hub.asked();
    place.good(&["pull", REPO, FILE]);
    assert_eq!((hub.asked_at("storage").len(), place.read(FILE)), (1, bytes));
}

#[test]
fn wrong_bytes_never_come_under_the_name() {
    let (hub, place, bytes) = place();
    hub.fail([Fault::Wrong]);
    let told = place.bad(&["pull", REPO, FILE]);
    assert!(told.contains("SHA-256") && told.contains("nothing was kept"), "{told}");
    assert!(place.names().is_empty());
    assert!(!place.hidden("brush.gguf.part").exists());
    // A part that was damaged on the disk is fetched again, once.
    hub.fail([Fault::Cut(100_000), Fault::File(404)]);
    place.bad(&["pull", REPO, FILE]);
    fs::write(place.hidden("brush.gguf.part"), noise(100_000, 9)).unwrap();
    hub.asked();
    place.good(&["pull", REPO, FILE]);
    let ranges: Vec<_> = hub.asked_at("storage").into_iter().map(|asked| asked.range).collect();
    assert_eq!(ranges, [Some("bytes=100000-".to_owned()), None]);
    assert_eq!(place.read(FILE), bytes);
}

/// Small files of a repository are not in its storage for large ones, and have no hash that is told.
#[test]
fn a_file_without_a_hash_is_checked_by_its_size() {
    let (hub, place, bytes) = place();
    hub.put(REPO, "small/s.gguf", bytes.clone());
    hub.fail([Fault::Cut(100_000)]);
    place.good(&["pull", REPO, "small/s.gguf"]);
    assert_eq!((place.read("s.gguf"), hub.asked_at("storage").len()), (bytes, 2));
    let list: Value = serde_json::from_str(&place.good(&["list", "--json"])).unwrap();
    assert_eq!(list["models"][0]["record"]["sha256_told"], false);
    assert!(place.good(&["pull", REPO, "small/s.gguf"]).contains("there already"));
    place.good(&["verify"]);
}

#[test]
fn force_fetches_all_of_it_again() {
    let (hub, place, bytes) = place();
    place.good(&["pull", REPO, FILE]);
    fs::write(place.path(FILE), "damaged").unwrap();
    hub.asked();
    place.good(&["pull", "--force", REPO, FILE]);
    assert_eq!((hub.asked_at("storage").len(), place.read(FILE)), (1, bytes));
}

#[test]
fn offline_asks_nobody_and_says_what_is_missing() {
    let (hub, place, _) = place();
    hub.put(REPO, "b.gguf", "b");
    place.good(&["pull", REPO, "b.gguf"]);
    hub.asked();
    let told = place.bad(&["pull", "--offline", REPO, FILE, "b.gguf"]);
    assert!(
        told.contains("brush.gguf of painter/brush@main") && !told.contains("b.gguf,"),
        "{told}"
    );
    let mut by_variable = place.command(&["pull", REPO, FILE]);
    let output = by_variable.env("HF_HUB_OFFLINE", "1").output().unwrap();
    assert!(!output.status.success());
    place.good(&["pull", "--offline", REPO, "b.gguf"]);
    assert!(hub.asked().is_empty());
}

#[test]
fn what_may_pass_is_tried_again_after_a_while() {
    let (hub, place, bytes) = place();
    hub.fail([
        Fault::Api(503, None),
        Fault::Api(429, Some("2")),
        Fault::File(502),
        Fault::Storage(403),
    ]);
    let begun = Instant::now();
    place.good(&["pull", REPO, FILE]);
    assert!(begun.elapsed() >= Duration::from_millis(3000), "{:?}", begun.elapsed());
    assert_eq!(place.read(FILE), bytes);
    assert_eq!(hub.asked_at("api").len(), 3);
}

#[test]
fn refusals_say_what_to_do() {
    let (hub, place, _) = place();
    for (fault, part) in [
        (Fault::Api(401, None), "set HUGGINGFACE_TOKEN"),
        (Fault::Api(403, None), "accept the model's licence"),
        (Fault::Api(403, None), "as the test wants it"),
        (Fault::Api(404, None), "check the repository's name"),
        (Fault::File(404), "check the file's name"),
    ] {
        hub.fail([fault]);
        let told = place.bad(&["pull", REPO, FILE]);
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(hub.asked_at("api").len(), 5, "what does not change is not asked twice");
    let told = place.bad(&["pull", REPO, "none.gguf"]);
    assert!(
        told.contains("has no file none.gguf") && told.contains("it has: brush.gguf"),
        "{told}"
    );
    let told = place.bad(&["pull", REPO]);
    assert!(told.contains("it has: brush.gguf"), "{told}");
    assert!(place.bad(&["pull", "painter/brush@none", FILE]).contains("painter/brush at none"));
}

#[test]
fn what_the_disk_has_no_room_for_is_not_begun() {
    let (hub, place, _) = place();
    hub.claim_size(1 << 60);
    let told = place.bad(&["pull", REPO, FILE]);
    assert!(told.contains("are to come") && told.contains("room"), "{told}");
    assert!(hub.asked_at("storage").is_empty());
}

#[test]
fn two_pulls_at_once_fetch_it_once() {
    let (hub, place, bytes) = place();
    hub.fail([Fault::Cut(100_000)]);
    let both: Vec<_> =
        (0..2).map(|_| place.command(&["pull", REPO, FILE]).spawn().unwrap()).collect();
    for mut child in both {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(place.read(FILE), bytes);
    // The one that was cut, and its rest.
    assert_eq!(hub.asked_at("storage").len(), 2);
}
