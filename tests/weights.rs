//! LoRAs by name, embeddings, decoders: what is brought to a model, and what does not fit it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    compare::{Compared, draw_alone},
    demo_config, family_config, quick_request, sd1_config,
    transformers::{self, Q8_0},
    unet_request,
};
use sdcpp::{Context, Error, Lora, LoraApplyMode, ModelConfig, ModelFile};
use sdcpp_test_support::{
    self as models, Embedding, Format, Sd1Lora, TextEncoders, UNet, UNetFamily, WeightType,
    ZImageLora,
};
use std::fs;

fn refused(result: Result<sdcpp::Generated, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn loras_are_named_in_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let file = models::sd1_lora(Sd1Lora::default()).unwrap();
    fs::copy(&file, folder.path().join("ink.safetensors")).unwrap();
    let mut plain = Context::new(sd1_config()).unwrap();
    let mut named = Context::new(sd1_config().lora_folder(folder.path())).unwrap();
    let mut tagged = unet_request();
    tagged.prompt = "a cat<lora:ink:0.7>".to_owned();
    let by_file = unet_request().lora(Lora::new(&file).multiplier(0.7));
    let pixels = |g: sdcpp::Generated| g.images[0].as_bytes().to_vec();
    let by_name = named.generate(&tagged).unwrap();
    assert!(by_name.images[0].parameters().starts_with("a cat<lora:ink:0.7>"));
    let by_name = pixels(by_name);
    assert!(by_name == pixels(plain.generate(&by_file).unwrap()));
    assert!(by_name != pixels(plain.generate(&unet_request()).unwrap()));

    assert!(refused(plain.generate(&tagged)).contains("lora_folder"));
    // Without the tag this is a weight that the engine cannot read.
    tagged.prompt = "(a:<lora:ink:0>.)".to_owned();
    assert!(refused(named.generate(&tagged)).contains("attention weight"));
    let mut negative = unet_request();
    negative.negative_prompt = "<lora:ink:1>".to_owned();
    assert!(refused(named.generate(&negative)).starts_with("negative_prompt is"));
    let noisy = unet_request().lora(Lora::new(&file).high_noise(true));
    assert!(refused(named.generate(&noisy)).contains("high_noise_diffusion_model"));
    assert!(!named.is_poisoned());
    tagged.prompt = "a cat<lora:inc:0.7>".to_owned();
    let error = refused(named.generate(&tagged));
    assert!(error.contains("unknown <lora:inc:…>; allowed: one of ink"), "{error}");
}

#[test]
fn a_lora_of_another_shape_or_family_is_refused_and_the_context_draws_on() {
    let mut context = Context::new(sd1_config()).unwrap();
    let wide = models::sd1_lora(Sd1Lora { width: 64, ..Sd1Lora::default() }).unwrap();
    let error = context.generate(&unet_request().lora(Lora::new(wide))).unwrap_err();
    assert!(matches!(&error, Error::DoesNotFit { role, .. } if role == "loras"), "{error:?}");
    assert!(error.to_string().contains("and the model has"), "{error}");
    let format = Format::Safetensors(sdcpp_test_support::FloatType::F16);
    let other = models::zimage_lora(ZImageLora::default(), format).unwrap();
    let error = refused(context.generate(&unet_request().lora(Lora::new(other))));
    assert!(error.starts_with("loras does not fit the model"), "{error}");
    let missing = refused(context.generate(&unet_request().lora(Lora::new("no/such.gguf"))));
    assert!(missing.starts_with("loras not found"), "{missing}");
    assert!(context.generate(&unet_request()).is_ok());
}

#[test]
fn merged_loras_change_between_pictures() {
    let lora = || Lora::new(models::sd1_lora(Sd1Lora::default()).unwrap());
    let spec = UNet::smallest(UNetFamily::Sd1);
    let mut config = family_config(UNetFamily::Sd1).mmap(false);
    config.diffusion_model = Some(models::unet(spec, Format::Gguf(WeightType::F16)).unwrap());
    let config =
        config.weight_type(sdcpp::WeightType::F16).lora_apply_mode(LoraApplyMode::Immediately);
    let with = unet_request().lora(lora());
    let mut context = Context::new(&config).unwrap();
    let mut draw = |request: &sdcpp::ImageRequest| {
        context.generate(request).unwrap().images[0].as_bytes().to_vec()
    };
    let plain = draw(&unet_request());
    let merged = draw(&with);
    assert!(plain != merged);
    // At the pin the engine draws garbage here, and crashes at the next: vendor/fixes/lora-change.
    assert!(draw(&unet_request()) == plain);
    assert!(draw(&with) == merged);
}

#[test]
fn merging_into_quantised_weights_is_refused() {
    let config = sd1_config().lora_apply_mode(LoraApplyMode::Immediately);
    let lora = Lora::new(models::sd1_lora(Sd1Lora::default()).unwrap());
    let mut context = Context::new(config).unwrap();
    let error = refused(context.generate(&unet_request().lora(lora)));
    assert!(error.starts_with("merging LoRAs into quantised weights"), "{error}");
}

#[test]
fn embeddings_of_every_family_that_has_them() {
    for (family, encoders) in
        [(UNetFamily::Sd2, TextEncoders::Sd2), (UNetFamily::Sdxl, TextEncoders::Sdxl)]
    {
        let file = models::embedding(Embedding { encoders, vectors: 2 }).unwrap();
        let config = family_config(family).embedding("sks", file);
        let mut named = unet_request().steps(1).cfg_scale(1.0);
        named.prompt = "a sks cat".to_owned();
        // The C++ program runs the engine with the same mended embeddings.
        let with = draw_alone("embedding", config, &named);
        let without = draw_alone("none", family_config(family), &named);
        assert!(with != without, "{family:?}: the embedding changes nothing");
    }
}

#[test]
fn two_embeddings_each_have_their_word() {
    let file =
        |vectors| models::embedding(Embedding { encoders: TextEncoders::Sd1, vectors }).unwrap();
    let config =
        family_config(UNetFamily::Sd1).embedding("sks", file(1)).embedding("ohwx", file(2));
    let mut both = unet_request().steps(1).cfg_scale(1.0);
    both.prompt = "a sks ohwx cat".to_owned();
    let mut compared = Compared::new(config);
    let prompts = ["a sks cat", "a ohwx cat", "a ohwx sks cat"].map(|prompt| {
        let mut request = both.clone();
        request.prompt = prompt.to_owned();
        (prompt, request)
    });
    compared.each_changes(&both, prompts);
    let alone = family_config(UNetFamily::Sd1).embedding("sks", file(1));
    let both_words = compared.draw("two embeddings", &both);
    assert!(draw_alone("one embedding", alone, &both) != both_words);
}

/// In a process of its own, as what other tests allocate would count.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn memory_for_reading_an_embedding_is_given_back() {
    if !common::alone("memory_for_reading_an_embedding_is_given_back") {
        return;
    }
    let file = models::embedding(Embedding { encoders: TextEncoders::Sd1, vectors: 1 }).unwrap();
    let config = family_config(UNetFamily::Sd1).embedding("sks", file);
    let mut request = unet_request().steps(1).cfg_scale(1.0);
    request.prompt = "a sks cat".to_owned();
    let draw = || {
        Context::new(&config).unwrap().generate(&request).unwrap();
        common::Memory::now().in_use_bytes
    };
    let (first, second) = (draw(), draw());
    println!("{first} bytes after one context, {second} after two");
    // The engine takes 100 MiB to read one.
    assert!(second < first + (10 << 20), "{first} → {second}");
}

#[test]
fn an_embedding_for_another_width_is_refused() {
    let wide = Embedding { encoders: TextEncoders::Sd2, vectors: 1 };
    let config = sd1_config().embedding("sks", models::embedding(wide).unwrap());
    let error = Context::new(config).unwrap_err();
    assert!(matches!(&error, Error::DoesNotFit { role, .. } if role == "embeddings"), "{error:?}");
}

#[test]
fn taesd_decodes_or_only_previews() {
    let vae = models::vae().unwrap();
    let both = || family_config(UNetFamily::Sd1).vae(&vae);
    let mut only_vae = both();
    only_vae.taesd = None;
    let request = unet_request().steps(1).cfg_scale(1.0);
    let by_vae = draw_alone("vae", only_vae, &request);
    let by_taesd = draw_alone("taesd", both(), &request);
    let preview_only = draw_alone("taesd_preview_only", both().taesd_preview_only(true), &request);
    assert!(by_vae != by_taesd);
    assert!(by_vae == preview_only);
}

#[test]
fn what_a_model_lacks_is_said_before_the_engine_is_asked() {
    let flux = transformers::flux(sdcpp_test_support::FluxKind::Flux);
    let bare = ModelConfig::from_parts(flux.diffusion_model.clone().unwrap());
    let error = Context::new(bare).unwrap_err();
    assert!(matches!(error, Error::MissingParts { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("text encoder") && text.contains("a VAE"), "{text}");
    let zimage = models::zimage(models::ZImage::default(), Q8_0).unwrap();
    let error = Context::new(ModelConfig::new(&zimage)).unwrap_err().to_string();
    assert!(error.ends_with("lacks a VAE"), "{error}");
    // Of a decoder in the file itself the engine has to be told.
    let with_tae = models::ZImage { with_tae: true, ..models::ZImage::default() };
    let with_tae = models::zimage(with_tae, Q8_0).unwrap();
    let untold = ModelConfig::new(&with_tae).threads(common::THREADS);
    let error = Context::new(&untold).unwrap_err().to_string();
    assert!(error.ends_with("lacks a VAE"), "{error}");
    let mut context = Context::new(untold.taesd(&with_tae)).unwrap();
    assert!(context.generate(&quick_request("a cat")).is_ok());
    let file = ModelFile::open(&zimage).unwrap();
    assert_eq!(file.architecture().to_string(), "Z-Image");
}

#[test]
fn the_whole_of_a_transformer_takes_a_lora() {
    let format = Format::Safetensors(sdcpp_test_support::FloatType::F16);
    let spec = ZImageLora { layers: 2, ..ZImageLora::default() };
    let lora = Lora::new(models::zimage_lora(spec, format).unwrap());
    let request = quick_request("a red circle");
    let with = request.clone().lora(lora);
    Compared::new(demo_config()).each_changes(&request, [("lora", with)]);
}

#[test]
fn loras_merged_into_mapped_weights_stay() {
    let lora = || Lora::new(models::sd1_lora(Sd1Lora::default()).unwrap());
    let spec = UNet::smallest(UNetFamily::Sd1);
    let mut mapped = family_config(UNetFamily::Sd1).mmap(true).weight_type(sdcpp::WeightType::F16);
    mapped.diffusion_model = Some(models::unet(spec, Format::Gguf(WeightType::F16)).unwrap());
    let with = unet_request().lora(lora());
    let pixels = |g: sdcpp::Generated| g.images[0].as_bytes().to_vec();

    let mut merging =
        Context::new(mapped.clone().lora_apply_mode(LoraApplyMode::Immediately)).unwrap();
    let merged = pixels(merging.generate(&with).unwrap());
    assert!(pixels(merging.generate(&with).unwrap()) == merged);
    let error = refused(merging.generate(&unet_request()));
    assert!(error.starts_with("another set of LoRAs merged into mapped weights"), "{error}");

    // Left to itself, the crate does not merge into mapped weights.
    let mut auto = Context::new(mapped).unwrap();
    let plain = pixels(auto.generate(&unet_request()).unwrap());
    assert!(pixels(auto.generate(&with).unwrap()) != plain);
    assert!(pixels(auto.generate(&unet_request()).unwrap()) == plain);
}
