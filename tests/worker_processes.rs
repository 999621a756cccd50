//! Worker processes that are killed, stopped, or no workers at all, and hosts that are killed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/workers.rs"]
mod workers;

use common::{demo_config, quick_request};
use sdcpp::{
    Engine, Error, PoolOptions, Stage, Watch,
    isolated::{Worker, WorkerCommand, WorkerOptions, WorkerPool},
};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use workers::{at_first_step, command, send, worker, worker_with};

/// Whether there is such a process, a zombie included.
fn exists(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// No test of what happens at once fails on a machine that is busy.
const LONG: Duration = Duration::from_secs(20);

/// Waits until a process has ended, and not for ever. Who waits for one whose host is gone is the
/// system's business.
fn gone(process: u32) -> Duration {
    let lives = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    let start = Instant::now();
    while lives() {
        assert!(start.elapsed() < LONG, "process {process} is still there");
        thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}

#[test]
fn killed_at_work_it_is_replaced() {
    let mut worker = worker();
    let expected = worker.generate(&quick_request("a red circle")).unwrap();
    let id = worker.process_id();
    let long = quick_request("a red circle").steps(1000);
    let killed = Mutex::new(Instant::now());
    let error = worker.generate_with(
        &long,
        at_first_step(|| {
            *killed.lock().unwrap() = Instant::now();
            send("-9", id);
        }),
    );
    let error = error.unwrap_err();
    let Error::WorkerCrashed { signal: Some(9), reason, stage: Stage::Sampling, .. } = &error
    else {
        panic!("{error:?}");
    };
    assert!(reason.starts_with("was killed by signal 9"), "{reason}");
    assert!(!worker.is_usable() && !exists(id), "no zombie");
    let after = worker.generate(&quick_request("a red circle")).unwrap_err();
    assert!(matches!(after, Error::Poisoned { .. }), "{after:?}");
    drop(worker);
    let start = Instant::now();
    let mut fresh = workers::worker();
    let started = start.elapsed();
    let again = fresh.generate(&quick_request("a red circle")).unwrap();
    let recovered = killed.into_inner().unwrap().elapsed();
    println!("from kill -9 to the next picture: {recovered:?}; starting took {started:?} of it");
    assert_eq!(again.images[0].as_bytes(), expected.images[0].as_bytes());
}

#[test]
fn a_pool_replaces_a_killed_worker() {
    let options = PoolOptions::default().size(1);
    let worker = WorkerOptions::default();
    let pool = WorkerPool::open(command(), demo_config(), worker, options).unwrap();
    let request = quick_request("a red circle");
    let expected = pool.generate(&request).unwrap();
    for round in 0..3 {
        let mut lease = pool.acquire(Duration::from_secs(5)).unwrap();
        let id = lease.process_id();
        let long = quick_request("a red circle").steps(1000);
        let error = lease.generate_with(&long, at_first_step(|| send("-9", id))).unwrap_err();
        assert!(matches!(error, Error::WorkerCrashed { signal: Some(9), .. }), "{error:?}");
        let start = Instant::now();
        drop(lease);
        let again = pool.generate(&request).unwrap();
        println!("round {round}: {:?} to the next picture of a fresh worker", start.elapsed());
        assert_eq!(again.images[0].as_bytes(), expected.images[0].as_bytes());
    }
}

/// As those of a `ContextPool`, and of `sdcpp tune`: the engine counts the cores, not the system.
#[test]
fn the_workers_of_a_pool_share_the_physical_cores_out() {
    let mut config = demo_config().backend("cpu");
    config.threads = None;
    let cores = Engine::auto().unwrap().physical_cores();
    for size in [1, 2] {
        let (worker, options) = (WorkerOptions::default(), PoolOptions::default().size(size));
        let pool = WorkerPool::open(command(), config.clone(), worker, options).unwrap();
        let lease = pool.acquire(LONG).unwrap();
        let share = (cores / u32::try_from(size).unwrap()).max(1);
        assert_eq!((lease.config().threads, lease.config().mmap), (Some(share), Some(true)));
    }
}

#[test]
fn killed_while_idle_it_is_known_to_be_unusable() {
    let mut worker = worker();
    let id = worker.process_id();
    send("-9", id);
    let start = Instant::now();
    while worker.is_usable() {
        assert!(start.elapsed() < LONG);
    }
    let error = worker.generate(&quick_request("x")).unwrap_err();
    assert!(matches!(error, Error::WorkerCrashed { signal: Some(9), .. }), "{error:?}");
}

#[test]
fn stopped_by_a_signal_it_is_ended() {
    let silence = WorkerOptions::default().heartbeat_timeout(Duration::from_secs(2));
    let mut worker = worker_with(&silence);
    let id = worker.process_id();
    let long = quick_request("a red circle").steps(1000);
    let error = worker.generate_with(&long, at_first_step(|| send("-STOP", id))).unwrap_err();
    let Error::WorkerCrashed { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("did not answer for 2s"), "{reason}");
    drop(worker);
    gone(id);

    // A hard deadline: what cannot stop is killed when the grace is over.
    let grace = WorkerOptions::default().grace(Duration::from_millis(200));
    let mut worker = worker_with(&grace);
    // The first picture takes longer than the others: it must come to its first step in time.
    worker.generate(&quick_request("a red circle")).unwrap();
    let id = worker.process_id();
    let limit = Duration::from_secs(5);
    let start = Instant::now();
    let watch = at_first_step(|| send("-STOP", id)).time_limit(limit);
    let error = worker.generate_with(&long, watch).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert!(start.elapsed() < limit + LONG, "{:?}", start.elapsed());
    assert!(!worker.is_usable());
    drop(worker);
    gone(id);
}

#[test]
fn dropped_it_is_gone() {
    let worker = worker();
    let id = worker.process_id();
    assert!(exists(id));
    let start = Instant::now();
    drop(worker);
    assert!(!exists(id), "no zombie");
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
}

/// A program of the shell that plays a worker.
fn shell(script: &str, options: &WorkerOptions) -> Error {
    let command = WorkerCommand::program("/bin/sh").arg("-c").arg(script);
    Worker::start(&command, demo_config(), options, Watch::new()).unwrap_err()
}

#[test]
fn programs_that_are_no_workers_are_refused() {
    let soon = WorkerOptions::default().start_timeout(Duration::from_secs(1));
    for (script, says) in [
        ("exit 3", "ended with exit code 3"),
        ("echo no such library >&2; exit 1", "its last line: no such library"),
        ("kill -SEGV $$", "was killed by signal 11"),
        ("sleep 100", "did not greet within 1s"),
        ("cat /dev/urandom", "because it sent"),
        ("printf '\\377\\377\\377\\377\\001'; sleep 100", "a message of 4294967295 bytes"),
        ("yes >&2", "did not greet within 1s"),
    ] {
        let start = Instant::now();
        let error = shell(script, &soon);
        let Error::WorkerStart { program, reason } = &error else { panic!("{error:?}") };
        assert!(program.ends_with("sh") && reason.contains(says), "{script}: {reason}");
        assert!(start.elapsed() < LONG, "{script}: {:?}", start.elapsed());
        assert!(error.to_string().len() < 2000);
    }
    let nowhere = WorkerCommand::program("/no/such/worker");
    let error = Worker::start(&nowhere, demo_config(), &soon, Watch::new()).unwrap_err();
    assert!(matches!(error, Error::WorkerStart { .. }), "{error:?}");
    let beside = WorkerCommand::beside_this_program();
    let error = Worker::start(&beside, demo_config(), &soon, Watch::new()).unwrap_err();
    assert!(error.to_string().contains("sdcpp-worker cannot be started"), "{error}");
    let none = WorkerOptions::default().memory_limit(1);
    let error = Worker::start(&command(), demo_config(), &none, Watch::new()).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { .. }), "{error:?}");
}

/// What a worker started ends with it, whether it is killed or ends by itself; and one that left its
/// group does not keep the host waiting for its streams.
#[test]
fn what_a_worker_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("left");
    let soon = WorkerOptions::default().start_timeout(Duration::from_secs(3));
    for (starts, then, says) in [
        ("sleep 100", "sleep 100", "did not greet within 3s"),
        ("sleep 100", "exit 3", "ended with exit code 3"),
        ("setsid sleep 5", "exit 3", "ended with exit code 3"),
    ] {
        let error = shell(&format!("{starts} & echo $! > {}; {then}", left.display()), &soon);
        assert!(error.to_string().contains(says), "{starts}, {then}: {error}");
        gone(fs::read_to_string(&left).unwrap().trim().parse().unwrap());
    }
}

/// A worker whose input another process holds open, and which waits for a host that does not read,
/// ends when the host does.
#[test]
fn a_worker_sees_that_its_host_is_gone_without_the_end_of_its_input() {
    let folder = tempfile::tempdir().unwrap();
    // The shell is the host, `sleep` what it was forked from: it has both pipes open for reading and
    // for writing. The second pipe is full before the worker greets.
    let script = "mkfifo in out; sleep 100 3<>in 4<>out & echo $! > holder
        exec 5<>out; head -c 65536 /dev/zero >&5
        SDCPP_WORKER=2:x \"$1\" < in > out 5>&- & echo $! > worker
        echo ready; wait";
    let mut host = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_sdcpp-worker")])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    let number = |name: &str| -> u32 {
        fs::read_to_string(folder.path().join(name)).unwrap().trim().parse().unwrap()
    };
    let (worker, holder) = (number("worker"), number("holder"));
    let threads = || fs::read_dir(format!("/proc/{worker}/task")).map_or(0, Iterator::count);
    let start = Instant::now();
    // The main thread, and three more: it has begun to work.
    while threads() < 4 {
        assert!(start.elapsed() < LONG, "{} threads", threads());
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_secs(1));
    assert!(exists(worker), "it works while its host lives");
    send("-9", host.id());
    host.wait().unwrap();
    println!("gone {:?} after its host", gone(worker));
    assert!(exists(holder), "its pipes were open still");
    send("-9", holder);
}

/// This program does not call `worker_main`. Started as a worker all the same, it runs its tests, and
/// those that start workers are refused: it does not start itself without end.
#[test]
fn a_program_that_forgot_the_call_cannot_be_its_own_worker() {
    let itself = WorkerCommand::this_program();
    let error =
        Worker::start(&itself, demo_config(), &WorkerOptions::default(), Watch::new()).unwrap_err();
    if std::env::var_os("SDCPP_TEST_AS_WORKER").is_some() {
        assert!(error.to_string().contains("was started as a worker itself"), "{error}");
        eprintln!("refused in the child");
        return;
    }
    assert!(
        error.to_string().contains("must call sdcpp::isolated::worker_main() first"),
        "{error}"
    );
    let name = "a_program_that_forgot_the_call_cannot_be_its_own_worker";
    let program = std::env::current_exe().unwrap();
    let child = Command::new(&program)
        .args(["--exact", name, "--nocapture"])
        .envs([("SDCPP_TEST_AS_WORKER", "1"), ("SDCPP_WORKER", "2:x")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && text.contains("refused in the child"), "{text}");
    let forced = WorkerCommand::program(program)
        .arg("--exact")
        .arg(name)
        .arg("--nocapture")
        .env("SDCPP_TEST_AS_WORKER", "1");
    let options = WorkerOptions::default();
    let error = Worker::start(&forced, demo_config(), &options, Watch::new()).unwrap_err();
    let Error::WorkerStart { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("worker_main() first thing in main"), "{reason}");
}

/// The example, which calls `worker_main` and is its own worker.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples/isolated");
    assert!(path.is_file(), "missing: cargo build --example isolated");
    path
}

#[test]
fn a_program_that_calls_worker_main_is_its_own_worker() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(example())
        .args(["--prompt", "a red circle", "--steps", "3", "--size", "64", "--threads", "1"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(folder.path().join("out.png").is_file());
    // As a worker it ends with its input, and says what it is if it is started by hand.
    let by_hand = Command::new(env!("CARGO_BIN_EXE_sdcpp-worker")).output().unwrap();
    assert_eq!(by_hand.status.code(), Some(2));
    let unknown = Command::new(example()).env("SDCPP_WORKER", "999:x").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}

/// A host that is killed in the middle of a picture leaves no worker behind.
#[test]
fn no_worker_outlives_its_host() {
    for signal in ["-9", "-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut host = Command::new(example())
            .args(["--prompt", "a red circle", "--steps", "1000", "--size", "256"])
            .args(["--threads", "1"])
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(host.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let worker: u32 = line.split(' ').nth(1).unwrap().parse().unwrap();
        let busy = || {
            let stat = fs::read_to_string(format!("/proc/{worker}/stat")).unwrap();
            let ticks: u64 = stat.split(' ').nth(13).unwrap().parse().unwrap();
            ticks
        };
        // In the middle: it has computed for a while.
        while busy() < 30 {
            thread::sleep(Duration::from_millis(10));
        }
        send(signal, host.id());
        host.wait().unwrap();
        println!("gone {:?} after its host was sent {signal}", gone(worker));
    }
}
