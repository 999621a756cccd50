//! Pixels that come in and go out.

use crate::{
    error::{self, Failure, Result},
    memory,
    pointer::{self, Out},
};
use sdcpp::{
    MAX_SIDE,
    image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage},
};
use std::{ffi::c_char, ptr, slice};

/// A picture of 8 bits a channel, rows from the top, red first. This struct never changes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_pixels {
    /// The first pixel of the first row.
    pub data: *const u8,
    /// Bytes at `data`: `height` rows; the last one may end with its last pixel.
    pub length: usize,
    /// Bytes from one row to the next; 0: without a gap, `width` x `channels`.
    pub stride: usize,
    /// Pixels in a row, 1 to 16384.
    pub width: u32,
    /// Rows, 1 to 16384.
    pub height: u32,
    /// 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA).
    pub channels: u32,
    /// Must be 0.
    pub reserved: u32,
}

impl sdcpp_pixels {
    /// No picture.
    pub(crate) const NONE: Self = Self {
        data: ptr::null(),
        length: 0,
        stride: 0,
        width: 0,
        height: 0,
        channels: 0,
        reserved: 0,
    };

    /// A view of pixels without gaps, valid for as long as they are.
    pub(crate) fn of(data: &[u8], width: u32, height: u32, channels: u32) -> Self {
        let stride = width as usize * channels as usize;
        Self {
            data: data.as_ptr(),
            length: data.len(),
            stride,
            width,
            height,
            channels,
            reserved: 0,
        }
    }

    /// Bytes of a row, and from one row to the next; the sizes are checked.
    fn rows(&self, field: &str) -> Result<(usize, usize)> {
        let refuse = |name: &str, value: &dyn ToString, allowed: String| {
            Err(Failure::invalid(format!("{field}.{name}"), value.to_string(), allowed))
        };
        for (name, value) in [("width", self.width), ("height", self.height)] {
            if !(1..=MAX_SIDE).contains(&value) {
                return refuse(name, &value, format!("1 to {MAX_SIDE}"));
            }
        }
        if !(1..=4).contains(&self.channels) {
            return refuse("channels", &self.channels, "1 to 4".to_owned());
        }
        if self.reserved != 0 {
            return refuse("reserved", &self.reserved, "0".to_owned());
        }
        // At most 2^16, and 2^30 for all rows.
        let row = self.width as usize * self.channels as usize;
        let stride = if self.stride == 0 { row } else { self.stride };
        let before = (self.height as usize - 1).checked_mul(stride);
        let least = before.and_then(|before| before.checked_add(row));
        let most = before.and_then(|before| before.checked_add(stride));
        match (least, most) {
            (Some(least), Some(most)) if stride >= row => {
                if (least..=most).contains(&self.length) {
                    return Ok((row, stride));
                }
                let allowed =
                    if least == most { format!("{least}") } else { format!("{least} to {most}") };
                let size = format!("for {}x{}x{}", self.width, self.height, self.channels);
                refuse("length", &self.length, format!("{allowed} {size}"))
            }
            _ => {
                refuse("stride", &self.stride, format!("0, or at least the bytes of a row, {row}"))
            }
        }
    }

    /// A copy.
    ///
    /// # Safety
    /// `data` is NULL or leads to `length` readable bytes.
    unsafe fn copy(&self, field: &str) -> Result<DynamicImage> {
        let (row, stride) = self.rows(field)?;
        if self.data.is_null() {
            return Err(Failure::null(&format!("{field}.data")));
        }
        // SAFETY: not NULL, and the caller vouches for the length.
        let data = unsafe { slice::from_raw_parts(self.data, self.length) };
        let mut bytes = Vec::new();
        let all = row * self.height as usize;
        let no_memory = |_| sdcpp::Error::InsufficientMemory {
            doing: format!("a copy of {field}"),
            device: "this process".to_owned(),
            needed: all as u64,
            available: 0,
        };
        bytes.try_reserve_exact(all).map_err(no_memory)?;
        for line in data.chunks(stride) {
            bytes.extend(line.iter().take(row));
        }
        let (width, height) = (self.width, self.height);
        let picture = match self.channels {
            1 => GrayImage::from_raw(width, height, bytes).map(DynamicImage::from),
            2 => GrayAlphaImage::from_raw(width, height, bytes).map(DynamicImage::from),
            3 => RgbImage::from_raw(width, height, bytes).map(DynamicImage::from),
            _ => RgbaImage::from_raw(width, height, bytes).map(DynamicImage::from),
        };
        picture
            .ok_or_else(|| Failure::invalid(format!("{field}.length"), self.length, "all pixels"))
    }
}

/// A picture; none for NULL.
///
/// # Safety
/// `pointer` is NULL or leads to a struct whose `data` is NULL or leads to `length` readable bytes.
pub(crate) unsafe fn optional(
    pointer: *const sdcpp_pixels,
    field: &str,
) -> Result<Option<DynamicImage>> {
    // SAFETY: the caller vouches for it.
    unsafe { pointer.as_ref().map(|pixels| pixels.copy(field)).transpose() }
}

/// A list of pictures, with at most so many; none for a count of 0.
///
/// # Safety
/// `pointer` is NULL or leads to `count` structs as in [`optional`].
pub(crate) unsafe fn list(
    pointer: *const sdcpp_pixels,
    count: usize,
    most: usize,
    field: &'static str,
) -> Result<Vec<DynamicImage>> {
    if count > most {
        return Err(Failure::invalid(
            field,
            format!("a list of {count}"),
            format!("at most {most}"),
        ));
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    if pointer.is_null() {
        return Err(Failure::null(field));
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    let all = unsafe { slice::from_raw_parts(pointer, count) };
    let copy = |(index, pixels): (usize, &sdcpp_pixels)| {
        // SAFETY: the caller vouches for it.
        unsafe { pixels.copy(&format!("{field}[{index}]")) }
    };
    all.iter().enumerate().map(copy).collect()
}

/// Reads a PNG or JPEG file, for the pictures of a request: RGB, or RGBA where it has transparency.
/// `out->data` is the caller's, and freed by `sdcpp_free`.
///
/// Errors: `SDCPP_FILE_NOT_FOUND`, `SDCPP_FILE_UNREADABLE`, `SDCPP_IMAGE_CODEC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_picture_read(path: *const c_char, out: *mut sdcpp_pixels) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, path) =
            unsafe { (Out::new(out, sdcpp_pixels::NONE, "out")?, pointer::path(path, "path")?) };
        let picture = sdcpp::open_picture(path)?;
        let (width, height) = (picture.width(), picture.height());
        let (channels, bytes) = if picture.color().has_alpha() {
            (4, picture.into_rgba8().into_raw())
        } else {
            (3, picture.into_rgb8().into_raw())
        };
        let (data, length) = memory::lend(bytes);
        let stride = width as usize * channels as usize;
        out.put(sdcpp_pixels { data, length, stride, width, height, channels, reserved: 0 });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pixels: sdcpp_pixels) -> Result<DynamicImage, String> {
        // SAFETY: what the tests give is of the length they say.
        unsafe { pixels.copy("picture") }.map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn rows_with_and_without_gaps() {
        let data = [1_u8, 2, 3, 9, 4, 5, 6, 9];
        let gaps = sdcpp_pixels { stride: 4, ..sdcpp_pixels::of(&data, 1, 2, 3) };
        assert_eq!(read(gaps).unwrap().as_bytes(), [1, 2, 3, 4, 5, 6]);
        let ends_early = sdcpp_pixels { length: 7, ..gaps };
        assert_eq!(read(ends_early).unwrap().as_bytes(), [1, 2, 3, 4, 5, 6]);
        for channels in 1..=4 {
            let pixels = sdcpp_pixels::of(&data[..2 * channels], 2, 1, channels as u32);
            assert_eq!(read(pixels).unwrap().as_bytes(), &data[..2 * channels]);
        }
    }

    #[test]
    fn every_field_is_checked_by_name() {
        let data = [0_u8; 12];
        let right = sdcpp_pixels::of(&data, 2, 2, 3);
        assert!(read(right).is_ok());
        for (wrong, text) in [
            (sdcpp_pixels { width: 0, ..right }, "picture.width is 0; allowed: 1 to 16384"),
            (sdcpp_pixels { height: 16_385, ..right }, "picture.height is 16385"),
            (sdcpp_pixels { channels: 5, ..right }, "picture.channels is 5; allowed: 1 to 4"),
            (sdcpp_pixels { reserved: 1, ..right }, "picture.reserved is 1; allowed: 0"),
            (sdcpp_pixels { stride: 5, ..right }, "picture.stride is 5; allowed: 0, or at least"),
            (sdcpp_pixels { stride: usize::MAX, ..right }, "picture.stride is 1844674407"),
            (sdcpp_pixels { length: 11, ..right }, "picture.length is 11; allowed: 12 for 2x2x3"),
            (sdcpp_pixels { length: 13, ..right }, "picture.length is 13"),
            (sdcpp_pixels { data: ptr::null(), ..right }, "picture.data is NULL"),
        ] {
            let failure = read(wrong).unwrap_err();
            assert!(failure.contains(text), "{failure} should contain {text:?}");
        }
    }
}
