//! Programs that were not written here, against the service: clients of A1111 and OpenAI, a tester of
//! OpenAPI documents, and a browser. `tests/clients` and `tests/browser` have what they do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

mod common;

use common::Server;
use sdcpp_test_support::{FloatType, Format, WeightType, ZImageLora, esrgan};
use std::{
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// What a script of `tests` says, which must come to a good end.
fn run(script: &str, arguments: &[&str]) -> String {
    // They install into the same folder.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let output = Command::new(script).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[test]
fn clients_of_others_work_unmodified() {
    let upscalers = tempfile::tempdir().unwrap();
    let file = esrgan(4, Format::Gguf(WeightType::F16)).unwrap();
    std::fs::copy(file, upscalers.path().join("tiny-4x.gguf")).unwrap();
    let server = Server::demo(&["--upscalers", upscalers.path().to_str().unwrap()]);
    let port = server.address.port().to_string();
    let told = run("clients/run.sh", &["127.0.0.1", &port, "webuiapi", "openai", "sd_backend"]);
    for client in ["webuiapi", "openai", "sd-backend-client"] {
        assert!(told.contains(&format!("{client} works")), "{told}");
    }
}

/// OpenAI's client asks again after 408 and 409 unless it is told not to, and the same would be drawn three
/// times.
#[test]
fn what_ended_is_not_asked_for_again() {
    let server = Server::demo(&["--timeout-seconds", "3"]);
    let port = server.address.port().to_string();
    let told = run("clients/run.sh", &["127.0.0.1", &port, "openai_retry"]);
    assert!(told.contains("openai-retry works"), "{told}");
}

/// Requests made up from the document are answered as it says, and none with a failure of the server.
#[test]
fn answers_are_those_of_the_document() {
    let server = Server::mock(&["--max-side", "256"]);
    let told = run("clients/schemathesis.sh", &["127.0.0.1", &server.address.port().to_string()]);
    let counted = told.lines().find_map(|line| line.trim().split_once(" generated, ")).unwrap();
    let cases: u32 = counted.0.parse().unwrap();
    assert!(cases > 500 && counted.1 == format!("{cases} passed"), "{told}");
}

/// Screenshots are in `target/tmp/page`.
#[test]
fn the_page_works_in_a_browser() {
    let loras = tempfile::tempdir().unwrap();
    let file = Format::Safetensors(FloatType::F16);
    // It fits the demo model.
    let lora = sdcpp_test_support::zimage_lora(ZImageLora::default(), file).unwrap();
    std::fs::copy(lora, loras.path().join("ink.safetensors")).unwrap();
    let server = Server::demo(&["--loras", loras.path().to_str().unwrap()]);
    let patterns = Server::mock(&["--api-key", "secret"]);
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&shots).unwrap();
    let (url, other) = (server.url(""), patterns.url(""));
    let told = run("browser/run.sh", &[&url, &other, shots.to_str().unwrap()]);
    assert!(told.contains("the page works"), "{told}");
}
