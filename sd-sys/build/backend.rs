//! Which ggml backends are built in, by Cargo feature.

use crate::{fail::Fail, vars};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Cuda,
    Vulkan,
    Metal,
}

impl Backend {
    const ALL: [Self; 3] = [Self::Cuda, Self::Vulkan, Self::Metal];

    pub(crate) fn feature(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
        }
    }

    pub(crate) fn cmake_option(self) -> &'static str {
        match self {
            Self::Cuda => "SD_CUDA",
            Self::Vulkan => "SD_VULKAN",
            Self::Metal => "SD_METAL",
        }
    }
}

/// The CPU is always in; these come on top.
pub(crate) fn chosen() -> Result<Vec<Backend>, Fail> {
    if vars::target_is("windows-gnu") {
        return Err(Fail::new("the target windows-gnu is not supported").advise("use windows-msvc"));
    }
    let chosen: Vec<_> = Backend::ALL.into_iter().filter(|b| vars::feature(b.feature())).collect();
    if chosen.contains(&Backend::Metal) && !vars::target_is("apple") {
        return Err(Fail::new("the feature `metal` is for Apple targets only")
            .advise("use `vulkan` or `cuda` here"));
    }
    Ok(chosen)
}
