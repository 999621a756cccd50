//! What a pool is doing, in numbers.

use crate::{
    error, handle,
    pool::sdcpp_pool,
    sized::{VersionedOut, sized},
};
use sdcpp::{BreakerState, PoolMetrics};

/// Operations are let through.
pub const SDCPP_BREAKER_CLOSED: i32 = 0;
/// Nothing is tried for a while, after too many failures in a row.
pub const SDCPP_BREAKER_OPEN: i32 = 1;
/// One operation is let through, whose end decides.
pub const SDCPP_BREAKER_HALF_OPEN: i32 = 2;

/// What a pool is doing now, and what it has done since it was made.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_pool_metrics {
    /// `sizeof(sdcpp_pool_metrics)`; set it before the call.
    pub size: usize,
    /// Models at most.
    pub models: u64,
    /// Operations that wait now.
    pub queued: u64,
    /// Models in use now, those that are being opened included.
    pub in_use: u64,
    /// Models that are open and free now.
    pub idle: u64,
    /// Operations that got a model so far.
    pub granted: u64,
    /// Models opened so far.
    pub opened: u64,
    /// Models dropped so far because they could not be used again.
    pub replaced: u64,
    /// Models that could not be opened, loaded or used again.
    pub failures: u64,
    /// Operations taken on.
    pub submitted: u64,
    /// Of these: came to their end.
    pub done: u64,
    /// Of these: failed.
    pub failed: u64,
    /// Of these: were cancelled, or ended by shutting down.
    pub cancelled: u64,
    /// Of these: took longer than their limit.
    pub timed_out: u64,
    /// Operations refused because too many waited.
    pub refused_queue_full: u64,
    /// Operations refused after too many failures in a row.
    pub refused_circuit_open: u64,
    /// Seconds that operations have waited for a model, in all.
    pub waited_seconds: f64,
    /// The longest of these waits.
    pub longest_wait_seconds: f64,
    /// Where `breaker` is `SDCPP_BREAKER_OPEN`: seconds until the next attempt.
    pub retry_seconds: f64,
    /// One of the `SDCPP_BREAKER_` numbers.
    pub breaker: i32,
    /// 0.
    pub reserved: u32,
}

sized!(sdcpp_pool_metrics, first 160, {
    models: 0,
    queued: 0,
    in_use: 0,
    idle: 0,
    granted: 0,
    opened: 0,
    replaced: 0,
    failures: 0,
    submitted: 0,
    done: 0,
    failed: 0,
    cancelled: 0,
    timed_out: 0,
    refused_queue_full: 0,
    refused_circuit_open: 0,
    waited_seconds: 0.0,
    longest_wait_seconds: 0.0,
    retry_seconds: 0.0,
    breaker: SDCPP_BREAKER_CLOSED,
    reserved: 0,
});

impl From<PoolMetrics> for sdcpp_pool_metrics {
    fn from(metrics: PoolMetrics) -> Self {
        let (breaker, retry_seconds) = match metrics.breaker {
            BreakerState::Open { retry_in } => (SDCPP_BREAKER_OPEN, retry_in.as_secs_f64()),
            BreakerState::HalfOpen => (SDCPP_BREAKER_HALF_OPEN, 0.0),
            _ => (SDCPP_BREAKER_CLOSED, 0.0),
        };
        Self {
            size: size_of::<Self>(),
            models: metrics.size as u64,
            queued: metrics.queued as u64,
            in_use: metrics.in_use as u64,
            idle: metrics.idle as u64,
            granted: metrics.granted,
            opened: metrics.opened,
            replaced: metrics.replaced,
            failures: metrics.failures,
            submitted: metrics.submitted,
            done: metrics.done,
            failed: metrics.failed,
            cancelled: metrics.cancelled,
            timed_out: metrics.timed_out,
            refused_queue_full: metrics.refused_queue_full,
            refused_circuit_open: metrics.refused_circuit_open,
            waited_seconds: metrics.waited.as_secs_f64(),
            longest_wait_seconds: metrics.longest_wait.as_secs_f64(),
            retry_seconds,
            breaker,
            reserved: 0,
        }
    }
}

/// Tells what the pool is doing. Set `out->size` before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_pool_metrics_get(
    pool: *const sdcpp_pool,
    out: *mut sdcpp_pool_metrics,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { VersionedOut::new(out, "out") }?;
        out.put(handle::get(pool)?.pool.metrics().into());
        Ok(())
    })
}
