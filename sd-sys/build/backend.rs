//! Which ggml backends are built in, by Cargo feature.

use crate::{fail::Fail, vars};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Cuda,
    Hip,
    Sycl,
    Vulkan,
    Metal,
}

impl Backend {
    /// The best first: a library of several is named after it.
    const ALL: [Self; 5] = [Self::Cuda, Self::Hip, Self::Sycl, Self::Vulkan, Self::Metal];

    /// The Cargo feature, and the word in `SDCPP_BACKENDS` of cmake/CMakeLists.txt.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Hip => "hip",
            Self::Sycl => "sycl",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
        }
    }

    /// The engine's static libraries.
    pub(crate) fn libraries(self) -> &'static [&'static str] {
        match self {
            Self::Cuda => &["ggml-cuda"],
            Self::Hip => &["ggml-hip"],
            Self::Sycl => &["ggml-sycl"],
            Self::Vulkan => &["ggml-vulkan"],
            Self::Metal => &["ggml-metal", "ggml-blas"],
        }
    }

    /// What they need of the system.
    pub(crate) fn system_libraries(self) -> &'static [&'static str] {
        match self {
            Self::Cuda => &["cudart", "cublas", "cublasLt"],
            Self::Hip => &["amdhip64", "hipblas", "rocblas"],
            Self::Sycl => &[
                "sycl",
                "mkl_sycl_blas",
                "mkl_intel_ilp64",
                "mkl_tbb_thread",
                "mkl_core",
                "OpenCL",
            ],
            Self::Vulkan if vars::target_is("windows") => &["vulkan-1"],
            Self::Vulkan => &["vulkan"],
            Self::Metal => &["framework=Metal", "framework=MetalKit"],
        }
    }

    /// Options for the engine's CMake, beside that which switches the backend on.
    pub(crate) fn options(self) -> Vec<(String, String)> {
        let off: &[_] = match self {
            // ggml would use these where CMake finds them, and the list above could not say whether
            // they are needed. A shared library is linked by CMake, which knows.
            Self::Sycl if vars::feature("static") => {
                &["GGML_SYCL_SUPPORT_LEVEL_ZERO", "GGML_SYCL_DNN"]
            }
            _ => &[],
        };
        off.iter().map(|name| ((*name).to_owned(), "OFF".to_owned())).collect()
    }
}

/// The CPU is always in; these come on top.
pub(crate) fn chosen() -> Result<Vec<Backend>, Fail> {
    if vars::target_is("windows-gnu") {
        return Err(Fail::new("the target windows-gnu is not supported").advise("use windows-msvc"));
    }
    let chosen: Vec<_> = Backend::ALL.into_iter().filter(|b| vars::feature(b.name())).collect();
    if chosen.contains(&Backend::Metal) && !vars::target_is("apple") {
        return Err(Fail::new("the feature `metal` is for Apple targets only")
            .advise("use `vulkan` or `cuda` here"));
    }
    Ok(chosen)
}
