//! Each example program, compiled and run; its pictures are those of the Rust API.

use crate::{
    common,
    install::{installed, root, run, said},
};
use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};
use tempfile::TempDir;

/// A program with the tools that scripts/prerequisites.sh finds or installs, and the library where the
/// system's package tools and loader find it.
fn tool(program: impl AsRef<Path>) -> Command {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        let needs = "need_pkg_config; need_python; need_go; printf %s \"$PATH\"";
        let script = format!(". scripts/prerequisites.sh; {needs}");
        run(Command::new("bash").args(["-euc", &script]).current_dir(root()))
    });
    let library = installed().join("lib");
    let mut command = Command::new("env");
    command.arg(format!("PATH={}", *PATH)).arg(program.as_ref());
    command.env("PKG_CONFIG_PATH", library.join("pkgconfig")).env("LD_LIBRARY_PATH", &library);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    // Nothing is fetched: the example needs Go's own packages only.
    command.envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GOFLAGS", "-mod=mod")]);
    command.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs/go"));
    for name in ["SDCPP_LIBRARY", "SDCPP_CAPI", "CC", "CXX"] {
        command.env_remove(name);
    }
    command
}

fn example(path: &str) -> PathBuf {
    root().join("examples").join(path)
}

fn demo_files() -> [String; 2] {
    let (model, taesd) = common::demo_files();
    [model, taesd].map(|path| path.into_os_string().into_string().unwrap())
}

/// The picture's bytes as the Rust API draws it, red, green and blue.
fn expected(prompt: &str) -> Vec<u8> {
    common::demo().generate(&common::demo_request(prompt)).unwrap().images[0].as_bytes().to_vec()
}

#[track_caller]
fn assert_drawn(file: &Path, prompt: &str) {
    let picture = sdcpp::open_picture(file).unwrap();
    assert_eq!((picture.width(), picture.height()), (128, 128));
    assert!(picture.as_bytes() == expected(prompt), "{} differs", file.display());
}

/// Ctrl-C in the middle of a long drawing.
#[track_caller]
fn assert_stops(command: &mut Command) {
    // Where Ctrl-C is ignored, Python leaves it so.
    let mut child =
        sdcpp_test_support::signals::by_default(command).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut text = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&text).ends_with("sampling   ") {
        let read = stderr.read(&mut byte).unwrap();
        assert!(read == 1, "it ended: {}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    run(Command::new("kill").args(["-INT", &child.id().to_string()]));
    stderr.read_to_end(&mut text).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{}", String::from_utf8_lossy(&text));
}

/// Compiles a program with the flags that pkg-config tells, and with every warning an error.
fn compile(folder: &TempDir, compiler: &str, standard: &str, source: &str) -> PathBuf {
    let flags = run(tool("pkg-config").args(["--cflags", "--libs", "sdcpp"]));
    let program = folder.path().join("program");
    let mut command = tool(compiler);
    command.args([standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]);
    command.arg(example(source)).args(flags.split_whitespace()).arg("-pthread");
    run(command.arg("-o").arg(&program));
    program
}

#[test]
fn pkg_config_tells_the_version() {
    let version = run(tool("pkg-config").args(["--modversion", "sdcpp"]));
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
}

#[test]
fn c_draws_and_stops_and_tells_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(&folder, "cc", "-std=c11", "c/draw.c");
    let [model, taesd] = demo_files();
    let draw = || {
        let mut command = tool(&program);
        command.args(["-m", &model, "-a", &taesd, "-c", "3", "-S", "euler", "-t", "1"]);
        command.current_dir(folder.path());
        command
    };
    let small = ["-W", "128", "-H", "128", "-s", "12", "-r", "42", "a red circle"];
    let text = run(draw().args(small));
    assert_eq!(text, "out.png: 128x128, seed 42\n");
    assert_drawn(&folder.path().join("out.png"), "a red circle");

    assert_stops(draw().args(["-s", "1000", "-o", "stopped.png", "x"]));
    assert!(!folder.path().join("stopped.png").exists());
    for (arguments, code, part) in [
        (
            &["-m", "/no/such.gguf", "x"][..],
            1,
            "draw: model not found: /no/such.gguf (file_not_found)",
        ),
        (&["-m", "/no/such.gguf", "x"], 1, "  try: check the path"),
        (
            &["-m", "m", "-s", "many", "x"],
            2,
            "-s is many, and must be a whole number from 0 to 4294967295",
        ),
        (&["-m", "m", "-c", "3x", "x"], 2, "-c is 3x, and must be a number"),
        (&["x"], 2, "usage: draw -m MODEL"),
    ] {
        let output = tool(&program).args(arguments).output().unwrap();
        let text = said(&output);
        assert!(output.status.code() == Some(code) && text.contains(part), "{text}");
    }
}

#[test]
fn cpp_draws_with_workers_by_pkg_config_and_by_cmake() {
    let folder = tempfile::tempdir().unwrap();
    let by_pkg_config = compile(&folder, "c++", "-std=c++17", "cpp/pool.cpp");
    let [model, taesd] = demo_files();
    let output = tool(&by_pkg_config).args(["/no", &taesd, "p", "x"]).current_dir(&folder).output();
    let text = said(&output.unwrap());
    assert!(text.contains("model not found: /no (file_not_found)\n  try: check"), "{text}");

    let build = folder.path().join("build");
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", installed().display());
    run(tool("cmake").arg("-S").arg(example("cpp")).arg("-B").arg(&build).arg(&prefix));
    run(tool("cmake").arg("--build").arg(&build));
    let mut command = tool(build.join("pool"));
    // CMake's own run path is what finds the library.
    command.env_remove("LD_LIBRARY_PATH").current_dir(&folder);
    command.args([&model, &taesd, "pictures", "a red circle", "a blue square"]);
    let text = run(&mut command);
    assert!(text.ends_with("2 drawn by 2 workers, 0 failed\n"), "{text}");
    assert_drawn(&folder.path().join("pictures/0.png"), "a red circle");
    assert_drawn(&folder.path().join("pictures/1.png"), "a blue square");

    let source = folder.path().join("newer");
    fs::create_dir(&source).unwrap();
    let lists = fs::read_to_string(example("cpp/CMakeLists.txt")).unwrap();
    let newer = lists.replace("find_package(sdcpp 0.1 ", "find_package(sdcpp 0.99 ");
    assert_ne!(newer, lists);
    fs::write(source.join("CMakeLists.txt"), newer).unwrap();
    let build = folder.path().join("build-newer");
    let output =
        tool("cmake").arg("-S").arg(&source).arg("-B").arg(&build).arg(&prefix).output().unwrap();
    let text = said(&output);
    assert!(!output.status.success() && text.contains("version: 0.1.0"), "{text}");
}

#[test]
fn python_draws_and_stops_and_raises() {
    let folder = tempfile::tempdir().unwrap();
    let [model, taesd] = demo_files();
    let draw = || {
        let mut command = tool("python3");
        command.arg(example("python/draw.py")).current_dir(folder.path());
        command.args(["--cfg-scale", "3", "--sampler", "euler", "--threads", "1"]);
        command
    };
    let files = ["--model", &model, "--taesd", &taesd];
    let small = ["--size", "128", "--steps", "12", "--seed", "42", "a red circle"];
    let text = run(draw().args(files).args(small));
    assert!(text.starts_with("out.png: 128x128, seed 42, sha256 "), "{text}");
    assert_drawn(&folder.path().join("out.png"), "a red circle");

    assert_stops(draw().args(files).args(["--steps", "1000", "--output", "stopped.png", "x"]));
    assert!(!folder.path().join("stopped.png").exists());
    let output = draw().args(["--model", "/no/such.gguf", "x"]).output().unwrap();
    let text = said(&output);
    assert!(output.status.code() == Some(1), "{text}");
    assert!(text.contains("/no/such.gguf (file_not_found)\n  try: check the path"), "{text}");
}

#[test]
fn python_draws_with_a_worker_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let [model, taesd] = demo_files();
    let draw = |worker: &Path| {
        let mut command = tool("python3");
        command.arg(example("python/draw.py")).current_dir(folder.path());
        command.args(["--model", &model, "--taesd", &taesd, "--threads", "1", "--worker"]);
        command.arg(worker).args(["--cfg-scale", "3", "--sampler", "euler", "--seed", "42"]);
        command
    };
    // Not where the library looks by itself.
    let worker = folder.path().join("a worker");
    fs::copy(installed().join("libexec/sdcpp-worker"), &worker).unwrap();
    let small = ["--size", "128", "--steps", "12", "a red circle"];
    let text = run(draw(&worker).args(small));
    assert!(text.starts_with("out.png: 128x128, seed 42, sha256 "), "{text}");
    assert_drawn(&folder.path().join("out.png"), "a red circle");

    assert_stops(draw(&worker).args(["--steps", "1000", "--output", "stopped.png", "x"]));
    assert!(!folder.path().join("stopped.png").exists());
    let output = draw(Path::new("/no/such-worker")).args(small).output().unwrap();
    let text = said(&output);
    assert!(output.status.code() == Some(1), "{text}");
    assert!(text.contains("/no/such-worker") && text.contains("(worker_start)\n  try: "), "{text}");
}

/// A worker that is killed is an exception of one drawing, and the program goes on.
#[test]
fn a_python_program_outlives_its_worker() {
    const PROGRAM: &str = r#"
import glob
import os
import signal
import sys
import sdcpp

def workers():
    found = []
    for thread in glob.glob("/proc/self/task/*/children"):
        try:
            with open(thread) as children:
                found += [int(child) for child in children.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            pass  # the thread has just ended
    return found

def kill(stage, done, total):
    if stage == "sampling" and done == 1:
        for worker in workers():
            os.kill(worker, signal.SIGKILL)

drawn = dict(prompt="a red circle", sampler="euler", width=128, height=128, steps=12, cfg_scale=3, seed=42)
with sdcpp.WorkerPool(sys.argv[3], models=1, model=sys.argv[1], taesd=sys.argv[2], threads=1) as pool:
    try:
        pool.generate(on_progress=kill, **drawn)
        sys.exit("the worker lives")
    except sdcpp.Error as error:
        assert error.kind == "worker_crashed" and "signal 9" in str(error), error
    picture, = pool.generate(**drawn)
    assert len(workers()) == 1, workers()
assert workers() == [], workers()
open(sys.argv[4], "wb").write(picture.pixels)
pool.close()
"#;
    let folder = tempfile::tempdir().unwrap();
    let pixels = folder.path().join("pixels");
    let mut command = tool("python3");
    command.env("PYTHONPATH", example("python")).args(["-c", PROGRAM]).args(demo_files());
    run(command.arg(installed().join("libexec/sdcpp-worker")).arg(&pixels));
    assert!(fs::read(pixels).unwrap() == expected("a red circle"));
}

/// The module itself: pixels as bytes, and errors and exceptions that come through.
#[test]
fn a_python_program_has_the_pixels_and_its_own_exceptions() {
    const PROGRAM: &str = r#"
import sys
import sdcpp

def refuse(stage, done, total):
    raise ValueError("no more")

drawn = dict(prompt="a red circle", sampler="euler", width=128, height=128, steps=12, cfg_scale=3, seed=42)
with sdcpp.Context(model=sys.argv[1], taesd=sys.argv[2], threads=1) as context:
    try:
        context.generate(on_progress=refuse, **drawn)
        sys.exit("the exception was lost")
    except ValueError as error:
        assert str(error) == "no more", error
    try:
        context.generate(**{**drawn, "width": 99999})
        sys.exit("a width of 99999 was taken")
    except sdcpp.Error as error:
        assert error.kind == "invalid_parameter" and "99999" in str(error), error
    for wrong in {"width": 2**32 + 64}, {"width": -1}, {"seed": 2**64}, {"prompt": "a\0b"}:
        try:
            context.generate(**{**drawn, **wrong})
            sys.exit(f"{wrong} was taken")
        except ValueError as error:
            assert next(iter(wrong)) in str(error), error
    try:
        context.generate(time_limit=0.05, **{**drawn, "steps": 1000})
        sys.exit("there was no time limit")
    except sdcpp.Error as error:
        assert error.kind == "deadline_exceeded", error
    picture, = context.generate(**drawn)
assert (picture.width, picture.height, picture.channels, picture.seed) == (128, 128, 3, 42)
assert "Steps: 12" in picture.parameters, picture.parameters
open(sys.argv[3], "wb").write(picture.pixels)
context.close()
try:
    context.generate(**drawn)
    sys.exit("a closed context drew")
except sdcpp.Error as error:
    assert error.kind == "invalid_handle", error
"#;
    let folder = tempfile::tempdir().unwrap();
    let pixels = folder.path().join("pixels");
    let mut command = tool("python3");
    command.env("PYTHONPATH", example("python")).args(["-c", PROGRAM]).args(demo_files());
    run(command.arg(&pixels));
    assert!(fs::read(pixels).unwrap() == expected("a red circle"));
}

#[test]
fn go_passes_its_own_tests() {
    let mut command = tool("gofmt");
    let unformatted = run(command.args(["-l", "."]).current_dir(example("go")));
    assert_eq!(unformatted, "");
    run(tool("go").args(["vet", "./..."]).current_dir(example("go")));
    run(tool("go").args(["test", "-count=1", "./..."]).current_dir(example("go")));
}

#[test]
fn go_draws_as_its_environment_says_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("imagegen");
    let mut command = tool("go");
    run(command
        .args(["build", "-o"])
        .arg(&program)
        .arg("./cmd/imagegen")
        .current_dir(example("go")));
    let [model, vae] = demo_files();
    let draw = || {
        let mut command = tool(&program);
        command.envs([("SD_MODEL_PATH", &model), ("SD_VAE_PATH", &vae)]);
        command.envs([("SD_IMAGE_SIZE", "128"), ("SD_GUIDANCE_SCALE", "3")]);
        command.env("SD_INFERENCE_STEPS", "12").current_dir(folder.path());
        command.args(["-sampler", "euler", "-seed", "42"]);
        command
    };
    let text = run(draw().args(["background", "a red circle"]));
    assert_eq!(text, "out.png: 128x128, seed 42\n");
    assert_drawn(&folder.path().join("out.png"), "a red circle");
    let expand =
        ["-picture", "out.png", "-output", "wide.png", "-right", "40", "expand", "a red circle"];
    assert_eq!(run(draw().args(expand)), "wide.png: 168x128, seed 42\n");

    let mut long = draw();
    long.env("SD_INFERENCE_STEPS", "1000").env("SD_IMAGE_SIZE", "512");
    assert_stops(long.args(["-output", "stopped.png", "background", "x"]));
    assert!(!folder.path().join("stopped.png").exists());
    for (name, value, part) in [
        ("SD_MODEL_PATH", "", "SD_MODEL_PATH is not set"),
        ("SD_MODEL_PATH", "/no/such.gguf", "model not found: /no/such.gguf\n  try: check the path"),
        (
            "SD_IMAGE_SIZE",
            "big",
            "SD_IMAGE_SIZE is big, and must be a whole number from 1 to 16384",
        ),
    ] {
        let output = draw().env(name, value).args(["background", "x"]).output().unwrap();
        let text = said(&output);
        assert!(output.status.code() == Some(3) && text.contains(part), "{text}");
    }
}
