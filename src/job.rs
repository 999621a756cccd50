//! Operations of a pool that run without their caller.

use crate::{
    error::{self, Failure, Result},
    handle::{self, Handle, lock},
    pointer::Out,
    pool::{SDCPP_FOREVER, check_may_wait},
    result::{Made, sdcpp_result},
    watch::Following,
};
use sdcpp::{Generated, GeneratedVideo, JobStatus};
use std::{
    future::Future,
    pin::Pin,
    ptr,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

/// An operation that a pool was asked for, by `sdcpp_pool_submit`. For any number of threads.
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_job {
    _opaque: [u8; 0],
}

impl Handle for sdcpp_job {
    type Object = Job;
    const NAME: &'static str = "sdcpp_job";
}

/// It waits for a model.
pub const SDCPP_JOB_QUEUED: i32 = 0;
/// It has a model, or opens one.
pub const SDCPP_JOB_RUNNING: i32 = 1;
/// Its result or its error is there.
pub const SDCPP_JOB_DONE: i32 = 2;

enum Kind {
    Images(sdcpp::Job<Generated>),
    Video(sdcpp::Job<GeneratedVideo>),
    /// Its result was taken.
    Taken,
}

/// What [`sdcpp_job`] stands for.
pub(crate) struct Job {
    /// Locked for moments only.
    job: Mutex<Kind>,
    bell: Arc<Bell>,
    pool: u64,
    /// Dropped after the job, which is cancelled by then.
    following: Following,
}

impl Job {
    pub(crate) fn of_images(job: sdcpp::Job<Generated>, following: Following, pool: u64) -> Self {
        Self::new(Kind::Images(job), following, pool)
    }

    pub(crate) fn of_video(
        job: sdcpp::Job<GeneratedVideo>,
        following: Following,
        pool: u64,
    ) -> Self {
        Self::new(Kind::Video(job), following, pool)
    }

    fn new(kind: Kind, following: Following, pool: u64) -> Self {
        Self { job: Mutex::new(kind), bell: Arc::default(), pool, following }
    }

    fn status(&self) -> (i32, usize) {
        let status = match &*lock(&self.job) {
            Kind::Images(job) => job.status(),
            Kind::Video(job) => job.status(),
            Kind::Taken => JobStatus::Done,
        };
        match status {
            JobStatus::Queued { position } => (SDCPP_JOB_QUEUED, position),
            JobStatus::Done => (SDCPP_JOB_DONE, 0),
            _ => (SDCPP_JOB_RUNNING, 0),
        }
    }

    fn cancel(&self) {
        match &*lock(&self.job) {
            Kind::Images(job) => job.cancel(),
            Kind::Video(job) => job.cancel(),
            Kind::Taken => {}
        }
    }

    /// Its result, once; none if it is not there.
    fn poll(&self, waker: &Waker) -> Option<Result<Made>> {
        fn made<T: Into<Made>>(poll: Poll<sdcpp::Result<T>>) -> Option<Result<Made>> {
            match poll {
                Poll::Ready(result) => Some(result.map(Into::into).map_err(Into::into)),
                Poll::Pending => None,
            }
        }
        let mut job = lock(&self.job);
        let context = &mut Context::from_waker(waker);
        let result = match &mut *job {
            Kind::Images(job) => made(Pin::new(job).poll(context)),
            Kind::Video(job) => made(Pin::new(job).poll(context)),
            Kind::Taken => Some(Err(Failure::from(sdcpp::Error::Unsupported {
                what: "a job's result a second time".to_owned(),
                reason: "it was taken before".to_owned(),
            }))),
        };
        if result.is_some() {
            *job = Kind::Taken;
        }
        result
    }

    /// Waits for its result until the time has passed.
    fn wait(&self, limit: Option<Duration>) -> Result<Made> {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let waker = Waker::from(Arc::clone(&self.bell));
        loop {
            let heard = self.bell.heard();
            if let Some(result) = self.poll(&waker) {
                self.following.end();
                // Others that wait for it are told that it was taken.
                self.bell.ring();
                return result;
            }
            if !self.bell.wait(heard, until) {
                return Err(Failure::pending("the job has not ended yet"));
            }
        }
    }
}

/// Rings when a job has ended, for all who wait.
#[derive(Default)]
struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
}

impl Bell {
    fn heard(&self) -> u64 {
        *lock(&self.rung)
    }

    fn ring(&self) {
        *lock(&self.rung) += 1;
        self.changed.notify_all();
    }

    /// Waits for a ring after those that were heard; false when the time has passed.
    fn wait(&self, heard: u64, until: Option<Instant>) -> bool {
        let mut rung = lock(&self.rung);
        while *rung == heard {
            rung = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(rung).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let waited = self.changed.wait_timeout(rung, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// What the job is doing: one of the `SDCPP_JOB_` numbers, and how many operations wait before it.
/// `out_position` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_job_status(
    job: *const sdcpp_job,
    out_status: *mut i32,
    out_position: *mut usize,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (status, position) = unsafe {
            let status = Out::new(out_status, SDCPP_JOB_QUEUED, "out_status");
            let position = match out_position.is_null() {
                true => None,
                false => Some(Out::new(out_position, 0, "out_position")?),
            };
            (status?, position)
        };
        let now = handle::get(job)?.status();
        status.put(now.0);
        if let Some(position) = position {
            position.put(now.1);
        }
        Ok(())
    })
}

/// Waits for the job's end, `timeout_ms` at most (0: looks only; `SDCPP_FOREVER`), and gives its
/// result, which is the caller's from then on: free it by `sdcpp_result_free`. A job that failed
/// makes this fail with its error. Both are given once.
///
/// Errors: `SDCPP_PENDING` if it has not ended yet; `SDCPP_UNSUPPORTED` if the result was taken
/// before; `SDCPP_BUSY` in a callback of its pool; those of `sdcpp_pool_generate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_job_wait(
    job: *const sdcpp_job,
    timeout_ms: u64,
    out: *mut *mut sdcpp_result,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, ptr::null_mut(), "out") }?;
        let job = handle::get(job)?;
        let limit = (timeout_ms != SDCPP_FOREVER).then(|| Duration::from_millis(timeout_ms));
        if limit != Some(Duration::ZERO) {
            check_may_wait(job.pool)?;
        }
        out.put(handle::put(job.wait(limit)?)?);
        Ok(())
    })
}

/// Stops the job: at once if it waits, else a little later. It ends with `SDCPP_CANCELLED`.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_job_cancel(job: *const sdcpp_job) -> i32 {
    error::call(|| {
        handle::get(job)?.cancel();
        Ok(())
    })
}

/// Frees a job; one that has not ended is cancelled, and its result is lost. None of its callbacks is
/// called any more; waits for one that runs on another thread, but not for the job's end. Called from a
/// callback it does not wait, so that one on another thread may come to its end a little later.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_job_free(job: *mut sdcpp_job) -> i32 {
    error::call(|| {
        let Some(job) = handle::take(job)? else { return Ok(()) };
        job.cancel();
        // Also if another thread waits for it, and so keeps it.
        job.following.end();
        Ok(())
    })
}
