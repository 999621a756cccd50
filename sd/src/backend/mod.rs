//! What an engine computes on, and which is the best here.

#[cfg(feature = "dynamic")]
mod best;
#[cfg(feature = "dynamic")]
mod search;

#[cfg(feature = "dynamic")]
pub use best::{Best, cuda_available, metal_available, vulkan_available};
#[cfg(feature = "dynamic")]
pub use search::LibrarySearch;

use crate::{Engine, Error, Result};
use std::fmt;

/// What an engine computes on.
///
/// An engine has the processor and those other backends that it was built with: by the features of
/// the same names if it is linked into the program, or in a library of its own that is opened at run
/// time (feature `dynamic`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// NVIDIA's graphics cards.
    Cuda,
    /// AMD's graphics cards, by ROCm. Not tried by this project.
    Hip,
    /// Intel's graphics cards. Not tried by this project.
    Sycl,
    /// Apple's graphics units. Not tried by this project.
    Metal,
    /// Graphics cards of all makers.
    Vulkan,
    /// The processor.
    Cpu,
}

impl Backend {
    /// All, the best first.
    pub const ALL: [Self; 6] =
        [Self::Cuda, Self::Hip, Self::Sycl, Self::Metal, Self::Vulkan, Self::Cpu];

    /// Its name, as in features, file names and settings: `cuda`, `hip`, `sycl`, `metal`, `vulkan`
    /// or `cpu`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Hip => "hip",
            Self::Sycl => "sycl",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Cpu => "cpu",
        }
    }

    /// What the names of its devices begin with.
    fn device_prefix(self) -> &'static str {
        match self {
            Self::Cuda => "CUDA",
            Self::Hip => "ROCm",
            Self::Sycl => "SYCL",
            Self::Metal => "MTL",
            Self::Vulkan => "Vulkan",
            Self::Cpu => "CPU",
        }
    }

    /// Whether an engine has a device of it.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`] if not; [`Error::Engine`] if the engine cannot tell.
    pub fn check(self, engine: &Engine) -> Result<()> {
        let devices = engine.devices()?;
        if devices.iter().any(|device| device.name.starts_with(self.device_prefix())) {
            return Ok(());
        }
        let names: Vec<_> = devices.into_iter().map(|device| device.name).collect();
        Err(self.unavailable(format!("the engine has only {}", names.join(", "))))
    }

    pub(crate) fn unavailable(self, reason: String) -> Error {
        Error::BackendUnavailable { backend: self, reason }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cuda => "CUDA",
            Self::Hip => "HIP",
            Self::Sycl => "SYCL",
            Self::Metal => "Metal",
            Self::Vulkan => "Vulkan",
            Self::Cpu => "the processor",
        })
    }
}

impl std::str::FromStr for Backend {
    type Err = Error;

    /// By [`name`](Self::name), in any case.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|b| b.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid("backend", text, format!("one of {names}"))
        })
    }
}
