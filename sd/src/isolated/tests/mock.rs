//! The real worker's side with a mock engine.

use super::*;
use crate::{
    CancelToken, Context, Error, ImageRequest, Progress, Sampling, Stage, VideoRequest, Watch, mock,
};
use std::{ops::ControlFlow, sync::Mutex};

fn opened() -> Worker {
    mocked(&WorkerOptions::default(), &ModelConfig::new("any"), Watch::new()).unwrap()
}

fn direct() -> Context {
    Context::open(&mock::engine(), ModelConfig::new("any"), Watch::new()).unwrap()
}

fn request() -> ImageRequest {
    ImageRequest::new("a cat").size(64, 48).seed(5).steps(3)
}

fn failing(fault: &str) -> ImageRequest {
    request().extra_sample_args(mock::fault(fault))
}

#[test]
fn pictures_and_events_are_those_of_a_context() {
    let (mut worker, mut context) = (opened(), direct());
    for request in [request().batch(3), failing("four-channels"), failing("one-channel")] {
        let events = Mutex::new(Vec::new());
        let watch = || {
            Watch::new().on_progress(|event| {
                events.lock().unwrap().push(event);
                ControlFlow::Continue(())
            })
        };
        let there = worker.generate_with(&request, watch()).unwrap();
        let told = std::mem::take(&mut *events.lock().unwrap());
        let here = context.generate_with(&request, watch()).unwrap();
        assert_eq!(told, *events.lock().unwrap());
        assert_eq!(there.images.len(), here.images.len());
        for (there, here) in there.images.iter().zip(&here.images) {
            assert_eq!(there.as_bytes(), here.as_bytes());
            assert_eq!((there.seed(), there.parameters()), (here.seed(), here.parameters()));
            assert_eq!(there.to_png().unwrap(), here.to_png().unwrap());
        }
        assert_eq!((there.seeds, there.warnings), (here.seeds, here.warnings));
        assert_eq!((there.width, there.height), (here.width, here.height));
    }
}

/// The engine of the worker counts the cores: the mock's has one, whatever this machine has.
#[test]
fn one_of_a_pool_has_its_share_by_the_workers_engine() {
    let opened = |models, config: ModelConfig| {
        let options = WorkerOptions::default();
        let worker = mocked_for(models, &options, &config, Watch::new()).unwrap();
        (worker.config().threads, worker.config().mmap)
    };
    let config = || ModelConfig::new("any");
    assert_eq!(opened(Some(1), config()), (Some(1), Some(true)));
    assert_eq!(opened(Some(3), config()), (Some(1), Some(true)));
    assert_eq!(opened(Some(2), config().threads(2).mmap(false)), (Some(2), Some(false)));
    assert_eq!(opened(None, config()), (None, None));
    assert_eq!(opened(None, config().threads(2)), (Some(2), None));
}

#[test]
fn failures_are_those_of_a_context_and_poison_the_same() {
    for fault in mock::FAULTS {
        let (mut worker, mut context) = (opened(), direct());
        let there = worker.generate(&failing(fault)).map(|_| ());
        let here = context.generate(&failing(fault)).map(|_| ());
        assert_eq!(format!("{there:?}"), format!("{here:?}"), "{fault}");
        assert_eq!(worker.is_usable(), !context.is_poisoned(), "{fault}");
        let there = worker.generate(&request()).map(|_| ());
        let here = context.generate(&request()).map(|_| ());
        assert_eq!(format!("{there:?}"), format!("{here:?}"), "after {fault}");
    }
    let mut worker = opened();
    let wrong = worker.generate(&request().batch(0)).unwrap_err().to_string();
    assert!(wrong.starts_with("batch is 0"), "{wrong}");
    let video = worker.generate_video(&VideoRequest::new("x").size(64, 64).frames(5)).unwrap_err();
    assert!(matches!(video, Error::Unsupported { .. }), "{video:?}");
    let config = ModelConfig::new("any").backend("nowhere");
    let error = mocked(&WorkerOptions::default(), &config, Watch::new()).unwrap_err();
    assert!(matches!(error, Error::ModelLoad { .. }), "{error:?}");
    let path = std::path::PathBuf::from("/models/\u{fffd}");
    #[cfg(unix)]
    let path = {
        use std::os::unix::ffi::OsStringExt;
        path.with_file_name(std::ffi::OsString::from_vec(vec![0xff]))
    };
    let error =
        mocked(&WorkerOptions::default(), &ModelConfig::new(path), Watch::new()).unwrap_err();
    assert!(error.to_string().contains("Unicode paths"), "{error}");
}

/// A request whose steps take longer to tell than the test waits.
fn long() -> ImageRequest {
    let sampling = Sampling { steps: crate::MAX_STEPS, ..Sampling::default() };
    ImageRequest { sampling, ..request().batch(crate::MAX_BATCH) }
}

#[test]
fn it_is_stopped_as_a_context_is() {
    let mut worker = opened();
    let at = |stop: u32| move |p: &Progress| matches!(p, Progress::Sampling { step, .. } if *step == stop);
    let breaks = Watch::new().on_progress(move |progress| {
        if at(2)(&progress) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let error = worker.generate_with(&long(), breaks).unwrap_err();
    assert!(matches!(error, Error::Cancelled { stage: Stage::Sampling }), "{error:?}");

    let token = CancelToken::new();
    let remote = token.clone();
    let tells = Watch::new().cancel_with(token).on_progress(move |progress| {
        if at(1)(&progress) {
            remote.cancel();
        }
        ControlFlow::Continue(())
    });
    let error = worker.generate_with(&long(), tells).unwrap_err();
    assert!(matches!(error, Error::Cancelled { stage: Stage::Sampling }), "{error:?}");

    let limit = Duration::from_millis(30);
    let error = worker.generate_with(&long(), Watch::new().time_limit(limit)).unwrap_err();
    let expected = matches!(&error, Error::DeadlineExceeded { limit: told, .. } if *told == limit);
    assert!(expected, "{error:?}");

    let mut calls = 0;
    let panics = Watch::new().on_progress(|_| {
        calls += 1;
        panic!("on purpose")
    });
    let error = worker.generate_with(&long(), panics).unwrap_err();
    assert_eq!(error.to_string(), "the progress callback panicked: on purpose");
    assert_eq!(calls, 1);
    assert!(worker.is_usable());
    assert!(worker.generate(&request()).is_ok());
}

#[test]
fn a_grace_without_end_kills_nobody() {
    let options = WorkerOptions::default().grace(Duration::MAX);
    let mut worker = mocked(&options, &ModelConfig::new("any"), Watch::new()).unwrap();
    let limit = Watch::new().time_limit(Duration::from_millis(30));
    let error = worker.generate_with(&long(), limit).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert!(worker.generate(&request()).is_ok());
}

#[test]
fn a_request_that_cannot_be_read_is_answered() {
    let (mut host, input) = UnixStream::pair().unwrap();
    let (mut answers, output) = UnixStream::pair().unwrap();
    let server = Server::new(output);
    let serving = thread::spawn(move || {
        server.serve(|| Ok(crate::mock::engine()), input, NONCE, || {}).unwrap();
    });
    let mut send = |payload: &[u8]| {
        let length = (payload.len() as u32).to_le_bytes();
        host.write_all(&[&length[..], &[1], payload].concat()).unwrap();
    };
    send(b"\xa7Nothing");
    send(&[0xc1]);
    host.shutdown(std::net::Shutdown::Write).unwrap();
    let mut next = || frame::read_message::<FromWorker>(&mut answers, MAX_MESSAGE).unwrap();
    assert!(matches!(next(), FromWorker::Hello { .. }));
    for _ in 0..2 {
        let FromWorker::Failed { error, usable: false } = next() else { panic!("no failure") };
        let told = Error::from(error).to_string();
        assert!(told.starts_with("request is no known message"), "{told}");
    }
    serving.join().unwrap();
}

#[test]
fn opening_can_be_cancelled_and_limited() {
    let open =
        |watch| mocked(&WorkerOptions::default(), &ModelConfig::new("any"), watch).unwrap_err();
    let token = CancelToken::new();
    token.cancel();
    let error = open(Watch::new().cancel_with(token));
    assert!(matches!(error, Error::Cancelled { stage: Stage::Opening }), "{error:?}");
    let error = open(Watch::new().time_limit(Duration::ZERO));
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
}

#[test]
fn a_slow_host_is_waited_for_and_not_taken_for_a_silent_worker() {
    let options = WorkerOptions::default().heartbeat_timeout(Duration::from_millis(1500));
    let mut worker = mocked(&options, &ModelConfig::new("any"), Watch::new()).unwrap();
    let mut slept = false;
    let slow = Watch::new().on_progress(|_| {
        if !std::mem::replace(&mut slept, true) {
            thread::sleep(Duration::from_secs(2));
        }
        ControlFlow::Continue(())
    });
    assert!(worker.generate_with(&request().steps(200), slow).is_ok());
}

#[test]
fn log_lines_wait_without_bound_neither_in_time_nor_in_memory() {
    let (mut reader, writer) = io::pipe().unwrap();
    let outbox = super::outbox::Outbox::new(writer);
    for number in 0..1000 {
        outbox.log(3, "sdcpp::engine".to_owned(), number.to_string());
    }
    outbox.send(&FromWorker::Alive).unwrap();
    let mut lines = Vec::new();
    while let FromWorker::Log { text, .. } = frame::read_message(&mut reader, MAX_MESSAGE).unwrap()
    {
        lines.push(text);
    }
    assert_eq!(lines.len(), 257);
    assert_eq!((lines[0].as_str(), lines[255].as_str()), ("0", "255"));
    assert!(lines[256].starts_with("744 log lines were dropped"), "{}", lines[256]);
}
