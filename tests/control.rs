//! ControlNets, edges, and the likeness of a person.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    compare::Compared, demo_config, family_config, quick_request, test_picture, unet_config,
    unet_request,
};
use sdcpp::{Canny, Context, Error, ImageRequest, PhotoMaker, Progress, Watch, canny};
use sdcpp_test_support::{self as models, UNet, UNetFamily};
use std::ops::ControlFlow;

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
