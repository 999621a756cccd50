//! Where this library lies.

use std::path::PathBuf;

/// The file that this code was loaded from.
#[cfg(unix)]
pub(crate) fn library() -> Option<PathBuf> {
    use std::{
        ffi::{CStr, OsStr},
        mem::MaybeUninit,
        os::unix::ffi::OsStrExt,
    };
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let here = crate::sdcpp_version as *const ();
    // SAFETY: any address may be asked about; the struct is there to be written to, and zeros are a
    // value of it.
    let info = unsafe {
        if libc::dladdr(here.cast(), info.as_mut_ptr()) == 0 {
            return None;
        }
        info.assume_init()
    };
    if info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: not NULL, and a text of the loader's that lives as long as the library is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

#[cfg(not(unix))]
pub(crate) fn library() -> Option<PathBuf> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn this_code_knows_its_file() {
        let file = library().unwrap();
        assert!(file.is_file(), "{file:?}");
    }
}
