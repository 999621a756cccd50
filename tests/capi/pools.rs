//! Pools in this process and in workers.

use crate::{asked::*, jobs::pool};
use sdcpp_capi::*;
use std::{
    ptr::{null, null_mut, without_provenance},
    thread,
};

/// Draws with a pool.
fn draw_in(
    pool: *const sdcpp_pool,
    request: &sdcpp_image_request,
    watch: Option<&sdcpp_watch>,
) -> (i32, *mut sdcpp_result) {
    let (mut result, watch) = (null_mut(), watch.map_or(null(), std::ptr::from_ref));
    // SAFETY: pointers to what lives.
    (unsafe { sdcpp_pool_generate(pool, request, watch, &raw mut result) }, result)
}

#[test]
fn threads_share_a_pool_until_it_is_shut_down() {
    let pool = pool();
    let number = pool.addr();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                let (code, result) = draw_in(without_provenance(number), &quick(3), None);
                works(code);
                assert_eq!(pixels(result, 0), expected());
                works(sdcpp_result_free(result));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    fails(sdcpp_pool_shutdown(pool, 7, 0), SDCPP_INVALID_PARAMETER);
    works(sdcpp_pool_shutdown(pool, SDCPP_SHUTDOWN_FINISH, SDCPP_FOREVER));
    let failed = fails(draw_in(pool, &quick(3), None).0, SDCPP_SHUT_DOWN);
    assert_eq!(failed.message, "the pool is shut down");
    works(sdcpp_pool_free(pool));
}

#[test]
fn shutting_down_with_a_limit_can_be_asked_again() {
    let pool = pool();
    let (long, mut job) = (quick(1000), null_mut());
    // SAFETY: pointers to what lives.
    works(unsafe { sdcpp_pool_submit(pool, &raw const long, null(), &raw mut job) });
    fails(sdcpp_pool_shutdown(pool, SDCPP_SHUTDOWN_FINISH, 50), SDCPP_PENDING);
    works(sdcpp_pool_shutdown(pool, SDCPP_SHUTDOWN_CANCEL, 60_000));
    let mut result = null_mut();
    // SAFETY: a place for a handle.
    let code = unsafe { sdcpp_job_wait(job, SDCPP_FOREVER, &raw mut result) };
    fails(code, SDCPP_SHUT_DOWN);
    works(sdcpp_job_free(job));
    works(sdcpp_pool_free(pool));
}

/// What opening a pool with these options fails with.
fn refused(set: impl Fn(&mut sdcpp_pool_options), code: i32) -> Failed {
    let (mut texts, mut pool, mut options) = (Texts::default(), null_mut(), pool_options());
    let config = demo_config(&mut texts);
    set(&mut options);
    // SAFETY: pointers to what lives.
    let returned = unsafe { sdcpp_pool_open(&raw const config, &raw const options, &raw mut pool) };
    assert!(pool.is_null());
    fails(returned, code)
}

#[test]
fn options_are_checked_by_name() {
    type Set = fn(&mut sdcpp_pool_options);
    let cases: [(Set, &str); 6] = [
        (|o| o.models = 0, "size is 0"),
        (|o| o.queue_limit = 70_000, "queue_limit is 70000"),
        (|o| o.failure_limit = 0, "failure_limit is 0"),
        (|o| o.isolated = 2, "isolated is 2; allowed: 0 or 1"),
        (|o| o.cool_down_ms = u64::MAX, "cool_down is"),
        (|o| o.time_limit_ms = u64::MAX, "time_limit is"),
    ];
    for (set, text) in cases {
        let failed = refused(set, SDCPP_INVALID_PARAMETER);
        assert!(failed.message.starts_with(text), "{failed:?} should start with {text}");
    }
}

#[cfg(feature = "isolated")]
mod isolated {
    use super::*;

    /// A pool of one worker.
    fn workers() -> *mut sdcpp_pool {
        let (mut texts, mut pool) = (Texts::default(), null_mut());
        let config = demo_config(&mut texts);
        let mut options = sdcpp_pool_options { models: 1, isolated: 1, ..pool_options() };
        options.worker_program = texts.keep(env!("CARGO_BIN_EXE_sdcpp-worker"));
        // SAFETY: pointers to what lives.
        works(unsafe { sdcpp_pool_open(&raw const config, &raw const options, &raw mut pool) });
        pool
    }

    #[test]
    fn workers_draw_the_same_and_tell_progress() {
        let pool = workers();
        let mut steps = 0;
        let mut tell: Box<OnProgress<'_>> = Box::new(|progress| {
            steps += i32::from(progress.stage == SDCPP_STAGE_SAMPLING && progress.done > 0);
            0
        });
        let (code, result) = draw_in(pool, &quick(3), Some(&telling(&mut tell)));
        works(code);
        drop(tell);
        assert_eq!((pixels(result, 0), steps), (expected(), 3));
        let mut stop: Box<OnProgress<'_>> = Box::new(|p| (p.stage == SDCPP_STAGE_SAMPLING).into());
        fails(draw_in(pool, &quick(1000), Some(&telling(&mut stop))).0, SDCPP_CANCELLED);
        works(sdcpp_result_free(result));
        works(sdcpp_pool_shutdown(pool, SDCPP_SHUTDOWN_CANCEL, SDCPP_FOREVER));
        works(sdcpp_pool_free(pool));
    }

    #[test]
    fn programs_that_are_no_workers_are_errors() {
        let refused = |set: fn(&mut sdcpp_pool_options)| {
            let isolated = |options: &mut sdcpp_pool_options| {
                (options.isolated, options.worker_program) = (1, c"/no/such/worker".as_ptr());
                set(options);
            };
            super::refused(isolated, SDCPP_INVALID_PARAMETER).message
        };
        assert!(refused(|o| o.worker_memory_limit = 1).starts_with("memory_limit is 1"));
        assert!(refused(|o| o.worker_silence_ms = 1).starts_with("heartbeat_timeout is 1ms"));
        // None is installed around this test's program, which is what the library is a part of here.
        let nowhere = super::refused(|o| o.isolated = 1, SDCPP_WORKER_START);
        assert!(nowhere.message.contains("libexec/sdcpp-worker"), "{nowhere:?}");

        let (mut texts, mut pool) = (Texts::default(), null_mut());
        let config = demo_config(&mut texts);
        let options = sdcpp_pool_options {
            isolated: 1,
            worker_program: c"/no/such/worker".as_ptr(),
            ..pool_options()
        };
        // SAFETY: pointers to what lives.
        works(unsafe { sdcpp_pool_open(&raw const config, &raw const options, &raw mut pool) });
        let failed = fails(draw_in(pool, &quick(1), None).0, SDCPP_WORKER_START);
        assert!(failed.message.contains("/no/such/worker"), "{failed:?}");
        works(sdcpp_pool_free(pool));
    }
}
