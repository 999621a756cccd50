//! ControlNets, edges, and the likeness of a person.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    compare::Compared, demo_config, direct, family_config, quick_request, test_picture,
    unet_config, unet_request,
};
use sdcpp::{Canny, Context, Error, ImageRequest, PhotoMaker, Progress, Watch, canny};
use sdcpp_test_support::{self as models, UNet, UNetFamily};
use std::{fs, ops::ControlFlow, path::Path};

fn controlled() -> sdcpp::ModelConfig {
    unet_config(UNet { family: UNetFamily::Sd1, width: 320 })
        .control_net(models::control_net().unwrap())
}

fn quick() -> ImageRequest {
    unet_request().steps(1).cfg_scale(1.0)
}

#[test]
fn a_control_net_follows_its_picture() {
    let mut control = Compared::new(controlled());
    let edges = canny(test_picture(64, 64), &Canny::default()).unwrap();
    let with = quick().control_image(edges);
    control.each_changes(&quick(), [("control_image", with.clone())]);
    let weak = with.clone().control_strength(0.3);
    control.each_changes(&with, [("control_strength", weak)]);
    control.none_changes(&quick(), [("control_strength 0", with.control_strength(0.0))]);
}

/// As the C API finds them, with each setting another picture.
#[test]
fn every_setting_of_the_edges_counts() {
    // Rings that get fainter outwards, so that there are edges of every strength.
    let picture = image::RgbImage::from_fn(64, 64, |x, y| {
        let away = (x as f32 - 31.0).hypot(y as f32 - 30.0);
        let ring = 128.0 + 110.0 * (away * 0.6).cos() / (1.0 + away * 0.25);
        image::Rgb([ring as u8; 3])
    });
    let base = || Canny::default().high_threshold(0.5).low_threshold(0.5);
    let find = |name: &str, settings: Canny| {
        let edges = canny(picture.clone(), &settings).unwrap().into_raw();
        assert!(edges == direct::edges(&picture, &settings), "{name}: edges differ from C++");
        edges
    };
    let plain = find("base", base());
    for (name, settings) in [
        ("high_threshold", base().high_threshold(0.2)),
        ("low_threshold", base().low_threshold(0.1)),
        ("weak", base().weak(1.0)),
        ("strong", base().strong(0.6)),
        ("invert", base().invert(true)),
    ] {
        assert!(find(name, settings) != plain, "{name} changes nothing");
    }
}

#[test]
fn a_control_picture_needs_a_control_net_that_fits() {
    let with = quick().control_image(test_picture(64, 64));
    let mut plain = Context::new(family_config(UNetFamily::Sd1)).unwrap();
    let error = plain.generate(&with).unwrap_err().to_string();
    assert!(error.starts_with("control_image is set with SD 1.x and no ControlNet"), "{error}");
    let narrow = family_config(UNetFamily::Sd1).control_net(models::control_net().unwrap());
    let error = Context::new(narrow).unwrap_err();
    assert!(matches!(&error, Error::DoesNotFit { role, .. } if role == "control_net"), "{error:?}");
    let transformer = demo_config().control_net(models::control_net().unwrap());
    assert!(Context::new(transformer).is_err());
}

#[test]
fn references_need_a_model_that_edits() {
    let with = quick().reference_image(test_picture(64, 64));
    let mut plain = Context::new(family_config(UNetFamily::Sd1)).unwrap();
    let error = plain.generate(&with).unwrap_err().to_string();
    assert!(error.starts_with("reference images with SD 1.x is not supported"), "{error}");
    let mut edits = Context::new(family_config(UNetFamily::Sd1Pix2Pix)).unwrap();
    let error = edits.generate(&quick()).unwrap_err().to_string();
    assert!(error.starts_with("reference_images is empty with Instruct-Pix2Pix"), "{error}");
    let other = quick().reference_image(test_picture(64, 64)).image_cfg_scale(1.5).cfg_scale(3.0);
    let base = quick().reference_image(test_picture(64, 64)).cfg_scale(3.0);
    Compared::new(family_config(UNetFamily::Sd1Pix2Pix))
        .each_changes(&base, [("image_cfg_scale", other)]);
    let mut inpaints = Context::new(family_config(UNetFamily::Sd1Inpaint)).unwrap();
    let error = inpaints.generate(&quick()).unwrap_err().to_string();
    assert!(error.starts_with("mask is not set with SD 1.x Inpaint"), "{error}");
}

#[test]
fn photo_maker_draws_a_person() {
    let config = || {
        family_config(UNetFamily::Sdxl)
            .photo_maker(models::photo_maker(models::PhotoMaker::V1).unwrap())
    };
    let mut request = quick().steps(2);
    request.prompt = "a man img".to_owned();
    let person = |style: f32| PhotoMaker::new([test_picture(64, 64)]).style_strength(style);
    let with = request.clone().photo_maker(person(0.0));
    let mut photo = Compared::new(config());
    photo.each_changes(&request, [("photo_maker", with.clone())]);
    photo.each_changes(&with, [("style_strength", request.photo_maker(person(60.0)))]);

    let mut plain = Context::new(family_config(UNetFamily::Sd1)).unwrap();
    let error = plain.generate(&with).unwrap_err().to_string();
    assert!(error.starts_with("photo_maker is set without the model"), "{error}");
    let mut forgotten = quick().photo_maker(person(20.0));
    forgotten.prompt = "a man".to_owned();
    let error = photo.context().generate(&forgotten).unwrap_err().to_string();
    assert!(error.contains("the word img after a word for the person"), "{error}");
}

/// The engine tells the second version by the name of its file.
#[test]
fn the_second_photo_maker_reads_faces_from_a_file() {
    let file = models::photo_maker(models::PhotoMaker::V2).unwrap();
    assert!(file.file_name().unwrap().to_string_lossy().contains("v2"));
    let folder = tempfile::tempdir().unwrap();
    let (face, other) = (folder.path().join("face.bin"), folder.path().join("other.bin"));
    let mut bytes = Vec::new();
    models::write_id_embeds(&mut bytes, 1).unwrap();
    fs::write(&face, &bytes).unwrap();
    // The numbers in reverse order are another face.
    let numbers = bytes.len() - 512 * 4;
    let reversed: Vec<_> = bytes[numbers..].chunks(4).rev().flatten().copied().collect();
    fs::write(&other, [&bytes[..numbers], &reversed].concat()).unwrap();
    let mut request = quick();
    request.prompt = "a man img".to_owned();
    let person = |face: &Path| {
        let person = PhotoMaker::new([test_picture(64, 64)]).style_strength(0.0).id_embed(face);
        request.clone().photo_maker(person)
    };
    Compared::new(family_config(UNetFamily::Sdxl).photo_maker(file)).each_changes(
        &person(&face),
        [("photo_maker", request.clone()), ("another id_embed", person(&other))],
    );
}

#[test]
fn a_model_that_takes_no_control_says_so() {
    let mut demo = Context::new(demo_config()).unwrap();
    let with = quick_request("a red circle").reference_image(test_picture(64, 64));
    let error = demo.generate(&with).unwrap_err().to_string();
    assert!(error.starts_with("reference images with Z-Image"), "{error}");
}

#[test]
fn a_stopped_picture_leaves_no_control_behind() {
    let mut context = Context::new(controlled()).unwrap();
    let two = quick().steps(2);
    let other = two.clone().control_image(image::imageops::rotate90(&test_picture(64, 64)));
    let fresh = context.generate(&other).unwrap().images[0].as_bytes().to_vec();
    let stop = Watch::new().on_progress(|event| match event {
        Progress::Sampling { step: 1, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let stopped = context.generate_with(&two.control_image(test_picture(64, 64)), stop);
    assert!(matches!(stopped, Err(Error::Cancelled { .. })), "{stopped:?}");
    assert!(context.generate(&other).unwrap().images[0].as_bytes() == fresh.as_slice());
    let large = other.hires(sdcpp::HiresFix::scaled_by(1.5));
    let error = context.generate(&large).unwrap_err().to_string();
    assert!(error.starts_with("hires is set together with control_image"), "{error}");
}
