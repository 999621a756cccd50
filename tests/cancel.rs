//! A graph on the CPU is left while it is computed, whatever it belongs to, and the model goes on as if
//! nothing had been. No clock decides where: the engine's questions are counted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

#[path = "common/questions.rs"]
mod questions;

use common::{test_picture, unet_config, unet_request};
use questions::Place;
use sdcpp::{
    CancelToken, Context, Error, ImageRequest, Lora, ModelConfig, PreviewKind, PreviewOptions,
    Result, Stage, Upscaler, UpscalerConfig, VideoRequest, Watch,
};
use sdcpp_sys::*;
use sdcpp_test_support::{self as models, Format, Sd1, UNet, UNetFamily};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// There is one listener: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is drawn, as bytes.
type Draw<'a> = dyn FnMut(Watch<'_>) -> Result<Vec<u8>> + 'a;

/// How often the engine asks inside graphs, by its number of the stage.
fn count(draw: &mut Draw<'_>) -> (Vec<u8>, BTreeMap<i32, u32>) {
    let counts = Arc::new(Mutex::new(BTreeMap::new()));
    let shared = Arc::clone(&counts);
    questions::listen(move |stage, place| {
        if place == Place::Graph {
            *shared.lock().unwrap().entry(stage).or_insert(0) += 1;
        }
    });
    let drawn = draw(Watch::new()).unwrap();
    questions::listen(|_, _| {});
    let counts = counts.lock().unwrap().clone();
    (drawn, counts)
}

/// How a picture is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    Token,
    /// The clock runs out at the question.
    Limit,
}

/// Asks to stop at a question, counted from 0 within the stages that count, and says in which stage the
/// engine was left.
fn stop_at(draw: &mut Draw<'_>, stages: &[i32], question: u32, asking: Asking) -> Option<Stage> {
    let token = CancelToken::new();
    let limit = Duration::from_secs(if asking == Asking::Limit { 10 } else { 3600 });
    let watch = Watch::new().cancel_with(token.clone()).time_limit(limit);
    let (stages, mut seen, mut began) = (stages.to_vec(), 0, None);
    questions::listen(move |stage, place| {
        // The crate's clock runs by the first of these, and not before the checks.
        let start = *began.get_or_insert_with(Instant::now);
        if place == Place::Event || !stages.contains(&stage) {
            return;
        }
        if seen == question {
            match asking {
                Asking::Token => token.cancel(),
                Asking::Limit => thread::sleep(limit.saturating_sub(start.elapsed())),
            }
        }
        // One that is not obeyed at once is missed.
        assert!(seen <= question, "asked again after {question}");
        seen += 1;
    });
    let drawn = draw(watch);
    questions::listen(|_, _| {});
    match (asking, drawn) {
        (Asking::Token, Err(Error::Cancelled { stage }))
        | (Asking::Limit, Err(Error::DeadlineExceeded { stage, .. })) => Some(stage),
        (_, Ok(_)) => None,
        (_, Err(error)) => panic!("{asking:?} at {question}: {error:?}"),
    }
}

fn open(config: &ModelConfig) -> Context {
    Context::open(&questions::engine(), config, Watch::new()).unwrap()
}

fn draw(context: &mut Context, request: &ImageRequest, watch: Watch<'_>) -> Result<Vec<u8>> {
    let generated = context.generate_with(request, watch)?;
    Ok(generated.images[0].as_bytes().to_vec())
}

/// SD 1.x with the real text encoder and the real VAE, and a UNet of the least width. Mapped, for its
/// tensors share their data.
fn sd1() -> ModelConfig {
    let sd1 = models::sd1(Sd1 { width: 32, vae: true }, Format::SafetensorsAliased);
    ModelConfig::new(sd1.unwrap()).threads(common::THREADS).mmap(true)
}

fn redrawn() -> ImageRequest {
    unet_request().cfg_scale(1.0).steps(1).init_image(test_picture(64, 64)).denoising_strength(0.5)
}

#[test]
fn every_stage_is_left_inside_and_the_context_draws_the_same_again() {
    let _alone = alone();
    let mut context = open(&sd1());
    let request = redrawn();
    draw(&mut context, &request, Watch::new()).unwrap();
    let mut draw = |watch: Watch<'_>| draw(&mut context, &request, watch);
    let (whole, counts) = count(&mut draw);
    for (number, stage) in [
        (SDCPP_STAGE_VAE_ENCODING, Stage::VaeEncoding),
        (SDCPP_STAGE_TEXT_ENCODING, Stage::TextEncoding),
        (SDCPP_STAGE_SAMPLING, Stage::Sampling),
        (SDCPP_STAGE_VAE_DECODING, Stage::VaeDecoding),
    ] {
        let questions = counts[&number];
        assert!(questions > 50, "{stage:?}: {counts:?}");
        for (question, asking) in [
            (0, Asking::Token),
            (questions / 3, Asking::Token),
            (questions / 2, Asking::Limit),
            (questions - 1, Asking::Token),
        ] {
            let left = stop_at(&mut draw, &[number], question, asking);
            assert_eq!(left, Some(stage), "{asking:?} at {question} of {questions}");
            let again = draw(Watch::new()).unwrap();
            assert!(again == whole, "another picture after {question} in {stage:?}");
        }
    }
}

/// Merged weights of a stopped picture are whole, or as they were: the graphs that merge do not ask.
#[test]
fn a_stop_leaves_no_lora_half_merged() {
    let _alone = alone();
    let spec = models::Sd1Lora { width: 32, ..models::Sd1Lora::default() };
    let plain = unet_request().cfg_scale(1.0).steps(1);
    let merged = plain.clone().lora(Lora::new(models::sd1_lora(spec).unwrap()));
    let mut context = open(&common::sd1_config());
    let expected = draw(&mut context, &merged, Watch::new()).unwrap();
    let without = draw(&mut context, &plain, Watch::new()).unwrap();
    assert!(expected != without, "the LoRA changes nothing");
    // Weights are read and merged anew for this one.
    let mut with = |watch: Watch<'_>| draw(&mut context, &merged, watch);
    let (_, merging) = count(&mut with);
    let (_, again) = count(&mut with);
    assert_eq!(merging, again, "merging asks");
    // At each event in turn, most of which are of reading weights.
    for event in 0.. {
        assert!(draw(&mut context, &plain, Watch::new()).unwrap() == without, "before {event}");
        let token = CancelToken::new();
        let (remote, mut seen) = (token.clone(), 0);
        questions::listen(move |_, place| {
            seen += u32::from(place == Place::Event);
            if seen > event {
                remote.cancel();
            }
        });
        let stopped = draw(&mut context, &merged, Watch::new().cancel_with(token));
        questions::listen(|_, _| {});
        match stopped {
            Ok(_) => {
                assert!(event > 4, "{event} events");
                break;
            }
            Err(Error::Cancelled { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
        let again = draw(&mut context, &merged, Watch::new()).unwrap();
        assert!(again == expected, "another picture after a stop at event {event}");
    }
}

/// What a ControlNet makes of its picture at the first step is kept for the others, and must not be when
/// it was not finished.
#[test]
fn a_control_net_is_left_inside() {
    let _alone = alone();
    let config = unet_config(UNet { family: UNetFamily::Sd1, width: 320 })
        .control_net(models::control_net().unwrap());
    let mut context = open(&config);
    let control = |x: u32| {
        let stripe = |i, _| image::Rgb([u8::from(i / 8 == x) * 255; 3]);
        let picture = image::RgbImage::from_fn(64, 64, stripe);
        unet_request().steps(1).cfg_scale(1.0).control_image(picture)
    };
    let (first, second) = (control(1), control(2));
    draw(&mut context, &first, Watch::new()).unwrap();
    let (whole, counts) = count(&mut |watch| draw(&mut context, &first, watch));
    let questions = counts[&SDCPP_STAGE_SAMPLING];
    for eighth in 0..8 {
        let question = questions * eighth / 8;
        let mut other = |watch: Watch<'_>| draw(&mut context, &second, watch);
        let left = stop_at(&mut other, &[SDCPP_STAGE_SAMPLING], question, Asking::Token);
        assert_eq!(left, Some(Stage::Sampling));
        let again = draw(&mut context, &first, Watch::new()).unwrap();
        assert!(again == whole, "another picture after a stop at {question} of {questions}");
    }
}

#[test]
fn a_preview_is_left_inside() {
    let _alone = alone();
    let mut context = open(&sd1());
    let request = unet_request().cfg_scale(1.0).steps(1);
    draw(&mut context, &request, Watch::new()).unwrap();
    let shown = Arc::new(Mutex::new(0));
    let count_shown = Arc::clone(&shown);
    let mut previewed = |watch: Watch<'_>| {
        let shown = Arc::clone(&count_shown);
        let options = PreviewOptions::new(PreviewKind::Vae);
        draw(
            &mut context,
            &request,
            watch.on_preview(options, move |_| *shown.lock().unwrap() += 1),
        )
    };
    let (whole, counts) = count(&mut previewed);
    assert_eq!(*shown.lock().unwrap(), 1);
    // The step comes first, and the VAE has as many nodes.
    let sampling = [SDCPP_STAGE_SAMPLING];
    let last = counts[&SDCPP_STAGE_SAMPLING] - 1;
    assert_eq!(stop_at(&mut previewed, &sampling, last, Asking::Token), Some(Stage::Sampling));
    assert_eq!(*shown.lock().unwrap(), 1, "a preview that was stopped is shown");
    assert!(previewed(Watch::new()).unwrap() == whole);
}

#[test]
fn an_enlargement_is_left_inside() {
    let _alone = alone();
    let esrgan = models::esrgan(4, Format::Gguf(models::WeightType::F16)).unwrap();
    let config = UpscalerConfig::new(esrgan).threads(common::THREADS).tile_size(0);
    let mut upscaler = Upscaler::open(&questions::engine(), config, Watch::new()).unwrap();
    let mut enlarge = |watch: Watch<'_>| -> Result<Vec<u8>> {
        Ok(upscaler.upscale_with(test_picture(32, 32), watch)?.image.as_bytes().to_vec())
    };
    enlarge(Watch::new()).unwrap();
    let (whole, counts) = count(&mut enlarge);
    let upscaling = [SDCPP_STAGE_UPSCALING];
    let questions = counts[&SDCPP_STAGE_UPSCALING];
    for question in [0, questions / 2, questions - 1] {
        let left = stop_at(&mut enlarge, &upscaling, question, Asking::Token);
        assert_eq!(left, Some(Stage::Upscaling));
        assert!(enlarge(Watch::new()).unwrap() == whole);
    }
}

#[test]
fn a_video_is_left_inside() {
    let _alone = alone();
    let mut context = open(&common::transformers::wan(models::Wan::T2v1_3B));
    let request = VideoRequest::new("waves").size(64, 64).frames(5).steps(1).cfg_scale(1.0).seed(3);
    let mut make = |watch: Watch<'_>| -> Result<Vec<u8>> {
        let video = context.generate_video_with(&request, watch)?;
        Ok(video.frames.iter().flat_map(|frame| frame.as_bytes().to_vec()).collect())
    };
    make(Watch::new()).unwrap();
    let (whole, counts) = count(&mut make);
    for (number, stage) in
        [(SDCPP_STAGE_SAMPLING, Stage::Sampling), (SDCPP_STAGE_VAE_DECODING, Stage::VaeDecoding)]
    {
        let left = stop_at(&mut make, &[number], counts[&number] / 2, Asking::Token);
        assert_eq!(left, Some(stage));
        assert!(make(Watch::new()).unwrap() == whole, "another video after a stop in {stage:?}");
    }
}

/// In a process of its own, as the memory of the contexts in `recovery`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_hundred_stops_leave_memory_flat() {
    if !common::alone("a_hundred_stops_leave_memory_flat") {
        return;
    }
    let mut context = open(&sd1());
    let request = redrawn();
    draw(&mut context, &request, Watch::new()).unwrap();
    let mut draw = |watch: Watch<'_>| draw(&mut context, &request, watch);
    let (whole, counts) = count(&mut draw);
    let all: u32 = counts.values().sum();
    let stages: Vec<_> = counts.keys().copied().collect();
    let mut after_warm_up = common::Memory::default();
    let mut came = BTreeMap::new();
    for cycle in 0..100 {
        // Spread evenly, in no order.
        let question = all * (cycle * 37 % 100) / 100;
        let left = stop_at(&mut draw, &stages, question, Asking::Token).unwrap();
        *came.entry(left.name()).or_insert(0) += 1;
        if cycle == 20 {
            after_warm_up = common::Memory::now();
        }
    }
    let end = common::Memory::now();
    println!("{came:?}; after 20 stops {after_warm_up:?}, after 100 {end:?}");
    assert_eq!(came.len(), 4, "{came:?}");
    // The compute buffer of this VAE is 50 MB, and the context of one graph 2 MB.
    assert!(
        end.in_use_bytes < after_warm_up.in_use_bytes + 256 * 1024,
        "{after_warm_up:?} → {end:?}"
    );
    assert!(draw(Watch::new()).unwrap() == whole);
}
