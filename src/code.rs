//! The numbers of what can go wrong. A number never changes its meaning.

/// The call did what it was asked to.
pub const SDCPP_OK: i32 = 0;

/// A pointer is NULL that must not be.
pub const SDCPP_NULL_POINTER: i32 = 1;
/// A handle is NULL, was freed, is of another kind, or is none of this library's.
pub const SDCPP_INVALID_HANDLE: i32 = 2;
/// The `size` of a struct is none that this library knows, or a field that it does not know is used.
pub const SDCPP_UNSUPPORTED_STRUCT: i32 = 3;
/// A text is not UTF-8.
pub const SDCPP_INVALID_UTF8: i32 = 4;
/// A JSON text cannot be read; the message names the key, or the line and column.
pub const SDCPP_INVALID_JSON: i32 = 5;
/// Another call uses the object at this moment, or the caller would wait for itself.
pub const SDCPP_BUSY: i32 = 6;
/// What was waited for has not happened in time. Nothing is lost: ask again.
pub const SDCPP_PENDING: i32 = 7;
/// A bug of this library: its code panicked. The process goes on.
pub const SDCPP_PANIC: i32 = 8;
/// A failure that has no number of its own; its `kind` has its name.
pub const SDCPP_OTHER: i32 = 9;

/// A value is outside of what is allowed; the message names the field, the value and what is allowed.
pub const SDCPP_INVALID_PARAMETER: i32 = 100;
/// A file does not exist.
pub const SDCPP_FILE_NOT_FOUND: i32 = 101;
/// A file cannot be read.
pub const SDCPP_FILE_UNREADABLE: i32 = 102;
/// A file is no model, or a damaged one.
pub const SDCPP_NOT_A_MODEL: i32 = 103;
/// The files are no whole model.
pub const SDCPP_MISSING_PARTS: i32 = 104;
/// A LoRA, ControlNet or embedding is not for this model.
pub const SDCPP_DOES_NOT_FIT: i32 = 105;
/// The engine refused the model.
pub const SDCPP_MODEL_LOAD: i32 = 106;
/// Memory ran out.
pub const SDCPP_OUT_OF_MEMORY: i32 = 107;
/// The VAE failed.
pub const SDCPP_VAE: i32 = 108;
/// The text encoder failed.
pub const SDCPP_TEXT_ENCODER: i32 = 109;
/// Sampling failed.
pub const SDCPP_SAMPLING: i32 = 110;
/// An assertion of the engine failed. The context cannot be used again: free it.
pub const SDCPP_ENGINE_ASSERTION: i32 = 111;
/// The engine failed in another way.
pub const SDCPP_ENGINE: i32 = 112;
/// The caller asked to stop. The context can be used again.
pub const SDCPP_CANCELLED: i32 = 113;
/// The time limit passed. The context can be used again.
pub const SDCPP_DEADLINE_EXCEEDED: i32 = 114;
/// This model or this build cannot do what was asked.
pub const SDCPP_UNSUPPORTED: i32 = 115;
/// An earlier failure left the context in an unknown state: free it.
pub const SDCPP_POISONED: i32 = 116;
/// A callback failed.
pub const SDCPP_CALLBACK_PANICKED: i32 = 117;
/// Code of a pool failed.
pub const SDCPP_PANICKED: i32 = 118;
/// A file cannot be written, or a thread not be started.
pub const SDCPP_IO: i32 = 119;
/// Pixels cannot be encoded or decoded.
pub const SDCPP_IMAGE_CODEC: i32 = 120;
/// No model became free in time.
pub const SDCPP_ACQUIRE_TIMEOUT: i32 = 121;
/// Too many wait already. The operation was not queued.
pub const SDCPP_QUEUE_FULL: i32 = 122;
/// The pool is shut down.
pub const SDCPP_SHUT_DOWN: i32 = 123;
/// The model failed too often in a row; the pool tries again later.
pub const SDCPP_CIRCUIT_OPEN: i32 = 124;
/// A worker process ended in the middle of an operation. Only this operation is lost.
pub const SDCPP_WORKER_CRASHED: i32 = 125;
/// A worker process cannot be started.
pub const SDCPP_WORKER_START: i32 = 126;
/// By estimate there is not enough memory. The engine was not called.
pub const SDCPP_INSUFFICIENT_MEMORY: i32 = 127;
/// The engine does not fit this library.
pub const SDCPP_ENGINE_TABLE: i32 = 128;

/// There is no engine library of that name where it was looked for.
pub const SDCPP_LIBRARY_NOT_FOUND: i32 = 129;
/// An engine library cannot be used; the message has the reason.
pub const SDCPP_LIBRARY: i32 = 130;
/// The driver or the device of a backend is missing, or the engine was built without it.
pub const SDCPP_BACKEND_UNAVAILABLE: i32 = 131;

/// The number of each `sdcpp::Error::kind`.
const KINDS: &[(&str, i32)] = &[
    ("invalid_parameter", SDCPP_INVALID_PARAMETER),
    ("file_not_found", SDCPP_FILE_NOT_FOUND),
    ("file_unreadable", SDCPP_FILE_UNREADABLE),
    ("not_a_model", SDCPP_NOT_A_MODEL),
    ("missing_parts", SDCPP_MISSING_PARTS),
    ("does_not_fit", SDCPP_DOES_NOT_FIT),
    ("model_load", SDCPP_MODEL_LOAD),
    ("out_of_memory", SDCPP_OUT_OF_MEMORY),
    ("vae", SDCPP_VAE),
    ("text_encoder", SDCPP_TEXT_ENCODER),
    ("sampling", SDCPP_SAMPLING),
    ("engine_assertion", SDCPP_ENGINE_ASSERTION),
    ("engine", SDCPP_ENGINE),
    ("cancelled", SDCPP_CANCELLED),
    ("deadline_exceeded", SDCPP_DEADLINE_EXCEEDED),
    ("unsupported", SDCPP_UNSUPPORTED),
    ("poisoned", SDCPP_POISONED),
    ("callback_panicked", SDCPP_CALLBACK_PANICKED),
    ("panicked", SDCPP_PANICKED),
    ("io", SDCPP_IO),
    ("image_codec", SDCPP_IMAGE_CODEC),
    ("acquire_timeout", SDCPP_ACQUIRE_TIMEOUT),
    ("queue_full", SDCPP_QUEUE_FULL),
    ("shut_down", SDCPP_SHUT_DOWN),
    ("circuit_open", SDCPP_CIRCUIT_OPEN),
    ("worker_crashed", SDCPP_WORKER_CRASHED),
    ("worker_start", SDCPP_WORKER_START),
    ("insufficient_memory", SDCPP_INSUFFICIENT_MEMORY),
    ("engine_table", SDCPP_ENGINE_TABLE),
    ("library_not_found", SDCPP_LIBRARY_NOT_FOUND),
    ("library", SDCPP_LIBRARY),
    ("backend_unavailable", SDCPP_BACKEND_UNAVAILABLE),
];

/// The number of an error of this kind.
pub(crate) fn of_kind(kind: &str) -> i32 {
    KINDS.iter().find(|(name, _)| *name == kind).map_or(SDCPP_OTHER, |(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        // The list of kinds is a `match` without a catch-all: what is in it is all there is.
        let source = include_str!("../sd/src/error/kind.rs");
        let kinds: BTreeSet<&str> = source
            .lines()
            .filter(|line| line.trim_start().starts_with("Self::"))
            .filter_map(|line| line.split_once(" => \"")?.1.split_once('"'))
            .map(|(kind, _)| kind)
            .collect();
        assert!(kinds.len() >= 29, "{kinds:?}");
        assert_eq!(kinds, KINDS.iter().map(|(kind, _)| *kind).collect());
        let codes: BTreeSet<i32> = KINDS.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes.len(), KINDS.len());
        assert!(codes.iter().all(|code| *code >= 100));
        assert_eq!(of_kind("none of them"), SDCPP_OTHER);
    }
}
