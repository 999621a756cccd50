//! Rust structs as the engine's, with the memory that their pointers lead to.
//!
//! Every struct of the engine is written out with all its fields, so that a field that a new engine
//! adds does not compile before it is mapped. `docs/parameters.md` has the whole table.

mod context;
mod generation;
mod image;
mod video;

pub(super) use context::ContextParams;
pub(crate) use image::ImageJob;
pub(super) use image::ImageParams;
pub(crate) use video::VideoJob;
pub(super) use video::VideoParams;

use crate::{Error, Result};
use sdcpp_sys::sd_image_t;
use std::{
    ffi::{CString, c_char},
    path::Path,
    ptr,
};

/// Keeps C strings alive while the engine reads them.
#[derive(Debug, Default)]
pub(super) struct Strings(Vec<CString>);

impl Strings {
    pub(super) fn text(&mut self, field: &'static str, text: &str) -> Result<*const c_char> {
        let text = CString::new(text)
            .map_err(|_| Error::invalid(field, format!("{text:?}"), "text without NUL"))?;
        // Moving a CString does not move its bytes.
        let pointer = text.as_ptr();
        self.0.push(text);
        Ok(pointer)
    }

    pub(super) fn optional(
        &mut self,
        field: &'static str,
        text: Option<&str>,
    ) -> Result<*const c_char> {
        text.map_or(Ok(ptr::null()), |text| self.text(field, text))
    }

    pub(super) fn path(
        &mut self,
        field: &'static str,
        path: Option<&Path>,
    ) -> Result<*const c_char> {
        let Some(path) = path else { return Ok(ptr::null()) };
        let bytes = path_bytes(field, path)?;
        let text = CString::new(bytes)
            .map_err(|_| Error::invalid(field, path.display(), "a path without NUL"))?;
        let pointer = text.as_ptr();
        self.0.push(text);
        Ok(pointer)
    }
}

/// A path as the engine's `fopen` wants it: the system's bytes on Unix, whatever they are.
#[cfg(unix)]
fn path_bytes(_: &'static str, path: &Path) -> Result<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(path.as_os_str().as_bytes().to_vec())
}

/// The engine takes UTF-8 on Windows; a path that is none cannot be handed over.
#[cfg(not(unix))]
fn path_bytes(field: &'static str, path: &Path) -> Result<Vec<u8>> {
    path.to_str()
        .map(|s| s.as_bytes().to_vec())
        .ok_or_else(|| Error::invalid(field, path.display(), "a path that is valid Unicode"))
}

/// A number the caller's check has bounded, for C's int.
pub(super) fn int(field: &'static str, value: u32) -> Result<i32> {
    i32::try_from(value).map_err(|_| Error::invalid(field, value, format!("at most {}", i32::MAX)))
}

/// No picture.
pub(super) const NO_IMAGE: sd_image_t =
    sd_image_t { width: 0, height: 0, channel: 0, data: ptr::null_mut() };

/// An RGB picture.
pub(super) fn rgb(picture: &::image::RgbImage) -> sd_image_t {
    borrowed(picture.width(), picture.height(), 3, picture.as_raw())
}

/// A picture of one channel.
pub(super) fn grey(picture: &::image::GrayImage) -> sd_image_t {
    borrowed(picture.width(), picture.height(), 1, picture.as_raw())
}

/// For a list that the engine takes with a count: NULL when it is empty.
pub(super) fn list<T>(values: &mut [T]) -> *mut T {
    if values.is_empty() { ptr::null_mut() } else { values.as_mut_ptr() }
}

/// The count of such a list.
pub(super) fn count<C: TryFrom<usize>>(field: &'static str, length: usize) -> Result<C> {
    C::try_from(length).map_err(|_| Error::invalid(field, format!("a list of {length}"), "fewer"))
}

/// Pixels the engine only reads, whatever the type of its pointer.
pub(super) fn borrowed(width: u32, height: u32, channel: u32, pixels: &[u8]) -> sd_image_t {
    sd_image_t { width, height, channel, data: pixels.as_ptr().cast_mut() }
}
