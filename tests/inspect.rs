//! Model files are told from their headers as the engine tells them, on files with random weights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo_config, demo_files, family_config, sd1_config, sdxs_file};
use sdcpp::{Architecture, Context, Mismatch, ModelConfig, ModelFile, Part};
use sdcpp_test_support::{
    Embedding, Format, PhotoMaker, Sd1Lora, TextEncoders, UNetFamily, WeightType, ZImage,
    ZImageLora,
};
use std::path::Path;

fn open(path: impl AsRef<Path>) -> ModelFile {
    ModelFile::open(path.as_ref()).unwrap()
}

/// What a UNet of this family is, told by its shapes alone.
fn expected(family: UNetFamily) -> Architecture {
    match family {
        UNetFamily::Sd1 => Architecture::Sd1,
        UNetFamily::Sd1Inpaint => Architecture::Sd1Inpaint,
        UNetFamily::Sd1Pix2Pix => Architecture::Sd1Pix2Pix,
        UNetFamily::Sd1Tiny => Architecture::Sd1Tiny,
        UNetFamily::Sdxs512 => Architecture::Sdxs512,
        UNetFamily::Sd2 => Architecture::Sd2,
        UNetFamily::Sd2Inpaint => Architecture::Sd2Inpaint,
        UNetFamily::Sd2Tiny => Architecture::Sd2Tiny,
        UNetFamily::Sdxs09 => Architecture::Sdxs09,
        UNetFamily::Sdxl => Architecture::Sdxl,
        UNetFamily::SdxlInpaint => Architecture::SdxlInpaint,
        UNetFamily::SdxlPix2Pix => Architecture::SdxlPix2Pix,
        UNetFamily::Ssd1b => Architecture::SdxlSsd1b,
        UNetFamily::Vega => Architecture::SdxlVega,
    }
}

#[test]
fn unets_of_all_families() {
    for family in UNetFamily::ALL {
        let config = family_config(family);
        let unet = open(config.diffusion_model.as_ref().unwrap());
        assert_eq!(unet.architecture(), expected(family), "{unet}");
        assert_eq!(unet.missing_parts()[0], Part::BuiltInTextEncoder);
        assert!(config.missing_parts().unwrap().is_empty(), "{family:?}");
    }
}

/// The engine opens what has all parts, and refuses what lacks one.
#[test]
fn the_engine_agrees_on_what_is_missing() {
    let (model, taesd) = demo_files();
    let mut unet_alone = family_config(UNetFamily::Sd1);
    unet_alone.model = None;
    let unet_as_model = ModelConfig::new(unet_alone.diffusion_model.as_ref().unwrap());
    for (config, needed) in [
        (demo_config(), None),
        (ModelConfig::new(&model), Some("a VAE")),
        (ModelConfig::new(&model).taesd(&taesd).taesd_preview_only(true), Some("a VAE")),
        (sd1_config(), None),
        (family_config(UNetFamily::Sdxl), None),
        (unet_alone.clone(), Some("a text encoder in the file given as `model`")),
        (unet_as_model.taesd(&taesd), Some("a text encoder in the file given as `model`")),
        (ModelConfig::new(&taesd), Some("a diffusion model")),
    ] {
        let missing = config.missing_parts().unwrap();
        let opened = Context::new(config.clone());
        match needed {
            None => assert!(missing.is_empty() && opened.is_ok(), "{missing}"),
            Some(part) => {
                assert!(missing.to_string().starts_with(part), "{missing}");
                assert!(!missing.required.is_empty() && opened.is_err(), "{config:?}");
            }
        }
    }
}

#[test]
fn parts_and_what_they_fit() {
    use Architecture as A;
    let f16 = Format::Gguf(WeightType::F16);
    let sd1 = open(sdcpp_test_support::sd1_real_size_aliased().unwrap());
    let demo = open(demo_files().0);
    assert_eq!((sd1.architecture(), demo.architecture()), (A::Sd1, A::ZImage));
    assert!(sd1.missing_parts().is_empty());
    assert_eq!(open(sdxs_file()).architecture(), A::Sdxs512);
    assert_eq!(open(sdcpp_test_support::tae(16, f16).unwrap()).architecture(), A::Taesd);
    assert_eq!(open(sdcpp_test_support::esrgan(2, f16).unwrap()).architecture(), A::Upscaler);
    assert_eq!(
        open(sdcpp_test_support::vae().unwrap()).architecture(),
        A::Vae(sdcpp::VaeKind::Channels4)
    );
    let photo_maker = open(sdcpp_test_support::photo_maker(PhotoMaker::V2).unwrap());
    assert_eq!(photo_maker.architecture(), A::PhotoMaker);

    let control = open(sdcpp_test_support::control_net().unwrap());
    assert_eq!(control.control_net_fits(&sd1), Ok(()));
    assert!(control.control_net_fits(&demo).is_err());
    for (encoders, fits) in [(TextEncoders::Sd1, true), (TextEncoders::Sd2, false)] {
        let spec = Embedding { encoders, ..Embedding::default() };
        let embedding = open(sdcpp_test_support::embedding(spec).unwrap());
        assert_eq!(embedding.embedding_fits(&sd1).is_ok(), fits);
    }

    let lora = sdcpp_test_support::zimage_lora(ZImageLora::default(), f16).unwrap();
    let of_width = sdcpp_test_support::zimage(ZImage::default(), f16).unwrap();
    assert_eq!(open(&lora).lora_fits(&open(of_width)), Ok(()));
    assert!(matches!(open(&lora).lora_fits(&sd1), Err(Mismatch::NoKeyMatches { .. })));
    for (width, fits) in [(320, true), (32, false)] {
        let spec = Sd1Lora { width, ..Sd1Lora::default() };
        let lora = open(sdcpp_test_support::sd1_lora(spec).unwrap());
        let result = lora.lora_fits(&sd1);
        assert_eq!(result.is_ok(), fits, "{result:?}");
        assert!(fits || matches!(result, Err(Mismatch::Shape { .. })));
    }
}
