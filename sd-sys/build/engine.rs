//! Builds the engine with CMake, once for all profiles and feature sets, or takes prebuilt libraries.

use crate::{
    backend::Backend, fail::Fail, folders::Folders, headers, pin::Pin, source::Source, vars,
};
use std::{
    fs, io,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
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
        names.extend(match backend {
            Backend::Cuda => ["ggml-cuda"].as_slice(),
            Backend::Vulkan => &["ggml-vulkan"],
            Backend::Metal => &["ggml-metal", "ggml-blas"],
        });
    }
    names.extend(["ggml-cpu", "ggml-base"]);
    names
}

pub(crate) fn prebuilt(dir: &Path) -> Result<Engine, Fail> {
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
    folders: &Folders,
) -> Result<Engine, Fail> {
    let tools = Tools::find()?;
    let options = options(pin, source, backends)?;
    let key = key(source, &options, &tools);
    let folder = folders.build(&key);
    let stamp = folder.join(".sdcpp-complete");
    // If the folder is deleted, this script must run again.
    println!("cargo::rerun-if-changed={}", stamp.display());
    // The user's own checkout may have changed, so there ninja decides what is stale.
    if !(source.pinned && stamp.is_file()) {
        fs::create_dir_all(&folder).map_err(|e| Fail::io("create", &folder, &e))?;
        run_cmake(source, &options, &tools, &folder)?;
        write_stamp(&stamp, &key).map_err(|e| Fail::io("write", &stamp, &e))?;
    }
    let lib_dirs = folders_with_libraries(&folder);
    if lib_dirs.is_empty() {
        return Err(Fail::new(format!("CMake made no library in {}", folder.display()))
            .advise("delete this folder and build again"));
    }
    Ok(Engine { lib_dirs })
}

/// The stamp is watched, and Cargo takes a file that is newer than the start of this script as changed:
/// so its time is long ago.
fn write_stamp(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(path)?.set_modified(long_ago)
}

/// The engine's options, each with the reason where it is no obvious choice.
fn options(
    pin: &Pin,
    source: &Source,
    backends: &[Backend],
) -> Result<Vec<(String, String)>, Fail> {
    let mut options: Vec<(String, String)> = [
        ("SD_BUILD_EXAMPLES", "OFF"),
        ("SD_BUILD_SHARED_LIBS", "OFF"),
        ("SD_WEBP", "OFF"),
        ("SD_WEBM", "OFF"),
        ("GGML_CCACHE", "OFF"),
        ("CMAKE_POSITION_INDEPENDENT_CODE", "ON"),
        // tinyBLAS kernels for f16, f32 and q8_0 products: off in the engine's own build, and 1.25 to
        // 1.4 times as fast on the CPU with it.
        ("GGML_LLAMAFILE", "ON"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    // OpenMP is off by default: ggml's own threads are as fast here, need no extra library on the
    // user's machine, and leave the host's OpenMP settings alone.
    options.push(("GGML_OPENMP".into(), on(vars::feature("openmp"))));
    // A local build should be as fast as the machine allows; one that is shipped must not use
    // instructions of the building machine. With it off ggml takes x86-64-v3.
    options.push(("GGML_NATIVE".into(), on(vars::native())));
    if !vars::native() && vars::target_is("x86_64") {
        // Named, because ggml takes the compiler's baseline instead where it thinks of a distribution
        // or of another machine.
        for set in ["SSE42", "AVX", "AVX2", "BMI2", "FMA", "F16C"] {
            options.push((format!("GGML_{set}"), "ON".into()));
        }
    }
    if vars::target_is("apple") && !backends.contains(&Backend::Metal) {
        options.push(("GGML_METAL".into(), "OFF".into()));
        options.push(("GGML_BLAS".into(), "OFF".into()));
    }
    for backend in backends {
        options.push((backend.cmake_option().into(), "ON".into()));
        if *backend == Backend::Cuda {
            // Virtual memory management links libcuda, and without a driver the program would not
            // even start.
            options.push(("GGML_CUDA_NO_VMM".into(), "ON".into()));
        }
    }
    // The engine asks git for its version, and git would answer for whatever repository is around
    // the copy. A value that is neither a program nor NOTFOUND switches the search off.
    options.push(("GIT_EXE".into(), "OFF".into()));
    let commit = source.commit.as_deref().unwrap_or("unknown");
    options.push(("SDCPP_BUILD_COMMIT".into(), commit.into()));
    let version = if source.pinned { format!("pin-{}", pin.commit) } else { commit.to_owned() };
    options.push(("SDCPP_BUILD_VERSION".into(), version));
    options.extend(vars::cmake_args()?);
    Ok(options)
}

fn on(yes: bool) -> String {
    if yes { "ON" } else { "OFF" }.to_owned()
}

/// Everything that decides about the machine code, so that a change of any gets its own folder.
fn key(source: &Source, options: &[(String, String)], tools: &Tools) -> String {
    let mut text = format!("{}\n{}\n{options:?}\n", source.key, vars::cargo("TARGET"));
    text += &format!("{}ninja={}\n{:?}\n", tools.compilers, tools.ninja, vars::toolchain());
    if vars::native() {
        text += &processor_features();
    }
    headers::short_hash([text.as_bytes()])
}

/// A build tuned for one processor must not be reused on another that shares the folder.
fn processor_features() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let amx = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("amx_tile"));
        format!(
            "avx2={} fma={} f16c={} avx512f={} avx512vbmi={} avx512vnni={} avx512bf16={} \
             avxvnni={} amx={amx}",
            is_x86_feature_detected!("avx2"),
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
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

fn run_cmake(
    source: &Source,
    options: &[(String, String)],
    tools: &Tools,
    folder: &Path,
) -> Result<(), Fail> {
    // Release whatever the Cargo profile: a debug build of the engine is of no use, and debug and
    // release share one.
    let mut config = cmake::Config::new(&source.folder);
    config.profile("Release").out_dir(folder).build_target("stable-diffusion");
    if tools.ninja {
        config.generator("Ninja");
    }
    if vars::target_is("msvc") {
        // The cmake crate replaces CMake's own flags, and with them its exception handling.
        config.cxxflag(crate::shim::MSVC_EXCEPTIONS);
    } else {
        // The abort callback throws through ggml's C frames; only with unwind tables is that defined.
        config.cflag("-fexceptions");
    }
    for (name, value) in options {
        config.define(name, value);
    }
    // The crate reports failures by panicking, and its message is kept for the user.
    let run = panic::catch_unwind(AssertUnwindSafe(|| config.build()));
    run.map(|_| ()).map_err(|_| {
        Fail::new("CMake could not build the engine; its output is above")
            .advise(format!("the build folder is {}", folder.display()))
            .advise(
                "an old CMake (below 3.14) or compiler (below gcc 9, clang 10) is a usual cause",
            )
            .advise("out of memory is another: build with fewer jobs, cargo build -j 1")
    })
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
