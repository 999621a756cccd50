//! Jobs of a pool: waiting, looking, cancelling, freeing.

use crate::asked::*;
use sdcpp_capi::*;
use std::{
    ptr::{null, null_mut, without_provenance_mut},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// A pool of one model.
pub(crate) fn pool() -> *mut sdcpp_pool {
    let (mut texts, mut pool) = (Texts::default(), null_mut());
    let config = demo_config(&mut texts);
    let options = sdcpp_pool_options { models: 1, ..pool_options() };
    // SAFETY: pointers to what lives.
    works(unsafe { sdcpp_pool_open(&raw const config, &raw const options, &raw mut pool) });
    pool
}

fn submit(
    pool: *const sdcpp_pool,
    request: &sdcpp_image_request,
    watch: Option<&sdcpp_watch>,
) -> *mut sdcpp_job {
    let mut job = null_mut();
    let watch = watch.map_or(null(), std::ptr::from_ref);
    // SAFETY: pointers to what lives.
    works(unsafe { sdcpp_pool_submit(pool, request, watch, &raw mut job) });
    job
}

fn wait(job: *const sdcpp_job, timeout_ms: u64) -> (i32, *mut sdcpp_result) {
    let mut result = std::ptr::dangling_mut();
    // SAFETY: a place for a handle.
    let code = unsafe { sdcpp_job_wait(job, timeout_ms, &raw mut result) };
    assert_eq!(code == SDCPP_OK, !result.is_null());
    (code, result)
}

fn status(job: *const sdcpp_job) -> (i32, usize) {
    let (mut status, mut position) = (-1, usize::MAX);
    // SAFETY: places for numbers.
    works(unsafe { sdcpp_job_status(job, &raw mut status, &raw mut position) });
    (status, position)
}

#[test]
fn a_job_is_waited_for_and_gives_its_result_once() {
    let pool = pool();
    let job = submit(pool, &quick(3), None);
    fails(wait(job, 0).0, SDCPP_PENDING);
    let (code, result) = wait(job, SDCPP_FOREVER);
    works(code);
    assert_eq!(pixels(result, 0), expected());
    assert_eq!(status(job), (SDCPP_JOB_DONE, 0));
    let failed = fails(wait(job, SDCPP_FOREVER).0, SDCPP_UNSUPPORTED);
    assert!(failed.message.contains("a second time"), "{failed:?}");
    works(sdcpp_job_free(job));
    // Results outlive pool and job.
    works(sdcpp_pool_free(pool));
    assert_eq!(pixels(result, 0), expected());
    works(sdcpp_result_free(result));
}

#[test]
fn jobs_wait_in_turn_and_are_cancelled_where_they_are() {
    let pool = pool();
    let long = submit(pool, &quick(1000), None);
    let (next, last) = (submit(pool, &quick(3), None), submit(pool, &quick(3), None));
    assert_eq!((status(next), status(last)), ((SDCPP_JOB_QUEUED, 0), (SDCPP_JOB_QUEUED, 1)));
    assert_eq!(status(long).0, SDCPP_JOB_RUNNING);
    works(sdcpp_job_cancel(next));
    let failed = fails(wait(next, SDCPP_FOREVER).0, SDCPP_CANCELLED);
    assert_eq!(failed.stage, "queued");
    assert_eq!(status(last), (SDCPP_JOB_QUEUED, 0));
    let mut metrics = sdcpp_pool_metrics_of(pool);
    assert_eq!((metrics.models, metrics.in_use, metrics.queued, metrics.submitted), (1, 1, 1, 3));
    works(sdcpp_job_cancel(long));
    fails(wait(long, SDCPP_FOREVER).0, SDCPP_CANCELLED);
    let (code, result) = wait(last, SDCPP_FOREVER);
    works(code);
    assert_eq!(pixels(result, 0), expected());
    metrics = sdcpp_pool_metrics_of(pool);
    assert_eq!((metrics.done, metrics.cancelled, metrics.failed, metrics.opened), (1, 2, 0, 1));
    assert_eq!(metrics.breaker, SDCPP_BREAKER_CLOSED);
    works(sdcpp_result_free(result));
    for job in [long, next, last] {
        works(sdcpp_job_free(job));
    }
    works(sdcpp_pool_free(pool));
}

fn sdcpp_pool_metrics_of(pool: *const sdcpp_pool) -> sdcpp_pool_metrics {
    // SAFETY: numbers, for which zeros are a value.
    unsafe {
        let mut metrics: sdcpp_pool_metrics = std::mem::zeroed();
        metrics.size = size_of::<sdcpp_pool_metrics>();
        works(sdcpp_pool_metrics_get(pool, &raw mut metrics));
        metrics
    }
}

#[test]
fn a_freed_job_is_cancelled_and_calls_back_no_more() {
    let pool = pool();
    let calls = AtomicUsize::new(0);
    let (begun, has_begun) = mpsc::channel();
    let mut count: Box<OnProgress<'_>> = Box::new(|progress| {
        calls.fetch_add(1, Ordering::SeqCst);
        if progress.stage == SDCPP_STAGE_SAMPLING {
            let _ = begun.send(());
        }
        thread::sleep(Duration::from_millis(1));
        0
    });
    let job = submit(pool, &quick(1000), Some(&telling(&mut count)));
    has_begun.recv().unwrap();
    works(sdcpp_job_free(job));
    let before = calls.load(Ordering::SeqCst);
    fails(sdcpp_job_free(job), SDCPP_INVALID_HANDLE);
    // The pool's next job begins when the freed one has ended.
    let (code, result) = wait(submit(pool, &quick(3), None), SDCPP_FOREVER);
    works(code);
    assert_eq!(calls.load(Ordering::SeqCst), before);
    drop(count);
    works(sdcpp_result_free(result));
    works(sdcpp_pool_free(pool));
}

#[test]
fn several_threads_wait_for_one_job_and_one_gets_it() {
    let pool = pool();
    let job = submit(pool, &quick(3), None).addr();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                let (code, result) = wait(without_provenance_mut(job), SDCPP_FOREVER);
                works(sdcpp_result_free(result));
                code
            })
        })
        .collect();
    let mut codes: Vec<_> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
    codes.sort();
    assert_eq!(codes, [SDCPP_OK, SDCPP_UNSUPPORTED, SDCPP_UNSUPPORTED, SDCPP_UNSUPPORTED]);
    works(sdcpp_job_free(without_provenance_mut(job)));
    works(sdcpp_pool_free(pool));
}

#[test]
fn freed_while_a_thread_waits_for_it_that_one_gets_the_cancel() {
    let pool = pool();
    let job = submit(pool, &quick(1000), None).addr();
    let waiting = thread::spawn(move || wait(without_provenance_mut(job), SDCPP_FOREVER).0);
    let start = Instant::now();
    while status(without_provenance_mut(job)).0 != SDCPP_JOB_RUNNING
        || start.elapsed() < Duration::from_millis(50)
    {
        thread::sleep(Duration::from_millis(5));
    }
    works(sdcpp_job_free(without_provenance_mut(job)));
    assert_eq!(waiting.join().unwrap(), SDCPP_CANCELLED);
    works(sdcpp_pool_free(pool));
}

#[test]
fn a_callback_cannot_wait_for_its_own_pool() {
    let pool = pool().addr();
    let mut codes = Vec::new();
    let mut tell: Box<OnProgress<'_>> = Box::new(|progress| {
        if progress.stage == SDCPP_STAGE_SAMPLING && codes.is_empty() {
            let pool = without_provenance_mut::<sdcpp_pool>(pool);
            let (request, mut result) = (quick(1), null_mut());
            // SAFETY: pointers to what lives.
            let generated =
                unsafe { sdcpp_pool_generate(pool, &raw const request, null(), &raw mut result) };
            let job = submit(pool, &quick(1), None);
            codes.extend([
                generated,
                sdcpp_pool_shutdown(pool, SDCPP_SHUTDOWN_FINISH, SDCPP_FOREVER),
                wait(job, SDCPP_FOREVER).0,
                wait(job, 1).0,
            ]);
            // To look at it, or to give it up, is no waiting.
            assert_eq!(wait(job, 0).0, SDCPP_PENDING);
            works(sdcpp_job_free(job));
            // To free it is none either.
            works(sdcpp_pool_free(pool));
        }
        0
    });
    let (request, mut result) = (quick(3), null_mut());
    let watch = telling(&mut tell);
    let handle = without_provenance_mut(pool);
    // SAFETY: pointers to what lives.
    works(unsafe {
        sdcpp_pool_generate(handle, &raw const request, &raw const watch, &raw mut result)
    });
    drop(tell);
    assert_eq!(codes, [SDCPP_BUSY; 4]);
    assert_eq!(pixels(result, 0), expected());
    works(sdcpp_result_free(result));
    fails(sdcpp_pool_free(handle), SDCPP_INVALID_HANDLE);
}
