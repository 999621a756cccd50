//! The commands that draw.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Place, demo_model};

#[test]
fn txt2img_writes_numbered_pictures_and_tells_of_them() {
    let place = Place::new();
    let ran = place.draw("txt2img", &["-b", "2", "--json"]).ok();
    assert_eq!(place.files(), ["output.png", "output_2.png"]);
    let json = ran.json();
    assert_eq!((&json["ok"], &json["command"]), (&true.into(), &"txt2img".into()));
    assert_eq!(json["model"]["family"], "Z-Image");
    assert_eq!(json["images"][1]["file"], "output_2.png");
    assert_eq!(json["images"][0]["seed"], 42);
    assert_eq!(json["images"][1]["seed"], 43);
    assert_eq!(
        (&json["images"][0]["width"], &json["images"][0]["height"]),
        (&64.into(), &64.into())
    );
    assert!(json["timings"]["total"].as_f64().unwrap() > 0.0);
    assert!(json["warnings"].is_array());
    let text = place.draw("txt2img", &["-o", "new/folder/%03d-{seed}.png"]).ok();
    assert!(text.out.starts_with("new/folder/000-42.png (Z-Image, seed 42)"), "{}", text.out);
    assert!(text.err.contains("sampling"), "{}", text.err);
    let quiet = place.draw("txt2img", &["-q"]).ok();
    assert_eq!(quiet.err, "");
}

#[test]
fn a_seed_gives_the_same_picture_by_upstreams_spelling_too() {
    let place = Place::new();
    place.draw("txt2img", &["-o", "a.png"]).ok();
    // No subcommand, as sd-cli has none.
    let model = demo_model();
    let line = ["-M", "img_gen", "--model", model.to_str().unwrap()];
    place.run(&[&line, common::QUICK, &["-o", "b.png", "--sampler", "Euler"]].concat()).ok();
    assert_eq!(
        std::fs::read(place.path("a.png")).unwrap(),
        std::fs::read(place.path("b.png")).unwrap()
    );
    let bytes = std::fs::read(place.path("a.png")).unwrap();
    let has_text = |bytes: &[u8]| bytes.windows(12).any(|w| w == b"a red circle");
    assert!(has_text(&bytes));
    place.draw("txt2img", &["-o", "c.png", "--disable-image-metadata"]).ok();
    assert!(!has_text(&std::fs::read(place.path("c.png")).unwrap()));
    let pixels = |name| image::open(place.path(name)).unwrap().into_rgb8();
    assert_eq!(pixels("a.png"), pixels("c.png"));
    place.draw("txt2img", &["-o", "d.jpg"]).ok();
    assert_eq!(place.size("d.jpg"), (64, 64));
}

#[test]
fn the_environment_ranks_before_the_preset_and_behind_options() {
    let place = Place::new();
    let model = demo_model();
    let size = |more: &[&str]| {
        let mut program = place.program();
        program
            .env("SD_MODEL_PATH", &model)
            .env("SD_IMAGE_SIZE", "64")
            .args(["txt2img", "--dry-run", "--json", "-p", "x"])
            .args(more);
        let json = common::Ran::from(program.output().unwrap()).ok().json();
        let request = &json["request"];
        (
            request["width"].as_u64().unwrap(),
            request["height"].as_u64().unwrap(),
            request["steps"].as_u64().unwrap(),
        )
    };
    // The steps are the preset's.
    assert_eq!(size(&[]), (64, 64, 12));
    assert_eq!(size(&["-W", "96", "--steps", "5"]), (96, 64, 5));
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn img2img_takes_the_size_of_its_picture() {
    let place = Place::new();
    place.picture("in.png", 64);
    let model = demo_model();
    let line = ["img2img", "-m", model.to_str().unwrap(), "-p", "a red circle", "-i", "in.png"];
    let more = ["--steps", "3", "-t", "1", "--strength", "0.6", "-s", "1", "--json"];
    let json = place.run(&[&line[..], &more].concat()).ok().json();
    assert_eq!(json["images"][0]["width"], 64);
    assert_eq!(place.size("output.png"), (64, 64));
}

#[test]
fn inpaint_keeps_what_is_black_in_the_mask() {
    let place = Place::new();
    place.picture("in.png", 64);
    place.mask("mask.png", 64);
    let more = ["-i", "in.png", "--mask", "mask.png", "--mask-blur", "2", "--keep-unmasked"];
    place.draw("inpaint", &more).ok();
    let (before, after) = (
        image::open(place.path("in.png")).unwrap(),
        image::open(place.path("output.png")).unwrap(),
    );
    let (before, after) = (before.into_rgb8(), after.into_rgb8());
    assert!((48..64).all(|x| before.get_pixel(x, 30) == after.get_pixel(x, 30)));
    assert!((0..32).any(|x| before.get_pixel(x, 30) != after.get_pixel(x, 30)));
    let masked = ["--only-masked", "--invert-mask", "-o", "only.png"];
    place.draw("inpaint", &[&more[..], &masked].concat()).ok();
    assert_eq!(place.size("only.png"), (64, 64));
}

#[test]
fn outpaint_adds_to_the_sides() {
    let place = Place::new();
    place.picture("in.png", 64);
    let more =
        ["-i", "in.png", "--right", "32", "--top", "16", "--feather", "8", "--fill", "mirror"];
    place.draw("outpaint", &more).ok();
    assert_eq!(place.size("output.png"), (96, 80));
}

#[test]
fn edit_takes_references() {
    let place = Place::new();
    place.picture("ref.png", 64);
    let dry = place.draw("edit", &["-r", "ref.png", "--dry-run", "--json"]).ok().json();
    assert_eq!((&dry["dry_run"], &dry["files"][0]), (&true.into(), &"output.png".into()));
    place.draw("edit", &[]).failed(2, "--ref-image");
    place.draw("edit", &["-r", "none.png"]).failed(2, "picture not found: none.png");
}

#[test]
fn hires_caches_tiling_and_previews_reach_the_engine() {
    let place = Place::new();
    let more = [
        "--hires",
        "--hires-scale",
        "2",
        "--hires-denoising-strength",
        "0.5",
        "--hires-steps",
        "2",
        "--vae-tiling",
        "--vae-tile-size",
        "8x8",
        "--cache-mode",
        "easycache",
        "--cache-option",
        "threshold=0.3",
        "--preview",
        "proj",
        "--preview-path",
        "preview.png",
        "--canny",
        "--control-image",
        "in.png",
        "--json",
    ];
    place.picture("in.png", 64);
    // The demo model has no control input, which is told and not ignored.
    place.draw("txt2img", &more).failed(2, "control");
    let json = place.draw("txt2img", &more[..16]).ok();
    assert_eq!(json.code, Some(0));
    assert_eq!(place.size("output.png"), (128, 128));
    assert!(place.size("preview.png").0 > 0);
}

#[test]
fn a_picture_to_standard_output() {
    let place = Place::new();
    let model = demo_model();
    let line = ["txt2img", "-m", model.to_str().unwrap(), "-o", "-", "-q"];
    let mut program = place.program();
    program.args(line).args(common::QUICK);
    let output = program.output().unwrap();
    assert!(output.status.success());
    assert_eq!(image::load_from_memory(&output.stdout).unwrap().width(), 64);
    place.draw("txt2img", &["-o", "-", "--json"]).failed(2, "together with --json");
    place.draw("txt2img", &["-o", "-", "-b", "2"]).failed(2, "more than one picture");
}

#[test]
fn a_picture_is_drawn_again_from_what_it_says() {
    let place = Place::new();
    place.draw("txt2img", &["-o", "a.png", "-n", "blue", "--cfg-scale", "2"]).ok();
    let model = demo_model();
    let line = ["txt2img", "-m", model.to_str().unwrap(), "-t", "1", "--from", "a.png", "-o"];
    place.run(&[&line[..], &["b.png"]].concat()).ok();
    let bytes = |name| std::fs::read(place.path(name)).unwrap();
    assert!(bytes("a.png") == bytes("b.png"));
    let json = place.run(&[&line[..], &["c.png", "-s", "7", "--json"]].concat()).ok().json();
    assert_eq!(json["images"][0]["seed"], 7);
    place.picture("plain.png", 8);
    let line = ["txt2img", "-m", model.to_str().unwrap(), "--from", "plain.png"];
    place.run(&line).failed(2, "from is plain.png");
}

#[test]
fn a_request_is_read_from_json() {
    let place = Place::new();
    let text = r#"{"prompt":"a red circle","width":64,"height":64,"steps":3,"seed":42}"#;
    std::fs::write(place.path("r.json"), text).unwrap();
    let model = demo_model();
    let line = ["txt2img", "-m", model.to_str().unwrap(), "-t", "1", "--request"];
    place.run(&[&line[..], &["r.json", "-o", "a.png"]].concat()).ok();
    place.draw("txt2img", &["-o", "b.png"]).ok();
    let bytes = |name| std::fs::read(place.path(name)).unwrap();
    assert!(bytes("a.png") == bytes("b.png"));
    let more = ["r.json", "--steps", "4", "--dry-run", "--json"];
    let json = place.run(&[&line[..], &more].concat()).ok().json();
    assert_eq!((&json["request"]["steps"], &json["request"]["seed"]), (&4.into(), &42.into()));
    std::fs::write(place.path("bad.json"), r#"{"stepz":3}"#).unwrap();
    place.run(&[&line[..], &["bad.json"]].concat()).failed(2, "stepz");
    place.run(&[&line[..], &["none.json"]].concat()).failed(2, "request not found");
}

#[test]
fn a_plan_tells_what_memory_it_needs_and_too_much_is_refused() {
    let place = Place::new();
    let needs = |size: &str| {
        let plan =
            place.draw("txt2img", &["-W", size, "-H", size, "--dry-run", "--json"]).ok().json();
        assert_eq!(plan["memory"]["rough"], false);
        assert_eq!(plan["memory"]["weights"].as_array().unwrap().len(), 3);
        plan["memory"]["peak"].as_u64().unwrap()
    };
    let (small, large) = (needs("64"), needs("512"));
    assert!(small > 20 << 20 && large > small + (100 << 20), "{small} {large}");
    let text = place.draw("txt2img", &["--dry-run"]).ok();
    assert!(text.out.contains("memory by estimate: "), "{}", text.out);
    let most = ["-W", "16384", "-H", "16384"];
    place.draw("txt2img", &most).failed(4, "of memory on CPU, and ");
}
