//! What backends are compiled with, beside CMake and a C++ compiler: looked for before CMake starts, and
//! recognised in CMake's words where it misses something.

use crate::{backend::Backend, fail::Fail, vars};
use std::{
    env,
    path::{Path, PathBuf},
};

/// NVIDIA's compiler.
pub(crate) struct Nvcc {
    pub(crate) path: PathBuf,
    /// The toolkit, where CMake does not look into its folder by itself.
    toolkit: Option<PathBuf>,
}

/// Where toolkits are installed, and CMake looks for their libraries, but not for their compiler.
const TOOLKITS: [&str; 2] = ["/usr/local/cuda", "/opt/cuda"];

/// Options that lead CMake to what it would not find.
///
/// # Errors
/// A compiler that one of the backends needs is not there.
pub(crate) fn options(backends: &[Backend]) -> Result<Vec<(String, String)>, Fail> {
    // Such a file may name every program.
    if !vars::cargo("CMAKE_TOOLCHAIN_FILE").is_empty()
        || vars::cmake_arg("CMAKE_TOOLCHAIN_FILE")?.is_some()
    {
        return Ok(Vec::new());
    }
    if backends.contains(&Backend::Vulkan) && !has_glslc()? {
        return Err(no_vulkan("glslc, which compiles the shaders,"));
    }
    if !backends.contains(&Backend::Cuda) {
        return Ok(Vec::new());
    }
    let nvcc = nvcc()?.ok_or_else(|| no_toolkit("nvcc, NVIDIA's compiler,"))?;
    let Some(toolkit) = nvcc.toolkit else { return Ok(Vec::new()) };
    Ok([("CMAKE_CUDA_COMPILER", nvcc.path), ("CUDAToolkit_ROOT", toolkit)]
        .map(|(name, path)| (name.to_owned(), path.display().to_string()))
        .into())
}

/// The compiler that CMake uses: the one that is named, else one in `PATH` or `CUDA_PATH`; else that of
/// a toolkit in a usual place.
pub(crate) fn nvcc() -> Result<Option<Nvcc>, Fail> {
    if let Some(path) = vars::cmake_arg("CMAKE_CUDA_COMPILER")? {
        return Ok(Some(Nvcc { path: path.into(), toolkit: None }));
    }
    let named = vars::cargo("CUDACXX");
    if !named.is_empty() {
        // Arguments may be behind it.
        let first = named.split_whitespace().next().unwrap_or_default();
        let path = program(&named).or_else(|| program(first));
        let path = path.ok_or_else(|| no_toolkit(&format!("CUDACXX={named}, the compiler,")))?;
        return Ok(Some(Nvcc { path, toolkit: None }));
    }
    let in_toolkit = |root: &Path| in_folder(&root.join("bin"), "nvcc");
    let toolkit = vars::cargo("CUDA_PATH");
    if let Some(path) = program("nvcc").or_else(|| in_toolkit(toolkit.as_ref())) {
        return Ok(Some(Nvcc { path, toolkit: None }));
    }
    let given = vars::cmake_arg("CUDAToolkit_ROOT")?;
    let named = ["CUDAToolkit_ROOT", "CUDA_HOME"].map(vars::cargo);
    let usual = TOOLKITS.map(str::to_owned);
    let mut roots = given.into_iter().chain(named).chain(usual).map(PathBuf::from);
    let found = |root: PathBuf| Some(Nvcc { path: in_toolkit(&root)?, toolkit: Some(root) });
    Ok(roots.find_map(found))
}

fn has_glslc() -> Result<bool, Fail> {
    let sdk = PathBuf::from(vars::cargo("VULKAN_SDK"));
    Ok(vars::cmake_arg("Vulkan_GLSLC_EXECUTABLE")?.is_some()
        || program("glslc").is_some()
        || in_folder(&sdk.join("bin"), "glslc").is_some())
}

/// A program by its path, or by its name where CMake looks for it first.
fn program(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.is_absolute() {
        return path.is_file().then(|| path.to_path_buf());
    }
    let folders =
        |name: &str| env::split_paths(&env::var_os(name).unwrap_or_default()).collect::<Vec<_>>();
    let prefixes = folders("CMAKE_PREFIX_PATH").into_iter().map(|prefix| prefix.join("bin"));
    prefixes.chain(folders("PATH")).find_map(|folder| in_folder(&folder, name))
}

fn in_folder(folder: &Path, program: &str) -> Option<PathBuf> {
    let path = folder.join(format!("{program}{}", env::consts::EXE_SUFFIX));
    // An empty variable is no folder, and must not become the current one.
    (folder.is_absolute() && path.is_file()).then_some(path)
}

/// What is missing, by CMake's words.
pub(crate) fn missing(said: &str) -> Option<Fail> {
    let says = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    if says(&["CUDA::cublas"]) {
        return Some(
            no_toolkit("cuBLAS")
                .advise("NVIDIA's packages have it apart: libcublas-dev-12-8, of nvcc's version"),
        );
    }
    if says(&[
        "Could NOT find CUDAToolkit",
        "CUDA Toolkit not found",
        "Could not find nvcc",
        "No CMAKE_CUDA_COMPILER could be found",
    ]) {
        return Some(no_toolkit("the CUDA toolkit, or a part of it,"));
    }
    if says(&["The CUDA compiler"]) && says(&["is not able to compile a simple test program"]) {
        return Some(
            Fail::new("nvcc does not work; its words are above")
                .advise("it knows no C++ compiler newer than itself: name an older one in CUDAHOSTCXX, as g++-12"),
        );
    }
    if says(&["Could NOT find Vulkan"]) {
        return Some(no_vulkan("Vulkan, its loader as a rule,"));
    }
    if says(&["provided by \"hip\"", "provided by \"hipblas\"", "provided by \"rocblas\""]) {
        return Some(
            Fail::new("ROCm 6.1 or newer, which the feature `hip` needs, was not found")
                .advise("install it, with hipBLAS and rocBLAS; if it is not in /opt/rocm, name its folder in ROCM_PATH"),
        );
    }
    if says(&["provided by \"MKL\"", "C++ compiler lacks SYCL support"]) {
        return Some(
            Fail::new("oneAPI, which the feature `sycl` needs, was not found")
                .advise("install Intel's oneAPI Base Toolkit, and build in a shell after: source /opt/intel/oneapi/setvars.sh")
                .advise("and name its compilers: CC=icx CXX=icpx"),
        );
    }
    says(&["or higher is required"]).then(|| {
        Fail::new("this CMake is too old; its words are above")
            .advise("CUDA needs CMake 3.18, Vulkan 3.19, HIP 3.21")
            .advise("a new one without root: pip install cmake, and name it in the variable CMAKE")
    })
}

fn no_toolkit(part: &str) -> Fail {
    Fail::new(format!("{part} was not found, and the feature `cuda` needs the CUDA toolkit, 11.8 or newer"))
        .advise("without root: in this repository, eval \"$(scripts/cuda-toolkit.sh)\" fetches one from PyPI")
        .advise("Debian 12, Ubuntu 24.04: sudo apt install nvidia-cuda-toolkit; Arch: sudo pacman -S cuda")
        .advise("Windows: winget install Nvidia.CUDA; elsewhere: NVIDIA's packages cuda-toolkit")
        .advise("if it is installed: name nvcc in CUDACXX, or the toolkit's folder in CUDA_PATH or CUDA_HOME")
}

fn no_vulkan(part: &str) -> Fail {
    Fail::new(format!("{part} was not found, and the feature `vulkan` needs it"))
        .advise("Debian 12, Ubuntu 24.04: sudo apt install libvulkan-dev glslc spirv-headers")
        .advise("Fedora: sudo dnf install vulkan-loader-devel glslc spirv-headers-devel")
        .advise("Arch: sudo pacman -S vulkan-icd-loader shaderc spirv-headers; macOS: brew install vulkan-loader shaderc spirv-headers")
        .advise("Windows, or where there are no packages: a Vulkan SDK, its folder in VULKAN_SDK")
        .advise("if glslc is installed: put its folder into PATH, or SDCPP_CMAKE_ARGS=-DVulkan_GLSLC_EXECUTABLE=/its/path")
}
