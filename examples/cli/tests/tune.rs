//! Measuring with the demo model, and using what was measured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Place, Ran, demo_model};
use sdcpp_test_support::{Format, UNet, UNetFamily, VideoLatent, Wan, WeightType};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

/// Small pictures, few turns. The number of threads is fixed: tests share the cores.
const QUICK: &[&str] = &["--size", "64", "--steps", "2", "--turns", "3", "-t", "1"];

fn tune(place: &Place, more: &[&str]) -> Ran {
    let model = demo_model();
    let first = ["tune", "-m", model.to_str().unwrap()];
    place.run(&[&first[..], QUICK, more].concat())
}

fn read(place: &Place, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(place.path(name)).unwrap()).unwrap()
}

#[test]
fn what_is_measured_is_written_and_used() {
    let place = Place::new();
    let json = tune(&place, &["-o", "new/tuned.json", "--json"]).ok().json();
    assert_eq!((&json["command"], &json["file"]), (&"tune".into(), &"new/tuned.json".into()));
    let tried: Vec<_> = json["tried"].as_array().unwrap().iter().collect();
    let settings: Vec<_> = tried.iter().map(|tried| (&tried["setting"], &tried["value"])).collect();
    // Threads are set, and convolutions are direct by default here.
    assert_eq!(settings, [(&Value::from("diffusion_flash_attention"), &Value::from("on"))]);
    for tried in tried {
        assert!(["chosen", "not_faster"].contains(&tried["outcome"].as_str().unwrap()), "{tried}");
        assert!(tried["measured"]["seconds"].as_f64().unwrap() > 0.0, "{tried}");
    }
    let file = read(&place, "new/tuned.json");
    assert_eq!(file["version"], 1);
    let entry = &file["entries"][0];
    assert_eq!(entry["subject"], json["subject"]);
    assert_eq!(entry["settings"], json["settings"]);
    assert_eq!(
        (&entry["subject"]["architecture"], &entry["subject"]["side"]),
        (&"Z-Image".into(), &64.into())
    );
    assert!(entry["default_micros"].as_u64().unwrap() > 1000, "{entry}");

    // Used by an option and by the variable, and only then.
    let drawn = place.draw("txt2img", &["--tuned=new/tuned.json", "--json"]).ok();
    assert_eq!(drawn.json()["tuned"], json["settings"]);
    assert!(drawn.err.contains("measured to be the fastest here"), "{}", drawn.err);
    let model = demo_model();
    let line =
        [&["txt2img", "-m", model.to_str().unwrap()][..], common::QUICK, &["--json"]].concat();
    let by_variable = |value: &str| {
        Ran::from(place.program().args(&line).env("SDCPP_TUNED", value).output().unwrap())
    };
    assert_eq!(by_variable("new/tuned.json").ok().json()["tuned"], json["settings"]);
    for ran in [by_variable(""), place.run(&line)] {
        assert!(ran.ok().json().get("tuned").is_none());
    }
    // Another size, and nothing measured yet.
    let other = place.draw("txt2img", &["--tuned=new/tuned.json", "-W", "128", "-H", "128"]).ok();
    assert!(other.err.contains("differs in side; `sdcpp tune` measures"), "{}", other.err);
    let none = by_variable("none.json").ok();
    assert!(none.err.contains("there is no none.json; `sdcpp tune`"), "{}", none.err);
    assert_eq!(none.json()["tuned"], Value::Null);
}

#[test]
fn an_entry_is_used_and_replaced() {
    let place = Place::new();
    tune(&place, &["-o", "tuned.json"]).ok();
    // As another measurement might have found.
    let mut file = read(&place, "tuned.json");
    file["entries"][0]["settings"] = json!({ "diffusion_flash_attention": true });
    std::fs::write(place.path("tuned.json"), file.to_string()).unwrap();
    let drawn = place.draw("txt2img", &["--tuned=tuned.json", "--json"]).ok();
    assert_eq!(drawn.json()["tuned"], json!({ "diffusion_flash_attention": true }));
    let told = "fastest here, but for threads: diffusion_flash_attention on";
    assert!(drawn.err.contains(told), "{}", drawn.err);
    let text = tune(&place, &["-o", "tuned.json"]).ok();
    assert!(
        text.out.contains("diffusion_flash_attention") && text.out.contains("fastest here: "),
        "{}",
        text.out
    );
    assert!(text.err.contains("1 of 1: diffusion_flash_attention on"), "{}", text.err);
    assert_eq!(read(&place, "tuned.json")["entries"].as_array().unwrap().len(), 1);
    // Another size is an entry of its own.
    tune(&place, &["-o", "tuned.json", "--size", "32"]).ok();
    assert_eq!(read(&place, "tuned.json")["entries"].as_array().unwrap().len(), 2);
    assert_eq!(place.files(), ["output.png", "tuned.json"]);
}

#[test]
fn trying_first_draws_and_writes_nothing() {
    let place = Place::new();
    let ran = tune(&place, &["-o", "tuned.json", "--dry-run"]).ok();
    let plan = "would try diffusion_flash_attention on, and write tuned.json";
    assert!(ran.out.contains(plan), "{}", ran.out);
    let json = tune(&place, &["-o", "tuned.json", "--dry-run", "--json"]).ok().json();
    let expected = json!([{ "setting": "diffusion_flash_attention", "value": "on" }]);
    assert_eq!((&json["dry_run"], &json["candidates"]), (&true.into(), &expected));
    // What the measurement would refuse.
    for (wrong, why) in [
        (&["--turns", "2"][..], "turns is 2; allowed: 3..=99"),
        (&["--turns", "100"], "turns is 100; allowed: 3..=99"),
        (&["--budget", "0"], "budget is 0ns; allowed: more than 0"),
        (&["--fa"], "config is set in all that is tuned here"),
    ] {
        tune(&place, &[&["-o", "tuned.json", "--dry-run"], wrong].concat()).failed(2, why);
        tune(&place, &[&["-o", "tuned.json"], wrong].concat()).failed(2, why);
    }
    tune(&place, &["-o", "new/tuned.json", "--dry-run"]).ok();
    assert_eq!(place.files(), Vec::<String>::new());
}

/// `tune` has no options for pictures that are to be changed, and none for videos.
#[test]
fn what_does_not_draw_from_a_prompt_alone_is_refused_and_not_advised() {
    let place = Place::new();
    let text = |path: std::io::Result<std::path::PathBuf>| {
        path.unwrap().into_os_string().into_string().unwrap()
    };
    let refused = |parts: &[&str], why: &str| {
        for last in [&["--mmap", "-o", "t.json"][..], &["--mmap", "-o", "t.json", "--dry-run"]] {
            place.run(&[&["tune"][..], parts, QUICK, last].concat()).failed(2, why);
        }
    };
    let taesd = text(sdcpp_test_support::tae(4, Format::Gguf(WeightType::F16)));
    for (family, why) in [
        (UNetFamily::Sd1Inpaint, "mask is not set with SD 1.x Inpaint"),
        (UNetFamily::Sd1Pix2Pix, "reference_images is empty with Instruct-Pix2Pix"),
    ] {
        let format = Format::GgufAliased(WeightType::Q4_0);
        let unet = text(sdcpp_test_support::unet(UNet::smallest(family), format));
        let encoders = text(sdcpp_test_support::text_encoders(family.text_encoders()));
        let parts = ["-m", &encoders, "--diffusion-model", &unet, "--taesd", &taesd];
        refused(&parts, why);
        // Without the text encoders it is known by its file, and not opened.
        let line = ["txt2img", "--diffusion-model", &unet, "-p", "x", "--tuned"];
        let ran = place.program().args(line).env("SDCPP_TUNED", "none.json").output().unwrap();
        let ran = Ran::from(ran).failed(3, "which draws no pictures from a prompt alone");
        assert!(!ran.err.contains("`sdcpp tune` measures"), "{}", ran.err);
    }
    let wan = text(sdcpp_test_support::wan(Wan::T2v1_3B));
    let format = Format::Gguf(WeightType::F16);
    let taesd = text(sdcpp_test_support::video_tae(VideoLatent::Wan, format));
    let parts = ["--diffusion-model", &wan, "--taesd", &taesd];
    refused(&parts, "is a video model; use generate_video");
    assert_eq!(place.files(), Vec::<String>::new());
}

/// Zero or less is a number too: that of the cores.
#[test]
fn threads_that_an_option_sets_are_neither_tuned_nor_replaced() {
    let place = Place::new();
    for threads in ["0", "-1", "1"] {
        let json =
            tune(&place, &["-t", threads, "-o", "t.json", "--dry-run", "--json"]).ok().json();
        let tried: Vec<_> =
            json["candidates"].as_array().unwrap().iter().map(|tried| &tried["setting"]).collect();
        assert_eq!(tried, ["diffusion_flash_attention"], "-t {threads}");
    }
    tune(&place, &["-o", "t.json"]).ok();
    let mut file = read(&place, "t.json");
    file["entries"][0]["settings"] = json!({ "threads": 1, "diffusion_flash_attention": true });
    std::fs::write(place.path("t.json"), file.to_string()).unwrap();
    let model = demo_model();
    let draw = |threads: &[&str]| {
        let line = ["txt2img", "-m", model.to_str().unwrap(), "-p", "x", "-W", "64", "-H", "64"];
        let more = ["--steps", "2", "--tuned=t.json", "--json"];
        place.run(&[&line, &more[..], threads].concat()).ok()
    };
    assert_eq!(draw(&[]).json()["tuned"]["threads"], 1);
    for threads in ["0", "-1", "2"] {
        let drawn = draw(&["-t", threads]);
        assert_eq!(drawn.json()["tuned"], json!({ "diffusion_flash_attention": true }));
        let told = "fastest here, but for threads: diffusion_flash_attention on";
        assert!(drawn.err.contains(told), "{}", drawn.err);
    }
}

/// On the processor they are direct by default: the other way needs more memory.
#[test]
fn of_a_u_net_convolutions_are_not_tried_on_the_processor() {
    let place = Place::new();
    let model = sdcpp_test_support::sdxs(32, Format::Gguf(WeightType::F16)).unwrap();
    let line = [&["tune", "-m", model.to_str().unwrap()][..], QUICK, &["-o", "t.json", "--json"]];
    let json = place.run(&line.concat()).ok().json();
    let tried: Vec<_> = json["tried"].as_array().unwrap().iter().map(|t| &t["setting"]).collect();
    assert_eq!(tried, ["diffusion_flash_attention"]);
    assert!(json["tried"].as_array().unwrap().iter().all(|t| t["measured"].is_object()), "{json}");
    assert_eq!(read(&place, "t.json")["entries"][0]["subject"]["weight_type"], "f16");
}

#[test]
fn files_and_values_that_cannot_be_used_are_told() {
    let place = Place::new();
    std::fs::write(place.path("text.json"), "no JSON").unwrap();
    for ran in [tune(&place, &["-o", "text.json"]), place.draw("txt2img", &["--tuned=text.json"])] {
        let ran = ran.failed(2, "text.json");
        assert!(ran.err.contains("remove it, and measure again"), "{}", ran.err);
    }
    // One that the command does not name is left out.
    let model = demo_model();
    let line =
        [&["txt2img", "-m", model.to_str().unwrap()][..], common::QUICK, &["--json"]].concat();
    let ran = place.program().args(&line).env("SDCPP_TUNED", "text.json").output().unwrap();
    let ran = Ran::from(ran).ok();
    assert!(ran.err.contains("warning: no measured settings are used: tuned is no usable JSON"));
    assert_eq!(ran.json().get("tuned"), Some(&Value::Null));
    std::fs::remove_file(place.path("output.png")).unwrap();
    std::fs::write(place.path("new.json"), r#"{"version":2}"#).unwrap();
    place.draw("txt2img", &["--tuned=new.json"]).failed(2, "of version 2, and this is 1");
    place.draw("txt2img", &["--tuned=none.json"]).failed(2, "tuned not found: none.json");
    tune(&place, &["-o", "-"]).failed(2, "output is -");
    tune(&place, &["-o", "t.json", "--size", "0"]).failed(2, "width is 0");
    tune(&place, &["-o", "t.json", "--budget", "0.001"]).failed(5, "the time limit of 1ms passed");
    assert_eq!(place.files(), ["new.json", "text.json"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_drawn() {
    let place = Place::new();
    std::os::unix::fs::symlink("no/such", place.path("folder")).unwrap();
    for more in [&["--dry-run"][..], &[]] {
        let ran = tune(&place, &[&["-o", "folder/t.json"], more].concat());
        let ran = ran.failed(1, "write folder/t.json");
        assert!(!ran.err.contains("measuring"), "{}", ran.err);
    }
}

/// What took minutes is not lost where the file went bad meanwhile.
#[test]
fn the_table_is_told_even_if_the_file_cannot_be_written() {
    let model = demo_model();
    let first = ["tune", "-m", model.to_str().unwrap(), "-o", "tuned.json"];
    for json in [false, true] {
        let place = Place::new();
        let mut command = place.program();
        command.args([&first[..], QUICK].concat()).args(json.then_some("--json"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut err = String::new();
        told.read_line(&mut err).unwrap();
        assert!(err.contains("measuring the defaults"), "{err}");
        std::fs::write(place.path("tuned.json"), "no JSON").unwrap();
        told.read_to_string(&mut err).unwrap();
        let ran = Ran { err, ..Ran::from(child.wait_with_output().unwrap()) };
        let ran = ran.failed(2, "no usable JSON");
        let table = if json { &ran.err } else { &ran.out };
        assert!(table.contains("fastest here: ") && table.contains("ratio"), "{table}");
        if json {
            assert_eq!(ran.json()["ok"], false);
        }
        assert_eq!(place.files(), ["tuned.json"]);
    }
}
