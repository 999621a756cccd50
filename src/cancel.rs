//! Asking an operation to stop, from any thread.

use crate::{
    error,
    handle::{self, Handle},
    pointer::Out,
};
use sdcpp::CancelToken;
use std::ptr;

/// Stops operations that were given it in their `sdcpp_watch`. For any number of operations and
/// threads.
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_cancel {
    _opaque: [u8; 0],
}

impl Handle for sdcpp_cancel {
    type Object = CancelToken;
    const NAME: &'static str = "sdcpp_cancel";
}

/// Makes one that is not cancelled. Free it by `sdcpp_cancel_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_cancel_new(out: *mut *mut sdcpp_cancel) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, ptr::null_mut(), "out") }?;
        out.put(handle::put(CancelToken::new())?);
        Ok(())
    })
}

/// Stops all operations that have it, now and later. Returns at once; the operations end a little
/// later with `SDCPP_CANCELLED`. Not for signal handlers: it takes locks.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_cancel_now(cancel: *const sdcpp_cancel) -> i32 {
    error::call(|| {
        handle::get(cancel)?.cancel();
        Ok(())
    })
}

/// Frees it. Operations that have it go on, and can no longer be stopped by it.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_cancel_free(cancel: *mut sdcpp_cancel) -> i32 {
    error::call(|| handle::take(cancel).map(drop))
}
