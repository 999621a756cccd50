//! Workers draw and tell what a context does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/workers.rs"]
mod workers;

use common::{Log, demo, demo_config, demo_request, quick_request};
use sdcpp::{
    CancelToken, Error, Generated, ModelConfig, Preview, PreviewKind, PreviewOptions, Progress,
    Stage, Watch,
    isolated::{Worker, WorkerOptions},
};
use std::{
    ops::ControlFlow,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use workers::{at_first_step, command, worker};

#[test]
fn a_worker_draws_the_same_and_tells_the_same() {
    let request = quick_request("a red circle").batch(2);
    let (mut worker, mut context) = (worker(), demo());
    assert_eq!(worker.family(), context.family());
    assert!(worker.makes_images() && !worker.makes_video());
    let told = Mutex::new((Vec::new(), Vec::new()));
    let watch = || {
        Watch::new()
            .on_progress(|event| {
                let untimed = match event {
                    Progress::Sampling { step, steps, image, images, .. } => {
                        let step_time = Duration::ZERO;
                        Progress::Sampling { step, steps, image, images, step_time }
                    }
                    // The reader of weights tells in intervals of time.
                    Progress::Loading { .. } => return ControlFlow::Continue(()),
                    other => other,
                };
                told.lock().unwrap().0.push(untimed);
                ControlFlow::Continue(())
            })
            .on_preview(PreviewOptions::new(PreviewKind::Taesd), |preview: Preview| {
                told.lock().unwrap().1.push(preview);
            })
    };
    for round in 0..2 {
        let drawn = worker.generate_with(&request, watch()).unwrap();
        let there = std::mem::take(&mut *told.lock().unwrap());
        let expected = context.generate_with(&request, watch()).unwrap();
        let here = std::mem::take(&mut *told.lock().unwrap());
        assert_eq!(there.0, here.0, "round {round}");
        assert!(there.1 == here.1 && there.1.len() >= 4, "{} previews", there.1.len());
        for (drawn, expected) in drawn.images.iter().zip(&expected.images) {
            assert_eq!(drawn.as_bytes(), expected.as_bytes());
            assert_eq!(drawn.to_png().unwrap(), expected.to_png().unwrap());
        }
        assert_eq!((drawn.images.len(), drawn.seeds), (2, expected.seeds));
        assert_eq!(drawn.warnings, expected.warnings);
        assert!(
            drawn.timings.sampling > Duration::ZERO
                && drawn.timings.total < drawn.timings.sampling * 50
        );
    }
}

#[test]
fn videos_and_pictures_from_pictures_are_the_same() {
    let request = sdcpp::VideoRequest::new("waves").size(64, 64).frames(5).steps(1).seed(3);
    let request = request.cfg_scale(1.0);
    let config = common::transformers::wan(sdcpp_test_support::Wan::T2v1_3B);
    let mut worker =
        Worker::start(&command(), &config, &WorkerOptions::default(), Watch::new()).unwrap();
    assert!(worker.makes_video());
    let there = worker.generate_video(&request).unwrap();
    let here = sdcpp::Context::new(&config).unwrap().generate_video(&request).unwrap();
    assert_eq!((there.frames.len(), there.fps, there.seed), (here.frames.len(), 16, 3));
    for (there, here) in there.frames.iter().zip(&here.frames) {
        assert_eq!(there.as_bytes(), here.as_bytes());
    }

    let edit = quick_request("a red circle")
        .init_image(common::test_picture(100, 80))
        .mask(common::test_mask(100, 80));
    let there = workers::worker().generate(&edit).unwrap();
    let here = demo().generate(&edit).unwrap();
    assert_eq!(there.images[0].as_bytes(), here.images[0].as_bytes());
}

#[test]
fn stopped_in_every_way_it_draws_the_same_again() {
    let request = quick_request("a red circle");
    let long = quick_request("a red circle").steps(1000);
    let mut worker = worker();
    let expected = worker.generate(&request).unwrap();
    let token = CancelToken::new();
    let cancels = at_first_step(|| token.cancel()).cancel_with(token.clone());
    let breaks = Watch::new().on_progress(|progress| match progress {
        Progress::Sampling { step: 3, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    for watch in [cancels, breaks] {
        let error = worker.generate_with(&long, watch).unwrap_err();
        assert!(matches!(error, Error::Cancelled { stage: Stage::Sampling }), "{error:?}");
        assert!(worker.is_usable());
    }
    let limit = Duration::from_millis(300);
    let start = Instant::now();
    let error = worker.generate_with(&long, Watch::new().time_limit(limit)).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
    let panics = Watch::new().on_progress(|progress| match progress {
        Progress::Sampling { step: 1, .. } => panic!("on purpose"),
        _ => ControlFlow::Continue(()),
    });
    let error = worker.generate_with(&long, panics).unwrap_err();
    assert!(matches!(&error, Error::CallbackPanicked { message } if message == "on purpose"));
    let again = worker.generate(&request).unwrap();
    assert_eq!(again.images[0].as_bytes(), expected.images[0].as_bytes());
}

#[test]
fn failures_are_told_as_if_they_were_here() {
    let start = |config: ModelConfig| {
        Worker::start(&command(), config, &WorkerOptions::default(), Watch::new()).unwrap_err()
    };
    let error = start(ModelConfig::new("/no/such.gguf"));
    assert!(matches!(&error, Error::FileNotFound { path, .. } if path.ends_with("such.gguf")));
    let error = start(demo_config().threads(0));
    assert_eq!(error.to_string(), demo_config().threads(0).check().unwrap_err().to_string());
    let mut worker = worker();
    let wrong = quick_request("x").lora(sdcpp::Lora::new("/no/lora.gguf"));
    let error = worker.generate(&wrong).unwrap_err();
    assert_eq!(error.to_string(), demo().generate(&wrong).unwrap_err().to_string());
    assert!(worker.is_usable() && worker.generate(&quick_request("x")).is_ok());
}

#[test]
fn workers_draw_side_by_side() {
    let expected = demo().generate(&quick_request("a red circle")).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let drawn = worker().generate(&quick_request("a red circle")).unwrap();
                assert_eq!(drawn.images[0].as_bytes(), expected.images[0].as_bytes());
            });
        }
    });
}

#[test]
fn log_lines_come_to_the_callers_subscriber() {
    let log = Log::default();
    tracing::subscriber::with_default(log.subscriber(), || {
        let span = tracing::info_span!("drawing");
        span.in_scope(|| worker().generate(&quick_request("a red circle")).unwrap());
    });
    let text = log.text();
    assert!(text.contains("sdcpp::engine"), "{text}");
    assert!(text.contains("drawing") && text.contains("sampling completed"), "{text}");
    assert!(text.contains("DEBUG") && text.contains("context created"), "{text}");
}

#[test]
fn a_memory_limit_makes_typed_errors_and_a_worker_goes_on() {
    // Without the check before, which would refuse what does not fit.
    let config = demo_config().memory_check(false);
    let options = WorkerOptions::default().memory_limit(800 << 20);
    let mut worker = Worker::start(&command(), config, &options, Watch::new()).unwrap();
    let request = quick_request("a red circle");
    let expected = demo().generate(&request).unwrap();
    let draws = |worker: &mut Worker| {
        let drawn = worker.generate(&request).unwrap();
        assert_eq!(drawn.images[0].as_bytes(), expected.images[0].as_bytes());
    };
    draws(&mut worker);
    let size = |side: u32| demo_request("a red circle").size(side, side).steps(1);
    let error = worker.generate(&size(512)).unwrap_err();
    let decoding = matches!(error, Error::OutOfMemory { stage: Stage::VaeDecoding, .. });
    assert!(decoding, "{error:?}");
    draws(&mut worker);
    let error = worker.generate(&size(2048)).unwrap_err();
    let sampling = matches!(error, Error::OutOfMemory { stage: Stage::Sampling, .. });
    assert!(sampling, "{error:?}");
    draws(&mut worker);
}

/// Time per picture in process and in a worker, in turns. Printed, not judged: for
/// `cargo test --release --test isolated -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn overhead() {
    let (mut context, mut worker) = (demo(), worker());
    let demo = demo_request("a red circle");
    let cases = [
        ("64x64, 1 step", quick_request("a red circle").steps(1), 41),
        ("128x128, 12 steps", demo.clone(), 21),
        ("256x256, 8 steps", demo.clone().size(256, 256).steps(8), 9),
    ];
    for (name, request, rounds) in cases {
        // Of each: the whole time, and the part of it that was not the engine's.
        let mut times: [Vec<(f64, f64)>; 2] = Default::default();
        let mut time = |of: usize, draw: &mut dyn FnMut() -> sdcpp::Result<Generated>| {
            let start = Instant::now();
            let engine = draw().unwrap().timings.total;
            let whole = start.elapsed();
            let around = whole.saturating_sub(engine);
            times[of].push((whole.as_secs_f64() * 1e3, around.as_secs_f64() * 1e3));
        };
        for _ in 0..=rounds {
            time(0, &mut || context.generate(&request));
            time(1, &mut || worker.generate(&request));
        }
        let median = |mut of: Vec<f64>| {
            of.sort_by(f64::total_cmp);
            of[of.len() / 2]
        };
        let [here, there] = times.map(|all| {
            // At first weights are read, or memory is taken for the size.
            let (whole, around): (Vec<_>, Vec<_>) = all.into_iter().skip(1).unzip();
            // The least, for other programs only ever add to it.
            (whole.into_iter().fold(f64::INFINITY, f64::min), median(around))
        });
        println!(
            "{name}: {:.2} ms here, {:.2} ms in a worker, ratio {:.4}; around the engine {:.2} ms \
             here, {:.2} ms with a worker (the least, and the median, of {rounds})",
            here.0,
            there.0,
            there.0 / here.0,
            here.1,
            there.1
        );
    }
}
