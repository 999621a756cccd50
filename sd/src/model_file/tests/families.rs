//! Each family by the tensors that tell it.

use super::{Made, seen};
use crate::{
    Architecture::{self, *},
    ModelFile, ModelFormat, TextEncoder, VaeKind,
};

type Tensors<'a> = &'a [(&'a str, &'a [u64])];

const SD1_TOKENS: &str =
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight";
const SD2_TOKENS: &str = "cond_stage_model.model.token_embedding.weight";
const INPUT: &str = "model.diffusion_model.input_blocks.0.0.weight";
const MIDDLE: &str = "model.diffusion_model.middle_block.1.norm.weight";
const XL_TOKENS: &str =
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight";
const XL_SECOND: &str = "conditioner.embedders.1.model.ln_final.weight";

#[track_caller]
fn is(tensors: Tensors<'_>, expected: Architecture) {
    let file = seen(tensors);
    assert_eq!(file.architecture(), expected);
    assert_eq!(file.is_video_model(), expected.is_video_model());
    assert!(!file.architecture().label().is_empty());
    let text = file.to_string();
    assert!(text.contains(&expected.to_string()) && text.lines().count() < 25, "{text}");
}

#[test]
fn unets() {
    let unet = |channels, token: &'static str, width| {
        vec![(INPUT, [320, channels, 3, 3]), (token, [1, 1, 100, width])]
    };
    let with = |mut tensors: Vec<(&'static str, [u64; 4])>, more: &[&'static str]| {
        tensors.extend(more.iter().map(|name| (*name, [1, 1, 1, 8])));
        tensors
    };
    for (tensors, expected) in [
        (with(unet(4, SD1_TOKENS, 768), &[MIDDLE]), Sd1),
        (with(unet(9, SD1_TOKENS, 768), &[MIDDLE]), Sd1Inpaint),
        (with(unet(8, SD1_TOKENS, 768), &[MIDDLE]), Sd1Pix2Pix),
        (
            with(unet(4, SD1_TOKENS, 768), &["model.diffusion_model.output_blocks.7.1.norm.bias"]),
            Sd1Tiny,
        ),
        (unet(4, SD1_TOKENS, 768), Sdxs512),
        (with(unet(4, SD2_TOKENS, 1024), &[MIDDLE]), Sd2),
        (with(unet(9, SD2_TOKENS, 1024), &[MIDDLE]), Sd2Inpaint),
        (unet(4, SD2_TOKENS, 1024), Sd2Tiny),
        (with(unet(4, XL_TOKENS, 768), &[MIDDLE, XL_SECOND]), Sdxl),
        (with(unet(9, XL_TOKENS, 768), &[MIDDLE, XL_SECOND]), SdxlInpaint),
        (with(unet(8, XL_TOKENS, 768), &[MIDDLE, XL_SECOND]), SdxlPix2Pix),
        (with(unet(4, XL_TOKENS, 768), &[XL_SECOND]), SdxlVega),
        (
            with(
                unet(4, XL_TOKENS, 768),
                &[
                    XL_SECOND,
                    "model.diffusion_model.output_blocks.3.1.transformer_blocks.1.norm1.bias",
                ],
            ),
            SdxlSsd1b,
        ),
        (
            with(unet(4, "conditioner.embedders.0.model.token_embedding.weight", 1280), &[MIDDLE]),
            SdxlRefiner,
        ),
        (
            with(
                unet(8, SD2_TOKENS, 1024),
                &["model.diffusion_model.input_blocks.8.0.time_mixer.mix_factor"],
            ),
            Svd,
        ),
    ] {
        let tensors: Vec<(&str, &[u64])> = tensors.iter().map(|(n, s)| (*n, &s[..])).collect();
        is(&tensors, expected);
    }
    is(
        &[
            (INPUT, &[320, 4, 3, 3]),
            (SD2_TOKENS, &[100, 1024]),
            (
                "model.diffusion_model.output_blocks.7.1.transformer_blocks.0.attn1.to_k.weight",
                &[8, 1024],
            ),
        ],
        Sdxs09,
    );
}

#[test]
fn unets_without_text_encoder_are_told_by_shape() {
    let cross = "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight";
    for (width, expected) in [(768, Sd1), (1024, Sd2), (2048, Sdxl), (1280, SdxlRefiner)] {
        is(
            &[
                ("input_blocks.0.0.weight", &[320, 4, 3, 3]),
                (cross, &[640, width]),
                ("middle_block.1.norm.weight", &[8]),
            ],
            expected,
        );
    }
    let diffusers = seen(&[
        ("conv_in.weight", &[320, 4, 3, 3]),
        ("mid_block.resnets.1.norm1.weight", &[8]),
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", &[320, 768]),
    ]);
    assert_eq!(diffusers.architecture(), Sd1);
    assert_eq!(diffusers.config_field(), Some("diffusion_model"));
}

#[test]
fn transformers() {
    let double = "double_blocks.0.img_mod.lin.weight";
    let single = "single_blocks.0.linear1.weight";
    let guidance = "guidance_in.in_layer.weight";
    let wan = "blocks.0.cross_attn.norm_k.weight";
    let patch = "patch_embedding.weight";
    let cases: &[(Tensors<'_>, Architecture)] = &[
        (&[("joint_blocks.0.x_block.attn.qkv.weight", &[8, 8])], Sd3),
        (&[(double, &[8]), (guidance, &[8]), ("img_in.weight", &[3072, 64])], FluxDev),
        (&[(double, &[8]), ("img_in.weight", &[3072, 64])], FluxSchnell),
        (&[("single_transformer_blocks.0.proj_out.weight", &[8, 8])], FluxSchnell),
        (
            &[
                ("single_transformer_blocks.0.proj_out.weight", &[8, 8]),
                ("time_text_embed.guidance_embedder.linear_1.weight", &[8, 8]),
            ],
            FluxDev,
        ),
        (&[(double, &[8]), (guidance, &[8]), ("img_in.weight", &[3072, 384])], FluxFill),
        (&[(double, &[8]), (guidance, &[8]), ("img_in.weight", &[3072, 128])], FluxControl),
        (&[(double, &[8]), (guidance, &[8]), ("img_in.weight", &[3072, 196])], Flex2),
        (&[(double, &[8]), ("distilled_guidance_layer.in_proj.weight", &[8, 8])], Chroma),
        (
            &[
                (double, &[8]),
                ("nerf_final_layer_conv.conv.weight", &[8]),
                ("distilled_guidance_layer.in_proj.weight", &[8, 8]),
            ],
            ChromaRadiance,
        ),
        (&[(double, &[8]), ("context_embedder.weight", &[8, 3584])], LongCat),
        (
            &[
                (double, &[8]),
                ("double_stream_modulation_img.lin.weight", &[8]),
                ("single_blocks.47.linear1.weight", &[8]),
            ],
            Flux2,
        ),
        (
            &[(double, &[8]), ("double_stream_modulation_img.lin.weight", &[8]), (single, &[8])],
            Flux2Klein,
        ),
        (&[(double, &[8]), ("double_blocks.0.img_mlp.gate_proj.weight", &[8])], OvisImage),
        (&[(wan, &[8]), (patch, &[1536, 16, 1, 2, 2])], WanT2v),
        (&[(wan, &[8]), (patch, &[1536, 16, 1, 2, 2]), ("vace_blocks.0.x", &[8])], WanVace),
        (&[(wan, &[8]), (patch, &[5120, 36, 1, 2, 2]), ("img_emb.proj.0.bias", &[8])], Wan21I2v),
        (&[(wan, &[8]), (patch, &[5120, 36, 1, 2, 2]), ("img_emb.emb_pos", &[8])], Wan21Flf2v),
        (&[(wan, &[8]), (patch, &[5120, 36, 1, 2, 2])], Wan22I2v),
        (&[(wan, &[8]), (patch, &[3072, 48, 1, 2, 2])], Wan22Ti2v),
        (&[("adaln_single.emb.timestep_embedder.linear_1.bias", &[8])], Ltx2),
        (&[("transformer_blocks.0.img_mod.1.weight", &[8])], QwenImage),
        (
            &[
                ("transformer_blocks.0.attn.norm_added_q.weight", &[8]),
                ("transformer_blocks.0.img_mlp.w1.weight", &[8]),
                ("transformer_blocks.0.img_mod.1.weight", &[8]),
            ],
            Lens,
        ),
        (&[("cap_embedder.0.weight", &[8])], ZImage),
        (&[("layers.0.adaLN_sa_ln.weight", &[8])], ErnieImage),
        (&[("net.lq_proj.latent_proj.0.weight", &[8])], Pid),
    ];
    for (tensors, expected) in cases {
        let bare = seen(tensors);
        assert_eq!(bare.architecture(), *expected);
        assert_eq!(bare.config_field(), Some("diffusion_model"), "{expected}");
        let names: Vec<_> =
            tensors.iter().map(|(n, s)| (format!("model.diffusion_model.{n}"), *s)).collect();
        let whole: Vec<(&str, &[u64])> = names.iter().map(|(n, s)| (n.as_str(), *s)).collect();
        is(&whole, *expected);
        assert_eq!(seen(&whole).config_field(), Some("model"), "{expected}");
    }
    is(&[("llm_adapter.blocks.0.cross_attn.q_proj.weight", &[8])], Anima);
    is(&[("embed_image_indicator.weight", &[8])], Ideogram4);
    is(
        &[
            ("model.x_embedder.proj1.weight", &[8]),
            ("model.language_model.layers.0.self_attn.q_proj.weight", &[8]),
        ],
        HiDreamO1,
    );
}

#[test]
fn parts() {
    let clip = "text_model.embeddings.token_embedding.weight";
    let open_clip = "transformer.resblocks.0.ln_1.weight";
    let norm = "model.layers.0.input_layernorm.weight";
    let q_norm = "model.layers.0.self_attn.q_norm.weight";
    let embed = "model.embed_tokens.weight";
    let encoder = Architecture::TextEncoder;
    let cases: &[(Tensors<'_>, Architecture, Option<&str>)] = &[
        (&[(clip, &[100, 768])], encoder(TextEncoder::ClipL), Some("clip_l")),
        (&[(clip, &[100, 1280])], encoder(TextEncoder::ClipG), Some("clip_g")),
        (
            &[("token_embedding.weight", &[100, 1024]), (open_clip, &[8])],
            encoder(TextEncoder::ClipH),
            None,
        ),
        (
            &[("vision_model.embeddings.patch_embedding.weight", &[1280, 3, 14, 14])],
            encoder(TextEncoder::ClipVision),
            Some("clip_vision"),
        ),
        (
            &[("encoder.block.0.layer.0.SelfAttention.q.weight", &[8, 8])],
            encoder(TextEncoder::T5Xxl),
            Some("t5xxl"),
        ),
        (&[("enc.blk.0.attn_q.weight", &[8, 8])], encoder(TextEncoder::T5Xxl), Some("t5xxl")),
        (
            &[("enc.blk.0.attn_q.weight", &[8, 8]), ("enc.blk.1.attn_rel_b.weight", &[8, 8])],
            encoder(TextEncoder::Umt5Xxl),
            Some("t5xxl"),
        ),
        (
            &[(embed, &[9, 2560]), (norm, &[8]), (q_norm, &[8])],
            encoder(TextEncoder::Qwen3),
            Some("llm"),
        ),
        (
            &[
                ("token_embd.weight", &[9, 3584]),
                ("blk.0.attn_norm.weight", &[8]),
                ("blk.0.attn_q.bias", &[8]),
            ],
            encoder(TextEncoder::Qwen25Vl),
            Some("llm"),
        ),
        (
            &[(embed, &[9, 4096]), (norm, &[8]), (q_norm, &[8]), ("visual.deepstack.x", &[8])],
            encoder(TextEncoder::Qwen3Vl),
            Some("llm"),
        ),
        (&[(embed, &[9, 5120]), (norm, &[8])], encoder(TextEncoder::MistralSmall), Some("llm")),
        (&[(embed, &[9, 3072]), (norm, &[8])], encoder(TextEncoder::Ministral3), Some("llm")),
        (&[(embed, &[9, 2304]), (norm, &[8])], encoder(TextEncoder::Gemma2), Some("llm")),
        (&[(embed, &[9, 3840]), (norm, &[8])], encoder(TextEncoder::Gemma3), Some("llm")),
        (
            &[(embed, &[9, 2880]), (norm, &[8]), ("model.layers.0.self_attn.sinks", &[8])],
            encoder(TextEncoder::GptOss),
            Some("llm"),
        ),
        (
            &[
                (embed, &[9, 2560]),
                (norm, &[8]),
                (q_norm, &[8]),
                ("model.layers.0.pre_feedforward_layernorm.weight", &[8]),
            ],
            encoder(TextEncoder::OtherLlm),
            Some("llm"),
        ),
        (&[(embed, &[9, 77]), (norm, &[8])], encoder(TextEncoder::OtherLlm), Some("llm")),
        (
            &[("v.patch_embd.weight", &[8, 3, 14, 14])],
            encoder(TextEncoder::LlmVision),
            Some("llm_vision"),
        ),
        (&[("decoder.conv_in.weight", &[512, 4, 3, 3])], Vae(VaeKind::Channels4), Some("vae")),
        (
            &[("first_stage_model.decoder.conv_in.weight", &[512, 16, 3, 3])],
            Vae(VaeKind::Channels16),
            Some("vae"),
        ),
        (&[("decoder.conv_in.weight", &[512, 32, 3, 3])], Vae(VaeKind::Channels32), Some("vae")),
        (
            &[("decoder.middle.0.residual.0.gamma", &[8]), ("conv2.weight", &[16, 16, 1, 1, 1])],
            Vae(VaeKind::Wan),
            Some("vae"),
        ),
        (
            &[("decoder.middle.0.residual.0.gamma", &[8]), ("conv2.weight", &[48, 48, 1, 1, 1])],
            Vae(VaeKind::Wan22),
            Some("vae"),
        ),
        (&[("decoder.conv_in.conv.weight", &[8, 128, 3, 3, 3])], Vae(VaeKind::Ltx), Some("vae")),
        (&[("decoder.layers.0.weight", &[64, 4, 3, 3])], Taesd, Some("taesd")),
        (
            &[
                ("decoder.1.weight", &[256, 16, 3, 3]),
                ("decoder.3.conv.0.weight", &[256, 512, 3, 3]),
            ],
            Taehv,
            Some("taesd"),
        ),
        (&[("vocoder.vocoder.conv_pre.weight", &[8])], AudioVae, Some("audio_vae")),
        (
            &[("text_embedding_projection.projection.weight", &[8])],
            LtxConnectors,
            Some("embeddings_connectors"),
        ),
        (&[("initial_conv.weight", &[8]), ("upsampler.0.weight", &[8])], LtxUpscaler, None),
        (
            &[
                ("control_model.input_hint_block.0.weight", &[16, 3, 3, 3]),
                ("control_model.zero_convs.0.0.weight", &[8]),
                ("control_model.input_blocks.0.0.weight", &[320, 4, 3, 3]),
            ],
            ControlNet,
            Some("control_net"),
        ),
        (
            &[
                ("controlnet_cond_embedding.conv_in.weight", &[16, 3, 3, 3]),
                ("conv_in.weight", &[320, 4, 3, 3]),
            ],
            ControlNetDiffusers,
            None,
        ),
        (&[("emb_params", &[4, 768])], Embedding, Some("embeddings")),
        (&[("clip_l", &[4, 768]), ("clip_g", &[4, 1280])], Embedding, Some("embeddings")),
        (
            &[("conv_first.weight", &[64, 3, 3, 3]), ("body.0.rdb1.conv1.weight", &[8])],
            Upscaler,
            None,
        ),
        (
            &[("model.0.weight", &[64, 3, 3, 3]), ("model.1.sub.0.RDB1.conv1.0.weight", &[8])],
            Upscaler,
            None,
        ),
        (&[("id_encoder.fuse_module.mlp1.fc1.weight", &[8])], PhotoMaker, Some("photo_maker")),
        (&[("a.lora_up.weight", &[8, 4]), ("a.lora_down.weight", &[4, 8])], Lora, None),
        (&[("something", &[3])], Unknown, None),
    ];
    for (tensors, expected, field) in cases {
        is(tensors, *expected);
        let file = seen(tensors);
        assert_eq!(file.config_field(), *field, "{expected}");
        assert!(file.missing_parts().is_empty(), "{expected}");
        assert!(!file.is_image_model() && !file.is_video_model());
        assert_eq!(
            file.reason().is_some(),
            matches!(expected, Unknown | ControlNetDiffusers),
            "{expected}"
        );
    }
}

#[test]
fn a_diffusers_folder_is_one_model() {
    let made = Made::new();
    made.file(
        "d/unet/diffusion_pytorch_model.safetensors",
        &[
            ("conv_in.weight", &[320, 4, 3, 3]),
            ("down_blocks.0.resnets.0.norm1.weight", &[8]),
            ("mid_block.resnets.1.norm1.weight", &[8]),
        ],
    );
    made.file(
        "d/vae/diffusion_pytorch_model.safetensors",
        &[("decoder.conv_in.weight", &[512, 4, 3, 3])],
    );
    made.file(
        "d/text_encoder/model.safetensors",
        &[("text_model.embeddings.token_embedding.weight", &[100, 768])],
    );
    let file = ModelFile::open(made.path("d")).unwrap();
    assert_eq!((file.format(), file.architecture()), (ModelFormat::Diffusers, Sd1));
    assert_eq!(file.files().len(), 3);
    assert_eq!(file.components().len(), 3);
    assert!(file.missing_parts().is_empty(), "{file}");
    let vae = file.tensor("vae.decoder.conv_in.weight").unwrap();
    assert!(file.files()[vae.file()].ends_with("vae/diffusion_pytorch_model.safetensors"));
    made.file(
        "d/text_encoder_2/model.safetensors",
        &[("text_model.embeddings.token_embedding.weight", &[100, 1280])],
    );
    assert_eq!(ModelFile::open(made.path("d")).unwrap().architecture(), Sdxl);
}

#[test]
fn built_in_text_encoders_have_their_familys_names() {
    let built_in = |name: &'static str, sign: &'static str| {
        let file = seen(&[(sign, &[8]), (name, &[8, 8])]);
        let tensor = file.tensor(name).unwrap();
        file.component_of(tensor).to_string()
    };
    let llm = "text_encoders.llm.model.embed_tokens.weight";
    let t5 = "text_encoders.t5xxl.transformer.shared.weight";
    assert_eq!(built_in(llm, "model.diffusion_model.cap_embedder.0.weight"), "Qwen3");
    assert_eq!(
        built_in(llm, "model.diffusion_model.transformer_blocks.0.img_mod.1.weight"),
        "Qwen2.5-VL"
    );
    assert_eq!(built_in(t5, "model.diffusion_model.blocks.0.cross_attn.norm_k.weight"), "umT5-XXL");
    assert_eq!(built_in(t5, "model.diffusion_model.double_blocks.0.x"), "T5-XXL");
    assert_eq!(built_in(llm, "unknown"), "unknown language model");
    let both = seen(&[
        ("cond_stage_model.1.transformer.text_model.embeddings.token_embedding.weight", &[9, 1280]),
        (SD1_TOKENS, &[9, 768]),
    ]);
    let parts: Vec<_> = both.components().iter().map(|c| c.component.to_string()).collect();
    assert_eq!(parts, ["CLIP-G", "CLIP-L"]);
}
