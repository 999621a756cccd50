//! Memory that is free goes back to the system when nothing is drawn, and is not spread widely before.

use std::time::Duration;

/// How long nothing must have been drawn: what is taken again costs time.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// To be called before there are threads. The C library has an arena for each few of them otherwise, and what
/// little is in use in one keeps the rest of it from being given back: it grew by 20 MB with each hundred
/// clients at once, up to 220 MB; with two arenas it stays at 90.
pub fn begin() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time; no other thread is there yet. That it does nothing where the
    // C library does not know the number is harmless.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Gives free memory back. The C library keeps it otherwise, in an arena for each few threads: after five
/// hundred clients at once half a gigabyte, with a model of 15 MB.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time, on any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
