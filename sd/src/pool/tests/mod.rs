//! Tests of the pool with models that do what their prompt says.

#[cfg(not(shuttle))]
mod closing;
#[cfg(not(shuttle))]
mod failures;
mod fake;
#[cfg(shuttle)]
mod interleavings;
#[cfg(not(shuttle))]
mod jobs;
#[cfg(not(shuttle))]
mod random;
#[cfg(not(shuttle))]
mod turns;
