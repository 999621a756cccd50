//! Engine libraries, on the native build that the tests are linked against. For test binaries that
//! open them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// The folder with the library of this backend, which is made if it is not there.
pub(crate) fn folder(backend: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engines");
    let output = script("engine-library.sh").arg(backend).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// A script of the repository, with the native builds of these tests.
pub(crate) fn script(name: &str) -> Command {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(repository.join("scripts").join(name));
    command
        .env("SDCPP_BUILD_DIR", native_builds())
        // Tuned as the linked engine is, so that it is the same build, and the same pictures.
        .env("SDCPP_NATIVE", if cfg!(feature = "native") { "1" } else { "0" });
    command
}

/// The folder of native builds that holds the one these tests are linked against.
pub(crate) fn native_builds() -> PathBuf {
    let linked = env!("SDCPP_NATIVE_LIB_DIRS").split(';').next().unwrap();
    let of_build = |path: &&Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("build-"))
    };
    let build = Path::new(linked).ancestors().find(of_build).unwrap();
    build.parent().unwrap().to_path_buf()
}

/// The name of a backend's library.
pub(crate) fn name(backend: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}sdcpp_engine_{backend}{DLL_SUFFIX}")
}
