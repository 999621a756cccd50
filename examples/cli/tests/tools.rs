//! The commands about models, and videos.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Place, demo_model};
use sdcpp_test_support::{Format, VideoLatent, Wan, WeightType};

#[test]
fn upscale_enlarges_each_picture() {
    let place = Place::new();
    let model = sdcpp_test_support::esrgan(2, Format::Gguf(WeightType::F16)).unwrap();
    let model = model.to_str().unwrap();
    place.picture("a.png", 16);
    place.picture("b.png", 24);
    let line = ["upscale", "--upscale-model", model, "-i", "a.png", "-i", "b.png", "-t", "1"];
    let json = place.run(&[&line[..], &["-o", "big_%d.png", "--json"]].concat()).ok().json();
    assert_eq!((place.size("big_0.png"), place.size("big_1.png")), ((32, 32), (48, 48)));
    assert_eq!((&json["factor"], &json["images"][1]["width"]), (&2.into(), &48.into()));
    place.draw("txt2img", &["--upscale-model", model, "--upscale-repeats", "2"]).ok();
    assert_eq!(place.size("output.png"), (256, 256));
    // How it was made is told of the enlarged picture too.
    let bytes = std::fs::read(place.path("output.png")).unwrap();
    assert!(bytes.windows(12).any(|w| w == b"a red circle"));
    place.draw("txt2img", &["--upscale-model", "none.gguf"]).failed(3, "upscaler not found");
}

#[test]
fn convert_writes_a_model_that_inspect_knows() {
    let place = Place::new();
    let model = demo_model();
    let model = model.to_str().unwrap();
    let line = ["convert", "-m", model, "-o", "small.gguf", "--type", "q4_0", "--json"];
    let json = place.run(&line).ok().json();
    let bytes = place.path("small.gguf").metadata().unwrap().len();
    assert_eq!((&json["file"], &json["bytes"]), (&"small.gguf".into(), &bytes.into()));
    let inspected = place.run(&["inspect", "small.gguf", "--json", "--tensors"]).ok().json();
    let file = &inspected["models"][0];
    assert_eq!((&file["architecture"], &file["image_model"]), (&"Z-Image".into(), &true.into()));
    assert!(file["weight_types"].as_array().unwrap().iter().any(|t| t["type"] == "q4_0"), "{file}");
    assert_eq!(
        file["tensors"].as_array().unwrap().len() as u64,
        file["tensor_count"].as_u64().unwrap()
    );
    let text = place.run(&["inspect", model, "--metadata"]).ok();
    assert!(text.out.contains("Z-Image") && text.out.contains("needs"), "{}", text.out);
}

#[test]
fn devices_and_names_are_listed() {
    let place = Place::new();
    let devices = place.run(&["devices", "--json"]).ok().json();
    assert!(devices["devices"].as_array().unwrap().iter().any(|d| d["kind"] == "cpu"));
    assert!(place.run(&["devices"]).ok().out.contains("GiB free"));
    let names = place.run(&["samplers", "--json"]).ok().json();
    assert!(names["samplers"].as_array().unwrap().iter().any(|s| s["label"] == "Euler a"));
    assert!(place.run(&["samplers"]).ok().out.contains("karras"));
}

#[test]
fn completions_are_written_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = place.run(&["completions", shell]).ok().out;
        assert!(script.contains("txt2img") && script.contains("cfg-scale"), "{shell}");
    }
}

#[test]
fn help_names_the_exit_codes() {
    let place = Place::new();
    for arguments in [&["--help"][..], &["txt2img", "--help"], &["upscale", "--help"]] {
        let help = place.run(arguments).ok().out;
        assert!(help.contains("130  stopped by Ctrl-C"), "{help}");
    }
}

#[test]
fn videos_need_a_model_that_makes_them() {
    let place = Place::new();
    place.draw("video", &[]).failed(2, "a video with Z-Image is not supported");
    place.draw("video", &["-o", "x.mp4"]).failed(2, ".avi");
}

#[test]
fn a_video_of_a_tiny_model() {
    let place = Place::new();
    let model = sdcpp_test_support::wan(Wan::T2v1_3B).unwrap();
    let taesd = sdcpp_test_support::video_tae(VideoLatent::Wan, Format::Gguf(WeightType::F16));
    let taesd = taesd.unwrap();
    let line = ["video", "--diffusion-model", model.to_str().unwrap(), "--taesd"];
    let more = [taesd.to_str().unwrap(), "-p", "x", "-W", "64", "-H", "64", "--steps", "2"];
    let last = ["--video-frames", "5", "--mmap", "-t", "1", "-o", "clip.gif", "--json"];
    let line = [&line[..], &more, &last].concat();
    let dry = place.run(&[&line[..], &["--dry-run"]].concat()).ok().json();
    assert_eq!(dry["model"]["family"], "Wan 2.x");
    assert!(!place.path("clip.gif").exists());
    let json = place.run(&line).ok().json();
    assert_eq!(json["video"]["frames"], 5);
    assert!(place.path("clip.gif").metadata().unwrap().len() > 0);
}
