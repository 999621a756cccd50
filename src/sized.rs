//! Structs that grow: each begins with its size, as the caller was compiled.
//!
//! A caller that was compiled against an older header has smaller structs: what they lack has its
//! default. One compiled against a newer header has larger ones: they are taken as long as what this
//! library does not know is zero, which in fields to come means the default.

use crate::error::{Failure, Result};
use std::{mem::MaybeUninit, ptr, slice};

/// A struct that begins with its size.
///
/// # Safety
/// It is `repr(C)`, its first field is `size: usize`, it has no padding, and its fields are numbers
/// and pointers, for which any bytes are a value.
pub(crate) unsafe trait Versioned: Copy {
    /// Its name in messages.
    const NAME: &'static str;
    /// Its size in the first version of this library.
    const FIRST: usize;

    /// Every field by default, and the size of this version.
    fn defaults() -> Self;
}

/// Implements [`Versioned`], and checks that there is no padding.
macro_rules! sized {
    ($struct:ident, first $first:literal, { $($field:ident: $value:expr),* $(,)? }) => {
        // SAFETY: it is `repr(C)` and begins with its size; the sum of its fields below says that it
        // has no padding; numbers and pointers are all it has.
        unsafe impl $crate::sized::Versioned for $struct {
            const NAME: &'static str = stringify!($struct);
            const FIRST: usize = $first;

            fn defaults() -> Self {
                Self { size: size_of::<Self>(), $($field: $value),* }
            }
        }

        const _: () = {
            const fn bytes<T, F>(_: fn(&T) -> &F) -> usize {
                size_of::<F>()
            }
            let fields = size_of::<usize>() $(+ bytes(|of: &$struct| &of.$field))*;
            assert!(fields == size_of::<$struct>(), "padding");
            assert!($first <= size_of::<$struct>());
        };
    };
}
pub(crate) use sized;

/// The size that the caller's struct has.
///
/// # Safety
/// `pointer` is NULL or leads to a struct that begins with its size.
unsafe fn size_at<T: Versioned>(pointer: *const T, name: &str) -> Result<usize> {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: not NULL, and the size is the first field.
    let size = unsafe { pointer.cast::<usize>().read_unaligned() };
    check_size::<T>(size)?;
    Ok(size)
}

fn check_size<T: Versioned>(size: usize) -> Result<()> {
    /// No struct of any version is larger. What was never initialised mostly is.
    const MOST: usize = 4096;
    if (T::FIRST..=MOST).contains(&size) {
        return Ok(());
    }
    let (least, here) = (T::FIRST, size_of::<T>());
    Err(Failure::structure(format!(
        "the size of {} is {size}; this version has {here}, the first had {least}",
        T::NAME
    )))
}

/// A copy of the caller's struct.
///
/// # Safety
/// `pointer` is NULL or leads to as many readable bytes as the struct at it says that it has.
pub(crate) unsafe fn read<T: Versioned>(pointer: *const T, name: &str) -> Result<T> {
    // SAFETY: the caller vouches for it.
    let size = unsafe { size_at(pointer, name) }?;
    let known = size.min(size_of::<T>());
    // SAFETY: there are `size` bytes.
    let theirs = unsafe { slice::from_raw_parts(pointer.cast::<u8>(), size) };
    let (theirs, unknown) = theirs.split_at(known);
    if let Some(at) = unknown.iter().position(|byte| *byte != 0) {
        let at = known.saturating_add(at);
        return Err(Failure::structure(format!(
            "byte {at} of {} is set, and this version of the library knows no such field",
            T::NAME
        )));
    }
    let mut copy = MaybeUninit::new(T::defaults());
    // SAFETY: `known` bytes are within both, and any bytes are a value.
    unsafe {
        ptr::copy_nonoverlapping(theirs.as_ptr(), copy.as_mut_ptr().cast::<u8>(), known);
        Ok(copy.assume_init())
    }
}

/// Fills the caller's struct with defaults. `size` is what it was compiled with.
///
/// # Safety
/// `pointer` is NULL or leads to `size` writable bytes.
pub(crate) unsafe fn init<T: Versioned>(pointer: *mut T, size: usize, name: &str) -> Result<()> {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    check_size::<T>(size)?;
    // SAFETY: not NULL, and the caller vouches for the size.
    unsafe { fill(pointer, size, T::defaults()) };
    Ok(())
}

/// Writes as much of the value as there is place for, and zeros behind it. The size stays theirs.
///
/// # Safety
/// `pointer` leads to `size` writable bytes, which are enough for a `usize`.
unsafe fn fill<T: Versioned>(pointer: *mut T, size: usize, value: T) {
    let known = size.min(size_of::<T>());
    let theirs = pointer.cast::<u8>();
    // SAFETY: no more than `size` bytes are written there, and no more than there are of the value
    // are read.
    unsafe {
        ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), theirs, known);
        ptr::write_bytes(theirs.add(known), 0, size.saturating_sub(known));
        pointer.cast::<usize>().write_unaligned(size);
    }
}

/// The caller's struct that a result goes to; defaults are in it until then.
pub(crate) struct VersionedOut<T> {
    pointer: *mut T,
    size: usize,
}

impl<T: Versioned> VersionedOut<T> {
    /// # Safety
    /// `pointer` is NULL or leads to as many readable and writable bytes as the struct at it says
    /// that it has, until [`put`](Self::put).
    pub(crate) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self> {
        // SAFETY: the caller vouches for it.
        let size = unsafe { size_at(pointer.cast_const(), name) }?;
        // SAFETY: as above.
        unsafe { fill(pointer, size, T::defaults()) };
        Ok(Self { pointer, size })
    }

    pub(crate) fn put(self, value: T) {
        // SAFETY: `new` was told that there are so many bytes.
        unsafe { fill(self.pointer, self.size, value) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{SDCPP_NULL_POINTER, SDCPP_OK, SDCPP_UNSUPPORTED_STRUCT};

    /// Two versions of one struct.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Old {
        size: usize,
        steps: u64,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct New {
        size: usize,
        steps: u64,
        scale: f64,
    }

    sized!(Old, first 16, { steps: 20 });
    sized!(New, first 16, { steps: 20, scale: 7.5 });

    fn code<T>(result: Result<T>) -> i32 {
        crate::error::call(|| result.map(drop))
    }

    #[test]
    fn an_older_callers_struct_gets_the_new_fields_by_default() {
        let old = Old { size: size_of::<Old>(), steps: 4 };
        // SAFETY: it has as many bytes as it says.
        let read = unsafe { read((&raw const old).cast::<New>(), "old") };
        assert_eq!(read.unwrap(), New { size: 16, steps: 4, scale: 7.5 });
        let mut old = Old { size: 0, steps: 0 };
        // SAFETY: as above.
        unsafe { init((&raw mut old).cast::<New>(), size_of::<Old>(), "old") }.unwrap();
        assert_eq!(old, Old { size: 16, steps: 20 });
        // SAFETY: as above.
        let out = unsafe { VersionedOut::new((&raw mut old).cast::<New>(), "old") }.unwrap();
        out.put(New { size: 24, steps: 9, scale: 1.0 });
        assert_eq!(old, Old { size: 16, steps: 9 });
    }

    #[test]
    fn a_newer_callers_struct_is_taken_while_what_is_new_is_zero() {
        let mut new = New { size: size_of::<New>(), steps: 4, scale: 0.0 };
        let from = |new: &New| {
            // SAFETY: it has as many bytes as it says.
            unsafe { read((&raw const *new).cast::<Old>(), "new") }
        };
        assert_eq!(from(&new).unwrap().steps, 4);
        new.scale = 1.0;
        assert_eq!(code(from(&new)), SDCPP_UNSUPPORTED_STRUCT);
        // SAFETY: as above.
        unsafe { init((&raw mut new).cast::<Old>(), size_of::<New>(), "new") }.unwrap();
        assert_eq!(new, New { size: 24, steps: 20, scale: 0.0 });
    }

    #[test]
    fn other_sizes_and_null_are_refused() {
        let sized = |size| {
            let new = New { size, steps: 0, scale: 0.0 };
            // SAFETY: what is too small or too large is not read beyond its size.
            code(unsafe { read(&raw const new, "new") })
        };
        for size in [0, 8, 15, 1 << 20, usize::MAX] {
            assert_eq!(sized(size), SDCPP_UNSUPPORTED_STRUCT, "{size}");
        }
        assert_eq!((sized(16), sized(24)), (SDCPP_OK, SDCPP_OK));
        // SAFETY: NULL is allowed.
        unsafe {
            assert_eq!(code(read::<New>(ptr::null(), "new")), SDCPP_NULL_POINTER);
            assert_eq!(code(init::<New>(ptr::null_mut(), 24, "new")), SDCPP_NULL_POINTER);
            assert_eq!(code(VersionedOut::<New>::new(ptr::null_mut(), "new")), SDCPP_NULL_POINTER);
        }
    }
}
