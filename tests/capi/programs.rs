//! C programs, linked to the library as an installed one.

use crate::{
    common,
    library::{program, root},
};
use std::{
    fs,
    process::{Command, Output},
};

fn run(command: &mut Command) -> (Output, String) {
    let (model, taesd) = common::demo_files();
    let output = command.env("MODEL", model).env("TAESD", taesd).output().unwrap();
    let text = format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, text)
}

/// The whole program of docs/c-api.md.
#[test]
fn the_documentations_example_draws_a_picture() {
    let page = fs::read_to_string(root().join("docs/c-api.md")).unwrap();
    let (_, after) = page.split_once("```c\n").unwrap();
    let (source, _) = after.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (model, taesd) = common::demo_files();
    let mut command = Command::new(program("example", source));
    command.current_dir(folder.path()).arg(model).arg(taesd).arg("a red circle");
    let (output, text) = run(&mut command);
    assert!(output.status.success(), "{text}");
    let picture = sdcpp::open_picture(folder.path().join("out.png")).unwrap();
    let expected = common::demo().generate(&common::demo_request("a red circle")).unwrap();
    assert!(picture.as_bytes() == expected.images[0].as_bytes(), "{text}");
    assert!(text.contains("step 12 of 12"), "{text}");
    let (output, text) = run(Command::new(program("example", source)).args(["/no", "/no", "x"]));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("file_not_found") && text.contains("check the path"), "{text}");
}

fn native(name: &str) -> std::path::PathBuf {
    let source = root().join("tests/native").join(format!("{name}.c"));
    program(name, &fs::read_to_string(source).unwrap())
}

#[test]
fn a_program_is_told_what_goes_wrong_and_stops_from_its_callback() {
    let (output, text) = run(&mut Command::new(native("capi_errors")));
    assert!(output.status.success(), "{text}");
}

/// In a program that was not written in Rust, writing to a worker that is gone ends the host by
/// SIGPIPE, unless it is minded. The program leaves the signal as it is by default.
#[cfg(feature = "isolated")]
#[test]
fn a_host_lives_through_a_killed_worker_though_sigpipe_would_end_it() {
    let program = native("capi_worker");
    let worker = env!("CARGO_BIN_EXE_sdcpp-worker");
    let (output, text) = run(Command::new(&program).arg(worker));
    assert!(output.status.success(), "{text}");
    // The one that is installed with the library is found.
    let (output, text) = run(&mut Command::new(&program));
    assert!(output.status.success(), "{text}");
}
