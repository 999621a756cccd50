//! Names of one tensor in the ways that models and LoRAs write it, made comparable.
//!
//! Blanks between words are `.` in some and `_` in others, so all become `_`. Then names of
//! diffusers layout become those of the original layout, as far as the engine converts them. Where
//! the original has one tensor for what diffusers has in several, these are its parts.

use super::{
    architecture::{Architecture, TextEncoder},
    component::Component,
};

/// A tensor's name, the same for all ways to write it, and which part of the tensor it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) part: u8,
}

/// Where names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Diffusion,
    Clip1,
    Clip2,
    T5,
    Llm,
    Vae,
}

/// The key of a model's weight; none for biases and what no LoRA changes.
pub(super) fn of_model(name: &str, component: Component, a: Architecture) -> Option<Key> {
    let space = match component {
        Component::DiffusionModel => Space::Diffusion,
        Component::TextEncoder(TextEncoder::ClipL | TextEncoder::ClipH) => Space::Clip1,
        Component::TextEncoder(TextEncoder::ClipG) => Space::Clip2,
        Component::TextEncoder(TextEncoder::T5Xxl | TextEncoder::Umt5Xxl) => Space::T5,
        Component::TextEncoder(e) if e.is_llm() => Space::Llm,
        Component::Vae => Space::Vae,
        _ => return None,
    };
    let name = name.strip_suffix(".weight").or_else(|| name.strip_suffix("in_proj_weight"))?;
    let open_clip = name.ends_with("attn.");
    let rest = strip(name, MODEL_PREFIXES);
    let rest = match space {
        Space::Diffusion => rest,
        _ => strip(rest, &["transformer.text_model", "model.text_model", "transformer.", "model."])
            .trim_start_matches('.'),
    };
    let mut squashed = rest.replace('.', "_");
    if open_clip {
        squashed.push_str("in_proj");
    }
    Some(key(space, &squashed, a))
}

const MODEL_PREFIXES: &[&str] = &[
    "model.diffusion_model.",
    "diffusion_model.",
    "unet.",
    "cond_stage_model.1.",
    "cond_stage_model.",
    "conditioner.embedders.0.",
    "conditioner.embedders.1.",
    "text_encoders.clip_l.",
    "text_encoders.clip_g.",
    "text_encoders.t5xxl.",
    "text_encoders.llm.",
    "te.1.",
    "te.",
    "first_stage_model.",
    "vae.",
];

fn strip<'a>(name: &'a str, prefixes: &[&str]) -> &'a str {
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// What a LoRA's names begin with, longer ones first. A name without one of these is not found by
/// the engine.
const LORA_PREFIXES: &[(&str, Space)] = &[
    ("unet_", Space::Diffusion),
    ("unet.", Space::Diffusion),
    ("model.diffusion_model.", Space::Diffusion),
    ("diffusion_model.", Space::Diffusion),
    ("transformer.", Space::Diffusion),
    ("te_", Space::Clip1),
    ("te1_", Space::Clip1),
    ("te2_", Space::Clip2),
    ("te3_", Space::T5),
    ("te.", Space::Clip1),
    ("te1.", Space::Clip1),
    ("te2.", Space::Clip2),
    ("te3.", Space::T5),
    ("text_encoder.2.", Space::Clip2),
    ("text_encoder.", Space::Clip1),
    ("text_encoders.clip_l.", Space::Clip1),
    ("text_encoders.clip_g.", Space::Clip2),
    ("text_encoders.t5xxl.", Space::T5),
    ("text_encoders.llm.", Space::Llm),
    ("cond_stage_model.1.", Space::Clip2),
    ("cond_stage_model.", Space::Clip1),
    ("vae_", Space::Vae),
    ("vae.", Space::Vae),
    ("first_stage_model.", Space::Vae),
];

/// The key of what a LoRA's module changes, if the engine would find it.
pub(super) fn of_lora(module: &str, a: Architecture) -> Option<Key> {
    let name = strip(module, &["lora.", "lora_", "lycoris_", "lycoris."]);
    let diffusers = ["transformer_blocks", "single_transformer_blocks"];
    let (space, rest) = if diffusers.iter().any(|head| name.starts_with(head)) {
        (Space::Diffusion, name)
    } else {
        LORA_PREFIXES
            .iter()
            .find_map(|(prefix, space)| Some((*space, name.strip_prefix(prefix)?)))?
    };
    let rest = rest.replace(".processor", "").replace('.', "_");
    let rest = match space {
        Space::Diffusion => rest.as_str(),
        _ => strip(&rest, &["transformer_text_model_", "text_model_", "transformer_"]),
    };
    Some(key(space, rest, a))
}

fn key(space: Space, name: &str, a: Architecture) -> Key {
    let (name, part) = match space {
        Space::Diffusion => diffusion(name, a),
        Space::Clip1 | Space::Clip2 => clip(strip(name, &["text_model_"])),
        _ => (name.to_owned(), 0),
    };
    Key { name: format!("{space:?} {name}"), part }
}

/// Whether a tensor of this key is made of parts, not all of which a LoRA must change.
pub(super) fn has_parts(key: &str) -> bool {
    ["_qkv", "_in_proj", "_linear1"].iter().any(|end| key.ends_with(end))
}

fn replaced(name: &str, ends: &[(&str, &str, u8)]) -> Option<(String, u8)> {
    ends.iter().find_map(|(from, to, part)| {
        name.strip_suffix(from).map(|head| (format!("{head}{to}"), *part))
    })
}

fn clip(name: &str) -> (String, u8) {
    let name = match name.strip_prefix("transformer_resblocks_") {
        Some(rest) => format!("encoder_layers_{rest}"),
        None => match name.strip_prefix("resblocks_") {
            Some(rest) => format!("encoder_layers_{rest}"),
            None => name.to_owned(),
        },
    };
    replaced(
        &name,
        &[
            ("self_attn_q_proj", "self_attn_in_proj", 0),
            ("self_attn_k_proj", "self_attn_in_proj", 1),
            ("self_attn_v_proj", "self_attn_in_proj", 2),
            ("self_attn_in_proj", "self_attn_in_proj", 0),
            ("attn_in_proj", "self_attn_in_proj", 0),
            ("self_attn_out_proj", "self_attn_out_proj", 0),
            ("attn_out_proj", "self_attn_out_proj", 0),
            ("_mlp_c_fc", "_mlp_fc1", 0),
            ("_mlp_c_proj", "_mlp_fc2", 0),
        ],
    )
    .unwrap_or((name, 0))
}

fn diffusion(name: &str, a: Architecture) -> (String, u8) {
    use Architecture as A;
    let converted = match a {
        a if a.is_unet() => unet(name, a).map(|name| (name, 0)),
        A::Sd3 => joint_blocks(name),
        A::Flux2 | A::Flux2Klein | A::LongCat => flux(name),
        a if a.is_flux() => flux(name),
        A::ZImage => replaced(
            name,
            &[
                ("_attention_to_q", "_attention_qkv", 0),
                ("_attention_to_k", "_attention_qkv", 1),
                ("_attention_to_v", "_attention_qkv", 2),
                ("_attention_to_out_0", "_attention_out", 0),
            ],
        ),
        A::Anima => name.strip_prefix("net_").map(|rest| (rest.to_owned(), 0)),
        _ => None,
    };
    converted.unwrap_or_else(|| (name.to_owned(), 0))
}

/// The number at the start, and what is after the `_` behind it.
fn number(text: &str) -> Option<(u32, &str)> {
    let (number, rest) = text.split_once('_').unwrap_or((text, ""));
    Some((number.parse().ok().filter(|n| *n < 100)?, rest))
}

fn unet(name: &str, a: Architecture) -> Option<String> {
    for (from, to) in [
        ("conv_in", "input_blocks_0_0"),
        ("conv_norm_out", "out_0"),
        ("conv_out", "out_2"),
        ("time_embedding_linear_1", "time_embed_0"),
        ("time_embedding_linear_2", "time_embed_2"),
        ("add_embedding_linear_1", "label_emb_0_0"),
        ("add_embedding_linear_2", "label_emb_0_2"),
    ] {
        if name == from {
            return Some(to.to_owned());
        }
    }
    if let Some(rest) = name.strip_prefix("mid_block_") {
        if let Some(rest) = rest.strip_prefix("attentions_0_") {
            return Some(format!("middle_block_1_{rest}"));
        }
        let (j, rest) = number(rest.strip_prefix("resnets_")?)?;
        return Some(format!("middle_block_{}_{}", 2 * j, resnet(rest)));
    }
    let (down, rest) = match name.strip_prefix("down_blocks_") {
        Some(rest) => (true, rest),
        None => (false, name.strip_prefix("up_blocks_")?),
    };
    let (i, rest) = number(rest)?;
    if rest == "downsamplers_0_conv" {
        return Some(format!("input_blocks_{}_0_op", 3 * (i + 1)));
    }
    if rest == "upsamplers_0_conv" {
        let second = i > 0 || a.is_sdxl();
        return Some(format!("output_blocks_{}_{}_conv", 3 * i + 2, 1 + u32::from(second)));
    }
    let (attention, rest) = match rest.strip_prefix("attentions_") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("resnets_")?),
    };
    let (j, rest) = number(rest)?;
    let rest = if attention { rest.to_owned() } else { resnet(rest) };
    Some(match down {
        true => format!("input_blocks_{}_{}_{rest}", 3 * i + j + 1, u8::from(attention)),
        false => format!("output_blocks_{}_{}_{rest}", 3 * i + j, u8::from(attention)),
    })
}

fn resnet(name: &str) -> String {
    match name {
        "norm1" => "in_layers_0",
        "conv1" => "in_layers_2",
        "norm2" => "out_layers_0",
        "conv2" => "out_layers_3",
        "time_emb_proj" => "emb_layers_1",
        "conv_shortcut" => "skip_connection",
        other => other,
    }
    .to_owned()
}

/// The block's number and the rest, after one of these heads.
fn block<'a>(name: &'a str, head: &str) -> Option<(u32, &'a str)> {
    number(name.strip_prefix(head)?)
}

fn place(all: &[(&str, &'static str, u8)], rest: &str) -> Option<(&'static str, u8)> {
    all.iter().find(|(from, ..)| *from == rest).map(|(_, to, part)| (*to, *part))
}

fn flux(name: &str) -> Option<(String, u8)> {
    if let Some((n, rest)) = block(name, "single_transformer_blocks_") {
        let (to, part) = place(
            &[
                ("norm_linear", "modulation_lin", 0),
                ("attn_to_q", "linear1", 0),
                ("attn_to_k", "linear1", 1),
                ("attn_to_v", "linear1", 2),
                ("proj_mlp", "linear1", 3),
                ("proj_out", "linear2", 0),
            ],
            rest,
        )?;
        return Some((format!("single_blocks_{n}_{to}"), part));
    }
    if let Some((n, rest)) = block(name, "transformer_blocks_") {
        let (to, part) = place(
            &[
                ("norm1_linear", "img_mod_lin", 0),
                ("norm1_context_linear", "txt_mod_lin", 0),
                ("attn_to_q", "img_attn_qkv", 0),
                ("attn_to_k", "img_attn_qkv", 1),
                ("attn_to_v", "img_attn_qkv", 2),
                ("attn_add_q_proj", "txt_attn_qkv", 0),
                ("attn_add_k_proj", "txt_attn_qkv", 1),
                ("attn_add_v_proj", "txt_attn_qkv", 2),
                ("ff_net_0_proj", "img_mlp_0", 0),
                ("ff_net_2", "img_mlp_2", 0),
                ("ff_context_net_0_proj", "txt_mlp_0", 0),
                ("ff_context_net_2", "txt_mlp_2", 0),
                ("attn_to_out_0", "img_attn_proj", 0),
                ("attn_to_add_out", "txt_attn_proj", 0),
            ],
            rest,
        )?;
        return Some((format!("double_blocks_{n}_{to}"), part));
    }
    let (to, part) = place(
        &[
            ("context_embedder", "txt_in", 0),
            ("x_embedder", "img_in", 0),
            ("proj_out", "final_layer_linear", 0),
            ("norm_out_linear", "final_layer_adaLN_modulation_1", 0),
            ("time_text_embed_timestep_embedder_linear_1", "time_in_in_layer", 0),
            ("time_text_embed_timestep_embedder_linear_2", "time_in_out_layer", 0),
            ("time_text_embed_text_embedder_linear_1", "vector_in_in_layer", 0),
            ("time_text_embed_text_embedder_linear_2", "vector_in_out_layer", 0),
            ("time_text_embed_guidance_embedder_linear_1", "guidance_in_in_layer", 0),
            ("time_text_embed_guidance_embedder_linear_2", "guidance_in_out_layer", 0),
        ],
        name,
    )?;
    Some((to.to_owned(), part))
}

fn joint_blocks(name: &str) -> Option<(String, u8)> {
    let Some((n, rest)) = block(name, "transformer_blocks_") else {
        let to = match name {
            "proj_out" => "final_layer_linear",
            "norm_out_linear" => "final_layer_adaLN_modulation_1",
            "pos_embed_proj" => "x_embedder_proj",
            _ => return None,
        };
        return Some((to.to_owned(), 0));
    };
    let (side, to, part) = match rest {
        "norm1_linear" => ("x", "adaLN_modulation_1", 0),
        "norm1_context_linear" => ("context", "adaLN_modulation_1", 0),
        "attn_to_q" => ("x", "attn_qkv", 0),
        "attn_to_k" => ("x", "attn_qkv", 1),
        "attn_to_v" => ("x", "attn_qkv", 2),
        "attn_add_q_proj" => ("context", "attn_qkv", 0),
        "attn_add_k_proj" => ("context", "attn_qkv", 1),
        "attn_add_v_proj" => ("context", "attn_qkv", 2),
        "attn2_to_q" => ("x", "attn2_qkv", 0),
        "attn2_to_k" => ("x", "attn2_qkv", 1),
        "attn2_to_v" => ("x", "attn2_qkv", 2),
        "ff_net_0_proj" => ("x", "mlp_fc1", 0),
        "ff_net_2" => ("x", "mlp_fc2", 0),
        "ff_context_net_0_proj" => ("context", "mlp_fc1", 0),
        "ff_context_net_2" => ("context", "mlp_fc2", 0),
        "attn_to_out_0" => ("x", "attn_proj", 0),
        "attn2_to_out_0" => ("x", "attn2_proj", 0),
        "attn_to_add_out" => ("context", "attn_proj", 0),
        _ => return None,
    };
    Some((format!("joint_blocks_{n}_{side}_block_{to}"), part))
}
