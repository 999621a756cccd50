//! Every family of models around a UNet draws what the engine draws by itself, on model files with
//! random weights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{compare::draw_alone, family_config, test_mask, test_picture, unet_request};
use sdcpp::{Context, ImageRequest, image};
use sdcpp_test_support::UNetFamily;

/// What a family needs to be told to draw, as quickly as it can.
fn request(family: UNetFamily) -> ImageRequest {
    // Without a negative prompt: the text encoders, of the real size, take most of the time.
    let request = unet_request().steps(1).cfg_scale(1.0);
    if family.is_inpaint() {
        request.init_image(test_picture(64, 64)).mask(test_mask(64, 64))
    } else if family.is_pix2pix() {
        request.reference_image(test_picture(64, 64))
    } else {
        request
    }
}

/// The pixels of a picture, which must show something.
fn draw(context: &mut Context, request: &ImageRequest) -> Vec<u8> {
    let generated = context.generate(request).unwrap();
    let picture = &generated.images[0];
    assert_eq!((picture.width(), picture.height(), picture.channels()), (64, 64, 3));
    let pixels = picture.as_bytes();
    let mut values = pixels.to_vec();
    values.sort_unstable();
    values.dedup();
    assert!(values.len() > 64, "the picture has no more than {} values", values.len());
    pixels.to_vec()
}

fn assert_draws(family: UNetFamily) -> (Context, Vec<u8>) {
    let mut context = Context::new(family_config(family)).unwrap();
    assert_eq!(context.family(), family.name());
    let first = draw(&mut context, &request(family));
    let direct = common::direct::images(&family_config(family), &request(family));
    assert!(first == direct[0].2, "{family:?} draws what the engine draws by itself");
    (context, first)
}

#[test]
fn stable_diffusion_1() {
    let (mut context, first) = assert_draws(UNetFamily::Sd1);
    let mut dog = request(UNetFamily::Sd1);
    dog.prompt = "a dog".to_owned();
    for other in [
        request(UNetFamily::Sd1).seed(8),
        request(UNetFamily::Sd1).cfg_scale(7.0),
        dog,
        request(UNetFamily::Sd1).init_image(test_picture(64, 64)),
    ] {
        assert!(draw(&mut context, &other) != first, "{other:?} makes a difference");
    }
}

#[test]
fn stable_diffusion_1_with_an_autoencoder() {
    let config = || family_config(UNetFamily::Sd1);
    let mut with_vae = config().vae(sdcpp_test_support::vae().unwrap());
    with_vae.taesd = None;
    let request = request(UNetFamily::Sd1);
    let tiny = draw(&mut Context::new(config()).unwrap(), &request);
    let mut context = Context::new(with_vae).unwrap();
    let whole = draw(&mut context, &request);
    assert!(whole != tiny, "the autoencoder is used");
    let from_picture = draw(&mut context, &request.init_image(test_picture(64, 64)));
    assert!(from_picture != whole, "and encodes the picture to start from");
}

#[test]
fn stable_diffusion_1_for_inpainting() {
    let (mut context, first) = assert_draws(UNetFamily::Sd1Inpaint);
    let request = request(UNetFamily::Sd1Inpaint);
    let all = image::GrayImage::from_pixel(64, 64, image::Luma([255]));
    assert!(draw(&mut context, &request.clone().mask(all)) != first, "the mask counts");
    let mut inverted = test_picture(64, 64);
    inverted.iter_mut().for_each(|channel| *channel = 255 - *channel);
    assert!(draw(&mut context, &request.init_image(inverted)) != first, "the picture counts");
}

#[test]
fn forms_of_stable_diffusion_1() {
    for family in [UNetFamily::Sd1Pix2Pix, UNetFamily::Sd1Tiny, UNetFamily::Sdxs512] {
        assert_draws(family);
    }
}

#[test]
fn stable_diffusion_2_and_its_forms() {
    for family in [UNetFamily::Sd2, UNetFamily::Sd2Inpaint, UNetFamily::Sd2Tiny, UNetFamily::Sdxs09]
    {
        assert_draws(family);
    }
}

#[test]
fn sdxl_and_its_form_for_inpainting() {
    for family in [UNetFamily::Sdxl, UNetFamily::SdxlInpaint] {
        assert_draws(family);
    }
}

/// The scale keeps the half-precision convolutions of SDXL's autoencoder from overflowing. Here none
/// does, and the scaled result is only rounded otherwise: by one in a few bytes, if at all, as the
/// processor has it.
#[test]
fn sdxl_scales_the_convolutions_of_its_autoencoder() {
    let config = || {
        let mut config = family_config(UNetFamily::Sdxl).vae(sdcpp_test_support::vae().unwrap());
        config.taesd = None;
        config
    };
    let request = request(UNetFamily::Sdxl);
    let plain = draw_alone("vae", config(), &request);
    let scaled = config().force_sdxl_vae_conv_scale(true);
    let scaled = draw_alone("force_sdxl_vae_conv_scale", scaled, &request);
    let far = plain.iter().zip(&scaled).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(far.is_some_and(|far| far <= 2), "{far:?}");
}

#[test]
fn other_forms_of_sdxl() {
    for family in [UNetFamily::SdxlPix2Pix, UNetFamily::Ssd1b, UNetFamily::Vega] {
        assert_draws(family);
    }
}
