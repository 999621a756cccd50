//! Failures as a mock engine shows them: every kind becomes its own error, and what is returned is
//! checked before it is believed.

use crate::{
    CancelToken, Context, Error, ImageRequest, ModelConfig, Progress, Stage, VaeOperation, Watch,
    mock,
};
use std::{ops::ControlFlow, time::Duration};

static_assertions::assert_impl_all!(Context: Send);
static_assertions::assert_not_impl_any!(Context: Sync);
static_assertions::assert_impl_all!(crate::Picture: Send, Sync);
static_assertions::assert_impl_all!(ModelConfig: Send, Sync);
static_assertions::assert_impl_all!(ImageRequest: Send, Sync);
static_assertions::assert_impl_all!(Error: Send, Sync);

fn context() -> Context {
    Context::open(&mock::engine(), ModelConfig::new("mock"), Watch::new()).unwrap()
}

fn request() -> ImageRequest {
    ImageRequest::new("x").size(64, 64).steps(4).seed(1)
}

fn failing(fault: &str) -> Error {
    assert!(mock::FAULTS.contains(&fault));
    context().generate(&request().extra_sample_args(mock::fault(fault))).unwrap_err()
}

#[test]
fn each_failure_has_its_kind() {
    assert!(matches!(failing("text-encoder"), Error::TextEncoder { .. }));
    assert!(matches!(failing("sampling"), Error::Sampling { .. }));
    assert!(matches!(failing("decode"), Error::Vae { operation: VaeOperation::Decode, .. }));
    assert!(matches!(failing("weights"), Error::ModelLoad { .. }));
    assert!(matches!(failing("assert"), Error::EngineAssertion { stage: Stage::Sampling, .. }));
    assert!(matches!(failing("bad-alloc"), Error::OutOfMemory { stage: Stage::Sampling, .. }));
    assert!(matches!(failing("unknown-status"), Error::Engine { .. }));
    match failing("sampling-out-of-memory") {
        Error::OutOfMemory { stage: Stage::Sampling, device, requested, report } => {
            assert_eq!(device.as_deref(), Some("device 0"));
            assert_eq!(requested, Some(1 << 30));
            assert_eq!(report.lines.len(), 1);
        }
        other => panic!("{other:?}"),
    }
    match failing("decode-out-of-memory") {
        Error::OutOfMemory { stage: Stage::VaeDecoding, device, requested, .. } => {
            assert_eq!((device.as_deref(), requested), (Some("CPU"), Some(1 << 32)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_engine_returns_is_checked() {
    for fault in ["no-images", "null-pixels", "huge-image"] {
        let error = failing(fault);
        assert!(matches!(error, Error::Engine { .. }), "{error:?}");
        assert!(error.to_string().contains("picture"), "{error}");
    }
}

#[test]
fn an_assertion_or_exception_poisons_and_a_failure_does_not() {
    for (fault, poisons) in
        [("assert", true), ("exception", true), ("bad-alloc", true), ("sampling", false)]
    {
        let mut context = context();
        context.generate(&request().extra_sample_args(mock::fault(fault))).unwrap_err();
        assert_eq!(context.is_poisoned(), poisons, "{fault}");
        match context.generate(&request()) {
            Ok(_) => assert!(!poisons),
            Err(Error::Poisoned { cause }) => assert!(poisons && !cause.is_empty()),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_refused_context_is_an_error_with_the_reason() {
    let config = ModelConfig::new("mock").backend("quantum0");
    let error = Context::open(&mock::engine(), config, Watch::new()).unwrap_err();
    assert!(matches!(error, Error::ModelLoad { .. }), "{error:?}");
    assert!(error.to_string().contains("backend 'quantum0' was not found"), "{error}");
}

#[test]
fn a_batch_has_a_seed_for_each_picture() {
    let generated = context().generate(&request().batch(3).seed(41)).unwrap();
    assert_eq!(generated.seeds, [41, 42, 43]);
    assert_ne!(generated.images[0].as_bytes(), generated.images[1].as_bytes());
    assert!(generated.images[2].parameters().contains("Seed: 43"));
}

#[test]
fn absent_and_negative_seeds_are_drawn_and_reported() {
    let mut context = context();
    let mut seeds: Vec<i64> = (0..20)
        .map(|i| {
            let mut request = request();
            request.seed = if i % 2 == 0 { None } else { Some(-1) };
            context.generate(&request).unwrap().seeds[0]
        })
        .collect();
    assert!(seeds.iter().all(|s| (0..=i64::from(u32::MAX)).contains(s)));
    seeds.sort_unstable();
    seeds.dedup();
    assert!(seeds.len() > 10, "random seeds repeat: {seeds:?}");
}

#[test]
fn progress_is_told_in_order() {
    let mut events = Vec::new();
    let watch = Watch::new().on_progress(|p| {
        events.push(p);
        ControlFlow::Continue(())
    });
    context().generate_with(&request().steps(2).batch(2), watch).unwrap();
    assert_eq!(events.first(), Some(&Progress::Encoding { tile: 0, tiles: 0 }));
    assert_eq!(events.last(), Some(&Progress::Decoding { tile: 0, tiles: 0 }));
    let steps: Vec<_> = events
        .iter()
        .filter_map(|e| match e {
            Progress::Sampling { step, steps: 2, image, images: 2, .. } => Some((*image, *step)),
            _ => None,
        })
        .collect();
    assert_eq!(steps, [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]);
}

#[test]
fn stopping_by_closure_token_and_time() {
    let mut context = context();
    let by_closure = Watch::new().on_progress(|p| match p {
        Progress::Sampling { step: 2, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let error = context.generate_with(&request(), by_closure).unwrap_err();
    assert!(matches!(error, Error::Cancelled { stage: Stage::Sampling }), "{error:?}");

    let token = CancelToken::new();
    token.cancel();
    let by_token = Watch::new().cancel_with(token);
    assert!(matches!(context.generate_with(&request(), by_token), Err(Error::Cancelled { .. })));

    let by_time = Watch::new().time_limit(Duration::ZERO);
    let error = context.generate_with(&request(), by_time).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { limit: Duration::ZERO, .. }), "{error:?}");
    assert!(error.is_stopped());

    assert!(context.generate(&request()).is_ok(), "a stopped context is usable");
}

#[test]
fn a_panic_in_the_callback_is_an_error_and_no_more() {
    let mut context = context();
    let mut calls = 0;
    let watch = Watch::new().on_progress(|_| {
        calls += 1;
        panic!("callback broke");
    });
    let error = context.generate_with(&request(), watch).unwrap_err();
    assert!(
        matches!(&error, Error::CallbackPanicked { message } if message == "callback broke"),
        "{error:?}"
    );
    assert_eq!(calls, 1, "a broken callback is not called again");
    assert!(context.generate(&request()).is_ok());
}

#[test]
fn png_carries_the_parameters_and_the_pixels() {
    let request = request().negative_prompt("нет");
    let generated = context().generate(&request).unwrap();
    let picture = generated.first().unwrap();
    let bytes = picture.to_png().unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    let text = &reader.info().utf8_text[0];
    assert_eq!(
        (text.keyword.as_str(), text.get_text().unwrap().as_str()),
        ("parameters", picture.parameters())
    );
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(pixels, picture.as_bytes());
    assert_eq!(picture.to_rgb().as_raw(), picture.as_bytes());
    assert_eq!(picture.to_rgba().get_pixel(0, 0).0[3], 255);
}

#[test]
fn pictures_of_one_and_four_channels_keep_their_shape() {
    for (fault, channels) in [("one-channel", 1), ("four-channels", 4)] {
        let request = request().extra_sample_args(mock::fault(fault));
        let picture = context().generate(&request).unwrap().images.remove(0);
        assert_eq!(
            (picture.channels(), picture.as_bytes().len()),
            (channels, 64 * 64 * channels as usize)
        );
        let rgb = picture.to_rgb();
        assert_eq!(rgb.dimensions(), (64, 64));
        let found = rgb.get_pixel(32, 16).0;
        // The red of the mock's gradient is half-way at half the width.
        assert!(found[0].abs_diff(127) < 4, "{found:?}");
        let alpha = picture.to_rgba().get_pixel(0, 0).0[3];
        assert_eq!(alpha, if channels == 4 { 128 } else { 255 });
        let png = image::load_from_memory(&picture.to_png().unwrap()).unwrap();
        assert_eq!(u32::from(png.color().channel_count()), channels);
        assert_eq!(png.as_bytes(), picture.as_bytes());
    }
}

#[test]
fn a_panic_at_the_last_event_is_reported_too() {
    let watch = Watch::new().on_progress(|p| match p {
        Progress::Decoding { .. } => panic!("late"),
        _ => ControlFlow::Continue(()),
    });
    let error = context().generate_with(&request(), watch).unwrap_err();
    assert!(matches!(error, Error::CallbackPanicked { .. }), "{error:?}");
}

#[test]
fn saving_leaves_a_whole_file_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let generated = context().generate(&request()).unwrap();
    let path = folder.path().join("a.png");
    generated.images[0].save(&path).unwrap();
    generated.images[0].save(&path).unwrap();
    assert_eq!(image::open(&path).unwrap().width(), 64);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = generated.images[0].save(folder.path().join("a.jpg")).unwrap_err();
    assert!(error.to_string().contains("ends in .png"), "{error}");
    let error = generated.images[0].save(folder.path().join("no/such/folder.png")).unwrap_err();
    assert!(error.to_string().contains("folder.png"), "{error}");
}

#[cfg(feature = "static")]
#[test]
fn the_linked_engine_names_every_enum_value_as_we_do() {
    use crate::{LoraApplyMode, Prediction, RngKind, Sampler, Scheduler, WeightType};
    let table = crate::Engine::linked().unwrap().table;
    macro_rules! same {
        ($enum:ident, $names:ident) => {
            for value in $enum::ALL {
                // SAFETY: takes any number, and returns NULL or a static string.
                let name = unsafe { super::text((table.$names)(value.to_engine())) };
                assert_eq!(name, value.name(), "{value:?}");
            }
            // SAFETY: as above.
            assert!(unsafe { (table.$names)($enum::AUTO) }.is_null());
            // SAFETY: as above.
            assert!(unsafe { (table.$names)(-1) }.is_null());
        };
    }
    same!(Sampler, sample_method_name);
    same!(Scheduler, scheduler_name);
    same!(Prediction, prediction_name);
    same!(RngKind, rng_type_name);
    same!(LoraApplyMode, lora_apply_mode_name);
    same!(WeightType, type_name);
    // Weight types are a choice of the useful; these are the others.
    let left_out = [
        "q8_1", "q8_K", "iq2_xxs", "iq2_xs", "iq3_xxs", "iq1_s", "iq3_s", "iq2_s", "i8", "i16",
        "i32", "i64", "f64", "iq1_m", "tq1_0", "tq2_0", "nvfp4", "q1_0",
    ];
    for value in 0..WeightType::AUTO {
        // SAFETY: as above.
        let name = unsafe { super::text((table.type_name)(value)) };
        // Numbers of types that ggml has dropped have no name, or say so.
        let dropped =
            name.is_empty() || name.starts_with("DEPRECATED") || name.starts_with("TYPE_");
        assert!(
            dropped
                || WeightType::from_engine(value).is_some()
                || left_out.contains(&name.as_str()),
            "{value}: {name}"
        );
    }
    assert_eq!(sdcpp_sys::SD_VAE_FORMAT_COUNT, 3, "VaeFormat has three");
    // A header that gains a value must gain one here.
    assert_eq!(Sampler::ALL.len() as i32, Sampler::AUTO);
    assert_eq!(Scheduler::ALL.len() as i32, Scheduler::AUTO);
    assert_eq!(Prediction::ALL.len() as i32, Prediction::AUTO);
    assert_eq!(RngKind::ALL.len() as i32, RngKind::AUTO);
    assert_eq!(LoraApplyMode::ALL.len() as i32, LoraApplyMode::AUTO);
}

#[cfg(all(feature = "static", target_arch = "x86_64"))]
#[test]
fn what_the_linked_engine_needs_is_known_before_it_runs() {
    let needed = sdcpp_sys::NEEDED_FEATURES;
    let built_for = crate::Engine::linked().unwrap().system_info();
    // None for an engine that was not built by this project's own options.
    for (feature, name) in [("avx2", "AVX2 = 1"), ("fma", "FMA = 1"), ("avx512f", "AVX512 = 1")] {
        let is_needed = needed.split(' ').any(|known| known == feature);
        assert!(
            needed.is_empty() || is_needed == built_for.contains(name),
            "{feature}: {built_for}"
        );
    }
}

#[cfg(all(any(feature = "static", feature = "dynamic"), target_arch = "x86_64"))]
#[test]
fn a_feature_that_the_processor_lacks_is_told_by_name() {
    use super::features::check;
    assert!(check(|_| false).is_ok());
    assert!(check(|feature| feature.here).is_ok());
    // Some processor has all of them.
    if let Err(error) = check(|feature| !feature.here) {
        assert!(error.to_string().contains("it was built for "), "{error}");
    }
}

#[test]
fn cores_that_the_process_may_not_use_do_not_count() {
    use super::usable_cores;
    assert_eq!(usable_cores(8, 16), 8);
    assert_eq!(usable_cores(48, 4), 4);
    assert_eq!(usable_cores(2, 1), 1);
    for nonsense in [0, -1, i32::MIN] {
        assert_eq!(usable_cores(nonsense, 16), 1);
    }
    assert_eq!(usable_cores(i32::MAX, usize::MAX), 1024);
    assert_eq!(usable_cores(4, 0), 1);
}

/// As its folder for each core tells, where the system has one.
#[cfg(all(feature = "static", target_os = "linux"))]
#[test]
fn physical_cores_are_those_that_the_system_tells() {
    let mut siblings = std::collections::BTreeSet::new();
    for cpu in 0.. {
        let file = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings");
        let Ok(text) = std::fs::read_to_string(file) else { break };
        siblings.insert(text);
    }
    let usable = std::thread::available_parallelism().unwrap().get();
    if !siblings.is_empty() {
        let cores = crate::Engine::linked().unwrap().physical_cores();
        assert_eq!(cores as usize, siblings.len().min(usable));
    }
}

#[cfg(feature = "static")]
#[test]
fn the_linked_engine_knows_itself_and_its_devices() {
    let engine = crate::Engine::linked().unwrap();
    assert_eq!(engine.commit(), "9838264");
    assert!(engine.physical_cores() >= 1);
    let devices = engine.devices().unwrap();
    assert!(devices.iter().any(|d| d.kind == crate::DeviceKind::Cpu && d.memory_total > 0));
    assert!(engine.check_pattern("^vae\\.").is_ok());
    let error = engine.check_pattern("(").unwrap_err().to_string();
    assert!(error.starts_with("tensor_type_rules"), "{error}");
}
