//! The small examples, run as programs on the demo model, and what they make.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo, demo_request, example};
use sdcpp::image::{self, GrayImage, Luma, RgbImage};
use std::{
    fs,
    process::{Command, Output},
};
use tempfile::TempDir;

/// Runs an example in a folder, with one thread.
fn run(folder: &TempDir, name: &str, arguments: &[&str]) -> Output {
    Command::new(example(name))
        .args(arguments)
        .args(["--threads", "1"])
        .current_dir(folder.path())
        .output()
        .unwrap()
}

/// Runs an example that draws `out.png`; gives the picture and what was said of it.
fn drawn(folder: &TempDir, name: &str, arguments: &[&str]) -> (RgbImage, String) {
    let output = run(folder, name, &[arguments, &["--output", "out.png"]].concat());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let picture = image::open(folder.path().join("out.png")).unwrap().into_rgb8();
    (picture, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The message of an example that fails.
fn refused(folder: &TempDir, name: &str, arguments: &[&str]) -> String {
    let output = run(folder, name, arguments);
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A red circle left of a blue square, 256 by 128, drawn by the demo model.
fn scene() -> RgbImage {
    let mut context = demo();
    let mut scene = RgbImage::new(256, 128);
    for (prompt, x) in [("a red circle", 0), ("a blue square", 128)] {
        let drawn = context.generate(&demo_request(prompt)).unwrap().images[0].to_rgb();
        image::imageops::replace(&mut scene, &drawn, x, 0);
    }
    scene
}

fn right_half(width: u32, height: u32) -> GrayImage {
    GrayImage::from_fn(width, height, |x, _| Luma([if x < width / 2 + 8 { 0 } else { 255 }]))
}

/// Mean colour of a square of 8 pixels a side around a point.
fn mean(picture: &RgbImage, x: u32, y: u32) -> [u8; 3] {
    let part = image::imageops::crop_imm(picture, x - 4, y - 4, 8, 8).to_image();
    let sum = |channel: usize| part.pixels().map(|p| u32::from(p.0[channel])).sum::<u32>();
    [0, 1, 2].map(|channel| (sum(channel) / 64) as u8)
}

fn is_near(got: [u8; 3], wanted: [u8; 3]) -> bool {
    got.iter().zip(wanted).all(|(got, wanted)| got.abs_diff(wanted) < 60)
}

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const GREEN: [u8; 3] = [0, 255, 0];
const WHITE: [u8; 3] = [255; 3];

#[test]
fn the_eraser_takes_out_what_is_masked_and_keeps_the_rest_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let scene = scene();
    scene.save(folder.path().join("scene.png")).unwrap();
    right_half(256, 128).save(folder.path().join("mask.png")).unwrap();
    assert!(is_near(mean(&scene, 192, 64), BLUE), "{:?}", mean(&scene, 192, 64));
    let (erased, _) = drawn(&folder, "magic_eraser", &["scene.png", "mask.png"]);
    assert_eq!(erased.dimensions(), (256, 128));
    for (x, y) in [(192, 64), (160, 40), (224, 90), (240, 16)] {
        assert!(is_near(mean(&erased, x, y), WHITE), "{:?} at {x}, {y}", mean(&erased, x, y));
    }
    // The mask grows by 4 pixels and its blur reaches 15 more.
    for (x, y, pixel) in scene.enumerate_pixels().filter(|(x, ..)| *x < 136 - 20) {
        assert_eq!(erased.get_pixel(x, y), pixel, "at {x}, {y}");
    }

    right_half(64, 128).save(folder.path().join("small.png")).unwrap();
    let text = refused(&folder, "magic_eraser", &["scene.png", "small.png"]);
    assert!(text.contains("mask is 64x128"), "{text}");
}

#[test]
fn the_edit_says_how_it_was_done_and_does_it() {
    let folder = tempfile::tempdir().unwrap();
    let start = demo().generate(&demo_request("a red circle")).unwrap();
    start.images[0].save(folder.path().join("a.png")).unwrap();
    let (blue, text) = drawn(&folder, "magic_edit", &["a.png", "a blue circle"]);
    assert!(text.contains("drawn over at strength 0.75 (Z-Image)"), "{text}");
    assert_eq!(blue.dimensions(), (128, 128));
    assert!(is_near(mean(&blue, 64, 64), BLUE), "{:?}", mean(&blue, 64, 64));
    assert!(is_near(mean(&blue, 6, 6), WHITE));
    let (same, text) =
        drawn(&folder, "magic_edit", &["a.png", "a blue circle", "--strength", "0.1"]);
    assert!(text.contains("strength 0.1"), "{text}");
    assert!(is_near(mean(&same, 64, 64), RED), "{:?}", mean(&same, 64, 64));
}

/// The pixels are those of the library with the same files. The weights are random.
#[test]
fn the_edit_uses_references_where_the_model_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    common::test_picture(64, 64).save(folder.path().join("a.png")).unwrap();
    let mut config = common::transformers::flux(sdcpp_test_support::FluxKind::Flux);
    let model = folder.path().join("edits.gguf");
    fs::copy(config.diffusion_model.unwrap(), &model).unwrap();
    let preset = r#"{ "width": 64, "height": 64, "steps": 2, "cfg_scale": 1.0 }"#;
    fs::write(folder.path().join("edits.preset.json"), preset).unwrap();
    config.diffusion_model = Some(model);
    let (clip_l, taesd) = (config.clip_l.clone().unwrap(), config.taesd.clone().unwrap());
    let files = ["--clip-l", clip_l.to_str().unwrap(), "--taesd", taesd.to_str().unwrap()];
    let arguments = ["a.png", "a cat", "--mmap", "--diffusion-model", "edits.gguf"];
    let (edited, text) = drawn(&folder, "magic_edit", &[&arguments[..], &files].concat());
    assert!(text.ends_with("64x64, as a reference (Flux)\n"), "{text}");
    let request = common::transformers::request().reference_image(common::test_picture(64, 64));
    let library = sdcpp::Context::new(config).unwrap().generate(&request).unwrap();
    assert!(edited.as_raw() == library.images[0].as_bytes());
}

#[test]
fn the_expansion_has_the_size_asked_for_and_the_old_picture_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let start = demo().generate(&demo_request("a red circle")).unwrap().images[0].clone();
    start.save(folder.path().join("a.png")).unwrap();
    let start = start.to_rgb();
    let few = ["--steps", "4", "--prompt", "a red circle"];
    for (direction, size, at) in [
        (&["right"][..], (178, 128), (0, 0)),
        (&["left", "up"], (178, 178), (50, 50)),
        (&["all"], (228, 228), (50, 50)),
    ] {
        let mut arguments = vec!["a.png", "--pixels", "50"];
        direction.iter().for_each(|d| arguments.extend(["-d", d]));
        arguments.extend(few);
        let (large, _) = drawn(&folder, "magic_expand", &arguments);
        assert_eq!(large.dimensions(), size, "{direction:?}");
        let middle = |x, y| start.get_pixel(x, y) == large.get_pixel(x + at.0, y + at.1);
        assert!((16..112).all(|i| middle(i, 64) && middle(64, i)), "{direction:?}");
    }
    let text = refused(&folder, "magic_expand", &["a.png", "--pixels", "0"]);
    assert!(text.contains("outpaint is 0 pixels on every side"), "{text}");
}

#[test]
fn a_tiled_background_repeats_and_a_pale_one_is_lighter() {
    let folder = tempfile::tempdir().unwrap();
    let few = ["--steps", "6", "--prompt", "a blue square", "--size", "300x200"];
    let (tiled, text) = drawn(&folder, "background", &few);
    assert_eq!(tiled.dimensions(), (300, 200));
    assert!(text.contains("300x200, from 128x128"), "{text}");
    assert!(is_near(mean(&tiled, 64, 64), BLUE));
    for (x, y, pixel) in tiled.enumerate_pixels().filter(|(x, y, _)| *x >= 128 && *y >= 128) {
        assert_eq!(tiled.get_pixel(x - 128, y - 128), pixel);
    }
    let (pale, _) = drawn(&folder, "background", &[&few[..], &["--pale", "0.5"]].concat());
    let [red, _, blue] = mean(&pale, 64, 64);
    assert!((110..160).contains(&red) && blue > 230, "{red} {blue}");
    for (before, after) in tiled.as_raw().iter().zip(pale.as_raw()) {
        assert!(after >= before);
    }
}

#[test]
fn an_enlarged_background_covers_everything() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--fill", "enlarge", "--size", "333x222", "--steps", "2"];
    let (large, text) = drawn(&folder, "background", &arguments);
    assert_eq!(large.dimensions(), (333, 222));
    assert!(text.contains("from 160x104"), "{text}");
    for size in ["0x9", "9", "99999x9"] {
        let text = refused(&folder, "background", &["--size", size]);
        assert!(text.contains("1280x720"), "{text}");
    }
}

#[test]
fn a_matrix_has_a_labelled_picture_for_each_variant() {
    let folder = tempfile::tempdir().unwrap();
    let (sheet, text) = drawn(&folder, "prompt_matrix", &["a {red|blue} {circle|square}"]);
    assert!(text.ends_with("4 pictures\n"), "{text}");
    // Rows are labelled at the left, columns above; pictures lie at the right and the bottom.
    let (width, height) = sheet.dimensions();
    assert!(width > 2 * 128 && height > 2 * 128, "{width}x{height}");
    let cell = |column: u32, row: u32| {
        (width - (2 - column) * (128 + 6) + 64, height - (2 - row) * (128 + 6) + 64)
    };
    for (column, row, colour) in [(0, 0, RED), (1, 0, BLUE), (0, 1, RED), (1, 1, BLUE)] {
        let (x, y) = cell(column, row);
        assert!(is_near(mean(&sheet, x, y), colour), "{:?}", mean(&sheet, x, y));
    }
    let dark = |x: u32, y: u32, w: u32, h: u32| {
        let part = image::imageops::crop_imm(&sheet, x, y, w, h).to_image();
        part.pixels().filter(|p| p.0.iter().all(|c| *c < 128)).count()
    };
    assert!(dark(0, cell(0, 0).1 - 10, width - 2 * 134, 20) > 20, "a row's label");
    assert!(dark(cell(0, 0).0 - 40, 0, 80, 24) > 20, "a column's label");
}

#[test]
fn a_matrix_without_lists_is_that_of_a1111() {
    let folder = tempfile::tempdir().unwrap();
    let few = ["a green circle|big|old|odd", "--steps", "1"];
    let output = run(&folder, "prompt_matrix", &few);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    for prompt in [
        "1 of 8: a green circle\n",
        "a green circle, big, odd",
        "8 of 8: a green circle, big, old, odd",
    ] {
        assert!(text.contains(prompt), "{text}");
    }
    assert!(folder.path().join("matrix.png").is_file());
    for (prompt, part) in [
        ("a red circle", "1 variants"),
        ("a {red|blue circle", "a } for each {"),
        (&"{a|b}".repeat(9), "512 variants"),
    ] {
        let text = refused(&folder, "prompt_matrix", &[prompt]);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_matrix_draws_what_its_words_say() {
    let folder = tempfile::tempdir().unwrap();
    let (sheet, _) = drawn(&folder, "prompt_matrix", &["a {green|red} circle", "--steps", "6"]);
    let (width, height) = sheet.dimensions();
    let y = height - 134 + 64;
    assert!(is_near(mean(&sheet, width - 2 * 134 + 64, y), GREEN));
    assert!(is_near(mean(&sheet, width - 134 + 64, y), RED));
}
