//! Memory that is free goes back to the system when nothing is drawn.

use std::time::Duration;

/// How long nothing must have been drawn: what is taken again costs time.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// Gives free memory back. The C library keeps it otherwise, in an arena for each few threads: after five
/// hundred clients at once half a gigabyte, with a model of 15 MB.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time, on any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
