//! Workers that do what they must not: each ends with a typed error, and a host that goes on.

use super::*;
use crate::{CancelToken, Error, ImageRequest, Progress, Stage, Watch};
use std::time::Instant;

fn request() -> ImageRequest {
    ImageRequest::new("x").size(64, 64)
}

/// What the host makes of a worker that answers a request with these bytes.
fn answered(bytes: Vec<u8>) -> Result<crate::Generated> {
    let connected = connected(&impatient(), plays(bytes));
    let mut worker = Worker::open(connected, &ModelConfig::new("any"), None, NONCE, Watch::new())?;
    let result = worker.generate(&request());
    if let Err(error) = &result {
        assert!(!worker.is_usable(), "{error:?}");
        let after = worker.generate(&request()).unwrap_err();
        assert!(matches!(after, Error::Poisoned { .. }), "{after:?}");
    }
    result
}

#[test]
fn what_does_not_belong_to_a_result_is_refused() {
    let one = answered([picture(64, 64, 3), frame_of(&drawn())].concat()).unwrap();
    assert_eq!((one.images.len(), one.seeds.as_slice()), (1, &[7][..]));
    let sound = FromWorker::Sound { sample_rate: 8000, channels: 1, samples: 4 };
    let preview = FromWorker::Preview { step: 1, noisy: false, frames: vec![(9000, 9000)] };
    let short = FromWorker::Picture {
        width: 64,
        height: 64,
        channels: 3,
        seed: 1,
        parameters: String::new(),
    };
    let wordy = frame_of(&FromWorker::Picture {
        width: 64,
        height: 64,
        channels: 3,
        seed: 1,
        parameters: "x".repeat(300_000),
    });
    let mut wrong_bytes = frame_of(&short);
    frame::write_bytes(&mut wrong_bytes, &[0; 10]).unwrap();
    for (bytes, says) in [
        (frame_of(&drawn()), "no result of the operation"),
        (frame_of(&hello()), "no result of the operation"),
        (frame_of(&FromWorker::Ready(Ready::default())), "no result of the operation"),
        ([picture(64, 64, 3), picture(64, 64, 3)].concat(), "more pictures than were asked for"),
        (picture(64, 128, 3), "a picture of 64x128, where 64x64 is the most"),
        (picture(8, 8, 2), "a picture of 2 channels"),
        (frame_of(&sound), "4 samples of sound"),
        (frame_of(&preview), "a picture of 9000x9000"),
        (wordy, "300000 bytes of parameters"),
        (wrong_bytes, "10 bytes where 12288 were announced"),
        ([frame_of(&short), frame_of(&drawn())].concat(), "a frame of kind 1, and not 2"),
        (vec![0, 0, 0, 0, 9], "a frame of kind 9, and not 1"),
        (vec![255, 255, 255, 255, 1], "a message of 4294967295 bytes, where 1048576 are the most"),
        (vec![1, 0, 0, 0, 1, 0xc1], "no known message"),
        (vec![3, 0, 0, 0, 1, 0xa1, b'A', 0], "no known message"),
    ] {
        let error = answered(bytes).unwrap_err();
        let Error::WorkerCrashed { reason, stage: Stage::Preparing, .. } = &error else {
            panic!("{says}: {error:?}");
        };
        assert!(reason.contains(says), "{reason:?} should contain {says:?}");
    }
}

#[test]
fn one_that_is_silent_is_ended() {
    let start = Instant::now();
    let error = answered(frame_of(&FromWorker::Alive)).unwrap_err().to_string();
    assert!(error.contains("did not answer for 400ms"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn one_that_does_not_stop_is_ended() {
    // It lives, and draws for ever.
    let bytes = |count| frame_of(&FromWorker::Alive).repeat(count);
    for (watch, expected) in [
        (Watch::new().time_limit(Duration::from_millis(50)), "the time limit of 50ms passed"),
        (
            Watch::new().cancel_with({
                let token = CancelToken::new();
                let remote = token.clone();
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(50));
                    remote.cancel();
                });
                token
            }),
            "cancelled while sampling",
        ),
        (Watch::new().on_progress(|_| std::ops::ControlFlow::Break(())), "cancelled while sampl"),
        (Watch::new().on_progress(|_| panic!("on purpose")), "the progress callback panicked"),
    ] {
        let progress = Progress::Sampling {
            step: 1,
            steps: 9,
            image: 1,
            images: 1,
            step_time: Duration::ZERO,
        };
        let bytes = [frame_of(&FromWorker::Progress(progress)), bytes(100)].concat();
        let connected = connected(&impatient(), plays(bytes));
        let mut worker =
            Worker::open(connected, &ModelConfig::new("any"), None, NONCE, Watch::new()).unwrap();
        let start = Instant::now();
        let error = worker.generate_with(&request(), watch).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(!worker.is_usable());
    }
}

#[test]
fn one_that_is_no_worker_is_named_with_its_last_line() {
    let open = |body: Box<dyn FnOnce(UnixStream, UnixStream, UnixStream) + Send>| {
        let connected = connected(&impatient(), body);
        let config = ModelConfig::new("any");
        match Worker::open(connected, &config, None, NONCE, Watch::new()).unwrap_err() {
            Error::WorkerStart { program, reason } if program.ends_with("stand-in") => reason,
            other => panic!("{other:?}"),
        }
    };
    let says = |bytes: Vec<u8>| {
        open(Box::new(move |mut input, mut output, _| {
            let _ = output.write_all(&bytes);
            let _ = io::copy(&mut input, &mut io::sink());
        }))
    };
    let other = |protocol, version: &str, nonce: &str| {
        let (version, nonce) = (version.to_owned(), nonce.to_owned());
        frame_of(&FromWorker::Hello { protocol, version, nonce })
    };
    for (bytes, expected) in [
        (b"Hello, world!\n".to_vec(), "a frame of kind 111"),
        (Vec::new(), "did not greet within 300ms"),
        (frame_of(&drawn()), "did not greet first"),
        (other(PROTOCOL + 1, env!("CARGO_PKG_VERSION"), NONCE), "it is of version"),
        (other(PROTOCOL, "9.9.9", NONCE), "it is of version 9.9.9, and not"),
        (other(PROTOCOL, env!("CARGO_PKG_VERSION"), "4567"), "it greets another host"),
    ] {
        let reason = says(bytes);
        assert!(reason.contains(expected), "{reason:?} should contain {expected:?}");
    }
    let reason = open(Box::new(|_, output, mut stderr| {
        stderr.write_all(b"first\nno such library").unwrap();
        drop((output, stderr));
    }));
    assert!(reason.contains("closed its standard output; its last line: no such lib"), "{reason}");
    assert!(reason.contains("worker_main() first thing"), "{reason}");
}

#[test]
fn endless_lines_cost_no_memory_and_errors_among_them_are_told() {
    let connected = connected(&impatient(), |input, output, mut stderr| {
        let flood = b"no end of this\n".repeat(4096);
        thread::spawn(move || while stderr.write_all(&flood).is_ok() {});
        let log = |level: u8, text: &str| FromWorker::Log {
            level,
            target: "sdcpp::engine".to_owned(),
            text: text.to_owned(),
        };
        let mut bytes = frame_of(&log(3, "fine")).repeat(10_000);
        bytes.extend(frame_of(&log(1, "not fine")));
        plays(bytes)(input, output, UnixStream::pair().unwrap().0);
    });
    let mut worker =
        Worker::open(connected, &ModelConfig::new("any"), None, NONCE, Watch::new()).unwrap();
    let error = worker.generate(&request()).unwrap_err();
    let Error::WorkerCrashed { lines, .. } = &error else { panic!("{error:?}") };
    assert!(lines.len() <= lines::KEPT + 1, "{}", lines.len());
    assert_eq!(lines[0], "not fine", "{lines:?}");
    // The last may have been cut off by the end of the stream.
    let flood = &lines[1..lines.len() - 1];
    assert!(flood.len() > 1 && flood.iter().all(|line| line == "no end of this"), "{lines:?}");
}

#[test]
fn a_greeting_is_waited_for_once_however_much_is_said_before() {
    let open = |message: FromWorker| {
        let start = Instant::now();
        let connected = connected(&impatient(), move |_input, mut output, _stderr| {
            // Until the host has had enough.
            while output.write_all(&frame_of(&message)).is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let opened = Worker::open(connected, &ModelConfig::new("any"), None, NONCE, Watch::new());
        (opened.unwrap_err().to_string(), start.elapsed())
    };
    let log = FromWorker::Log { level: 3, target: "sdcpp".to_owned(), text: "wait".to_owned() };
    for message in [log, FromWorker::Alive] {
        let (error, took) = open(message);
        assert!(error.contains("did not greet within 300ms"), "{error}");
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
    let (error, _) = open(FromWorker::Progress(Progress::Loading { tensors: 1, total: 2 }));
    assert!(error.contains("did not greet first"), "{error}");
}

#[test]
fn streams_end_whoever_holds_the_other_ends() {
    let (sender, held) = std::sync::mpsc::channel();
    let connected = connected(&impatient(), move |input, output, stderr| {
        // As a program does that the worker started and left behind.
        let ends = (input.try_clone(), output.try_clone(), stderr.try_clone());
        sender.send((ends.0.unwrap(), ends.1.unwrap(), ends.2.unwrap())).unwrap();
        plays(Vec::new())(input, output, stderr);
    });
    let lines = connected.lines.clone();
    let worker =
        Worker::open(connected, &ModelConfig::new("any"), None, NONCE, Watch::new()).unwrap();
    let (mut input, mut output, mut stderr) = held.recv().unwrap();
    drop(worker);
    assert_eq!(io::copy(&mut input, &mut io::sink()).unwrap(), 0, "nothing more comes");
    assert!(output.write_all(b"x").is_err() && stderr.write_all(b"x").is_err());
    let start = Instant::now();
    while lines.readers() > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "a thread still reads");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_worker_that_crashed_is_not_called_silent() {
    // Something that it started holds its streams, and left its group.
    let mut connected = connected(&impatient(), plays(Vec::new()));
    let mut command = Command::new("sh");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let crashed = command.args(["-c", "ulimit -c 0; kill -SEGV $$"]).spawn().unwrap();
    connected.process = process::Process::new(crashed);
    let mut worker =
        Worker::open(connected, &ModelConfig::new("any"), None, NONCE, Watch::new()).unwrap();
    let error = worker.generate(&request()).unwrap_err();
    let Error::WorkerCrashed { signal: Some(11), reason, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(reason.starts_with("was killed by signal 11"), "{reason}");
}

#[test]
fn texts_of_errors_and_warnings_are_bounded_and_escaped() {
    let report = crate::EngineReport {
        message: "red \x1b[31m\nforged".to_owned(),
        lines: vec!["one\ntwo".to_owned(), "x".repeat(10_000)],
    };
    let error = Error::Sampling { report: Box::new(report) };
    let failed = FromWorker::Failed { error: error.into(), usable: false };
    let failed = answered(frame_of(&failed)).unwrap_err();
    let Error::Sampling { report } = failed else { panic!("{failed:?}") };
    assert_eq!(report.message, "red \\u{1b}[31m\\nforged");
    assert_eq!((report.lines.len(), &report.lines[..2]), (3, &["one".into(), "two".into()][..]));
    assert_eq!(report.lines[2].chars().count(), 4097);
    let mut warned = drawn();
    if let FromWorker::Drawn(drawn) = &mut warned {
        drawn.warnings = vec![wire::WireWarning(crate::Warning::Engine("\x1b]0;x".to_owned()))];
    }
    let made = answered([picture(64, 64, 3), frame_of(&warned)].concat()).unwrap();
    assert_eq!(made.warnings, [crate::Warning::Engine("\\u{1b}]0;x".to_owned())]);
}
