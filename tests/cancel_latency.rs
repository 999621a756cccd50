//! How long a stop takes: `scripts/cancel-latency.sh`.
//!
//! A stop is obeyed when the engine asks for it, so the time between two questions is the latency. It is
//! taken for every pair of questions of a picture, and compared with cancels at moments spread over a
//! picture. `SDCPP_CANCEL_LATENCY_CLOCK` says what is measured: `processor` (the default) time with one
//! thread, which does not depend on what else the machine does, or `wall`, as a user waits, with two
//! threads on an idle machine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

#[path = "common/questions.rs"]
mod questions;

use common::{demo_config, demo_request, quick_request, test_picture, unet_request};
use sdcpp::{CancelToken, Context, Engine, Error, ImageRequest, ModelConfig, Watch};
use sdcpp_sys::*;
use std::{
    collections::BTreeMap,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// Pictures cancelled of each kind.
const CANCELS: u32 = 8;

/// The gaps between two questions, by the engine's number of the stage.
static GAPS: Mutex<BTreeMap<i32, Vec<Duration>>> = Mutex::new(BTreeMap::new());

/// What is measured.
#[derive(Debug, Clone, Copy)]
enum Clock {
    Processor,
    Wall,
}

impl Clock {
    fn asked() -> Self {
        match std::env::var("SDCPP_CANCEL_LATENCY_CLOCK").as_deref() {
            Ok("processor") | Err(_) => Self::Processor,
            Ok("wall") => Self::Wall,
            Ok(other) => panic!("SDCPP_CANCEL_LATENCY_CLOCK is {other}; allowed: processor, wall"),
        }
    }

    fn threads(self) -> u32 {
        match self {
            Self::Processor => 1,
            Self::Wall => 2,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Processor => "one thread, processor time",
            Self::Wall => "two threads, by the clock",
        }
    }

    /// The time of the calling thread, or of all; only differences mean something.
    fn now(self) -> Duration {
        let clock = match self {
            Self::Processor => libc::CLOCK_THREAD_CPUTIME_ID,
            Self::Wall => libc::CLOCK_MONOTONIC,
        };
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the clock writes into a value that lives.
        assert_eq!(unsafe { libc::clock_gettime(clock, &mut time) }, 0);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

fn note_gaps(clock: Clock) {
    // The questions are of another thread.
    let mut last = None;
    questions::listen(move |stage, _| {
        let now = clock.now();
        if let Some(last) = last {
            GAPS.lock().unwrap().entry(stage).or_default().push(now - last);
        }
        last = Some(now);
    });
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
    let clock = Clock::asked();
    let config = config.threads(clock.threads());
    let mut context = Context::open(&questions::engine(), config, Watch::new()).unwrap();
    // Reads the weights.
    context.generate(request).unwrap();
    note_gaps(clock);
    let start = Instant::now();
    let whole = context.generate(request).unwrap();
    let takes = start.elapsed();
    questions::listen(|_, _| {});
    println!("\n{name}, {}: a picture of {:.1} s", clock.words(), takes.as_secs_f64());
    let mut row = format!("| {name}, {} | {:.1} |", clock.words(), takes.as_secs_f64());
    println!(
        "| stage | takes, ms | questions | median gap, ms | longest gap, ms |\n|---|---|---|---|---|"
    );
    for (stage, label) in [
        (SDCPP_STAGE_VAE_ENCODING, "VAE encode"),
        (SDCPP_STAGE_TEXT_ENCODING, "text encoder"),
        (SDCPP_STAGE_SAMPLING, "sampling"),
        (SDCPP_STAGE_VAE_DECODING, "VAE decode, one piece"),
    ] {
        let mut gaps = GAPS.lock().unwrap().remove(&stage).unwrap();
        let takes = milliseconds(gaps.iter().sum());
        let (median, longest) = summary(&mut gaps);
        println!("| {label} | {takes:.0} | {} | {median:.2} | {longest:.1} |", gaps.len());
        row += &format!(" {longest:.1} |");
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
        "cancelled at moments spread over it, waits by the clock:\n| while | times | median, ms | longest, ms |\n|---|---|---|---|"
    );
    let mut longest_wait: f64 = 0.0;
    for (stage, latencies) in &mut latencies {
        let (median, longest) = summary(latencies);
        println!("| {stage} | {} | {median:.1} | {longest:.1} |", latencies.len());
        longest_wait = longest_wait.max(longest);
    }
    println!("row of docs/progress.md:\n{row} {longest_wait:.1} |");
    let again = context.generate(request).unwrap();
    assert!(again.images[0].as_bytes() == whole.images[0].as_bytes());
}

/// How long the crate takes to answer.
fn measure_answer() {
    const TIMES: u32 = 1_000_000;
    unsafe extern "C" fn ask_before(
        context: *mut sd_ctx_t,
        params: *const sd_img_gen_params_t,
        hooks: *const sdcpp_hooks,
        out: *mut *mut sd_image_t,
        report: *mut sdcpp_report,
    ) -> i32 {
        // SAFETY: the caller's pointers are passed on, and its hook is called on its thread.
        unsafe {
            let start = Instant::now();
            for _ in 0..TIMES {
                (*hooks).stop_wanted.unwrap()((*hooks).user);
            }
            println!("an answer takes {:?}", start.elapsed() / TIMES);
            (Table::linked().unwrap().generate_image)(context, params, hooks, out, report)
        }
    }
    let table = Table { generate_image: ask_before, ..Table::linked().unwrap() };
    // SAFETY: every function is the linked engine's, or calls it.
    let engine = unsafe { Engine::from_table(table) };
    let mut context = Context::open(&engine, demo_config(), Watch::new()).unwrap();
    let watch = Watch::new().cancel_with(CancelToken::new()).time_limit(Duration::from_secs(3600));
    context.generate_with(&quick_request("a red circle"), watch).unwrap();
}

#[test]
#[ignore = "a measurement"]
fn a_stop_of_the_demo() {
    measure_answer();
    let request = demo_request("a red circle").init_image(test_picture(128, 128));
    measure("demo, 128 × 128", demo_config(), &request);
}

/// SD 1.5 with random weights.
fn measure_real_size(side: u32) {
    let model = sdcpp_test_support::sd1_real_size_aliased().unwrap();
    let request = unet_request()
        .cfg_scale(1.0)
        .steps(1)
        .size(side, side)
        .init_image(test_picture(side, side))
        .denoising_strength(1.0);
    let name = format!("SD 1.5 of the real size, {side} × {side}");
    measure(&name, ModelConfig::new(model).mmap(true), &request);
}

#[test]
#[ignore = "a measurement of minutes"]
fn a_stop_of_the_real_size_at_256() {
    measure_real_size(256);
}

#[test]
#[ignore = "a measurement of a quarter of an hour"]
fn a_stop_of_the_real_size_at_512() {
    measure_real_size(512);
}
