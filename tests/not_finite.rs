//! A decoder that makes values which are no numbers: they are counted, and black in the picture.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo, quick_request, unet_request};
use sdcpp::{Context, ModelConfig, Warning};
use sdcpp_test_support::{self as models, Architecture, FloatType, Format, Sd1, TinyModel};
use std::{fs, path::Path};

const NAN: [u8; 2] = [0x00, 0x7e];
const INFINITY: [u8; 2] = [0x00, 0x7c];

/// A copy of a safetensors file of 16-bit floats, with the first values of a tensor replaced.
fn with_values(file: &Path, tensor: &str, values: &[[u8; 2]], folder: &Path) -> std::path::PathBuf {
    let mut bytes = fs::read(file).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json = std::str::from_utf8(&bytes[8..8 + header]).unwrap();
    let (_, entry) = json.split_once(&format!("\"{tensor}\":{{")).expect("the tensor is there");
    let (entry, _) = entry.split_once('}').unwrap();
    assert!(entry.contains("\"F16\""), "{entry}");
    let (_, offset) = entry.split_once("\"data_offsets\":[").unwrap();
    let start = 8 + header + offset.split(',').next().unwrap().parse::<usize>().unwrap();
    for (index, value) in values.iter().enumerate() {
        bytes[start + 2 * index..][..2].copy_from_slice(value);
    }
    let copy = folder.join(file.file_name().unwrap());
    fs::write(&copy, bytes).unwrap();
    copy
}

#[test]
fn a_decoder_of_no_numbers_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let sound = models::tae(4, Format::Safetensors(FloatType::F16)).unwrap();
    let (unet, _) = common::sd1_files();
    let request = unet_request().steps(1).cfg_scale(1.0).size(64, 64).batch(2);
    let draw = |decoder: &Path| {
        let config = ModelConfig::new(&unet).taesd(decoder).threads(common::THREADS);
        Context::new(config).unwrap().generate(&request).unwrap()
    };
    let whole = draw(&sound);
    assert_eq!(whole.warnings, []);

    // The last bias is added to all values of a colour.
    let bias = "decoder.layers.18.bias";
    let red = draw(&with_values(&sound, bias, &[NAN], folder.path()));
    let count = 64 * 64;
    let values = |values| Warning::NotFinite { values };
    // One for each picture.
    assert_eq!(red.warnings, [values(count), values(count)]);
    for (red, whole) in red.images.iter().zip(&whole.images) {
        for (red, whole) in red.as_bytes().chunks(3).zip(whole.as_bytes().chunks(3)) {
            assert_eq!(red, [0, whole[1], whole[2]]);
        }
    }

    let all = draw(&with_values(&sound, bias, &[NAN, INFINITY, NAN], folder.path()));
    let black = |image| Warning::Uniform { image, color: vec![0; 3] };
    assert_eq!(all.warnings, [values(3 * count), values(3 * count), black(0), black(1)]);
    assert!(all.warnings.iter().all(|w| w.advice().unwrap().contains("overflow")));
}

/// The VAE's values are scaled after decoding, and a clamp there made white of them.
#[test]
fn a_whole_vae_of_no_numbers_is_black_too() {
    let folder = tempfile::tempdir().unwrap();
    let vae = Architecture::Vae { decoder_width: 32 };
    let sound = TinyModel::new(vae, Format::Safetensors(FloatType::F16)).cached().unwrap();
    let broken = with_values(&sound, "decoder.conv_out.bias", &[NAN; 3], folder.path());
    let unet = Sd1 { width: 32, vae: false };
    let unet = models::sd1(unet, Format::Gguf(models::WeightType::Q4_0)).unwrap();
    let mut config = ModelConfig::new(unet).threads(common::THREADS);
    config.vae = Some(broken);
    let request = unet_request().steps(1).cfg_scale(1.0);
    let drawn = Context::new(config).unwrap().generate(&request).unwrap();
    assert!(drawn.warnings.contains(&Warning::NotFinite { values: 3 * 64 * 64 }));
    assert!(drawn.warnings.contains(&Warning::Uniform { image: 0, color: vec![0; 3] }));
}

#[test]
fn a_sound_model_is_not_warned_of() {
    let drawn = demo().generate(&quick_request("a red circle")).unwrap();
    assert_eq!(drawn.warnings, []);
}
