//! Tests of the pool with models that do what their prompt says.

#[cfg(not(shuttle))]
mod closing;
#[cfg(not(shuttle))]
mod failures;
#[cfg_attr(shuttle, allow(dead_code, reason = "for tests with the system's threads"))]
mod fake;
#[cfg(not(shuttle))]
mod growth;
#[cfg(shuttle)]
mod interleavings;
#[cfg(not(shuttle))]
mod jobs;
#[cfg(not(shuttle))]
mod random;
#[cfg(not(shuttle))]
mod turns;
