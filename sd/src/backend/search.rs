//! Where engine libraries are looked for.

use super::Backend;
use crate::{Engine, Error, Result};
use std::{
    env::{
        self,
        consts::{DLL_PREFIX, DLL_SUFFIX},
    },
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The variable that names an engine library, or a folder of them.
const VARIABLE: &str = "SDCPP_LIBRARY";

/// Where engine libraries are looked for. They are named `libsdcpp_engine_cuda.so` and so on, as on
/// each system libraries are. In this order:
///
/// 1. `SDCPP_LIBRARY`, a folder. If it names a file, this is the only one looked at, whatever its name;
/// 2. the folders given by [`folder`](Self::folder);
/// 3. the program's folder, and beside that `../lib/sdcpp` and `../lib`;
/// 4. where the system looks for libraries (`LD_LIBRARY_PATH`, `/usr/lib` and so on).
///
/// The first file that is there counts: if it cannot be used, that is an error, and no other is tried.
#[derive(Debug, Clone, Default)]
pub struct LibrarySearch {
    given: Vec<PathBuf>,
    /// What `SDCPP_LIBRARY` says.
    variable: Option<PathBuf>,
    /// Beside the program.
    beside: Vec<PathBuf>,
}

impl LibrarySearch {
    /// The search of this program.
    pub fn new() -> Self {
        let program = env::current_exe().ok();
        Self::with(env::var_os(VARIABLE), program.as_deref())
    }

    fn with(variable: Option<OsString>, program: Option<&Path>) -> Self {
        let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = program.and_then(Path::parent);
        let lib = folder.and_then(Path::parent).map(|prefix| prefix.join("lib"));
        let lib = lib.into_iter().flat_map(|lib| [lib.join("sdcpp"), lib]);
        let beside = folder.into_iter().map(Path::to_path_buf).chain(lib).collect();
        Self { given: Vec::new(), variable, beside }
    }

    /// Looks into this folder before the program's; if called again, into the earlier one before.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.given.push(folder.into());
        self
    }

    /// The library that is the only one looked at.
    pub(super) fn only(&self) -> Option<&Path> {
        // What does not exist is meant as a file too, so that it is told as missing.
        self.variable.as_deref().filter(|path| !path.is_dir())
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        let variable = self.variable.iter().filter(|path| path.is_dir());
        variable.chain(&self.given).chain(&self.beside)
    }

    /// The engine in the library for a backend. Whether it has such a device is not asked.
    pub(super) fn find(&self, backend: Backend) -> Result<Engine> {
        if let Some(path) = self.only() {
            std::fs::metadata(path).map_err(|e| Error::file(VARIABLE, path, e))?;
            return open(path);
        }
        let name = format!("{DLL_PREFIX}sdcpp_engine_{}{DLL_SUFFIX}", backend.name());
        if let Some(path) = self.folders().map(|folder| folder.join(&name)).find(|p| p.is_file()) {
            return open(&path);
        }
        match Engine::open_installed(Path::new(&name)) {
            Ok(engine) => engine,
            Err(error) if is_missing(&name, &error.to_string()) => {
                Err(Error::LibraryNotFound { searched: self.folders().cloned().collect(), name })
            }
            Err(error) => Err(Error::Library { path: name.into(), reason: error.to_string() }),
        }
    }
}

fn open(path: &Path) -> Result<Engine> {
    // The system's loader takes a path without a slash for a name to be looked for.
    let absolute = std::path::absolute(path).map_err(|e| Error::file("library", path, e))?;
    Engine::open_installed(&absolute)
        .map_err(|error| Error::Library { path: path.to_path_buf(), reason: error.to_string() })?
}

/// Whether the loader's words say that this library is missing, and not one that it needs. The words
/// are of the user's language, so they are compared with those for a library that surely is missing.
fn is_missing(name: &str, reason: &str) -> bool {
    const NONE: &str = "sdcpp-there-is-no-library-of-this-name";
    let for_none = Engine::open_installed(Path::new(NONE)).err().map(|error| error.to_string());
    for_none.is_some_and(|words| words.replace(NONE, name) == reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_where_it_says_in_that_order() {
        let folder = tempfile::tempdir().unwrap();
        let program = Path::new("/opt/app/bin/app");
        let search = LibrarySearch::with(Some(folder.path().into()), Some(program)).folder("given");
        let folders: Vec<_> = search.folders().map(PathBuf::as_path).collect();
        let lib = Path::new("/opt/app/lib").to_path_buf();
        assert_eq!(
            folders,
            [
                folder.path(),
                Path::new("given"),
                program.parent().unwrap(),
                &lib.join("sdcpp"),
                &lib
            ]
        );
    }

    #[test]
    fn a_file_in_the_variable_is_the_only_one() {
        let search = LibrarySearch::with(Some("engine.so".into()), None);
        assert_eq!(search.only(), Some(Path::new("engine.so")));
        let error = search.find(Backend::Cpu).unwrap_err();
        assert!(matches!(&error, Error::FileNotFound { role, .. } if role == VARIABLE), "{error}");
        let error = search.folder("given").find(Backend::Cpu).unwrap_err();
        assert!(matches!(error, Error::FileNotFound { .. }), "{error}");
        assert!(LibrarySearch::with(Some("".into()), None).only().is_none());
    }

    #[test]
    fn what_is_nowhere_is_told_with_the_places() {
        let folder = tempfile::tempdir().unwrap();
        let error = LibrarySearch::default().folder(folder.path()).find(Backend::Sycl).unwrap_err();
        let Error::LibraryNotFound { name, searched } = &error else { panic!("{error:?}") };
        assert!(name.contains("sdcpp_engine_sycl"), "{name}");
        assert_eq!(searched, &[folder.path()]);
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    }

    #[test]
    fn what_is_no_library_is_told_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("{DLL_PREFIX}sdcpp_engine_cpu{DLL_SUFFIX}");
        std::fs::write(folder.path().join(&name), "no library").unwrap();
        let error = LibrarySearch::default().folder(folder.path()).find(Backend::Cpu).unwrap_err();
        assert!(matches!(&error, Error::Library { path, .. } if path.ends_with(&name)), "{error}");
    }
}
