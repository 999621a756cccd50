//! Many generations on two contexts, with random cancels, time limits, drops and panics: nothing
//! leaks, nothing hangs, and the pictures stay the same.

use super::{
    application::{Held, Pictures, Row, application_with},
    cases, common,
    kinds::Kinds,
    random_requests::patient,
};
use fastrand::Rng;
use sdcpp::{CancelToken, ContextPool, Engine, Generated, ImageRequest, Job, Shutdown, Watch};
use std::{
    collections::VecDeque,
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// Pictures that are drawn again and again.
const SEEDS: usize = 5;
/// Bytes of one, so many that one that leaks shows.
const PICTURE: i64 = 128 * 128 * 3;
/// How much the heap may grow after the warm-up, whatever the number of generations. One picture leaked
/// in a hundred generations would be four times this at full length; one in ten, more than twice in CI.
const MOST_GROWTH: i64 = 2 * PICTURE;
/// The same for resident memory, which the C library gives back in large pieces.
const MOST_RESIDENT_GROWTH_KIB: i64 = 8 * 1024;
/// Jobs that wait or run at once.
const IN_FLIGHT: usize = 8;

fn request(seed: usize) -> ImageRequest {
    let request = common::quick_request("a red circle").size(128, 128);
    request.seed(seed as i64).steps(1 + seed as u32 % 2)
}

/// A job of the pool.
struct Submitted {
    seed: usize,
    job: Job<Generated>,
    /// How it may end, by what is done to it. If it is drawn, as its seed always is.
    ends: &'static [&'static str],
}

/// None if its handle is dropped at once.
fn submit(pool: &ContextPool, rng: &mut Rng) -> Option<Submitted> {
    let seed = rng.usize(..SEEDS);
    let submit = |watch| pool.submit(request(seed), watch).unwrap();
    let soon = Duration::from_millis(rng.u64(0..150));
    let (job, ends): (_, &'static [&'static str]) = match rng.u8(0..20) {
        0..10 => (submit(Watch::new()), &["drawn"]),
        10..14 => {
            let token = CancelToken::new();
            let job = submit(Watch::new().cancel_with(token.clone()));
            std::thread::spawn(move || {
                std::thread::sleep(soon);
                token.cancel();
            });
            (job, &["drawn", "cancelled"])
        }
        14..17 => {
            let limit = Watch::new().time_limit(soon + Duration::from_millis(1));
            (submit(limit), &["drawn", "deadline_exceeded"])
        }
        17..19 => {
            let job = submit(Watch::new());
            std::thread::sleep(soon / 8);
            drop(job);
            return None;
        }
        _ => {
            let panics = Watch::new()
                .on_progress(|_| -> ControlFlow<()> { std::panic::panic_any("the soak's own") });
            (submit(panics), &["callback_panicked"])
        }
    };
    Some(Submitted { seed, job, ends })
}

#[test]
fn a_thousand_generations_leave_nothing_behind() {
    // The C library's arenas, one for each thread that came in another's way, keep up to 64 MiB each
    // of what was freed, unless large pieces are mapped; and what threads keep for reuse counts as
    // handed out, unless they keep nothing.
    const EXACT: &str = "glibc.malloc.mmap_threshold=1048576:glibc.malloc.tcache_count=0";
    application_with(
        "soak::a_thousand_generations_leave_nothing_behind",
        |process| {
            process.env("GLIBC_TUNABLES", EXACT);
        },
        soak,
    );
}

fn soak(pictures: &mut Pictures) -> Row {
    let count = cases(60, 1000);
    // The panics are meant.
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&"the soak's own") {
            eprintln!("{panic}");
        }
    }));
    let pool =
        ContextPool::open(&Engine::linked().unwrap(), common::demo_config(), patient()).unwrap();
    // Both are open from now on, with their files.
    drop([(); 2].map(|()| pool.acquire(Duration::from_secs(60)).unwrap()));
    let before = Held::now();
    let expected: Vec<Generated> =
        (0..SEEDS).map(|seed| common::demo().generate(&request(seed)).unwrap()).collect();
    let mut rng = Rng::with_seed(1);
    let (mut jobs, mut kinds, mut dropped) = (VecDeque::new(), Kinds::default(), 0);
    let mut settle = |submitted: Option<Submitted>| {
        let Some(Submitted { seed, job, ends }) = submitted else {
            dropped += 1;
            return;
        };
        let came = job.wait();
        let kind = kinds.add(&came);
        assert!(ends.contains(&kind), "not {ends:?}: {:?}", came.err());
        if let Ok(drawn) = came {
            pictures.compare(&drawn, &expected[seed]);
        }
    };
    let start = Instant::now();
    let mut warm = None;
    for case in 0..count {
        if jobs.len() == IN_FLIGHT {
            settle(jobs.pop_front().unwrap());
        }
        jobs.push_back(submit(&pool, &mut rng));
        if case == count / 5 {
            // Nothing runs while memory is measured.
            jobs.drain(..).for_each(&mut settle);
            wait_until_idle(&pool, before);
            warm = Some(common::Memory::now());
        }
    }
    jobs.drain(..).for_each(&mut settle);
    wait_until_idle(&pool, before);
    let (warm, end) = (warm.unwrap(), common::Memory::now());
    let took = start.elapsed();
    let metrics = pool.metrics();
    assert_eq!(metrics.replaced, 0, "no disturbance poisons a context: {metrics:?}");
    assert!(pool.shutdown_within(Shutdown::Finish, Duration::from_secs(60)), "{metrics:?}");
    assert_eq!(kinds.total() + dropped, count);
    for kind in ["drawn", "cancelled", "deadline_exceeded", "callback_panicked"] {
        assert!(kinds.count(kind) > 0 && dropped > 0, "{kinds}, {dropped} dropped");
    }
    let grown = end.in_use_bytes as i64 - warm.in_use_bytes as i64;
    let resident = end.resident_kib as i64 - warm.resident_kib as i64;
    let mut leaks = Vec::new();
    if grown > MOST_GROWTH {
        leaks.push(format!("heap: {warm:?} → {end:?}"));
    }
    if resident > MOST_RESIDENT_GROWTH_KIB {
        leaks.push(format!("resident: {warm:?} → {end:?}"));
    }
    Row::new(
        "generations on two contexts with cancels, limits, drops and panics",
        format!("{count} in {:.0} s", took.as_secs_f64()),
        format!(
            "{kinds}, {dropped} dropped; heap in use {:+.1} KiB after warm-up, resident {} → {} MiB",
            grown as f64 / 1024.0,
            warm.resident_kib / 1024,
            end.resident_kib / 1024,
        ),
    )
    .leaks(leaks)
}

/// No job, and no thread of one that has ended or was to cancel it.
fn wait_until_idle(pool: &ContextPool, before: Held) {
    let start = Instant::now();
    while pool.metrics().in_use + pool.metrics().queued > 0 {
        assert!(start.elapsed() < Duration::from_secs(120), "{:?}", pool.metrics());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Held::more_than(before), Some(Vec::new()));
}
