//! The best backend of this machine, and why none of the better ones.

use super::{Backend, LibrarySearch};
use crate::{Engine, Error, Result};
use std::fmt;

/// What [`LibrarySearch::best`] chose. Displays as the backend and, line by line, why none of the
/// better ones.
#[derive(Debug)]
#[non_exhaustive]
pub struct Best {
    /// The engine.
    pub engine: Engine,
    /// What it computes on.
    pub backend: Backend,
    /// The better ones, and why they were not chosen.
    pub passed_over: Vec<(Backend, Error)>,
}

impl fmt::Display for Best {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.backend)?;
        self.passed_over.iter().try_for_each(|(backend, why)| match why {
            // It names the backend itself.
            Error::BackendUnavailable { .. } => write!(f, "\n{why}"),
            other => write!(f, "\n{backend}: {other}"),
        })
    }
}

impl Backend {
    /// Whether the driver of this backend is installed and has a device, as far as can be told without
    /// an engine. Links nothing and needs nothing to be there. SYCL is not asked, and found out when
    /// its library is opened.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`], with the reason.
    pub fn check_driver(self) -> Result<()> {
        use crate::engine::driver;
        let devices = match self {
            Self::Cuda => driver::cuda(),
            Self::Hip => driver::hip(),
            Self::Vulkan => driver::vulkan(),
            Self::Metal if !cfg!(target_vendor = "apple") => {
                Err("this is no Apple system".to_owned())
            }
            Self::Metal | Self::Sycl | Self::Cpu => Ok(1),
        };
        devices.map(|_| ()).map_err(|reason| self.unavailable(reason))
    }

    /// An engine that has a device of this backend: the linked one, or one that [`LibrarySearch`]
    /// finds.
    ///
    /// # Errors
    /// As [`LibrarySearch::engine`].
    pub fn engine(self) -> Result<Engine> {
        LibrarySearch::new().engine(self)
    }

    /// The best backend for which there are a driver, a device and an engine, linked or found by
    /// [`LibrarySearch`].
    ///
    /// ```no_run
    /// use sdcpp::{Backend, Context, ModelConfig, Watch};
    ///
    /// # fn main() -> sdcpp::Result<()> {
    /// let best = Backend::best()?;
    /// eprintln!("computing on {best}");
    /// let mut context = Context::open(&best.engine, ModelConfig::new("sd15.gguf"), Watch::new())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`LibrarySearch::best`].
    pub fn best() -> Result<Best> {
        LibrarySearch::new().best()
    }
}

impl LibrarySearch {
    /// An engine that has a device of `backend`: the linked one (feature `static`), or the first found.
    /// Any engine has the processor.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`] if driver or device are missing;
    /// [`Error::LibraryNotFound`]; [`Error::Library`] if the one found cannot be used; as
    /// [`Engine::load`].
    pub fn engine(&self, backend: Backend) -> Result<Engine> {
        backend.check_driver()?;
        // A linked engine that is not for this processor hides no library that is.
        #[cfg(feature = "static")]
        if let (true, Ok(linked)) = (self.only().is_none(), Engine::linked())
            && backend.check(&linked).is_ok()
        {
            return Ok(linked);
        }
        let engine = match self.find(backend) {
            Err(missing @ Error::LibraryNotFound { .. }) if backend == Backend::Cpu => {
                self.any(missing)?
            }
            found => found?,
        };
        backend.check(&engine).map_err(with_driver)?;
        Ok(engine)
    }

    /// Any library: each computes on the processor too. If none can be used, why the first that is
    /// there cannot; else what is `missing`.
    fn any(&self, missing: Error) -> Result<Engine> {
        let mut refused = None;
        for backend in Backend::ALL.into_iter().rev() {
            match self.find(backend) {
                Ok(engine) => return Ok(engine),
                Err(Error::LibraryNotFound { .. }) => {}
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        #[cfg(feature = "static")]
        if self.only().is_none() {
            // Linked, but not for this processor.
            Engine::linked()?;
        }
        Err(refused.unwrap_or(missing))
    }

    /// The best backend for which there are a driver, a device and an engine.
    ///
    /// # Errors
    /// Those of [`engine`](Self::engine) for the processor: there is no engine at all.
    pub fn best(&self) -> Result<Best> {
        let mut passed_over = Vec::new();
        for backend in Backend::ALL {
            match self.engine(backend) {
                Ok(engine) => return Ok(Best { engine, backend, passed_over }),
                Err(why) if backend == Backend::Cpu => return Err(why),
                Err(why) => {
                    tracing::debug!("{why}");
                    passed_over.push((backend, why));
                }
            }
        }
        Err(Backend::Cpu.unavailable("it is not in the list of backends".to_owned()))
    }
}

/// The driver has a device and the engine has not: perhaps the engine was built for newer drivers.
fn with_driver(why: Error) -> Error {
    match why {
        Error::BackendUnavailable { backend: Backend::Cuda, reason } => {
            let driver = match crate::engine::driver::cuda_version() {
                Some((major, minor)) => format!(
                    "; the driver runs programs of CUDA {major}.{minor} and older, and those of a newer one see no device"
                ),
                None => String::new(),
            };
            Backend::Cuda.unavailable(reason + &driver)
        }
        other => other,
    }
}

/// Whether an NVIDIA graphics card and its driver are there. Links nothing of CUDA.
pub fn cuda_available() -> bool {
    Backend::Cuda.check_driver().is_ok()
}

/// Whether Vulkan and a device are there that the engine would take. Links nothing of Vulkan.
pub fn vulkan_available() -> bool {
    Backend::Vulkan.check_driver().is_ok()
}

/// Whether this is a system with Metal.
pub fn metal_available() -> bool {
    Backend::Metal.check_driver().is_ok()
}
