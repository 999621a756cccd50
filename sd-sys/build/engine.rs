//! Builds the engine with CMake, once for all profiles and feature sets, or takes prebuilt libraries.
//! On request it makes one shared library of it, to be opened at run time.

use crate::{
    backend::Backend, fail::Fail, folders::Folders, headers, pin::Pin, source::Source, stamp,
    toolkit, vars,
};
use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::Command,
};

/// Where the static libraries are.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) lib_dirs: Vec<PathBuf>,
}

/// Libraries in link order: each needs only those after it.
pub(crate) fn libraries(backends: &[Backend]) -> Vec<&'static str> {
    let mut names = vec!["stable-diffusion", "ggml"];
    for backend in backends {
        names.extend(backend.libraries());
    }
    names.extend(["ggml-cpu", "ggml-base"]);
    names
}

pub(crate) fn prebuilt(dir: &Path) -> Result<Engine, Fail> {
    if vars::library_dir()?.is_some() {
        return Err(Fail::new("SDCPP_LIBRARY_DIR and SDCPP_LIB_DIR are both set")
            .advise("a shared library is made from source only: unset SDCPP_LIB_DIR"));
    }
    println!("cargo::rerun-if-changed={}", dir.display());
    let lib_dirs = folders_with_libraries(dir);
    if lib_dirs.is_empty() {
        return Err(Fail::new(format!(
            "SDCPP_LIB_DIR={} has no static engine library",
            dir.display()
        ))
        .advise(
            "it must hold libstable-diffusion.a and libggml*.a (stable-diffusion.lib, ggml*.lib)",
        )
        .advise("or unset it, and the engine is built from source"));
    }
    Ok(Engine { lib_dirs })
}

pub(crate) fn build(
    pin: &Pin,
    source: &Source,
    backends: &[Backend],
    vulkan_headers: Option<PathBuf>,
    folders: &Folders,
) -> Result<Engine, Fail> {
    let tools = Tools::find()?;
    let mut options = options(pin, source, backends)?;
    options.extend(toolkit::options(backends)?);
    if let Some(headers) = vulkan_headers {
        options.push(("Vulkan_INCLUDE_DIR".to_owned(), headers.display().to_string()));
    }
    let key = key(source, &options, &tools, backends)?;
    let _lock = folders.lock_build(&key)?;
    let folder = folders.build(&key);
    let stamp = folder.join(".sdcpp-complete");
    stamp::watch(&stamp);
    let cmake = Cmake { source, options: &options, tools: &tools, folder: &folder };
    // The user's own checkout may have changed, so there ninja decides what is stale.
    if !(source.pinned && stamp.is_file()) {
        cmake.make("stable-diffusion")?;
        stamp::write(&stamp, &key)?;
    }
    if let Some(out) = vars::library_dir()? {
        cmake.make("sdcpp_engine")?;
        copy_library(&folder, &out)?;
    }
    let lib_dirs = folders_with_libraries(&folder);
    if lib_dirs.is_empty() {
        return Err(Fail::new(format!("CMake made no library in {}", folder.display()))
            .advise("delete this folder and build again"));
    }
    Ok(Engine { lib_dirs })
}

/// Copies the shared library to where it was asked for.
fn copy_library(folder: &Path, out: &Path) -> Result<(), Fail> {
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_library = |file: &PathBuf| {
        let ends = ["so", "dylib", "dll"].iter().any(|end| file.extension() == Some(end.as_ref()));
        ends && name(file).contains("sdcpp_engine")
    };
    // Visual Studio's generator has a folder for each configuration.
    let made = ["build", "build/Release"].map(|made| folder.join(made));
    let libraries: Vec<_> = made
        .iter()
        .flat_map(|made| fs::read_dir(made).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(is_library)
        .collect();
    if libraries.is_empty() {
        return Err(Fail::new(format!("CMake made no shared library in {}", folder.display())));
    }
    fs::create_dir_all(out).map_err(|e| Fail::io("create", out, &e))?;
    for file in libraries {
        let to = out.join(name(&file));
        // A program may have the old one mapped: it keeps it, and gets no half of the new one.
        let part = out.join(format!("{}.part", name(&file)));
        fs::copy(&file, &part).map_err(|e| Fail::io("copy to", &part, &e))?;
        stamp::make_old(&part)?;
        fs::rename(&part, &to).map_err(|e| Fail::io("rename to", &to, &e))?;
        println!("cargo::rerun-if-changed={}", to.display());
    }
    Ok(())
}

/// What is chosen here; the rest, with reasons, is in cmake/CMakeLists.txt.
fn options(
    pin: &Pin,
    source: &Source,
    backends: &[Backend],
) -> Result<Vec<(String, String)>, Fail> {
    let commit = source.commit.as_deref().unwrap_or("unknown");
    let version = if source.pinned { format!("pin-{}", pin.commit) } else { commit.to_owned() };
    let names: Vec<_> = backends.iter().map(|backend| backend.name()).collect();
    let mut options: Vec<(String, String)> = [
        ("SDCPP_SOURCE", source.folder.display().to_string()),
        ("SDCPP_BACKENDS", names.join(";")),
        ("SDCPP_NATIVE", on(vars::native())),
        ("SDCPP_OPENMP", on(vars::feature("openmp"))),
        ("SDCPP_BUILD_COMMIT", commit.to_owned()),
        ("SDCPP_BUILD_VERSION", version),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for backend in backends {
        options.extend(backend.options());
    }
    options.extend(vars::cmake_args()?);
    Ok(options)
}

fn on(yes: bool) -> String {
    if yes { "ON" } else { "OFF" }.to_owned()
}

/// Everything that decides about the machine code, so that a change of any gets its own folder.
fn key(
    source: &Source,
    options: &[(String, String)],
    tools: &Tools,
    backends: &[Backend],
) -> Result<String, Fail> {
    let mut text = format!("{}\n{}\n{options:?}\n", source.key, vars::cargo("TARGET"));
    text += &headers::short_hash(PROJECT.map(|(_, project)| project.as_bytes()));
    text += &format!("{}ninja={}\n{:?}\n", tools.compilers, tools.ninja, vars::toolchain());
    if vars::native() {
        text += &processor_features();
    }
    if backends.contains(&Backend::Cuda) {
        let version = toolkit::nvcc()?.and_then(|nvcc| last_line_of_version(&nvcc.path));
        text += &version.unwrap_or_default();
    }
    Ok(headers::short_hash([text.as_bytes()]))
}

/// Vector extensions of x86-64 that the engine's code needs, as `is_x86_feature_detected!` names them; none if that
/// is not known. They are asked for before any of that code runs.
pub(crate) fn needed_features() -> Result<String, Fail> {
    // Another engine, or one by other options, is asked itself, later.
    if !vars::cargo("TARGET").starts_with("x86_64")
        || vars::lib_dir()?.is_some()
        || vars::cmake_args()?.iter().any(|(name, _)| name.starts_with("GGML_"))
    {
        return Ok(String::new());
    }
    if !vars::native() {
        // sd-sys/cmake/CMakeLists.txt
        return Ok("sse4.2 avx avx2 bmi2 fma f16c".to_owned());
    }
    let here = processor_features();
    let present = here.split(' ').filter_map(|feature| feature.strip_suffix("=true"));
    Ok(present.collect::<Vec<_>>().join(" "))
}

/// A build tuned for one processor must not be reused on another that shares the folder.
fn processor_features() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let amx = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("amx_tile"));
        format!(
            "sse4.2={} avx={} avx2={} bmi2={} fma={} f16c={} avx512f={} avx512vbmi={} avx512vnni={} avx512bf16={} \
             avxvnni={} amx={amx}",
            is_x86_feature_detected!("sse4.2"),
            is_x86_feature_detected!("avx"),
            is_x86_feature_detected!("avx2"),
            is_x86_feature_detected!("bmi2"),
            is_x86_feature_detected!("fma"),
            is_x86_feature_detected!("f16c"),
            is_x86_feature_detected!("avx512f"),
            is_x86_feature_detected!("avx512vbmi"),
            is_x86_feature_detected!("avx512vnni"),
            is_x86_feature_detected!("avx512bf16"),
            is_x86_feature_detected!("avxvnni"),
        )
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        String::new()
    }
}

/// The programs a build needs, found before anything long starts.
struct Tools {
    ninja: bool,
    /// Paths and versions of both compilers.
    compilers: String,
}

impl Tools {
    fn find() -> Result<Self, Fail> {
        if version_of(Path::new(&cmake_program())).is_none() {
            return Err(Fail::new("CMake is needed to build the engine, and was not found")
                .advise("Debian, Ubuntu: sudo apt install cmake ninja-build")
                .advise("Fedora: sudo dnf install cmake ninja-build; macOS: brew install cmake ninja")
                .advise("Windows: winget install Kitware.CMake Ninja-build.Ninja")
                .advise("without root: pip install cmake ninja, or scripts/quickstart.sh does it for you")
                .advise("or name another cmake program in the variable CMAKE"));
        }
        let mut compilers = String::new();
        for cpp in [false, true] {
            let compiler = cc::Build::new().cpp(cpp).cargo_metadata(false).try_get_compiler();
            let path = compiler
                .map(|c| c.path().to_path_buf())
                .map_err(|e| no_compiler(cpp, &e.to_string()))?;
            let version = if vars::target_is("msvc") {
                path.display().to_string()
            } else {
                version_of(&path)
                    .ok_or_else(|| no_compiler(cpp, &format!("{} does not run", path.display())))?
            };
            compilers += &format!("{} {version}\n", path.display());
        }
        Ok(Self { ninja: version_of(Path::new("ninja")).is_some(), compilers })
    }
}

fn cmake_program() -> String {
    let named = vars::cargo("CMAKE");
    if named.is_empty() { "cmake".to_owned() } else { named }
}

fn no_compiler(cpp: bool, why: &str) -> Fail {
    let language = if cpp { "C++17" } else { "C11" };
    Fail::new(format!("a {language} compiler is needed to build the engine: {why}"))
        .advise("Debian, Ubuntu: sudo apt install build-essential")
        .advise("Fedora: sudo dnf install gcc-c++; macOS: xcode-select --install")
        .advise("Windows: Visual Studio Build Tools with the C++ workload")
        .advise("or name another one in the variables CC and CXX")
}

fn version_of(program: &Path) -> Option<String> {
    Some(version_text(program)?.lines().next().unwrap_or_default().to_owned())
}

/// nvcc says its version last.
fn last_line_of_version(program: &Path) -> Option<String> {
    Some(version_text(program)?.lines().last().unwrap_or_default().to_owned())
}

fn version_text(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// CMake's project, which lies in the build's folder, so that every checkout of this repository
/// that shares the build sees the same one.
const PROJECT: [(&str, &str); 7] = [
    ("cmake/CMakeLists.txt", include_str!("../cmake/CMakeLists.txt")),
    ("cmake/exports.map", include_str!("../cmake/exports.map")),
    ("kernels/kernels.cpp", include_str!("../kernels/kernels.cpp")),
    ("kernels/product.hpp", include_str!("../kernels/product.hpp")),
    ("kernels/sdcpp_kernels.h", include_str!("../kernels/sdcpp_kernels.h")),
    ("kernels/vector.hpp", include_str!("../kernels/vector.hpp")),
    ("kernels/winograd.hpp", include_str!("../kernels/winograd.hpp")),
];

struct Cmake<'a> {
    source: &'a Source,
    options: &'a [(String, String)],
    tools: &'a Tools,
    folder: &'a Path,
}

impl Cmake<'_> {
    fn make(&self, target: &str) -> Result<(), Fail> {
        for folder in ["cmake", "kernels"] {
            let folder = self.folder.join(folder);
            fs::create_dir_all(&folder).map_err(|e| Fail::io("create", &folder, &e))?;
        }
        for (name, text) in PROJECT {
            let path = self.folder.join(name);
            // What is the same keeps its time, so that nothing is built again.
            if fs::read_to_string(&path).ok().as_deref() != Some(text) {
                fs::write(&path, text).map_err(|e| Fail::io("write", &path, &e))?;
            }
        }
        let mut config = cmake::Config::new(self.folder.join("cmake"));
        // Release whatever the Cargo profile: a debug build of the engine is of no use, and debug
        // and release share one.
        config.profile("Release").out_dir(self.folder).build_target(target);
        if self.tools.ninja {
            config.generator("Ninja");
        }
        for (name, value) in self.options {
            config.define(name, value);
        }
        // Not part of the build's name: they are for the shared library's few files only.
        config.define("SDCPP_SHIM", vars::manifest_dir().join("shim"));
        config.define(
            "SDCPP_HEADERS",
            headers::fingerprint(&self.source.include, &self.source.ggml_include)?,
        );
        // The crate reports failures by panicking, and its message is kept for the user.
        let run = panic::catch_unwind(AssertUnwindSafe(|| config.build()));
        run.map(|_| ()).map_err(|_| {
            let missing = self.complaint().as_deref().and_then(toolkit::missing);
            missing
                .unwrap_or_else(|| {
                    Fail::new("CMake could not build the engine; its output is above")
                        .advise("an old CMake (below 3.14) or compiler (below gcc 9, clang 10) is a usual cause")
                        .advise("out of memory is another: build with fewer jobs, cargo build -j 1")
                })
                .advise(format!("the build folder is {}", self.folder.display()))
        })
    }

    /// What CMake says when it fails before anything is compiled. Its output went to the user, so it
    /// is asked once more, with the values that it has kept.
    fn complaint(&self) -> Option<String> {
        let output = Command::new(cmake_program()).arg(self.folder.join("build")).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        (!output.status.success()).then(|| String::from_utf8_lossy(&text).into_owned())
    }
}

/// Folders below `root` (itself included) that hold static libraries.
fn folders_with_libraries(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut stack = vec![root.to_path_buf()];
    while let Some(folder) = stack.pop() {
        let mut has_library = false;
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if !path.ends_with("CMakeFiles") {
                    stack.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "a" || e == "lib") {
                has_library = true;
            }
        }
        if has_library {
            found.push(folder);
        }
    }
    found.sort();
    found
}
