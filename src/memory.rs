//! Memory that is given to the caller, who gives it back by `sdcpp_free`.

use crate::{
    error::{self, Failure, Result},
    handle::lock,
};
use std::{
    collections::BTreeMap,
    ffi::{c_char, c_void},
    ptr,
    sync::Mutex,
};

/// Bytes that are the caller's.
struct Lent(*mut [u8]);

// SAFETY: it is the only owner of what it leads to, as a box is.
unsafe impl Send for Lent {}

static LENT: Mutex<BTreeMap<usize, Lent>> = Mutex::new(BTreeMap::new());

/// Gives bytes to the caller, one at least, and says how many there are.
pub(crate) fn lend(mut bytes: Vec<u8>) -> (*mut u8, usize) {
    let length = bytes.len();
    if bytes.is_empty() {
        // So that every address is one of its own.
        bytes.push(0);
    }
    let lent = Box::into_raw(bytes.into_boxed_slice());
    let address = lent.cast::<u8>();
    lock(&LENT).insert(address.addr(), Lent(lent));
    (address, length)
}

/// Gives a text to the caller, as C has it.
pub(crate) fn lend_text(text: &str) -> *mut c_char {
    lend(error::text(text).into_bytes_with_nul()).0.cast()
}

/// Gives a value to the caller as JSON.
pub(crate) fn lend_json(value: &serde_json::Value) -> *mut c_char {
    lend_text(&value.to_string())
}

fn take_back(pointer: *const c_void) -> Result<()> {
    if pointer.is_null() {
        return Ok(());
    }
    let lent = lock(&LENT).remove(&pointer.addr());
    let Some(Lent(lent)) = lent else {
        let text = format!("{:#x} is no memory of this library that is in use", pointer.addr());
        return Err(Failure::handle(text));
    };
    // SAFETY: it came from a box, is in the list once, and was taken out of it just now.
    drop(unsafe { Box::from_raw(lent) });
    Ok(())
}

/// Frees memory that this library gave out: texts and bytes that functions write into their `out`,
/// but not what belongs to a result. NULL is nothing to free.
///
/// Errors: `SDCPP_INVALID_HANDLE` for memory that is not this library's, or was freed already and is
/// not lent again since; it is not touched.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_free(memory: *mut c_void) -> i32 {
    error::call(|| take_back(memory))
}

/// Nothing, for a place that a text goes to.
pub(crate) const NO_TEXT: *mut c_char = ptr::null_mut();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{SDCPP_INVALID_HANDLE, SDCPP_OK};

    #[test]
    fn only_what_was_given_is_taken_back_and_once() {
        let (empty, nothing) = lend(Vec::new());
        let (bytes, three) = lend(vec![1, 2, 3]);
        assert_eq!((nothing, three), (0, 3));
        // SAFETY: three bytes, in use until they are freed.
        assert_eq!(unsafe { std::slice::from_raw_parts(bytes, three) }, [1, 2, 3]);
        let text = lend_text("a\0b");
        // SAFETY: a text in use.
        assert_eq!(unsafe { std::ffi::CStr::from_ptr(text) }, c"a b");
        for memory in [empty.cast(), bytes.cast(), text.cast()] {
            assert_eq!(sdcpp_free(memory), SDCPP_OK);
            assert_eq!(sdcpp_free(memory), SDCPP_INVALID_HANDLE);
        }
        let mut local = 7_u8;
        assert_eq!(sdcpp_free((&raw mut local).cast()), SDCPP_INVALID_HANDLE);
        assert_eq!(sdcpp_free(ptr::null_mut()), SDCPP_OK);
    }
}
