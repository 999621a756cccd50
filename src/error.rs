//! What went wrong in the last call of a thread; the one way in for every function.

use crate::code;
use std::{
    any::Any,
    borrow::Cow,
    cell::RefCell,
    ffi::{CString, c_char},
    panic::{self, AssertUnwindSafe},
};

/// What went wrong. Texts are UTF-8, never NULL, and empty where there is nothing to say.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_error {
    /// Bytes of this struct, as the library has it.
    pub size: usize,
    /// The name of the code, as in `out_of_memory`; `ok` if nothing went wrong.
    pub kind: *const c_char,
    /// What was being done, as in `vae_decoding`; empty where that is not known.
    pub stage: *const c_char,
    /// What failed, and on what.
    pub message: *const c_char,
    /// What the user can try.
    pub advice: *const c_char,
    /// What the engine logged as errors during the call, a line each.
    pub engine_lines: *const c_char,
    /// One of the `SDCPP_` codes; what the function returned.
    pub code: i32,
    /// 0.
    pub reserved: u32,
}

/// The result of everything within this library.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: i32,
    kind: &'static str,
    stage: &'static str,
    message: String,
    advice: &'static str,
    lines: Vec<String>,
}

impl Failure {
    fn own(code: i32, kind: &'static str, message: String, advice: &'static str) -> Self {
        Self { code, kind, stage: "", message, advice, lines: Vec::new() }
    }

    pub(crate) fn null(name: &str) -> Self {
        let message = format!("{name} is NULL");
        Self::own(code::SDCPP_NULL_POINTER, "null_pointer", message, "")
    }

    pub(crate) fn handle(message: String) -> Self {
        let advice = "pass a handle that a function of this library gave out and that is not freed";
        Self::own(code::SDCPP_INVALID_HANDLE, "invalid_handle", message, advice)
    }

    pub(crate) fn structure(message: String) -> Self {
        let advice = "fill the struct by its init function, with sizeof of the struct";
        Self::own(code::SDCPP_UNSUPPORTED_STRUCT, "unsupported_struct", message, advice)
    }

    pub(crate) fn not_utf8(name: &str, valid: usize) -> Self {
        let message = format!("{name} is not UTF-8 from byte {valid} on");
        Self::own(code::SDCPP_INVALID_UTF8, "invalid_utf8", message, "")
    }

    pub(crate) fn json(message: String) -> Self {
        Self::own(code::SDCPP_INVALID_JSON, "invalid_json", message, "")
    }

    pub(crate) fn busy(message: &str, advice: &'static str) -> Self {
        Self::own(code::SDCPP_BUSY, "busy", message.to_owned(), advice)
    }

    pub(crate) fn pending(message: &str) -> Self {
        Self::own(code::SDCPP_PENDING, "pending", message.to_owned(), "")
    }

    /// A value that is not allowed.
    pub(crate) fn invalid(
        field: impl Into<Cow<'static, str>>,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        let (field, value, allowed) = (field.into(), value.to_string(), allowed.into());
        sdcpp::Error::InvalidParameter { field, value, allowed }.into()
    }

    fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = format!("this library panicked: {}", text.unwrap_or("without a message"));
        Self::own(code::SDCPP_PANIC, "panic", message, "this is a bug: please report it")
    }
}

impl From<sdcpp::Error> for Failure {
    fn from(error: sdcpp::Error) -> Self {
        let lines = match &error {
            sdcpp::Error::WorkerCrashed { lines, .. } => lines.clone(),
            other => other.engine_lines().to_vec(),
        };
        Self {
            code: code::of_kind(error.kind()),
            kind: error.kind(),
            stage: error.stage().map_or("", sdcpp::Stage::name),
            message: error.to_string(),
            advice: error.advice().unwrap_or_default(),
            lines,
        }
    }
}

/// A failure with its texts as C has them, which stay where they are.
struct Kept {
    error: sdcpp_error,
    _texts: [CString; 5],
}

impl Kept {
    fn new(failure: &Failure) -> Self {
        let lines = failure.lines.join("\n");
        let texts = [failure.kind, failure.stage, &failure.message, failure.advice, &lines];
        let texts = texts.map(text);
        let [kind, stage, message, advice, engine_lines] = texts.each_ref().map(|t| t.as_ptr());
        let size = size_of::<sdcpp_error>();
        let code = failure.code;
        let error =
            sdcpp_error { size, kind, stage, message, advice, engine_lines, code, reserved: 0 };
        Self { error, _texts: texts }
    }
}

/// The text for C: one that has a NUL goes on behind it.
pub(crate) fn text(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }).collect();
    CString::new(bytes).unwrap_or_default()
}

/// A struct whose pointers lead to what never changes.
struct Constant(sdcpp_error);

// SAFETY: its texts are static.
unsafe impl Sync for Constant {}

static NOTHING: Constant = Constant(sdcpp_error {
    size: size_of::<sdcpp_error>(),
    kind: c"ok".as_ptr(),
    stage: c"".as_ptr(),
    message: c"".as_ptr(),
    advice: c"".as_ptr(),
    engine_lines: c"".as_ptr(),
    code: code::SDCPP_OK,
    reserved: 0,
});

thread_local! {
    static LAST: RefCell<Option<Box<Kept>>> = const { RefCell::new(None) };
}

/// The body of every function: panics end here, and the thread's last error is kept.
pub(crate) fn call(body: impl FnOnce() -> Result<()>) -> i32 {
    let result = panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        let failure = Failure::panicked(payload.as_ref());
        // What was thrown may be anything, and panic once more when it is dropped.
        if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        Err(failure)
    });
    let code = result.as_ref().map_or_else(|failure| failure.code, |()| code::SDCPP_OK);
    let kept = result.err().map(|failure| Box::new(Kept::new(&failure)));
    // A thread that is ending has no place for it any more; the code tells.
    let _ = LAST.try_with(|last| last.replace(kept));
    code
}

/// What went wrong in the last call that this thread made into this library; code `SDCPP_OK` if it
/// succeeded. Never NULL.
///
/// The struct and its texts are the library's. They stay until this thread's next call of any other
/// function that returns a code, and can be read by this thread only until then.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_last_error() -> *const sdcpp_error {
    LAST.try_with(|last| last.borrow().as_ref().map(|kept| &raw const kept.error))
        .ok()
        .flatten()
        .unwrap_or(&raw const NOTHING.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::CStr, thread};

    fn last() -> (i32, [String; 5]) {
        // SAFETY: the pointer and its texts are this thread's, which makes no call meanwhile.
        unsafe {
            let error = *sdcpp_last_error();
            let texts = [error.kind, error.stage, error.message, error.advice, error.engine_lines];
            (error.code, texts.map(|t| CStr::from_ptr(t).to_str().unwrap().to_owned()))
        }
    }

    #[test]
    fn a_panic_is_an_error_and_the_next_success_clears_it() {
        for (code, message) in [
            (call(|| panic!("at {}", 7)), "this library panicked: at 7"),
            (call(|| panic!("plain")), "this library panicked: plain"),
            (call(|| panic::panic_any(7)), "this library panicked: without a message"),
        ] {
            assert_eq!((code, &message[..22]), (code::SDCPP_PANIC, "this library panicked:"));
        }
        assert_eq!(call(|| panic!("at {}", 7)), code::SDCPP_PANIC);
        let (code, [kind, stage, message, advice, lines]) = last();
        assert_eq!((code, kind.as_str(), stage.as_str()), (code::SDCPP_PANIC, "panic", ""));
        assert_eq!((message.as_str(), lines.as_str()), ("this library panicked: at 7", ""));
        assert!(advice.contains("bug"));
        assert_eq!(call(|| Ok(())), code::SDCPP_OK);
        assert_eq!((last().0, last().1[0].as_str()), (code::SDCPP_OK, "ok"));
    }

    #[test]
    fn what_panics_when_it_is_dropped_stays_inside() {
        struct Twice;
        impl Drop for Twice {
            fn drop(&mut self) {
                panic!("and again");
            }
        }
        assert_eq!(call(|| panic::panic_any(Twice)), code::SDCPP_PANIC);
    }

    #[test]
    fn errors_are_the_threads_own_and_say_all_they_know() {
        let worker = sdcpp::Error::WorkerCrashed {
            signal: Some(9),
            reason: "was killed".to_owned(),
            stage: sdcpp::Stage::Sampling,
            lines: vec!["one".to_owned(), "t\0wo".to_owned()],
        };
        assert_eq!(call(|| Err(worker.into())), code::SDCPP_WORKER_CRASHED);
        thread::spawn(|| assert_eq!(last().0, code::SDCPP_OK)).join().unwrap();
        let (_, [kind, stage, message, advice, lines]) = last();
        assert_eq!((kind.as_str(), stage.as_str()), ("worker_crashed", "sampling"));
        assert!(message.starts_with("the worker process was killed while sampling"));
        assert!(advice.starts_with("try again"));
        assert_eq!(lines, "one\nt wo");
    }
}
