//! The built library, and C programs on it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The library that cargo built with the tests.
pub(crate) fn built() -> PathBuf {
    let test = env::current_exe().unwrap();
    let name = format!("{}sdcpp_capi{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let path = test.with_file_name(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// The compiler's command for a language and its standard, with every warning an error.
pub(crate) fn compiler(cpp: bool, standard: &str) -> Command {
    let target = env!("SDCPP_NATIVE_TARGET");
    let compiler = cc::Build::new()
        .cpp(cpp)
        .std(standard)
        .opt_level(1)
        .target(target)
        .host(target)
        .cargo_metadata(false)
        .get_compiler();
    let mut command = compiler.to_command();
    command.args(["-Wall", "-Wextra", "-Werror", "-pedantic"]);
    command.arg(format!("-I{}", root().join("include").display()));
    command
}

/// Compiles, or shows why not.
#[track_caller]
pub(crate) fn run(command: &mut Command) {
    let output = command.output().expect("the compiler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The folder of the library in an installation: it has the names that programs are linked to and
/// look for, and the worker is beside it in `libexec`.
#[cfg(target_os = "linux")]
pub(crate) fn installed() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capi");
        let link = |file: &Path, to: &str| {
            let link = prefix.join(to);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            // An earlier run may have left it.
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(file, link).unwrap();
        };
        link(&built(), "lib/libsdcpp_capi.so");
        link(&built(), "lib/libsdcpp_capi.so.0");
        #[cfg(feature = "isolated")]
        link(Path::new(env!("CARGO_BIN_EXE_sdcpp-worker")), "libexec/sdcpp-worker");
        prefix.join("lib")
    });
    &FOLDER
}

/// Compiles a C program and links it to the library.
#[cfg(target_os = "linux")]
pub(crate) fn program(name: &str, source: &str) -> PathBuf {
    let folder = installed();
    let (file, program) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&file, source).unwrap();
    let mut command = compiler(false, "c11");
    command.arg(&file).arg("-o").arg(&program).arg(format!("-L{}", folder.display()));
    command.args(["-lsdcpp_capi", "-pthread"]).arg(format!("-Wl,-rpath,{}", folder.display()));
    run(&mut command);
    program
}
