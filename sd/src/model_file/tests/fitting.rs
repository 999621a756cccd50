//! LoRAs, ControlNets and embeddings beside models.

use super::{Made, seen};
use crate::{Architecture, Mismatch, ModelFile};

/// SDXL's U-Net in the original layout, with a text encoder of each layout.
fn sdxl() -> ModelFile {
    seen(&[
        ("model.diffusion_model.input_blocks.0.0.weight", &[320, 4, 3, 3]),
        (
            "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
            &[640, 2048],
        ),
        ("model.diffusion_model.input_blocks.1.0.in_layers.2.weight", &[320, 320, 3, 3]),
        ("model.diffusion_model.middle_block.1.norm.weight", &[1280]),
        ("model.diffusion_model.output_blocks.2.2.conv.weight", &[1280, 1280, 3, 3]),
        (
            "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight",
            &[9, 768],
        ),
        (
            "conditioner.embedders.0.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight",
            &[768, 768],
        ),
        (
            "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight",
            &[3840, 1280],
        ),
        ("conditioner.embedders.1.model.transformer.resblocks.0.mlp.c_fc.weight", &[5120, 1280]),
    ])
}

fn flux() -> ModelFile {
    seen(&[
        ("double_blocks.0.img_attn.qkv.weight", &[9216, 3072]),
        ("single_blocks.0.linear1.weight", &[21504, 3072]),
        ("single_blocks.0.linear2.weight", &[3072, 15360]),
        ("guidance_in.in_layer.weight", &[3072, 256]),
        ("img_in.weight", &[3072, 64]),
    ])
}

/// A LoRA of one module in the naming of kohya or diffusers.
fn lora(module: &str, down: &[u64], up: &[u64]) -> ModelFile {
    lora_of(&[(module, down, up)])
}

fn lora_of(modules: &[(&str, &[u64], &[u64])]) -> ModelFile {
    let names: Vec<_> = modules
        .iter()
        .map(|(module, ..)| {
            (format!("{module}.lora_down.weight"), format!("{module}.lora_up.weight"))
        })
        .collect();
    let tensors: Vec<(&str, &[u64])> = modules
        .iter()
        .zip(&names)
        .flat_map(|((_, down, up), names)| [(names.0.as_str(), *down), (names.1.as_str(), *up)])
        .collect();
    seen(&tensors)
}

#[test]
fn all_namings_of_a_unet_fit() {
    let base = sdxl();
    for (module, down, up) in [
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", [8, 2048], [640, 8]),
        (
            "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k",
            [8, 2048],
            [640, 8],
        ),
        (
            "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k",
            [8, 2048],
            [640, 8],
        ),
        ("diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k", [8, 2048], [640, 8]),
        ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", [8, 768], [768, 8]),
        ("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", [8, 1280], [1280, 8]),
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1", [8, 1280], [5120, 8]),
    ] {
        let lora = lora(module, &down, &up);
        assert_eq!(lora.lora_fits(&base), Ok(()), "{module}");
        assert_eq!(lora.lora().unwrap().rank, Some(8));
    }
    for module in
        ["lora_unet_down_blocks_0_resnets_0_conv1", "lora_unet_input_blocks_1_0_in_layers_2"]
    {
        let conv = lora(module, &[4, 320, 3, 3], &[320, 4, 1, 1]);
        assert_eq!(conv.lora_fits(&base), Ok(()), "{module}");
    }
    let up = lora("lora_unet_up_blocks_0_upsamplers_0_conv", &[4, 1280, 3, 3], &[1280, 4, 1, 1]);
    assert_eq!(up.lora_fits(&base), Ok(()));
}

#[test]
fn another_shape_is_refused_by_name_with_both() {
    let module = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";
    let sd1 = lora(module, &[16, 768], &[640, 16]);
    assert_eq!(sd1.lora().unwrap().family, Some(Architecture::Sd1));
    let mismatch = sd1.lora_fits(&sdxl()).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        format!("{module} is for 640×768, and the model has 640×2048 there")
    );
    let lokr = seen(&[
        ("lycoris_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lokr_w1", &[4, 4]),
        ("lycoris_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lokr_w2", &[160, 100]),
    ]);
    assert!(matches!(lokr.lora_fits(&sdxl()), Err(Mismatch::Shape { .. })));
    let whole = seen(&[("unet.middle_block.1.norm.diff", &[77])]);
    assert!(matches!(whole.lora_fits(&sdxl()), Err(Mismatch::Shape { .. })));
}

#[test]
fn parts_of_one_tensor_add_up() {
    let base = flux();
    let q = ("transformer.transformer_blocks.0.attn.to_q", &[8, 3072][..], &[3072, 8][..]);
    let k = ("transformer.transformer_blocks.0.attn.to_k", q.1, q.2);
    let v = ("transformer.transformer_blocks.0.attn.to_v", q.1, q.2);
    assert_eq!(lora_of(&[q, k, v]).lora_fits(&base), Ok(()));
    // The engine fills up what is not there.
    assert_eq!(lora_of(&[q]).lora_fits(&base), Ok(()));
    let wide = ("transformer.transformer_blocks.0.attn.to_v", q.1, &[4096, 8][..]);
    assert!(matches!(lora_of(&[q, k, wide]).lora_fits(&base), Err(Mismatch::Shape { .. })));
    let kohya = lora("lora_unet_double_blocks_0_img_attn_qkv", &[8, 3072], &[9216, 8]);
    assert_eq!(kohya.lora_fits(&base), Ok(()));
    assert_eq!(
        lora("transformer.single_transformer_blocks.0.proj_out", &[8, 15360], &[3072, 8])
            .lora_fits(&base),
        Ok(())
    );
    // A control LoRA wants more channels than the model has.
    let control = lora("transformer.x_embedder", &[8, 128], &[3072, 8]);
    assert!(matches!(control.lora_fits(&base), Err(Mismatch::Shape { .. })));
    // The model's file in diffusers layout, the LoRA in the original one.
    let diffusers = seen(&[
        ("transformer_blocks.0.attn.to_q.weight", &[3072, 3072]),
        ("transformer_blocks.0.attn.to_k.weight", &[3072, 3072]),
        ("transformer_blocks.0.attn.to_v.weight", &[3072, 3072]),
        ("single_transformer_blocks.0.proj_out.weight", &[3072, 15360]),
    ]);
    assert_eq!(kohya.lora_fits(&diffusers), Ok(()));
    assert_eq!(lora_of(&[q, k, v]).lora_fits(&diffusers), Ok(()));
}

#[test]
fn other_transformers() {
    let z_image = seen(&[
        ("cap_embedder.0.weight", &[2560]),
        ("layers.0.attention.qkv.weight", &[11520, 3840]),
        ("layers.0.attention.out.weight", &[3840, 3840]),
    ]);
    let to = |what| format!("diffusion_model.layers.0.attention.{what}");
    assert_eq!(lora(&to("to_q"), &[8, 3840], &[3840, 8]).lora_fits(&z_image), Ok(()));
    assert_eq!(lora(&to("qkv"), &[8, 3840], &[11520, 8]).lora_fits(&z_image), Ok(()));
    assert_eq!(lora(&to("to_out.0"), &[8, 3840], &[3840, 8]).lora_fits(&z_image), Ok(()));
    assert!(lora(&to("out"), &[8, 3840], &[3072, 8]).lora_fits(&z_image).is_err());
    let sd3 = seen(&[("joint_blocks.3.x_block.attn.qkv.weight", &[4608, 1536])]);
    assert_eq!(
        lora("transformer.transformer_blocks.3.attn.to_q", &[8, 1536], &[1536, 8]).lora_fits(&sd3),
        Ok(())
    );
}

#[test]
fn what_takes_no_effect_is_refused() {
    let lora = lora("lora_unet_double_blocks_0_img_attn_qkv", &[8, 3072], &[9216, 8]);
    let mismatch = lora.lora_fits(&sdxl()).unwrap_err();
    assert!(
        matches!(&mismatch, Mismatch::NoKeyMatches { modules: 1, example, .. } if example.contains("double_blocks")),
        "{mismatch}"
    );
    // A name that the engine does not look for.
    let bare = self::lora("double_blocks.0.img_attn.qkv", &[8, 3072], &[9216, 8]);
    assert!(matches!(bare.lora_fits(&flux()), Err(Mismatch::NoKeyMatches { .. })));
    assert!(matches!(sdxl().lora_fits(&sdxl()), Err(Mismatch::WrongKind { .. })));
    assert!(matches!(lora.lora_fits(&lora), Err(Mismatch::WrongKind { .. })));
}

#[test]
fn families_of_loras() {
    let family = |module: &str, columns| {
        lora(module, &[4, columns], &[64, 4]).lora().unwrap().family.map(|f| f.label())
    };
    let cross = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";
    assert_eq!(family(cross, 2048), Some("SDXL"));
    assert_eq!(family(cross, 1024), Some("SD 2.x"));
    assert_eq!(family("lora_unet_single_blocks_3_linear2", 9), Some("FLUX.1 dev"));
    assert_eq!(family("diffusion_model.layers.0.attention.qkv", 9), Some("Z-Image"));
    assert_eq!(family("diffusion_model.blocks.0.cross_attn.k", 9), Some("Wan 2.x T2V"));
    assert_eq!(family("something", 9), None);
    let made = Made::new();
    let told = made.file_of(
        "l",
        "F16",
        &[("lora_te_x.lora_up.weight", &[8, 4]), ("lora_te_x.lora_down.weight", &[4, 8])],
        Some(serde_json::json!({"ss_base_model_version": "sdxl_base_v1-0"})),
    );
    let told = ModelFile::open(told).unwrap();
    let info = told.lora().unwrap();
    assert_eq!(info.family, Some(Architecture::Sdxl));
    assert!(info.changes_text_encoder && info.modules == 1 && info.rank == Some(4));
    assert!(told.to_string().contains("SDXL, 1 tensors, rank 4"), "{told}");
}

#[test]
fn control_nets_and_embeddings() {
    let control = |width: u64| {
        seen(&[
            ("input_hint_block.0.weight", &[16, 3, 3, 3]),
            ("zero_convs.0.0.weight", &[320, 320, 1, 1]),
            ("input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", &[640, width]),
        ])
    };
    assert_eq!(control(2048).control_net_fits(&sdxl()), Ok(()));
    assert!(matches!(control(768).control_net_fits(&sdxl()), Err(Mismatch::Shape { .. })));
    assert!(matches!(control(768).control_net_fits(&flux()), Err(Mismatch::Family { .. })));
    let embedding = |width: u64| seen(&[("emb_params", &[3, width])]);
    assert_eq!(embedding(768).embedding_fits(&sdxl()), Ok(()));
    assert_eq!(embedding(1280).embedding_fits(&sdxl()), Ok(()));
    let mismatch = embedding(1024).embedding_fits(&sdxl()).unwrap_err();
    assert!(matches!(mismatch, Mismatch::Shape { .. }), "{mismatch}");
    assert!(matches!(embedding(768).embedding_fits(&flux()), Err(Mismatch::Family { .. })));
    assert_eq!(embedding(1024).embedding_family(), Some(Architecture::Sd2));
    // The engine would write these past a buffer, or end the process over them.
    let made = Made::new();
    let cube = seen(&[("emb_params", &[3, 1, 768])]);
    let whole = made.file_of("i64.safetensors", "I64", &[("emb_params", &[3, 768])], None);
    let pickle = made.path("m.ckpt");
    std::fs::write(&pickle, b"\x80\x02}q\x00.").unwrap();
    let pickle = ModelFile::open(pickle).unwrap();
    for odd in [cube, ModelFile::open(whole).unwrap()] {
        for base in [&sdxl(), &pickle] {
            let told = odd.embedding_fits(base).unwrap_err();
            assert!(matches!(told, Mismatch::WrongKind { .. }), "{told}");
        }
    }
    assert_eq!(embedding(768).embedding_fits(&pickle), Ok(()));
    assert_eq!(sdxl().embedding_family(), None);
}
