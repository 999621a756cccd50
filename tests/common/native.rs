//! C++ programs of `tests/native/`, compiled against the engine build that the crate links.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Compiles `tests/native/<name>.cpp` once per test run, and says where the program is.
pub(crate) fn program(name: &str) -> PathBuf {
    compiled(name, 1, &[])
}

/// The same, with all instructions of this processor.
pub(crate) fn program_for_this_processor(name: &str) -> PathBuf {
    compiled(name, 3, &["-march=native"])
}

/// The same, for a processor with AVX2, and with ggml's own headers.
pub(crate) fn program_for_avx2(name: &str) -> PathBuf {
    let source = format!("-I{}/../src", env!("SDCPP_NATIVE_GGML_INCLUDE"));
    let cpu = format!("{source}/ggml-cpu");
    compiled(name, 2, &["-mavx2", "-mfma", "-mf16c", "-DSDCPP_KERNELS", &source, &cpu])
}

/// The same, as the engine itself is compiled: for programs whose own time is measured.
pub(crate) fn fast_program(name: &str) -> PathBuf {
    compiled(name, 3, &[])
}

fn compiled(name: &str, opt_level: u32, flags: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native").join(format!("{name}.cpp"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if is_fresh(&program, &source) {
        return program;
    }
    // Another test binary may be running the old one.
    let new = folder.join(format!("{name}.{}", std::process::id()));
    let target = env!("SDCPP_NATIVE_TARGET");
    let compiler = cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(opt_level)
        .target(target)
        .host(target)
        .cargo_metadata(false)
        .get_compiler();
    let mut command = compiler.to_command();
    command.arg(&source).arg("-o").arg(&new).arg("-DGGML_MAX_NAME=128");
    for folder in
        [env!("SDCPP_NATIVE_INCLUDE"), env!("SDCPP_NATIVE_GGML_INCLUDE"), env!("SDCPP_NATIVE_SHIM")]
    {
        command.arg(format!("-I{folder}"));
    }
    command.args(flags);
    // What the engine's own programs are made with.
    command.arg(format!("-I{}/../thirdparty", env!("SDCPP_NATIVE_INCLUDE")));
    command.arg(format!("-L{}", env!("SDCPP_NATIVE_SHIM_LIB"))).arg("-lsdcpp_shim");
    for folder in env!("SDCPP_NATIVE_LIB_DIRS").split(';') {
        command.arg(format!("-L{folder}"));
    }
    for library in env!("SDCPP_NATIVE_LIBS").split(';') {
        command.arg(format!("-l{library}"));
    }
    for library in env!("SDCPP_NATIVE_SYSTEM_LIBS").split(';') {
        match library.strip_prefix("framework=") {
            Some(framework) => command.args(["-framework", framework]),
            None => command.arg(format!("-l{library}")),
        };
    }
    let output = command.output().expect("the C++ compiler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(&new, &program).expect("the program is moved into place");
    program
}

/// The C compiler, for small libraries.
pub(crate) fn c_compiler() -> std::process::Command {
    let target = env!("SDCPP_NATIVE_TARGET");
    cc::Build::new()
        .opt_level(1)
        .target(target)
        .host(target)
        .cargo_metadata(false)
        .get_compiler()
        .to_command()
}

/// Newer than its source and the engine's libraries.
fn is_fresh(program: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    let Some(built) = time(program) else { return false };
    let libraries = env!("SDCPP_NATIVE_LIB_DIRS").split(';').chain([env!("SDCPP_NATIVE_SHIM_LIB")]);
    libraries
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .chain([source.to_path_buf()])
        .all(|path| time(&path).is_some_and(|changed| changed <= built))
}
