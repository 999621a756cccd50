//! The install script, on what cargo has built with the tests.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a program ended with and said.
pub(crate) fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    format!("{}\n{text}", output.status)
}

/// Runs a program that must succeed, and gives its standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with the library and the worker as a release build leaves them.
fn built() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs/built");
        fs::create_dir_all(&folder).unwrap();
        let library = env::current_exe().unwrap().with_file_name("libsdcpp_capi.so");
        let worker = Path::new(env!("CARGO_BIN_EXE_sdcpp-worker"));
        for (file, name) in [(library.as_path(), "libsdcpp_capi.so"), (worker, "sdcpp-worker")] {
            assert!(file.is_file(), "{} is missing", file.display());
            let link = folder.join(name);
            if link.is_symlink() {
                fs::remove_file(&link).unwrap();
            }
            symlink(file, link).unwrap();
        }
        folder
    });
    &FOLDER
}

fn script() -> Command {
    Command::new(root().join("scripts/install.sh"))
}

/// Where the library is installed: made for `/opt/sdcpp`, and used elsewhere.
pub(crate) fn installed() -> &'static Path {
    static PREFIX: LazyLock<PathBuf> = LazyLock::new(|| {
        let stage = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs/stage");
        let mut command = script();
        command.arg("--built").arg(built()).args(["--prefix", "/opt/sdcpp"]);
        run(command.arg("--destdir").arg(&stage));
        stage.join("opt/sdcpp")
    });
    &PREFIX
}

/// All files and links below a folder, by their paths in it.
fn files(folder: &Path) -> Vec<String> {
    let list = run(Command::new("find").arg(".").args(["!", "-type", "d"]).current_dir(folder));
    let mut files: Vec<_> = list.lines().map(|line| line[2..].to_owned()).collect();
    files.sort();
    files
}

#[test]
fn everything_is_installed_and_replaced_and_goes_again() {
    let version = env!("CARGO_PKG_VERSION");
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("a prefix");
    let engines = folder.path().join("engines");
    fs::create_dir(&engines).unwrap();
    fs::write(engines.join("libsdcpp_engine_cpu.so"), "an engine").unwrap();
    let install = |more: &[&Path]| {
        let mut command = script();
        command.arg("--prefix").arg(&prefix).arg("--built").arg(built()).args(more);
        run(&mut command);
    };
    install(&["--engine".as_ref(), &engines]);
    let real = format!("lib/libsdcpp_capi.so.{version}");
    let mut expected = vec![
        "include/sdcpp.h",
        "lib/cmake/sdcpp/sdcpp-config-version.cmake",
        "lib/cmake/sdcpp/sdcpp-config.cmake",
        "lib/libsdcpp_capi.so",
        "lib/libsdcpp_capi.so.0",
        &real,
        "lib/pkgconfig/sdcpp.pc",
        "lib/sdcpp/libsdcpp_engine_cpu.so",
        "libexec/sdcpp-worker",
        "share/doc/sdcpp/LICENSE-APACHE",
        "share/doc/sdcpp/LICENSE-MIT",
        "share/doc/sdcpp/LICENSE-THIRD-PARTY.md",
        "share/sdcpp/manifest",
    ];
    assert_eq!(files(&prefix), expected);
    let library = prefix.join("lib/libsdcpp_capi.so");
    assert_eq!(library.canonicalize().unwrap(), prefix.canonicalize().unwrap().join(&real));
    let header = fs::read(root().join("include/sdcpp.h")).unwrap();
    assert!(fs::read(prefix.join("include/sdcpp.h")).unwrap() == header);

    // A program that has the file open keeps it, and what this version has not is removed.
    let open = fs::File::open(&library).unwrap();
    let before = open.metadata().unwrap();
    install(&[]);
    use std::os::unix::fs::MetadataExt;
    assert_ne!(fs::metadata(&library).unwrap().ino(), before.ino());
    expected.retain(|file| !file.contains("engine"));
    assert_eq!(files(&prefix), expected);

    fs::write(prefix.join("lib/of-another.so"), "").unwrap();
    run(script().arg("--uninstall").arg("--prefix").arg(&prefix));
    assert_eq!(files(&prefix), ["lib/of-another.so"]);
}

/// The C library looks for engines in its own folder, and in `sdcpp/` there. It holds an engine for the
/// processor, so another backend's is asked for, and a processor's lies there under its name: that it
/// has no such device only the engine itself can say.
#[test]
#[cfg(feature = "dynamic")]
fn engines_are_opened_from_the_librarys_folders() {
    use crate::{common, engine_library};
    let folder = tempfile::tempdir().unwrap();
    let [prefix, engines, program] =
        ["prefix", "engines", "which_engine"].map(|name| folder.path().join(name));
    let name = engine_library::name("sycl");
    let library = engine_library::folder("cpu").join(engine_library::name("cpu"));
    fs::create_dir(&engines).unwrap();
    symlink(library, engines.join(&name)).unwrap();
    let mut command = script();
    command.arg("--prefix").arg(&prefix).arg("--built").arg(built());
    run(command.arg("--engine").arg(&engines));

    let lib = prefix.join("lib");
    let mut compiler = common::native::c_compiler();
    compiler.arg(root().join("tests/native/which_engine.c")).arg("-o").arg(&program);
    compiler.arg(format!("-I{}", prefix.join("include").display()));
    run(compiler.arg(format!("-L{}", lib.display())).arg("-lsdcpp_capi"));
    let ask = || {
        let mut command = Command::new(&program);
        command.env("LD_LIBRARY_PATH", &lib).env_remove("SDCPP_LIBRARY");
        run(command.arg("sycl"))
    };
    let own = [lib.join("sdcpp").join(&name), lib.join(&name)];
    let told = ask();
    assert!(told.contains("backend_unavailable") && told.contains("only CPU"), "{told}");
    assert!(told.contains(&format!("open: {}", own[0].display())), "{told}");

    fs::rename(&own[0], &own[1]).unwrap();
    let told = ask();
    assert!(told.contains("only CPU"), "{told}");
    assert!(told.contains(&format!("open: {}", own[1].display())), "{told}");

    fs::remove_file(&own[1]).unwrap();
    let told = ask();
    assert!(told.contains("library_not_found") && !told.contains("open:"), "{told}");
    for folder in [lib.join("sdcpp"), lib] {
        assert!(told.contains(folder.to_str().unwrap()), "{told}");
    }
}

#[track_caller]
fn refused(arguments: &[&str], code: i32, part: &str) {
    let output = script().args(arguments).output().unwrap();
    let text = said(&output);
    assert!(output.status.code() == Some(code) && text.contains(part), "{text}");
}

#[test]
fn what_cannot_be_installed_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let (empty, built) = (empty.to_str().unwrap(), built().to_str().unwrap());
    refused(&["--frobnicate"], 2, "unknown argument: --frobnicate");
    refused(&["--prefix"], 1, "--prefix needs a value");
    refused(&["--prefix", "here"], 1, "must be an absolute path, and is: here");
    refused(&["--built", "/no/such"], 1, "there is no folder /no/such");
    refused(&["--built", empty, "--prefix", empty], 1, "libsdcpp_capi.so: cargo build --release");
    refused(
        &["--built", built, "--prefix", empty, "--engine", empty],
        1,
        "there is no libsdcpp_engine",
    );
    refused(&["--uninstall", "--prefix", empty], 1, "nothing is installed");
    assert!(files(empty.as_ref()).is_empty());

    // A failure in the middle: what is there by then can be removed.
    fs::write(folder.path().join("empty/include"), "").unwrap();
    refused(&["--built", built, "--prefix", empty], 1, "cannot make");
    run(script().args(["--uninstall", "--prefix", empty]));
    assert_eq!(files(empty.as_ref()), ["include"]);

    // A manifest that names what is elsewhere is not followed.
    let outside = folder.path().join("outside");
    fs::write(&outside, "").unwrap();
    fs::create_dir_all(folder.path().join("empty/share/sdcpp")).unwrap();
    for line in ["../outside", outside.to_str().unwrap()] {
        fs::write(folder.path().join("empty/share/sdcpp/manifest"), format!("{line}\n")).unwrap();
        refused(&["--uninstall", "--prefix", empty], 1, "names a file outside");
    }
    assert!(outside.exists());
}
