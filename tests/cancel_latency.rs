//! How long a stop takes: `scripts/cancel-latency.sh`.
//!
//! A stop is obeyed when the engine asks for it, so the time between two questions is the latency. It is
//! taken for every pair of questions of a picture, and compared with cancels at moments spread over it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo_config, demo_request, test_picture, unet_request};
use sdcpp::{CancelToken, Context, Engine, Error, ImageRequest, ModelConfig, Watch};
use sdcpp_sys::*;
use std::{
    collections::BTreeMap,
    ffi::{c_char, c_void},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// Pictures cancelled of each kind.
const CANCELS: u32 = 24;

/// The gaps between two questions, by the engine's number of the stage.
static GAPS: Mutex<BTreeMap<i32, Vec<Duration>>> = Mutex::new(BTreeMap::new());

/// How long the crate takes to answer one.
static QUESTION_TAKES: Mutex<Duration> = Mutex::new(Duration::ZERO);
/// Asked for that.
const QUESTIONS: u32 = 1_000_000;

/// Passes the hooks on, and notes when they are called.
struct Between {
    hooks: sdcpp_hooks,
    stage: i32,
    last: Instant,
}

impl Between {
    fn question(&mut self) {
        let now = Instant::now();
        let gap = now - self.last;
        self.last = now;
        GAPS.lock().unwrap().entry(self.stage).or_default().push(gap);
    }
}

/// # Safety
/// `user` is the `Between` of the running call, which only its thread uses.
unsafe fn between<'a>(user: *mut c_void) -> &'a mut Between {
    // SAFETY: the caller vouches for it.
    unsafe { &mut *user.cast() }
}

unsafe extern "C" fn log(user: *mut c_void, level: i32, text: *const c_char, n: usize, at: usize) {
    // SAFETY: passed on as it came.
    unsafe {
        let hooks = between(user).hooks;
        hooks.log.unwrap()(hooks.user, level, text, n, at);
    }
}

unsafe extern "C" fn progress(user: *mut c_void, event: *const sdcpp_progress) -> i32 {
    // SAFETY: passed on as it came.
    unsafe {
        let between = between(user);
        // Asked here as well.
        between.question();
        between.stage = (*event).stage;
        between.hooks.progress.unwrap()(between.hooks.user, event)
    }
}

unsafe extern "C" fn stop_wanted(user: *mut c_void) -> i32 {
    // SAFETY: passed on as it came.
    unsafe {
        let between = between(user);
        between.question();
        between.hooks.stop_wanted.unwrap()(between.hooks.user)
    }
}

unsafe extern "C" fn generate_image(
    context: *mut sd_ctx_t,
    params: *const sd_img_gen_params_t,
    hooks: *const sdcpp_hooks,
    out: *mut *mut sd_image_t,
    report: *mut sdcpp_report,
) -> i32 {
    // SAFETY: the caller's pointers are passed on, with hooks of the same kind.
    unsafe {
        let mut between = Between { hooks: *hooks, stage: 0, last: Instant::now() };
        let wrapped = sdcpp_hooks {
            user: (&raw mut between).cast(),
            log: Some(log),
            progress: Some(progress),
            stop_wanted: Some(stop_wanted),
            preview_wanted: None,
            preview: None,
            ..*hooks
        };
        let status =
            (Table::linked().unwrap().generate_image)(context, params, &wrapped, out, report);
        let start = Instant::now();
        for _ in 0..QUESTIONS {
            between.hooks.stop_wanted.unwrap()(between.hooks.user);
        }
        *QUESTION_TAKES.lock().unwrap() = start.elapsed() / QUESTIONS;
        status
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The median and the longest.
fn summary(times: &mut [Duration]) -> (f64, f64) {
    times.sort_unstable();
    (milliseconds(times[times.len() / 2]), milliseconds(times[times.len() - 1]))
}

fn measure(name: &str, config: ModelConfig, request: &ImageRequest) {
    let table = Table { generate_image, ..Table::linked().unwrap() };
    // SAFETY: every function is the linked engine's, or calls it.
    let engine = unsafe { Engine::from_table(table) };
    let mut context = Context::open(&engine, config, Watch::new()).unwrap();
    // Reads the weights.
    context.generate(request).unwrap();
    GAPS.lock().unwrap().clear();
    let start = Instant::now();
    let limited = Watch::new().cancel_with(CancelToken::new()).time_limit(Duration::MAX);
    let whole = context.generate_with(request, limited).unwrap();
    let takes = start.elapsed();
    let takes = takes - *QUESTION_TAKES.lock().unwrap() * QUESTIONS;
    println!("\n{name}: {:.1} s", takes.as_secs_f64());
    println!("an answer takes {:?}", QUESTION_TAKES.lock().unwrap());
    println!(
        "| stage | takes, ms | questions | median gap, ms | longest gap, ms |\n|---|---|---|---|---|"
    );
    let timings = whole.timings;
    for (stage, (label, takes)) in [
        (SDCPP_STAGE_VAE_ENCODING, ("VAE encode", timings.image_encoding)),
        (SDCPP_STAGE_TEXT_ENCODING, ("text encoder", timings.text_encoding)),
        (SDCPP_STAGE_SAMPLING, ("sampling", timings.sampling)),
        (SDCPP_STAGE_VAE_DECODING, ("VAE decode, one piece", timings.decoding)),
    ] {
        let mut gaps = GAPS.lock().unwrap().remove(&stage).unwrap();
        let (median, longest) = summary(&mut gaps);
        let takes = milliseconds(takes);
        println!("| {label} | {takes:.0} | {} | {median:.2} | {longest:.1} |", gaps.len());
    }

    let mut latencies: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for cancel in 0..CANCELS {
        let token = CancelToken::new();
        let remote = token.clone();
        // Spread evenly, in no order.
        let moment = takes.mul_f64(f64::from(cancel) * 0.618_034 % 1.0);
        let cancelled = thread::spawn(move || {
            thread::sleep(moment);
            let now = Instant::now();
            remote.cancel();
            now
        });
        let ended = context.generate_with(request, Watch::new().cancel_with(token));
        let returned = Instant::now();
        let asked = cancelled.join().unwrap();
        match ended {
            Err(Error::Cancelled { stage }) => {
                latencies.entry(stage.name()).or_default().push(returned - asked);
            }
            // A moment too late.
            Ok(_) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    println!(
        "cancelled at moments spread over it:\n| while | times | median, ms | longest, ms |\n|---|---|---|---|"
    );
    for (stage, latencies) in &mut latencies {
        let (median, longest) = summary(latencies);
        println!("| {stage} | {} | {median:.1} | {longest:.1} |", latencies.len());
    }
    let again = context.generate(request).unwrap();
    assert!(again.images[0].as_bytes() == whole.images[0].as_bytes());
}

#[test]
#[ignore = "takes half an hour"]
fn how_long_a_stop_takes() {
    println!("{} threads", Engine::linked().unwrap().physical_cores());
    let mut demo = demo_config();
    demo.threads = None;
    let picture = |side| test_picture(side, side);
    measure("demo, 128x128", demo, &demo_request("a red circle").init_image(picture(128)));
    let real = ModelConfig::new(sdcpp_test_support::sd1_real_size_aliased().unwrap()).mmap(true);
    for side in [256, 512] {
        let request = unet_request()
            .cfg_scale(1.0)
            .steps(1)
            .size(side, side)
            .init_image(picture(side))
            .denoising_strength(1.0);
        measure(&format!("SD 1.5 of the real size, {side}x{side}"), real.clone(), &request);
    }
}
