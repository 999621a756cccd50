//! Several models of one kind, for any number of threads, in this process or in workers.

use crate::{
    config::{self, sdcpp_model_config},
    engine,
    error::{self, Failure, Result},
    gate,
    handle::{self, Handle},
    job::{Job, sdcpp_job},
    pointer::Out,
    request::{self, sdcpp_image_request},
    result::{Made, sdcpp_result},
    sized::{self, sized},
    video::{self, sdcpp_video_request},
    watch::{Following, sdcpp_watch},
};
use sdcpp::{ContextPool, JobPool, ModelConfig, PoolOptions, Shutdown};
use std::{
    ffi::c_char,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A bounded number of models, opened when they are first needed, and a queue before them. For any
/// number of threads.
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_pool {
    _opaque: [u8; 0],
}

impl Handle for sdcpp_pool {
    type Object = Pool;
    const NAME: &'static str = "sdcpp_pool";
}

/// What [`sdcpp_pool`] stands for.
pub(crate) struct Pool {
    pub(crate) pool: Box<dyn JobPool>,
    /// Tells its callbacks from those of other pools.
    pub(crate) id: u64,
}

impl Pool {
    fn new(pool: Box<dyn JobPool>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { pool, id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

/// Refuses to wait for a pool in a callback of one of its operations, which would wait for itself.
pub(crate) fn check_may_wait(pool: u64) -> Result<()> {
    if !gate::in_callback_of(pool) {
        return Ok(());
    }
    Err(Failure::busy(
        "a callback that this pool may be waiting for would wait for the pool",
        "return from the callback first, or wait on another thread",
    ))
}

/// How large a pool is, how patient, and where its models are. Fill it by `sdcpp_pool_options_init`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_pool_options {
    /// `sizeof(sdcpp_pool_options)`.
    pub size: usize,
    /// Where `isolated`: the program `sdcpp-worker`. NULL: the one in the folder of this library, in
    /// `../libexec` or `../bin` from there, or in the folder of this program.
    pub worker_program: *const c_char,
    /// Where `isolated`: bytes of memory that a worker may have, at least 256 MiB; Linux only. 0: no
    /// limit. Default 0.
    pub worker_memory_limit: u64,
    /// Where `isolated`: milliseconds a worker may take to start. Default 10000.
    pub worker_start_ms: u64,
    /// Where `isolated`: milliseconds a worker may take to stop when it is told to; then it is
    /// killed. Default 5000.
    pub worker_grace_ms: u64,
    /// Where `isolated`: milliseconds a worker may be silent before it is killed, at least 2000.
    /// Default 10000.
    pub worker_silence_ms: u64,
    /// Time limit in milliseconds of operations whose watch has none, waiting included; 0: none.
    /// Default 0.
    pub time_limit_ms: u64,
    /// Milliseconds in which nothing is tried after too many failures in a row. Default 30000.
    pub cool_down_ms: u64,
    /// Failures in a row that are too many, 1 to 1000. Default 3.
    pub failure_limit: u32,
    /// Models at most, and so operations at once, 1 to 1024. Default 2.
    pub models: u32,
    /// Operations that may wait, 0 to 65536. Default 64.
    pub queue_limit: u32,
    /// 1: each model in a worker process of its own, whose crash is an error of one operation; 0: in
    /// this process. Default 0.
    pub isolated: i32,
}

sized!(sdcpp_pool_options, first 80, {
    worker_program: ptr::null(),
    worker_memory_limit: 0,
    worker_start_ms: 10_000,
    worker_grace_ms: 5_000,
    worker_silence_ms: 10_000,
    time_limit_ms: 0,
    cool_down_ms: 30_000,
    failure_limit: 3,
    models: 2,
    queue_limit: 64,
    isolated: 0,
});

/// Fills `options` with defaults. `size` is `sizeof(sdcpp_pool_options)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_pool_options_init(
    options: *mut sdcpp_pool_options,
    size: usize,
) -> i32 {
    // SAFETY: the pointers are as the documentation of this crate asks.
    error::call(|| unsafe { sized::init(options, size, "options") })
}

fn milliseconds(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn pool_options(asked: &sdcpp_pool_options) -> PoolOptions {
    let mut options = PoolOptions::default()
        .size(asked.models as usize)
        .queue_limit(asked.queue_limit as usize)
        .failure_limit(asked.failure_limit)
        .cool_down(milliseconds(asked.cool_down_ms));
    options.time_limit = Some(milliseconds(asked.time_limit_ms)).filter(|limit| !limit.is_zero());
    options
}

/// # Safety
/// The pointers of `asked` are as its documentation says.
#[cfg(feature = "isolated")]
unsafe fn workers(asked: &sdcpp_pool_options, config: ModelConfig) -> Result<Box<dyn JobPool>> {
    use sdcpp::isolated::{WorkerOptions, WorkerPool};
    let mut options = WorkerOptions::default()
        .start_timeout(milliseconds(asked.worker_start_ms))
        .grace(milliseconds(asked.worker_grace_ms))
        .heartbeat_timeout(milliseconds(asked.worker_silence_ms));
    options.memory_limit = Some(asked.worker_memory_limit).filter(|limit| *limit > 0);
    // SAFETY: the caller vouches for it.
    let program = unsafe { crate::pointer::optional_path(asked.worker_program, "worker_program") }?;
    let command = crate::worker::command(program)?;
    Ok(Box::new(WorkerPool::open(command, config, options, pool_options(asked))?))
}

/// # Safety
/// None; as the other.
#[cfg(not(feature = "isolated"))]
unsafe fn workers(_: &sdcpp_pool_options, _: ModelConfig) -> Result<Box<dyn JobPool>> {
    let what = "an isolated pool".to_owned();
    let reason = "this build lacks the cargo feature `isolated`".to_owned();
    Err(sdcpp::Error::Unsupported { what, reason }.into())
}

/// Makes a pool. `options` may be NULL for the defaults. Values and files are checked now; models are
/// opened when they are first needed. Free `*out` by `sdcpp_pool_free`.
///
/// Errors: `SDCPP_INVALID_PARAMETER`, `SDCPP_FILE_NOT_FOUND`, `SDCPP_NOT_A_MODEL`,
/// `SDCPP_WORKER_START` and others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_pool_open(
    config: *const sdcpp_model_config,
    options: *const sdcpp_pool_options,
    out: *mut *mut sdcpp_pool,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, config, asked) = unsafe {
            let out = Out::new(out, ptr::null_mut(), "out")?;
            let asked = match options.is_null() {
                true => <sdcpp_pool_options as sized::Versioned>::defaults(),
                false => sized::read(options, "options")?,
            };
            (out, config::read(config)?, asked)
        };
        let pool = match asked.isolated {
            // SAFETY: as above.
            1 => unsafe { workers(&asked, config) }?,
            0 => Box::new(ContextPool::open(&engine::engine()?, config, pool_options(&asked))?),
            other => return Err(Failure::invalid("isolated", other, "0 or 1")),
        };
        out.put(handle::put(Pool::new(pool))?);
        Ok(())
    })
}

/// Draws, with a model of the pool, when its turn comes. `watch` may be NULL; its callbacks are
/// called on a thread of the library. Free `*out` by `sdcpp_result_free`.
///
/// Errors: as `sdcpp_context_generate`, and `SDCPP_QUEUE_FULL`, `SDCPP_CIRCUIT_OPEN`,
/// `SDCPP_SHUT_DOWN`, `SDCPP_WORKER_CRASHED`, and what opening a model fails with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_pool_generate(
    pool: *const sdcpp_pool,
    request: *const sdcpp_image_request,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_result,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, ptr::null_mut(), "out") }?;
        let pool = handle::get(pool)?;
        check_may_wait(pool.id)?;
        // SAFETY: as above.
        let (request, (watch, _following)) =
            unsafe { (request::read(request)?, Following::read(watch, Some(pool.id))?) };
        let made = pool.pool.submit(request, watch)?.wait()?;
        out.put(handle::put(Made::from(made))?);
        Ok(())
    })
}

/// Makes a video, as `sdcpp_pool_generate` makes pictures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_pool_generate_video(
    pool: *const sdcpp_pool,
    request: *const sdcpp_video_request,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_result,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, ptr::null_mut(), "out") }?;
        let pool = handle::get(pool)?;
        check_may_wait(pool.id)?;
        // SAFETY: as above.
        let (request, (watch, _following)) =
            unsafe { (video::read(request)?, Following::read(watch, Some(pool.id))?) };
        let made = pool.pool.submit_video(request, watch)?.wait()?;
        out.put(handle::put(Made::from(made))?);
        Ok(())
    })
}

/// Puts a request in the queue and returns at once. `watch` may be NULL; its time limit counts from
/// now, and its callbacks and user data must stay until the job has ended or was freed. Free `*out`
/// by `sdcpp_job_free`.
///
/// Errors: `SDCPP_INVALID_PARAMETER`, `SDCPP_QUEUE_FULL`, `SDCPP_CIRCUIT_OPEN`, `SDCPP_SHUT_DOWN`. All
/// others are the job's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_pool_submit(
    pool: *const sdcpp_pool,
    request: *const sdcpp_image_request,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_job,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, ptr::null_mut(), "out") }?;
        let pool = handle::get(pool)?;
        // SAFETY: as above.
        let (request, (watch, following)) =
            unsafe { (request::read(request)?, Following::read(watch, Some(pool.id))?) };
        let job = pool.pool.submit(request, watch)?;
        out.put(handle::put(Job::of_images(job, following, pool.id))?);
        Ok(())
    })
}

/// Puts the request of a video in the queue, as `sdcpp_pool_submit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_pool_submit_video(
    pool: *const sdcpp_pool,
    request: *const sdcpp_video_request,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_job,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, ptr::null_mut(), "out") }?;
        let pool = handle::get(pool)?;
        // SAFETY: as above.
        let (request, (watch, following)) =
            unsafe { (video::read(request)?, Following::read(watch, Some(pool.id))?) };
        let job = pool.pool.submit_video(request, watch)?;
        out.put(handle::put(Job::of_video(job, following, pool.id))?);
        Ok(())
    })
}

/// What runs may finish; what waits ends with `SDCPP_SHUT_DOWN`.
pub const SDCPP_SHUTDOWN_FINISH: i32 = 0;
/// What runs is cancelled; both end with `SDCPP_SHUT_DOWN`.
pub const SDCPP_SHUTDOWN_CANCEL: i32 = 1;
/// As a number of milliseconds: without end.
pub const SDCPP_FOREVER: u64 = u64::MAX;

/// Ends the pool: what waits and what comes later fails with `SDCPP_SHUT_DOWN`, models are freed.
/// Waits until nothing runs any more, `limit_ms` at most. `how` is `SDCPP_SHUTDOWN_FINISH` or
/// `SDCPP_SHUTDOWN_CANCEL`.
///
/// Errors: `SDCPP_PENDING` if something runs still: call it again; `SDCPP_BUSY` in a callback of the
/// pool.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_pool_shutdown(pool: *const sdcpp_pool, how: i32, limit_ms: u64) -> i32 {
    error::call(|| {
        let pool = handle::get(pool)?;
        let how = match how {
            SDCPP_SHUTDOWN_FINISH => Shutdown::Finish,
            SDCPP_SHUTDOWN_CANCEL => Shutdown::Cancel,
            other => return Err(Failure::invalid("how", other, "0 (finish) or 1 (cancel)")),
        };
        check_may_wait(pool.id)?;
        if limit_ms == SDCPP_FOREVER {
            pool.pool.shutdown(how);
        } else if !pool.pool.shutdown_within(how, milliseconds(limit_ms)) {
            return Err(Failure::pending("something of the pool runs still"));
        }
        Ok(())
    })
}

/// Frees a pool, without waiting: jobs that were submitted go on, and the models are freed after
/// them. Call `sdcpp_pool_shutdown` first to end it in order.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_pool_free(pool: *mut sdcpp_pool) -> i32 {
    error::call(|| handle::take(pool).map(drop))
}
