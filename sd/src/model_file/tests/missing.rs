//! What models lack, alone and with the other files of a configuration.

use super::{Made, seen};
use crate::{Architecture, ModelConfig, ModelFile, Part, Preset, TextEncoder, VaeKind};

const SD1: &[(&str, &[u64])] = &[
    ("model.diffusion_model.input_blocks.0.0.weight", &[320, 4, 3, 3]),
    ("model.diffusion_model.middle_block.1.norm.weight", &[8]),
    ("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", &[9, 768]),
    ("first_stage_model.decoder.conv_in.weight", &[512, 4, 3, 3]),
];
const FLUX: &[(&str, &[u64])] = &[
    ("double_blocks.0.img_mod.lin.weight", &[8]),
    ("guidance_in.in_layer.weight", &[8]),
    ("img_in.weight", &[3072, 64]),
];
const Z_IMAGE: &[(&str, &[u64])] = &[("cap_embedder.0.weight", &[8])];
const RADIANCE: &[(&str, &[u64])] = &[
    ("nerf_final_layer_conv.conv.weight", &[8]),
    ("distilled_guidance_layer.in_proj.weight", &[8, 8]),
];
const WAN_I2V: &[(&str, &[u64])] = &[
    ("blocks.0.cross_attn.norm_k.weight", &[8]),
    ("patch_embedding.weight", &[5120, 36, 1, 2, 2]),
    ("img_emb.proj.0.bias", &[8]),
];
const UNET_ALONE: &[(&str, &[u64])] = &[
    ("input_blocks.0.0.weight", &[320, 4, 3, 3]),
    ("middle_block.1.norm.weight", &[8]),
    ("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[320, 768]),
];

/// As it would be said: what is needed, and what would be better.
fn said(config: &ModelConfig) -> (String, String) {
    let missing = config.missing_parts().unwrap();
    let list = |parts: &[Part]| parts.iter().map(Part::to_string).collect::<Vec<_>>().join(", ");
    (list(&missing.required), list(&missing.optional))
}

fn needs(needed: &str) -> (String, String) {
    (needed.to_owned(), String::new())
}

#[test]
fn a_file_alone() {
    assert!(seen(SD1).missing_parts().is_empty());
    assert_eq!(
        seen(FLUX).missing_parts(),
        [
            Part::TextEncoder(TextEncoder::ClipL),
            Part::TextEncoder(TextEncoder::T5Xxl),
            Part::Vae(VaeKind::Channels16)
        ]
    );
    assert_eq!(
        seen(FLUX).missing().to_string(),
        "a CLIP-L text encoder, a T5-XXL text encoder and a VAE"
    );
    assert_eq!(
        seen(Z_IMAGE).missing_parts(),
        [Part::TextEncoder(TextEncoder::Qwen3), Part::Vae(VaeKind::Channels16)]
    );
    assert_eq!(seen(RADIANCE).missing_parts(), [Part::TextEncoder(TextEncoder::T5Xxl)]);
    assert_eq!(
        seen(UNET_ALONE).missing_parts(),
        [Part::BuiltInTextEncoder, Part::Vae(VaeKind::Channels4)]
    );
    let summary = seen(FLUX).to_string();
    assert!(
        summary.contains("needs") && summary.contains("given as                 diffusion_model"),
        "{summary}"
    );
}

#[test]
fn a_configuration_of_flux() {
    let made = Made::new();
    let flux = made.file("flux", FLUX);
    let base = || ModelConfig::from_parts(&flux);
    assert_eq!(said(&base()), needs("a CLIP-L text encoder, a T5-XXL text encoder, a VAE"));
    assert_eq!(said(&base().clip_l("c").t5xxl("t").vae("v")), needs(""));
    // The engine takes zeros for one of the two, and a TAESD for the VAE.
    assert_eq!(
        said(&base().t5xxl("t").taesd("v")),
        (String::new(), "a CLIP-L text encoder".to_owned())
    );
    assert_eq!(
        said(&base().clip_l("c").t5xxl("t").taesd("v").taesd_preview_only(true)),
        needs("a VAE")
    );
    // The common mistake.
    let wrong = ModelConfig::new(&flux).clip_l("c").t5xxl("t").vae("v");
    assert_eq!(said(&wrong), needs("its file given as `diffusion_model` instead of `model`"));
}

#[test]
fn configurations_of_other_families() {
    let made = Made::new();
    let z_image = made.file("z", Z_IMAGE);
    assert_eq!(said(&ModelConfig::from_parts(&z_image)), needs("a Qwen3 text encoder, a VAE"));
    assert_eq!(said(&ModelConfig::from_parts(&z_image).llm("q").vae("v")), needs(""));
    let wan = ModelConfig::from_parts(made.file("w", WAN_I2V)).vae("v");
    assert_eq!(
        said(&wan),
        ("a CLIP vision encoder".to_owned(), "a umT5-XXL text encoder".to_owned())
    );
    assert_eq!(said(&wan.clip_vision("c").t5xxl("t")), needs(""));
    let radiance = ModelConfig::from_parts(made.file("r", RADIANCE));
    assert_eq!(said(&radiance), (String::new(), "a T5-XXL text encoder".to_owned()));
    let moe = made.file("moe", &[WAN_I2V[0], WAN_I2V[1]]);
    let moe = ModelConfig::from_parts(moe).t5xxl("t").vae("v");
    assert_eq!(said(&moe).1, "a second diffusion model for high noise");
    assert_eq!(said(&moe.high_noise_diffusion_model("h")), needs(""));
}

#[test]
fn unets_need_their_text_encoder_in_the_model_file() {
    let made = Made::new();
    let whole = made.file("sd1", SD1);
    assert_eq!(said(&ModelConfig::new(&whole)), needs(""));
    // All but the diffusion model is lost there.
    assert_eq!(
        said(&ModelConfig::from_parts(&whole)),
        needs("a text encoder in the file given as `model`, a VAE")
    );
    let alone = made.file("unet", UNET_ALONE);
    let given = ModelConfig::from_parts(&alone).clip_l("c").vae("v");
    assert_eq!(said(&given), needs("a text encoder in the file given as `model`"));
    // A file of encoders by their names in a checkpoint is as good as a whole model, and one by
    // their own names is not.
    let encoders = made.file("te", &SD1[2..3]);
    let mut apart = ModelConfig::from_parts(&alone).vae("v");
    apart.model = Some(encoders);
    assert_eq!(said(&apart), needs(""));
    apart.model =
        Some(made.file("own", &[("text_model.embeddings.token_embedding.weight", &[9, 768])]));
    assert_eq!(said(&apart), needs("a text encoder in the file given as `model`"));
    // A whole model and a diffusion model in place of its own.
    let mut both = ModelConfig::from_parts(&alone);
    both.model = Some(whole);
    assert_eq!(said(&both), needs(""));
}

#[test]
fn what_cannot_be_told_is_not_missing() {
    let made = Made::new();
    let pickle = made.path("p.ckpt");
    std::fs::write(&pickle, b"PK\x03\x04....").unwrap();
    assert_eq!(said(&ModelConfig::new(&pickle)), needs(""));
    let unknown = made.file("u", &[("something", &[3])]);
    assert_eq!(said(&ModelConfig::new(&unknown)), needs(""));
    let vae = made.file("v", &[("decoder.conv_in.weight", &[512, 4, 3, 3])]);
    assert_eq!(said(&ModelConfig::new(&vae)), needs("a diffusion model"));
    assert!(ModelConfig::new(made.path("none")).missing_parts().is_err());
    let file = ModelFile::open(&pickle).unwrap();
    assert_eq!(file.architecture(), Architecture::Unknown);
    assert!(file.reason().unwrap().contains("pickle") && file.to_string().contains("pickle"));
    assert_eq!((file.tensors().len(), file.quantisation()), (0, None));
}

/// A file is given as what it is, and the preset beside it names the rest.
#[test]
fn a_preset_makes_a_bare_model_whole() {
    let made = Made::new();
    let flux = made.file("flux", FLUX);
    let mut config = ModelConfig::for_file(&flux);
    assert_eq!((&config.model, &config.diffusion_model), (&None, &Some(flux.clone())));
    let parts = r#"{"clip_l":"c.gguf","t5xxl":"t.gguf","vae":"v.gguf","steps":30}"#;
    std::fs::write(Preset::path_beside(&flux), parts).unwrap();
    let preset = Preset::for_model(&flux).unwrap();
    preset.apply_to_config(&mut config);
    assert_eq!(said(&config), needs(""));
    // What it leaves out is as the family wants it.
    assert_eq!((preset.steps, preset.width, preset.cfg_scale), (Some(30), Some(1024), Some(1.0)));
    for whole in [made.file("sd1", SD1), "no/such.gguf".into()] {
        assert_eq!(ModelConfig::for_file(&whole), ModelConfig::new(whole));
    }
}
