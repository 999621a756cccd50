//! Pictures on Vulkan, by an engine library that is opened at run time. The device is Mesa's software driver,
//! which every machine can have; it is as slow as a processor is, so that the pictures are small.
//!
//! The script that users build the library with builds it here too, and what is missing for that is installed.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;
#[path = "common/engine_library.rs"]
mod engine_library;

use common::{Log, demo_config, quick_request};
use sdcpp::{
    Backend, CancelToken, Context, DeviceKind, Engine, Error, ModelConfig, Progress, Stage, Watch,
};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// The library, and Mesa's software driver as the variables that make it the only one. Both are installed or
/// built if they are not there, once: a system's package manager runs once at a time.
static PREPARED: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(|| {
    let mut script = Command::new("bash");
    script.args(["-c", ". scripts/prerequisites.sh && need_vulkan_device"]);
    let output = script.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let drivers = std::fs::read_dir("/usr/share/vulkan/icd.d").unwrap();
    let mut drivers = drivers.map(|entry| entry.unwrap().path());
    let driver = drivers.find(|path| path.to_string_lossy().contains("/lvp_icd")).unwrap();
    (engine_library::folder("vulkan"), driver)
});

/// Whether this is the process that a test of this name has to itself, in which the software driver is the
/// only one, and the library is found. If not, runs the test in one.
fn with_device(test: &str, prepare: impl FnOnce(&mut Command)) -> bool {
    common::alone_with(test, |process| {
        let (library, driver) = &*PREPARED;
        // The second is what the first was called before.
        process.env("VK_DRIVER_FILES", driver).env("VK_ICD_FILENAMES", driver);
        // A processor is left out where it is not asked for.
        process.env("GGML_VK_VISIBLE_DEVICES", "0").env_remove("GGML_VK_DISABLE_F16");
        process.env("SDCPP_LIBRARY", library);
        prepare(process);
    })
}

/// With 32-bit numbers, which this driver is faster with.
fn whole_precision(process: &mut Command) {
    process.env("GGML_VK_DISABLE_F16", "1");
}

fn open(engine: &Engine, config: ModelConfig) -> Context {
    Context::open(engine, config, Watch::new()).unwrap()
}

/// The pixels of a small picture, and what the engine said meanwhile.
fn draw(engine: &Engine, placement: &str, prompt: &str) -> (Vec<u8>, String) {
    let log = Log::default();
    let generated = tracing::subscriber::with_default(log.subscriber(), || {
        open(engine, demo_config().backend(placement)).generate(&quick_request(prompt)).unwrap()
    });
    (generated.images[0].as_bytes().to_vec(), log.text())
}

/// How far two pictures are apart, in steps of 255.
#[derive(Debug, Clone, Copy)]
struct Difference {
    mean: f64,
    max: u8,
}

impl Difference {
    fn of(one: &[u8], other: &[u8]) -> Self {
        assert_eq!(one.len(), other.len());
        let each = || one.iter().zip(other).map(|(one, other)| one.abs_diff(*other));
        let sum: f64 = each().map(f64::from).sum();
        Self { mean: sum / one.len() as f64, max: each().max().unwrap() }
    }
}

/// Draws by each placement what the processor draws, within what docs/backends.md says. A placement comes
/// with the parts that are computed on the device, by the engine's names in order.
fn compare(placements: &[(&str, &[&str])]) {
    let engine = Backend::Vulkan.engine().unwrap();
    let prompt = "a red circle";
    let (expected, _) = draw(&engine, "cpu", prompt);
    let (linked, _) = draw(&Engine::linked().unwrap(), "cpu", prompt);
    assert!(linked == expected, "the library is not the linked engine");
    let (other, _) = draw(&engine, "cpu", "a blue square");
    let other = Difference::of(&other, &expected);
    println!("another prompt: {other:?}");
    for (placement, parts) in placements {
        let (drawn, log) = draw(&engine, placement, prompt);
        let difference = Difference::of(&drawn, &expected);
        println!("{placement}: {difference:?}");
        // Once for each part, and a second time for the other prompt where there is guidance.
        let mut computed: Vec<_> = log
            .lines()
            .filter(|line| line.contains(" compute buffer size") && line.contains("(VRAM)"))
            .filter_map(|line| line.split(" compute buffer size").next()?.split(" - ").last())
            .collect();
        computed.sort_unstable();
        computed.dedup();
        assert_eq!(computed, *parts, "{placement}: {log}");
        assert!(difference.mean <= 0.5 && difference.max <= 16, "{placement}: {difference:?}");
        assert!(other.mean > 10.0 * difference.mean, "{placement}: {difference:?}");
    }
}

#[test]
fn each_part_is_drawn_as_by_the_processor() {
    if with_device("each_part_is_drawn_as_by_the_processor", whole_precision) {
        compare(&[
            ("cpu,te=vulkan0", &["qwen3"]),
            ("diffusion=vulkan0,te=cpu,vae=cpu", &["z_image"]),
            ("cpu,vae=vulkan0", &["taesd"]),
            ("vulkan0", &["qwen3", "taesd", "z_image"]),
        ]);
    }
}

#[test]
fn half_precision_is_close_too() {
    if with_device("half_precision_is_close_too", |_| ()) {
        compare(&[("vulkan0", &["qwen3", "taesd", "z_image"])]);
    }
}

#[test]
fn the_device_is_listed_and_said_to_be_the_best() {
    if !with_device("the_device_is_listed_and_said_to_be_the_best", |_| ()) {
        return;
    }
    let log = Log::default();
    let best = tracing::subscriber::with_default(log.subscriber(), Backend::best).unwrap();
    println!("{best}");
    assert_eq!(best.backend, Backend::Vulkan);
    let (cuda, why) = &best.passed_over[0];
    assert_eq!(*cuda, Backend::Cuda);
    let known = matches!(why, Error::BackendUnavailable { .. } | Error::LibraryNotFound { .. });
    assert!(known && best.to_string().starts_with("Vulkan\nCUDA"), "{best}");
    // What ggml says of devices goes where all its lines go.
    assert!(log.text().contains("ggml_vulkan: 0 = llvmpipe"), "{}", log.text());

    let devices = best.engine.devices().unwrap();
    let vulkan = devices.iter().find(|device| device.name == "Vulkan0").unwrap();
    assert!(vulkan.description.contains("llvmpipe"), "{vulkan:?}");
    assert!(vulkan.memory_total > 0 && vulkan.memory_free <= vulkan.memory_total, "{vulkan:?}");
    assert_eq!(vulkan.kind, DeviceKind::Gpu);
    assert!(devices.iter().any(|device| device.kind == DeviceKind::Cpu), "{devices:?}");
}

/// Why there is no engine for Vulkan, in a process with these variables.
fn reason_with(test: &str, variables: &[(&str, &str)]) -> Option<String> {
    let prepared = |process: &mut Command| {
        process.env_remove("GGML_VK_VISIBLE_DEVICES").envs(variables.iter().copied());
    };
    with_device(test, prepared).then(|| {
        let error = Backend::Vulkan.check_driver().unwrap_err();
        assert!(!sdcpp::vulkan_available());
        println!("{error}; {}", error.advice().unwrap());
        assert!(matches!(error, Error::BackendUnavailable { backend: Backend::Vulkan, .. }));
        let best = Backend::best().unwrap();
        let (_, why) = best.passed_over.iter().find(|(b, _)| *b == Backend::Vulkan).unwrap();
        assert_eq!(why.to_string(), error.to_string());
        assert_eq!(best.backend, Backend::Cpu);
        // The library itself opens all the same, and computes on the processor.
        let library = Path::new(&std::env::var_os("SDCPP_LIBRARY").unwrap())
            .join(engine_library::name("vulkan"));
        // SAFETY: it was built from this project's source by the process that started this one.
        let engine = unsafe { Engine::load(library) }.unwrap();
        let without = Backend::Vulkan.check(&engine).unwrap_err();
        assert!(without.to_string().contains("the engine has only CPU"), "{without}");
        assert_eq!(draw(&engine, "cpu", "x").0.len(), 64 * 64 * 3);
        error.to_string()
    })
}

#[test]
fn a_processor_alone_is_no_device() {
    if let Some(reason) = reason_with("a_processor_alone_is_no_device", &[]) {
        assert!(reason.contains("only a processor (llvmpipe"), "{reason}");
        assert!(reason.contains("GGML_VK_VISIBLE_DEVICES=0"), "{reason}");
    }
}

#[test]
fn a_number_without_a_device_is_told() {
    let test = "a_number_without_a_device_is_told";
    if let Some(reason) = reason_with(test, &[("GGML_VK_VISIBLE_DEVICES", "7")]) {
        assert!(reason.contains("asks for device 7"), "{reason}");
    }
}

#[test]
fn a_missing_driver_is_told() {
    let nowhere = [("VK_DRIVER_FILES", "/nowhere"), ("VK_ICD_FILENAMES", "/nowhere")];
    if let Some(reason) = reason_with("a_missing_driver_is_told", &nowhere) {
        assert!(reason.contains("no driver that can be used"), "{reason}");
    }
}

#[test]
fn a_picture_on_the_device_is_stopped() {
    if !with_device("a_picture_on_the_device_is_stopped", whole_precision) {
        return;
    }
    let engine = Backend::Vulkan.engine().unwrap();
    let mut context = open(&engine, demo_config().backend("cpu,diffusion=vulkan0"));
    let request = quick_request("a red circle").steps(2);
    let expected = context.generate(&request).unwrap();

    let token = CancelToken::new();
    let remote = token.clone();
    let watch = Watch::new().cancel_with(token).on_progress(move |progress| {
        if matches!(progress, Progress::Sampling { .. }) {
            remote.cancel();
        }
        ControlFlow::Continue(())
    });
    let error = context.generate_with(&request.clone().steps(100), watch).unwrap_err();
    assert!(matches!(error, Error::Cancelled { stage: Stage::Sampling }), "{error:?}");

    let limit = Duration::from_secs(1);
    let begin = Instant::now();
    // Minutes on any machine.
    let long = request.clone().steps(1000);
    let error = context.generate_with(&long, Watch::new().time_limit(limit)).unwrap_err();
    println!("{error} after {:?}", begin.elapsed());
    assert!(matches!(error, Error::DeadlineExceeded { stage: Stage::Sampling, .. }), "{error:?}");
    assert!(begin.elapsed() >= limit);

    let again = context.generate(&request).unwrap();
    assert!(again.images[0].as_bytes() == expected.images[0].as_bytes(), "another picture");
}

/// By the check before, by the device while sampling, and by the device while decoding.
#[test]
fn memory_of_the_device_that_runs_out_is_told() {
    let test = "memory_of_the_device_that_runs_out_is_told";
    let prepare = |process: &mut Command| {
        whole_precision(process);
        process.env("GGML_VK_FORCE_MAX_BUFFER_SIZE", (64 << 20).to_string());
    };
    if !with_device(test, prepare) {
        return;
    }
    let engine = Backend::Vulkan.engine().unwrap();
    let request = quick_request("a red circle").steps(1);
    let absurd = request.clone().size(4096, 4096);
    let mut checked = open(&engine, demo_config().backend("vulkan0,te=cpu"));
    let error = checked.generate(&absurd).unwrap_err();
    println!("{error}; {}", error.advice().unwrap());
    assert!(
        matches!(&error, Error::InsufficientMemory { device, .. } if device == "Vulkan0"),
        "{error:?}"
    );

    let unchecked = demo_config().memory_check(false);
    let mut context = open(&engine, unchecked.clone().backend("cpu,diffusion=vulkan0"));
    let expected = context.generate(&request).unwrap();
    let error = context.generate(&absurd).unwrap_err();
    println!("{error}; {}", error.advice().unwrap());
    let Error::OutOfMemory { stage, device, requested, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*stage, device.as_deref()), (Stage::Sampling, Some("Vulkan0")), "{error:?}");
    assert!(requested.unwrap() > 64 << 20, "{error:?}");
    assert!(!context.is_poisoned());
    let again = context.generate(&request).unwrap();
    assert!(again.images[0].as_bytes() == expected.images[0].as_bytes(), "another picture");

    let mut context = open(&engine, unchecked.backend("cpu,vae=vulkan0"));
    let larger = request.size(384, 256);
    let error = context.generate(&larger).unwrap_err();
    let decoding = matches!(error, Error::OutOfMemory { stage: Stage::VaeDecoding, .. });
    assert!(decoding, "{error:?}");
}
