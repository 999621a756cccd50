//! Memory that runs out, at every place where the engine asks for much: what it becomes, and whether the
//! context can be used again.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

#[path = "common/allocator.rs"]
mod allocator;

use common::{demo_config, demo_request, quick_request, test_picture, unet_config, unet_request};
use sdcpp::{
    CancelToken, Context, Error, Generated, ImageRequest, ModelConfig, Progress, Result, Stage,
    VaeTiling, Warning, Watch,
};
use sdcpp_test_support::{UNet, UNetFamily};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

fn open(config: &ModelConfig) -> Result<Context> {
    Context::open(&allocator::watched_engine(), config, Watch::new())
}

/// The allocator's settings are the process's: one test at a time, and the settings end with it.
struct Alone(#[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Alone {
    fn new() -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let alone = Self(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
        if allocator::GRAPH.load(Relaxed) == 0 {
            // Everything else of so small a picture is smaller.
            let request = quick_request("x").steps(1);
            let mut context = open(&demo_config()).unwrap();
            let largest = largest_of(&mut context, &request, Stage::Sampling);
            allocator::GRAPH.store(largest, Relaxed);
        }
        alone
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        memory_is_back();
    }
}

fn memory_is_back() {
    allocator::LIMIT.store(usize::MAX, Relaxed);
    allocator::FAILING.store(-1, Relaxed);
}

fn begins(stage: Stage, progress: &Progress) -> bool {
    match progress {
        Progress::Encoding { .. } => matches!(stage, Stage::TextEncoding | Stage::VaeEncoding),
        Progress::Sampling { .. } => stage == Stage::Sampling,
        Progress::Decoding { .. } => stage == Stage::VaeDecoding,
        _ => false,
    }
}

/// The largest allocation of a stage of a picture.
fn largest_of(context: &mut Context, request: &ImageRequest, stage: Stage) -> usize {
    let (mut begun, mut largest) = (false, 0);
    let watch = Watch::new().on_progress(|progress| {
        let inside = begins(stage, &progress);
        if begun {
            largest = largest.max(allocator::LARGEST.swap(0, Relaxed));
        } else {
            allocator::LARGEST.store(0, Relaxed);
        }
        begun = inside;
        ControlFlow::Continue(())
    });
    context.generate_with(request, watch).unwrap();
    if begun {
        largest = largest.max(allocator::LARGEST.load(Relaxed));
    }
    assert!(largest > allocator::LARGE, "{stage:?} allocates {largest} bytes at most");
    largest
}

/// Draws, with so much memory at once from the beginning of a stage on.
fn draw_with_less(
    context: &mut Context,
    request: &ImageRequest,
    stage: Stage,
    limit: usize,
) -> Result<Generated> {
    let watch = Watch::new().on_progress(move |progress| {
        if begins(stage, &progress) {
            allocator::LIMIT.store(limit, Relaxed);
        }
        ControlFlow::Continue(())
    });
    let drawn = context.generate_with(request, watch);
    memory_is_back();
    drawn
}

fn pixels(generated: &Generated) -> Vec<u8> {
    generated.images[0].as_bytes().to_vec()
}

#[test]
fn each_stage_says_where_memory_ran_out() {
    let _alone = Alone::new();
    let text = demo_request("a red circle").size(256, 256).steps(1);
    let redrawn = text.clone().init_image(test_picture(256, 256));
    for (stage, request, poisons, advice) in [
        (Stage::Sampling, &text, false, "flash attention"),
        (Stage::VaeDecoding, &text, false, "vae_tiling or vae_tiling_fallback"),
        // The fallback is for decoding alone.
        (Stage::VaeEncoding, &redrawn, false, "turn vae_tiling on, or use a smaller size"),
        // The engine does not go on without a prompt: an assertion.
        (Stage::TextEncoding, &text, true, "the backend te=cpu"),
    ] {
        let mut context = open(&demo_config()).unwrap();
        let expected = pixels(&context.generate(request).unwrap());
        let largest = largest_of(&mut context, request, stage);
        let error = draw_with_less(&mut context, request, stage, largest).unwrap_err();
        println!("{stage:?}, {largest} bytes: {error}; {}", error.advice().unwrap());
        match &error {
            Error::OutOfMemory { stage: said, .. } => assert_eq!(*said, stage, "{error:?}"),
            other => panic!("{stage:?}: {other:?}"),
        }
        let advised = error.advice().unwrap();
        assert!(advised.contains(advice), "{stage:?}: {advised}");
        assert_eq!(context.is_poisoned(), poisons, "{stage:?}");
        if !poisons {
            let again = pixels(&context.generate(request).unwrap());
            assert!(again == expected, "another picture after {stage:?}");
        }
    }
}

/// The engine reads the weights of a part when it first needs it.
#[test]
fn weights_that_find_no_room_are_of_loading() {
    let _alone = Alone::new();
    let request = quick_request("a red circle").steps(1);
    let expected = pixels(&open(&demo_config()).unwrap().generate(&request).unwrap());
    for (first_needed, poisons) in [(Stage::TextEncoding, true), (Stage::Sampling, false)] {
        let mut context = open(&demo_config().mmap(false)).unwrap();
        // Less than any part weighs.
        let error = draw_with_less(&mut context, &request, first_needed, 1 << 20).unwrap_err();
        let loading = matches!(error, Error::OutOfMemory { stage: Stage::Loading, .. });
        assert!(loading, "{first_needed:?}: {error:?}");
        assert!(error.advice().unwrap().contains("quantisation"), "{error:?}");
        assert_eq!(context.is_poisoned(), poisons, "{first_needed:?}");
        if !poisons {
            assert!(pixels(&context.generate(&request).unwrap()) == expected);
        }
    }
}

#[test]
fn a_picture_is_decoded_again_in_tiles() {
    let _alone = Alone::new();
    let mut context = open(&demo_config()).unwrap();
    // More than one tile, of 32 latents or 256 pixels.
    let request = demo_request("a red circle").size(512, 320).steps(1);
    let in_tiles = context.generate(&request.clone().vae_tiling(VaeTiling::default())).unwrap();
    let whole = context.generate(&request).unwrap();
    assert!(pixels(&in_tiles) != pixels(&whole));
    let allowed = request.clone().vae_tiling_fallback(true);
    let untouched = context.generate(&allowed).unwrap();
    assert!(pixels(&untouched) == pixels(&whole) && untouched.warnings.is_empty());

    let largest = largest_of(&mut context, &request, Stage::VaeDecoding);
    let again = draw_with_less(&mut context, &allowed, Stage::VaeDecoding, largest).unwrap();
    assert_eq!(again.warnings, [Warning::DecodedInTiles]);
    assert!(pixels(&again) == pixels(&in_tiles), "not as in tiles");
    assert_eq!(again.images[0].parameters(), in_tiles.images[0].parameters());

    // Not without being asked, and not for ever.
    for (request, limit) in [(&request, largest), (&allowed, allocator::LARGE)] {
        let error = draw_with_less(&mut context, request, Stage::VaeDecoding, limit).unwrap_err();
        let decoding = matches!(error, Error::OutOfMemory { stage: Stage::VaeDecoding, .. });
        assert!(decoding, "{error:?}");
        if context.is_poisoned() {
            context = open(&demo_config()).unwrap();
        }
    }
    assert!(pixels(&context.generate(&request).unwrap()) == pixels(&whole));
}

/// A stop while decoding in tiles is a stop, and one while decoding in one piece is no lack of memory.
#[test]
fn a_stopped_picture_is_not_decoded_again() {
    let _alone = Alone::new();
    let mut context = open(&demo_config()).unwrap();
    let request = demo_request("a red circle").size(512, 320).steps(1).vae_tiling_fallback(true);
    let whole = context.generate(&request).unwrap();
    let token = CancelToken::new();
    let remote = token.clone();
    let (half, mut events) = (whole.timings.decoding / 2, 0);
    let watch = Watch::new().cancel_with(token).on_progress(|progress| {
        if matches!(progress, Progress::Decoding { .. }) {
            events += 1;
            let remote = remote.clone();
            std::thread::spawn(move || {
                std::thread::sleep(half);
                remote.cancel();
            });
        }
        ControlFlow::Continue(())
    });
    let error = context.generate_with(&request, watch).unwrap_err();
    assert!(matches!(error, Error::Cancelled { stage: Stage::VaeDecoding }), "{error:?}");
    assert_eq!(events, 1, "tiles were begun");
    assert!(pixels(&context.generate(&request).unwrap()) == pixels(&whole));
}

/// Whatever allocation fails, the process lives, the error is about memory, and the context is usable or
/// says that it is not.
#[test]
fn every_large_allocation_fails_once() {
    let _alone = Alone::new();
    let request = quick_request("a red circle").steps(1).init_image(test_picture(64, 64));
    let expected = pixels(&open(&demo_config()).unwrap().generate(&request).unwrap());
    let mut came = BTreeMap::new();
    for failing in 0.. {
        allocator::FAILING.store(failing, Relaxed);
        let mut context = None;
        let drawn =
            open(&demo_config()).and_then(|opened| context.insert(opened).generate(&request));
        let all_done = allocator::FAILING.load(Relaxed) >= 0;
        memory_is_back();
        match drawn {
            Ok(drawn) => assert!(pixels(&drawn) == expected, "another picture without {failing}"),
            Err(Error::OutOfMemory { stage, .. }) => *came.entry(stage.name()).or_insert(0) += 1,
            Err(other) => panic!("{failing}: {other:?}"),
        }
        if all_done {
            break;
        }
        if let Some(context) = &mut context {
            match context.generate(&request) {
                Ok(again) => assert!(pixels(&again) == expected, "another picture after {failing}"),
                Err(Error::Poisoned { .. }) => assert!(context.is_poisoned()),
                Err(other) => panic!("after {failing}: {other:?}"),
            }
        }
    }
    println!("{came:?}");
    for stage in [Stage::Loading, Stage::TextEncoding, Stage::Sampling, Stage::VaeDecoding] {
        assert!(came.contains_key(stage.name()), "never while {stage}: {came:?}");
    }
}

/// Fails the large allocations of a stage one after the other, and says how many there are. No picture
/// comes out different, and every failure is one of memory.
fn fail_each(config: &ModelConfig, request: &ImageRequest, stage: Stage) -> i32 {
    let mut context = open(config).unwrap();
    let expected = pixels(&context.generate(request).unwrap());
    for failing in 0.. {
        let watch = Watch::new().on_progress(move |progress| {
            if begins(stage, &progress) {
                allocator::FAILING.store(failing, Relaxed);
            }
            ControlFlow::Continue(())
        });
        let drawn = context.generate_with(request, watch);
        let all_done = allocator::FAILING.load(Relaxed) >= 0;
        memory_is_back();
        match drawn {
            Ok(drawn) => assert!(pixels(&drawn) == expected, "another picture without {failing}"),
            Err(Error::OutOfMemory { .. }) => {}
            Err(other) => panic!("{failing}: {other:?}"),
        }
        if context.is_poisoned() {
            context = open(config).unwrap();
        }
        assert!(pixels(&context.generate(request).unwrap()) == expected, "after {failing}");
        if all_done {
            return failing;
        }
    }
    unreachable!("the allocations come to an end")
}

/// The engine would draw without the control picture, and say nothing.
#[test]
fn a_control_net_is_not_left_out() {
    let _alone = Alone::new();
    let config = unet_config(UNet { family: UNetFamily::Sd1, width: 320 })
        .control_net(sdcpp_test_support::control_net().unwrap());
    let request = unet_request().steps(1).cfg_scale(1.0).control_image(test_picture(64, 64));
    let failures = fail_each(&config, &request, Stage::Sampling);
    assert!(failures > 4, "{failures} allocations");
}

/// At a size at which pixels are much.
#[test]
fn pixels_that_find_no_room_are_out_of_memory() {
    let _alone = Alone::new();
    let request = demo_request("a red circle").size(224, 224).steps(1);
    let failures = fail_each(&demo_config(), &request, Stage::VaeDecoding);
    assert!(failures > 3, "{failures} allocations");
}

/// In a process of its own, which may not have more than another gigabyte.
#[test]
fn an_absurd_size_is_out_of_memory() {
    if !common::alone("an_absurd_size_is_out_of_memory") {
        return;
    }
    // The check before would refuse it.
    let mut context = Context::new(demo_config().memory_check(false)).unwrap();
    let request = quick_request("a red circle").steps(1);
    let expected = pixels(&context.generate(&request).unwrap());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let bytes: u64 = size.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024;
    let limit = libc::rlimit { rlim_cur: bytes + (1 << 30), rlim_max: libc::RLIM_INFINITY };
    // SAFETY: sets a limit of this process from a value that lives.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let error = context.generate(&request.clone().size(4096, 4096)).unwrap_err();
    println!("{error}; {}", error.advice().unwrap());
    assert!(matches!(error, Error::OutOfMemory { stage: Stage::Sampling, .. }), "{error:?}");
    assert!(error.advice().unwrap().contains("smaller size"));
    assert!(!context.is_poisoned());
    assert!(pixels(&context.generate(&request).unwrap()) == expected);
}
