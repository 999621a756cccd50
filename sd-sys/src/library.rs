//! An engine in a library that is opened at run time.

use crate::{Table, TableError, sdcpp_api};
use core::{error, ffi::CStr, fmt};
use libloading::Library;
use std::path::Path;

/// The one symbol of an engine library.
const SYMBOL: &CStr = c"sdcpp_shim_api";

/// Why a library cannot be used as an engine.
#[derive(Debug)]
#[non_exhaustive]
pub enum LibraryError {
    /// The system's loader refuses it, in its words: no library, one for another processor, or one
    /// that needs another library which is not there.
    Load(String),
    /// It lacks the function `sdcpp_shim_api`, so it is no engine library.
    NotAnEngine,
    /// It is an engine library of another version.
    Table(TableError),
}

impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(reason) => f.write_str(reason),
            Self::NotAnEngine => {
                write!(f, "it has no function `{}`", SYMBOL.to_string_lossy())
            }
            Self::Table(error) => error.fmt(f),
        }
    }
}

impl error::Error for LibraryError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Table(error) => Some(error),
            _ => None,
        }
    }
}

impl Table {
    /// Opens an engine library. Its symbols stay its own: they neither replace nor are replaced by
    /// those of the program or of another library. It stays open until the program ends, because
    /// the engine has threads and static objects; opening it again costs nothing.
    ///
    /// # Errors
    /// The system does not load it, it is no engine library, or it is one of another version.
    ///
    /// # Safety
    /// The library's initialisation runs in this process. It must be an engine library, built by this
    /// project or by its rules (`shim/sdcpp_shim.h`), or none: nothing can be checked of one that
    /// only pretends to be.
    pub unsafe fn open(path: &Path) -> Result<Self, LibraryError> {
        // SAFETY: the caller vouches for what runs while it is loaded.
        let library = unsafe { load(path) }.map_err(|e| LibraryError::Load(reason(&e)))?;
        let table = {
            // SAFETY: an engine library has this function with this type; the caller vouches that
            // one that has the function is an engine library.
            let api = unsafe {
                library
                    .get::<unsafe extern "C" fn() -> *const sdcpp_api>(SYMBOL.to_bytes_with_nul())
            }
            .map_err(|_| LibraryError::NotAnEngine)?;
            // SAFETY: the function has no arguments, and returns NULL or a table in static memory
            // that is never written to.
            let api = unsafe { api().as_ref() }.ok_or(LibraryError::Table(TableError::Null))?;
            // SAFETY: a shim of this ABI number and size names its headers.
            unsafe { Self::from_api(api) }.map_err(LibraryError::Table)?
        };
        // Closing it would take the code away from under the table.
        core::mem::forget(library);
        Ok(table)
    }
}

/// # Safety
/// The library's initialisation must be sound.
#[cfg(unix)]
unsafe fn load(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix;
    // All symbols now, so that a missing one is an error here and not a crash later; and local.
    // SAFETY: the caller vouches for the initialisation.
    unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) }.map(Library::from)
}

/// # Safety
/// The library's initialisation must be sound.
#[cfg(windows)]
unsafe fn load(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::windows;
    // What it needs is looked for beside it, and never in the current folder.
    let beside = if path.is_absolute() { windows::LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR } else { 0 };
    let flags = windows::LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | beside;
    // SAFETY: the caller vouches for the initialisation.
    unsafe { windows::Library::load_with_flags(path, flags) }.map(Library::from)
}

/// The system's words, without those of libloading around them.
fn reason(error: &libloading::Error) -> String {
    error::Error::source(error).map_or_else(|| error.to_string(), |source| source.to_string())
}
