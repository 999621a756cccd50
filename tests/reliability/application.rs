//! Each test is an application of its own, in its own process: what it drew, what it holds in the end
//! and how it ended make a row of the table.

use super::common;
use sdcpp::Generated;
use std::{
    fmt, fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Pictures that were compared with how they must be.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    compared: usize,
    changed: usize,
}

impl Pictures {
    pub(crate) fn compare(&mut self, drawn: &Generated, expected: &Generated) {
        self.compared += 1;
        let pixels = |generated: &Generated| generated.images[0].as_bytes().to_vec();
        if pixels(drawn) != pixels(expected) {
            self.changed += 1;
            eprintln!("seed {} has changed", drawn.seeds[0]);
        }
    }
}

impl fmt::Display for Pictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.changed, self.compared)
    }
}

/// What a test has to tell.
pub(crate) struct Row {
    what: &'static str,
    cases: String,
    came: String,
    leaks: Vec<String>,
}

impl Row {
    pub(crate) fn new(what: &'static str, cases: impl fmt::Display, came: String) -> Self {
        Self { what, cases: cases.to_string(), came, leaks: Vec::new() }
    }

    /// Besides open files, threads and processes, which are counted for every test.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(crate) fn leaks(self, leaks: Vec<String>) -> Self {
        Self { leaks, ..self }
    }
}

/// What a process must give back, where the system tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held(Option<[usize; 3]>);

impl Held {
    const NAMES: [&'static str; 3] = ["open files", "threads", "child processes"];

    pub(crate) fn now() -> Self {
        let held = Self::count();
        assert!(held.is_some() || !cfg!(target_os = "linux"), "no procfs");
        Self(held)
    }

    fn count() -> Option<[usize; 3]> {
        let entries = |folder| Some(fs::read_dir(folder).ok()?.flatten());
        let children = entries("/proc/self/task")?.map(|thread| {
            // A thread that has just ended has none.
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            children.split_whitespace().count()
        });
        let children = children.sum();
        Some([entries("/proc/self/fd")?.count(), entries("/proc/self/task")?.count(), children])
    }

    /// What is held now and was not then: threads and processes have a while to end.
    pub(crate) fn more_than(before: Self) -> Option<Vec<String>> {
        let start = Instant::now();
        loop {
            let (before, now) = (before.0?, Self::now().0?);
            let more: Vec<_> = Self::NAMES
                .iter()
                .zip(before.into_iter().zip(now))
                .filter(|(_, (before, now))| now > before)
                .map(|(name, (before, now))| format!("{name}: {before} → {now}"))
                .collect();
            if more.is_empty() || start.elapsed() > Duration::from_secs(20) {
                return Some(more);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Runs `body` in a process of its own, and prints its row with what was counted.
pub(crate) fn application(test: &str, body: impl FnOnce(&mut Pictures) -> Row) {
    application_with(test, |_| (), body);
}

/// The same, in a process that is prepared before it starts.
pub(crate) fn application_with(
    test: &str,
    prepare: impl FnOnce(&mut Command),
    body: impl FnOnce(&mut Pictures) -> Row,
) {
    let Some(output) = common::ran_alone(test, prepare) else { return inside(body) };
    let text = String::from_utf8_lossy(&output.stdout);
    let (rows, rest): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("| "));
    println!("{}", rest.join("\n"));
    // 101 is how Rust's tests fail.
    let died = !matches!(output.status.code(), Some(0 | 101));
    for row in &rows {
        println!("{row} {} |", u8::from(died));
    }
    if rows.is_empty() {
        println!("| {test} | – | {} | – | – | {} |", output.status, u8::from(died));
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && rows.len() == 1, "{test}: {}\n{errors}", output.status);
}

fn inside(body: impl FnOnce(&mut Pictures) -> Row) {
    let request = common::quick_request("a red circle");
    let expected = common::demo().generate(&request).unwrap();
    let before = Held::now();
    let mut pictures = Pictures::default();
    let mut row = body(&mut pictures);
    // The application is as it was.
    pictures.compare(&common::demo().generate(&request).unwrap(), &expected);
    let leaks = match Held::more_than(before) {
        Some(more) => {
            row.leaks.extend(more);
            row.leaks.len().to_string()
        }
        None => "–".to_owned(),
    };
    // The name of the test is on the line before.
    println!("\n| {} | {} | {} | {pictures} | {leaks} |", row.what, row.cases, row.came);
    assert_eq!(pictures.changed, 0, "{pictures:?}");
    assert!(row.leaks.is_empty(), "{:?}", row.leaks);
}
