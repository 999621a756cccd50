//! Engines that are opened at run time.

use super::Engine;
use crate::{Error, Result};
use sdcpp_sys::{LibraryError, Table};
use std::path::Path;

impl Engine {
    /// The engine in a library that was built with `SDCPP_LIBRARY_DIR`; docs/linking.md says how. Its
    /// symbols stay its own, so that several engines, and other users of ggml, live side by side. It
    /// stays open until the program ends.
    ///
    /// [`Backend::engine`](crate::Backend::engine) looks for one by itself.
    ///
    /// # Errors
    /// [`Error::FileNotFound`]; [`Error::Library`] if the system does not load it, if it is no engine
    /// library, or one of another version than this crate; [`Error::Unsupported`] if it was built for
    /// a newer processor.
    ///
    /// # Safety
    /// As for any code that is linked: the library's initialisation runs in this process, and only a
    /// library of this project keeps the promises of `sdcpp_shim.h`.
    pub unsafe fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // The loader takes a bare name for one to be looked for in the system's folders.
        let absolute = std::path::absolute(path).map_err(|e| Error::file("library", path, e))?;
        std::fs::metadata(&absolute).map_err(|e| Error::file("library", path, e))?;
        // SAFETY: the caller vouches for it.
        unsafe { Self::open(&absolute) }
            .map_err(|e| Error::Library { path: path.to_path_buf(), reason: e.to_string() })?
    }

    /// A library that lies where the program's own libraries lie, by the name that only this project's
    /// have. The outer result is the loader's.
    pub(crate) fn open_installed(path: &Path) -> Result<Result<Self>, LibraryError> {
        // SAFETY: such a library is as much a part of the program as those that the system loads for
        // it when it starts; who can put another in its place, or set the variable that names one, can
        // make the system load what he wants before `main` too.
        unsafe { Self::open(path) }
    }

    /// # Safety
    /// As for [`load`](Self::load).
    unsafe fn open(path: &Path) -> Result<Result<Self>, LibraryError> {
        // SAFETY: the caller vouches for it.
        let table = unsafe { Table::open(path) }?;
        let engine = Self { library: Some(path.into()), ..Self::of(table) };
        // First, as the check makes ggml look for devices, of which it says something.
        engine.route_stray_log_lines();
        Ok(engine.check_processor().map(|()| engine))
    }
}
