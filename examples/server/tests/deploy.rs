//! What is shipped beside the program fits it: options, variables and files that are named exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use clap::{CommandFactory, Parser};
use sdcpp_server::Options;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn deployed(name: &str) -> String {
    let path = repository().join("examples/server/deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every variable that the program reads, and those of the engine and the drivers.
fn variables() -> BTreeSet<String> {
    let command = Options::command();
    let own = command.get_arguments().filter_map(|argument| argument.get_env());
    let others = [
        "CUDA_VISIBLE_DEVICES",
        "GGML_VK_VISIBLE_DEVICES",
        "XDG_CACHE_HOME",
        "CUDA_CACHE_PATH",
        "HUGGINGFACE_TOKEN",
        "SDCPP_TUNED",
    ];
    let drivers = ["NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"];
    own.map(|name| name.to_str().unwrap().to_owned())
        .chain(others.into_iter().chain(drivers).map(str::to_owned))
        .collect()
}

fn assert_known<'a>(file: &str, names: impl Iterator<Item = &'a str>) {
    let known = variables();
    let names: Vec<_> = names.collect();
    assert!(!names.is_empty(), "{file} names no variable");
    for name in names {
        assert!(known.contains(name), "{file}: {name} is no variable of the program: {known:?}");
    }
}

/// Lines that are joined by a backslash, without comments.
fn lines(text: &str) -> Vec<String> {
    let text: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = text.join("\n").replace("\\\n", " ");
    joined.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The values of a key of the unit, in each of its sections.
fn unit(name: &str, key: &str) -> Vec<String> {
    let prefix = format!("{key}=");
    let found = lines(&deployed(name));
    found.iter().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
}

#[test]
fn the_unit_starts_the_program_with_options_that_it_has() {
    let start = unit("sdcpp-server.service", "ExecStart").concat();
    let words: Vec<_> = start.split_whitespace().collect();
    assert!(words[0].ends_with("/sdcpp-server"), "{start}");
    let options = Options::try_parse_from(&words).unwrap();
    // Where the example says that it is to be put; and a reload needs a file.
    let config = options.config.unwrap().display().to_string();
    assert!(deployed("server.toml").contains(&config), "{config}");
    let environment = unit("sdcpp-server.service", "EnvironmentFile").concat();
    let environment = environment.trim_start_matches('-');
    assert!(deployed("environment.example").contains(environment), "{environment}");
    assert!(unit("sdcpp-server.service", "ExecReload").concat().contains("-HUP $MAINPID"));
    assert_eq!(unit("sdcpp-server.service", "Type"), ["notify"]);
    // Its workers are not to be stopped before it.
    assert_eq!(unit("sdcpp-server.service", "KillMode"), ["mixed"]);
    let stop: u64 = unit("sdcpp-server.service", "TimeoutStopSec").concat().parse().unwrap();
    let drain = Options::default().drain_limit().as_secs();
    assert!(stop >= 2 * drain + 10, "{stop} s are too short for {drain} s of draining");
    let environment = unit("gpu.conf", "Environment");
    assert_known("gpu.conf", environment.iter().filter_map(|line| Some(line.split_once('=')?.0)));
}

#[test]
fn the_example_options_are_read() {
    let text = deployed("server.toml");
    let as_is: Options = toml::from_str(&text).unwrap();
    assert_eq!(as_is.isolated, Some(true));
    // Those that are commented out too.
    let is_option = |line: &&str| line.contains(" = ");
    let all: Vec<_> =
        text.lines().map(|line| line.trim_start_matches("# ")).filter(is_option).collect();
    let options: Options = toml::from_str(&all.join("\n")).unwrap();
    assert_eq!((options.require_api_key, options.rate_limit), (Some(true), Some(60)));
    // The folders are those that the unit makes.
    let made = unit("sdcpp-server.service", "StateDirectory").concat();
    for folder in [&options.models, &options.loras] {
        let folder =
            folder.as_ref().unwrap().strip_prefix("/var/lib").unwrap().display().to_string();
        assert!(made.split_whitespace().any(|name| name == folder), "{folder}: {made}");
    }
    let data = options.data.unwrap().display().to_string();
    assert_eq!(unit("sdcpp-server.service", "WorkingDirectory"), [data]);
}

#[test]
fn the_example_environment_has_variables_that_are_read() {
    let text = deployed("environment.example");
    let names = text.lines().map(|line| line.trim_start_matches("# "));
    let names = names.filter_map(|line| Some(line.split_once('=')?.0)).filter(|n| !n.contains(' '));
    assert_known("environment.example", names);
}

#[test]
fn the_image_is_made_of_what_there_is() {
    let lines = lines(&deployed("Dockerfile"));
    let of = |word: &str| -> Vec<&str> {
        lines.iter().filter_map(|line| line.strip_prefix(&format!("{word} "))).collect()
    };
    // Each backend that the script knows has a stage to run in, and the default is one.
    let stages: Vec<_> =
        of("FROM").into_iter().filter_map(|from| Some(from.split_once(" AS ")?.1)).collect();
    for backend in ["cpu", "cuda", "vulkan"] {
        assert!(stages.contains(&format!("run-{backend}").as_str()), "{stages:?}");
    }
    assert!(deployed("install.sh").contains("\n    cpu | cuda | vulkan) ;;\n"));
    assert_eq!(of("ARG")[0], "BACKEND=cpu");
    assert_eq!(*of("FROM").last().unwrap(), "run-${BACKEND}");
    let run = of("RUN").into_iter().find(|run| run.contains("install.sh")).unwrap();
    let program = run.split_whitespace().find(|word| word.ends_with("install.sh")).unwrap();
    assert!(repository().join(program).is_file(), "{program}");
    for copy in of("COPY") {
        let mut words: Vec<_> = copy.split_whitespace().collect();
        words.pop();
        if !words[0].starts_with("--from=build") {
            for file in words {
                assert!(repository().join(file).exists(), "{file}");
            }
        }
    }
    let variables = of("ENV").join(" ");
    let variables = variables.split_whitespace().filter_map(|word| Some(word.split_once('=')?.0));
    assert_known("Dockerfile", variables);
    assert!(of("ENV").join(" ").contains("SDCPP_REQUIRE_API_KEY=true"), "open to everybody");
    assert_ne!(of("USER"), ["root"]);
    let health = of("HEALTHCHECK").concat();
    assert!(health.contains(":-7860}/health"), "{health}");
    assert_eq!(of("EXPOSE"), [Options::default().address().port().to_string()]);
    assert_eq!(of("ENTRYPOINT"), ["[\"sdcpp-server\"]"]);
    let ignored = deployed("Dockerfile.dockerignore");
    assert!(ignored.lines().any(|line| line == "target") && !ignored.contains("examples"));
}

#[test]
fn the_composition_names_what_there_is() {
    let text = deployed("compose.yaml");
    let names = text.lines().filter_map(|line| {
        let (name, _) = line.trim().split_once(':')?;
        name.starts_with("SDCPP_").then_some(name)
    });
    assert_known("compose.yaml", names);
    assert!(text.contains("${SDCPP_API_KEY:?"), "a key is demanded");
    assert!(text.contains("\"127.0.0.1:7860:7860\""), "the machine's own network alone");
    let here = repository().join("examples/server/deploy");
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
        line.unwrap_or_else(|| panic!("{key}")).trim().to_owned()
    };
    assert_eq!(here.join(value("context:")).canonicalize().unwrap(), repository());
    assert!(repository().join(value("dockerfile:")).is_file());
}

/// The text of all files of Rust in a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The tests that the threat model names are there.
#[test]
fn the_threat_model_names_tests_that_there_are() {
    let model = std::fs::read_to_string(repository().join("docs/threat-model.md")).unwrap();
    let mut text = String::new();
    for folder in ["examples/server/src", "examples/server/tests", "sd/src"] {
        sources(&repository().join(folder), &mut text);
    }
    let mut named = 0;
    for row in model.lines().filter(|line| line.starts_with('|')) {
        let last = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        for name in last.split('`').skip(1).step_by(2) {
            let name = name.rsplit([':', ' ']).next().unwrap();
            if name.contains('/') {
                assert!(repository().join(name).is_file(), "{name}");
            } else if name.contains('_') {
                assert!(text.contains(&format!("fn {name}(")), "{name}: {row}");
                named += 1;
            }
        }
    }
    assert!(named > 30, "{named}");
}
