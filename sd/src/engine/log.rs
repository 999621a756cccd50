//! The engine's log lines, as `tracing` events with the target `sdcpp::engine`.

use std::panic;

const TARGET: &str = "sdcpp::engine";

// The hooks pass levels as i32; the enum's own type differs between compilers.
const INFO: i32 = sdcpp_sys::SD_LOG_INFO as i32;
pub(super) const WARN: i32 = sdcpp_sys::SD_LOG_WARN as i32;
const ERROR: i32 = sdcpp_sys::SD_LOG_ERROR as i32;

/// Emits one line. The engine's DEBUG lines contain prompts, so they stay at DEBUG.
/// Control characters in them are escaped, so that a prompt cannot forge lines of the host's log or
/// steer its terminal.
pub(crate) fn emit(level: i32, line: &str) {
    match level {
        ERROR => tracing::error!(target: TARGET, "{}", escape(line)),
        WARN => tracing::warn!(target: TARGET, "{}", escape(line)),
        INFO => tracing::info!(target: TARGET, "{}", escape(line)),
        _ => tracing::debug!(target: TARGET, "{}", escape(line)),
    }
}

/// The text with its control characters but tabs escaped.
pub(crate) fn escape(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => escaped.push(c),
            c if c.is_control() => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Copies a line the engine may have cut inside a character.
///
/// # Safety
/// `text` is NULL or points to `length` bytes that nobody changes meanwhile.
pub(crate) unsafe fn line(text: *const std::ffi::c_char, length: usize) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not NULL, and the caller vouches for the length.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// A line of one of the engine's own threads, or from outside any call.
pub(crate) extern "C" fn stray_line(level: i32, text: *const std::ffi::c_char, length: usize) {
    // A subscriber that panics must not unwind into C++.
    let _ = panic::catch_unwind(|| {
        // SAFETY: the shim passes a line and its length.
        emit(level, &unsafe { line(text, length) });
    });
}
