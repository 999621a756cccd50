//! Clients of A1111 and OpenAI that were not written here: `tests/clients`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(unix)]

mod common;

use common::Server;
use std::{path::Path, process::Command};

#[test]
fn clients_of_others_work_unmodified() {
    let server = Server::demo(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/run.sh");
    let output = Command::new(script)
        .arg(server.address.ip().to_string())
        .arg(server.address.port().to_string())
        .output()
        .unwrap();
    let (told, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{errors}");
    for client in ["webuiapi", "openai", "sd-backend-client"] {
        assert!(told.contains(&format!("{client} works")), "{told}{errors}");
    }
}
