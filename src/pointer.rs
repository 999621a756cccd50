//! What callers point to: texts, paths, and places for results.

use crate::error::{Failure, Result};
use serde::de::DeserializeOwned;
use std::{
    ffi::{CStr, c_char},
    path::PathBuf,
};

/// Where a result goes; what it was made with is there until then.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Puts `empty` there.
    ///
    /// # Safety
    /// `pointer` is NULL, or may be written to until [`put`](Self::put).
    pub(crate) unsafe fn new(pointer: *mut T, empty: T, name: &str) -> Result<Self> {
        if pointer.is_null() {
            return Err(Failure::null(name));
        }
        let out = Self(pointer);
        out.write(empty);
        Ok(out)
    }

    pub(crate) fn put(self, value: T) {
        self.write(value);
    }

    fn write(&self, value: T) {
        // SAFETY: not NULL, and `new` was told that it may be written to.
        unsafe { self.0.write(value) };
    }
}

/// A text; none for NULL.
///
/// # Safety
/// `pointer` is NULL or leads to a string that ends with a NUL and stays as it is while it is used.
pub(crate) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map(Some).map_err(|error| Failure::not_utf8(name, error.valid_up_to()))
}

/// A path; none for NULL. On Unix any bytes, elsewhere UTF-8.
///
/// # Safety
/// As [`optional_text`].
pub(crate) unsafe fn optional_path(pointer: *const c_char, name: &str) -> Result<Option<PathBuf>> {
    #[cfg(unix)]
    {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let _ = name;
        if pointer.is_null() {
            return Ok(None);
        }
        // SAFETY: not NULL, and the caller vouches for the rest.
        let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
        Ok(Some(PathBuf::from(OsStr::from_bytes(bytes))))
    }
    #[cfg(not(unix))]
    {
        // SAFETY: the caller vouches for it.
        Ok(unsafe { optional_text(pointer, name) }?.map(PathBuf::from))
    }
}

/// A path.
///
/// # Safety
/// As [`optional_text`].
pub(crate) unsafe fn path(pointer: *const c_char, name: &str) -> Result<PathBuf> {
    // SAFETY: the caller vouches for it.
    unsafe { optional_path(pointer, name) }?.ok_or_else(|| Failure::null(name))
}

/// What a JSON text says; none for NULL.
///
/// # Safety
/// As [`optional_text`].
pub(crate) unsafe fn optional_json<T: DeserializeOwned>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<T>> {
    // SAFETY: the caller vouches for it.
    let Some(text) = unsafe { optional_text(pointer, name) }? else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| Failure::json(format!("{name}: {error}")))
}

/// A switch: -1 leaves it as it is, 0 is off, 1 is on.
pub(crate) fn switch(value: i32, name: &'static str) -> Result<Option<bool>> {
    match value {
        -1 => Ok(None),
        0 => Ok(Some(false)),
        1 => Ok(Some(true)),
        _ => Err(Failure::invalid(name, value, "-1 (as by default), 0 (off), 1 (on)")),
    }
}

/// A value of one of `sdcpp`'s lists of names; none for NULL.
///
/// # Safety
/// As [`optional_text`].
pub(crate) unsafe fn optional_name<T: std::str::FromStr<Err = sdcpp::Error>>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<T>> {
    // SAFETY: the caller vouches for it.
    let text = unsafe { optional_text(pointer, name) }?;
    Ok(text.map(str::parse).transpose()?)
}
