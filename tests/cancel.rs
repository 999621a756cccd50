//! A graph on the CPU is left while it is computed, whatever it belongs to, and the model goes on as if
//! nothing had been.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo, quick_request, test_picture, unet_config, unet_request};
use sdcpp::{
    CancelToken, Context, Error, Generated, Lora, ModelConfig, PreviewKind, PreviewOptions,
    Progress, Result, Stage, Upscaler, UpscalerConfig, VideoRequest, Watch,
};
use sdcpp_test_support::{self as models, Format, Sd1, UNet, UNetFamily};
use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Which stage an event belongs to.
fn stage_of(progress: &Progress) -> Option<Stage> {
    Some(match progress {
        Progress::Encoding { .. } => Stage::TextEncoding,
        Progress::Sampling { .. } => Stage::Sampling,
        Progress::Decoding { .. } => Stage::VaeDecoding,
        Progress::Upscaling { .. } => Stage::Upscaling,
        _ => return None,
    })
}

/// Cancels from another thread, when the stage has run for this long.
fn cancel_inside(stage: Stage, after: Duration) -> Watch<'static> {
    let token = CancelToken::new();
    let remote = token.clone();
    let mut begun = false;
    Watch::new().cancel_with(token).on_progress(move |progress| {
        if stage_of(&progress) == Some(stage) && !begun {
            begun = true;
            let remote = remote.clone();
            thread::spawn(move || {
                thread::sleep(after);
                remote.cancel();
            });
        }
        ControlFlow::Continue(())
    })
}

/// The limit passes when the stage has run for this long: its first event is held back until then.
fn limit_inside(stage: Stage, after: Duration) -> Watch<'static> {
    let limit = Duration::from_secs(5);
    let start = Instant::now();
    let mut begun = false;
    Watch::new().time_limit(limit).on_progress(move |progress| {
        if stage_of(&progress) == Some(stage) && !begun {
            begun = true;
            thread::sleep((limit - after).saturating_sub(start.elapsed()));
        }
        ControlFlow::Continue(())
    })
}

/// SD 1.x with the real text encoder and the real VAE, and a UNet of the least width. Mapped, for its
/// tensors share their data.
fn sd1() -> ModelConfig {
    let sd1 = models::sd1(Sd1 { width: 32, vae: true }, Format::SafetensorsAliased);
    ModelConfig::new(sd1.unwrap()).threads(common::THREADS).mmap(true)
}

fn pixels(generated: &Generated) -> Vec<u8> {
    generated.images[0].as_bytes().to_vec()
}

#[test]
fn every_stage_is_left_inside_and_the_context_draws_the_same_again() {
    let mut context = Context::new(sd1()).unwrap();
    let text = unet_request().cfg_scale(1.0).steps(1);
    let redrawn = text.clone().init_image(test_picture(64, 64)).denoising_strength(0.5);
    // A step of so small a UNet is short.
    let large = text.clone().size(128, 128);
    for (stage, request) in [
        (Stage::TextEncoding, &text),
        (Stage::Sampling, &large),
        (Stage::VaeDecoding, &text),
        (Stage::VaeEncoding, &redrawn),
    ] {
        // The first reads the weights.
        context.generate(request).unwrap();
        let whole = context.generate(request).unwrap();
        let timings = whole.timings;
        let (event, takes) = match stage {
            Stage::TextEncoding => (stage, timings.text_encoding),
            Stage::Sampling => (stage, timings.sampling),
            Stage::VaeDecoding => (stage, timings.decoding),
            // Both kinds of encoding have the same event, and the picture comes first.
            _ => (Stage::TextEncoding, timings.image_encoding),
        };
        println!("{stage:?} takes {takes:?}");
        for kind in ["token", "limit"] {
            let inside = if kind == "token" { cancel_inside } else { limit_inside };
            let error = context.generate_with(request, inside(event, takes / 3)).unwrap_err();
            assert_eq!(stopped_while(&error), Some(stage), "{kind}: {error:?}");
            assert_eq!(kind == "limit", matches!(error, Error::DeadlineExceeded { .. }));
            assert!(!context.is_poisoned());
            let again = context.generate(request).unwrap();
            assert!(pixels(&again) == pixels(&whole), "another picture after {kind} in {stage:?}");
        }
    }
}

fn stopped_while(error: &Error) -> Option<Stage> {
    match error {
        Error::Cancelled { stage } | Error::DeadlineExceeded { stage, .. } => Some(*stage),
        _ => None,
    }
}

/// The stop is asked for at each event in turn, so while weights load and while they are merged too.
#[test]
fn a_stop_leaves_no_lora_half_merged() {
    let spec = models::Sd1Lora { width: 32, ..models::Sd1Lora::default() };
    let lora = Lora::new(models::sd1_lora(spec).unwrap());
    let plain = unet_request().cfg_scale(1.0).steps(1);
    let merged = plain.clone().lora(lora);
    let mut context = Context::new(common::sd1_config()).unwrap();
    let expected = pixels(&context.generate(&merged).unwrap());
    let without = pixels(&context.generate(&plain).unwrap());
    assert!(expected != without, "the LoRA changes nothing");
    let mut stops = 0;
    for event in 0.. {
        // Merged anew each time.
        assert!(pixels(&context.generate(&plain).unwrap()) == without, "before event {event}");
        let token = CancelToken::new();
        let remote = token.clone();
        let mut seen = 0;
        let watch = Watch::new().cancel_with(token).on_progress(move |_| {
            seen += 1;
            if seen > event {
                remote.cancel();
            }
            ControlFlow::Continue(())
        });
        match context.generate_with(&merged, watch) {
            Ok(_) => break,
            Err(Error::Cancelled { .. }) => stops += 1,
            Err(error) => panic!("{error:?}"),
        }
        let again = pixels(&context.generate(&merged).unwrap());
        assert!(again == expected, "another picture after a stop at event {event}");
    }
    assert!(stops > 4, "{stops} stops");
}

/// What a ControlNet makes of its picture at the first step is kept for the others, and must not be when
/// it was not finished.
#[test]
fn a_control_net_is_left_inside() {
    let config = unet_config(UNet { family: UNetFamily::Sd1, width: 320 })
        .control_net(models::control_net().unwrap());
    let mut context = Context::new(config).unwrap();
    let control = |x: u32| {
        let edges =
            image::RgbImage::from_fn(64, 64, |i, _| image::Rgb([u8::from(i / 8 == x) * 255; 3]));
        unet_request().steps(1).cfg_scale(1.0).control_image(edges)
    };
    context.generate(&control(1)).unwrap();
    let whole = context.generate(&control(1)).unwrap();
    let takes = whole.timings.sampling;
    let mut stops = 0;
    for part in 1..8 {
        let watch = cancel_inside(Stage::Sampling, takes * part / 8);
        // Under load the step may be over by then.
        if let Err(error) = context.generate_with(&control(2), watch) {
            assert_eq!(stopped_while(&error), Some(Stage::Sampling), "{error:?}");
            stops += 1;
        }
        let again = context.generate(&control(1)).unwrap();
        assert!(pixels(&again) == pixels(&whole), "another picture after a stop at {part}/8");
    }
    assert!(stops > 2, "{stops} stops");
}

#[test]
fn a_preview_and_an_enlargement_are_left_inside() {
    let mut context = Context::new(sd1()).unwrap();
    let request = unet_request().cfg_scale(1.0).steps(2);
    context.generate(&request).unwrap();
    let whole = context.generate(&request).unwrap();
    // The preview decodes as the picture does, which takes far longer than a step.
    let (steps, decoding) = (whole.timings.sampling, whole.timings.decoding);
    let previews = PreviewOptions::new(PreviewKind::Vae);
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let watch = cancel_inside(Stage::Sampling, steps / 2 + decoding / 2)
        .on_preview(previews, move |_| *count.lock().unwrap() += 1);
    let error = context.generate_with(&request, watch).unwrap_err();
    assert_eq!(stopped_while(&error), Some(Stage::Sampling), "{error:?}");
    assert_eq!(*seen.lock().unwrap(), 0);
    assert!(pixels(&context.generate(&request).unwrap()) == pixels(&whole));

    let esrgan = models::esrgan(4, Format::Gguf(models::WeightType::F16)).unwrap();
    let config = UpscalerConfig::new(esrgan).threads(common::THREADS).tile_size(0);
    let mut upscaler = Upscaler::new(config).unwrap();
    let picture = test_picture(96, 96);
    upscaler.upscale(picture.clone()).unwrap();
    let start = Instant::now();
    let large = upscaler.upscale(picture.clone()).unwrap().image;
    let third = start.elapsed() / 3;
    let error = upscaler.upscale_with(picture.clone(), Watch::new().time_limit(third)).unwrap_err();
    assert_eq!(stopped_while(&error), Some(Stage::Upscaling), "{error:?}");
    assert!(upscaler.upscale(picture).unwrap().image.as_bytes() == large.as_bytes());
}

#[test]
fn a_video_is_left_inside() {
    let mut context = Context::new(common::transformers::wan(models::Wan::T2v1_3B)).unwrap();
    let request = VideoRequest::new("waves").size(64, 64).frames(5).steps(1).cfg_scale(1.0).seed(3);
    let frames = |context: &mut Context, watch| -> Result<Vec<u8>> {
        let video = context.generate_video_with(&request, watch)?;
        Ok(video.frames.iter().flat_map(|frame| frame.as_bytes().to_vec()).collect())
    };
    frames(&mut context, Watch::new()).unwrap();
    let start = Instant::now();
    let whole = frames(&mut context, Watch::new()).unwrap();
    let takes = start.elapsed();
    let mut stages = Vec::new();
    for part in 1..8 {
        let watch = Watch::new().time_limit(takes * part / 8);
        if let Err(error) = frames(&mut context, watch) {
            stages.push(stopped_while(&error).unwrap_or_else(|| panic!("{error:?}")));
        }
        assert!(frames(&mut context, Watch::new()).unwrap() == whole, "after {part}/8");
    }
    println!("{stages:?} of {takes:?}");
    assert!(stages.len() > 3, "{stages:?}");
}

/// In a process of its own, as the memory of the contexts in `recovery`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_hundred_stops_leave_memory_flat() {
    if !common::alone("a_hundred_stops_leave_memory_flat") {
        return;
    }
    let mut context = Context::new(sd1()).unwrap();
    let request = unet_request()
        .cfg_scale(1.0)
        .steps(1)
        .init_image(test_picture(64, 64))
        .denoising_strength(0.5);
    context.generate(&request).unwrap();
    let start = Instant::now();
    context.generate(&request).unwrap();
    let takes = start.elapsed();
    let mut after_warm_up = common::Memory::default();
    let mut stages = std::collections::BTreeMap::new();
    for cycle in 0..100_u32 {
        let watch = Watch::new().time_limit(takes * (cycle * 37 % 100) / 100);
        if let Err(error) = context.generate_with(&request, watch) {
            let stage = stopped_while(&error).unwrap_or_else(|| panic!("{error:?}"));
            *stages.entry(stage.name()).or_insert(0) += 1;
        }
        if cycle == 20 {
            after_warm_up = common::Memory::now();
        }
    }
    let end = common::Memory::now();
    println!("{stages:?}; after 20 stops {after_warm_up:?}, after 100 {end:?}");
    assert!(stages.len() >= 3, "{stages:?}");
    // The compute buffer of this VAE is 50 MB, and the context of one graph 2 MB.
    assert!(
        end.in_use_bytes < after_warm_up.in_use_bytes + 256 * 1024,
        "{after_warm_up:?} → {end:?}"
    );
}

/// At the first node of the first graph.
#[test]
fn a_token_cancelled_before_the_call_is_seen_at_once() {
    let mut context = demo();
    let request = quick_request("a red circle");
    let expected = pixels(&context.generate(&request).unwrap());
    let token = CancelToken::new();
    token.cancel();
    let start = Instant::now();
    let error = context.generate_with(&request, Watch::new().cancel_with(token)).unwrap_err();
    assert_eq!(stopped_while(&error), Some(Stage::TextEncoding), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(pixels(&context.generate(&request).unwrap()) == expected);
}
