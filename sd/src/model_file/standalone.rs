//! Which part a file is that has no diffusion model.

use super::{
    architecture::{Architecture, TextEncoder, VaeKind},
    lora,
    tensor::TensorInfo,
};

/// Finds tensors by the end of their names: files of one part have them with many prefixes.
struct Names<'a>(&'a [TensorInfo]);

impl<'a> Names<'a> {
    fn ending(&self, end: &str) -> Option<&'a TensorInfo> {
        self.0.iter().find(|t| {
            t.name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    fn has(&self, end: &str) -> bool {
        self.ending(end).is_some()
    }

    fn has_any(&self, ends: &[&str]) -> bool {
        ends.iter().any(|end| self.has(end))
    }

    fn containing(&self, part: &str) -> bool {
        self.0.iter().any(|t| t.name.contains(part))
    }

    /// The width of the rows of the first of these that is there.
    fn width(&self, ends: &[&str]) -> Option<u64> {
        ends.iter().find_map(|end| self.ending(end)).map(|t| t.inner(0))
    }
}

/// Parts whose tensors a diffusion model's could be taken for.
pub(super) fn before_families(tensors: &[TensorInfo]) -> Option<Architecture> {
    let names = Names(tensors);
    // Some have a LoRA with them.
    if names.containing("fuse_module.mlp1.") || names.containing("qformer_perceiver.") {
        return Some(Architecture::PhotoMaker);
    }
    if tensors.iter().any(|t| lora::is_lora_name(&t.name)) {
        return Some(Architecture::Lora);
    }
    if names.has("input_hint_block.0.weight") && names.has("zero_convs.0.0.weight") {
        return Some(Architecture::ControlNet);
    }
    if names.has("controlnet_cond_embedding.conv_in.weight") {
        return Some(Architecture::ControlNetDiffusers);
    }
    None
}

/// Parts of other names than diffusion models have.
pub(super) fn after_families(tensors: &[TensorInfo]) -> Option<Architecture> {
    let names = Names(tensors);
    if names.has("conv_first.weight") && names.has("body.0.rdb1.conv1.weight")
        || names.has("model.0.weight") && names.has("model.1.sub.0.RDB1.conv1.0.weight")
    {
        return Some(Architecture::Upscaler);
    }
    text_encoder(&names)
        .map(Architecture::TextEncoder)
        .or_else(|| autoencoder(&names))
        .or_else(|| embedding(tensors))
}

fn text_encoder(names: &Names<'_>) -> Option<TextEncoder> {
    let clip = names.width(&["text_model.embeddings.token_embedding.weight"]);
    let open_clip = names
        .width(&["token_embedding.weight"])
        .filter(|_| names.containing("transformer.resblocks.0."));
    match clip.or(open_clip) {
        Some(768) => return Some(TextEncoder::ClipL),
        Some(1024) => return Some(TextEncoder::ClipH),
        Some(1280) => return Some(TextEncoder::ClipG),
        Some(_) => return None,
        None => {}
    }
    if names.has_any(&["vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"]) {
        return Some(TextEncoder::ClipVision);
    }
    if names.has_any(&["encoder.block.0.layer.0.SelfAttention.q.weight", "enc.blk.0.attn_q.weight"])
    {
        // umT5 has position biases in all layers, T5 in the first only.
        let umt5 = names.has_any(&[
            "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight",
            "enc.blk.1.attn_rel_b.weight",
        ]);
        return Some(if umt5 { TextEncoder::Umt5Xxl } else { TextEncoder::T5Xxl });
    }
    let layer = names.has_any(&[
        "layers.0.self_attn.q_proj.weight",
        "layers.0.input_layernorm.weight",
        "blk.0.attn_norm.weight",
        "model.norm.weight",
        "output_norm.weight",
    ]);
    if let Some(width) = names.width(&["embed_tokens.weight", "token_embd.weight"])
        && layer
    {
        return Some(language_model(names, width));
    }
    let vision = names.has_any(&[
        "visual.patch_embed.proj.weight",
        "patch_embed.proj.weight",
        "v.patch_embd.weight",
    ]);
    vision.then_some(TextEncoder::LlmVision)
}

fn language_model(names: &Names<'_>, width: u64) -> TextEncoder {
    let sinks = names.has_any(&["layers.0.self_attn.sinks", "blk.0.attn_sinks.weight"]);
    let bias = names.has_any(&["layers.0.self_attn.q_proj.bias", "blk.0.attn_q.bias"]);
    let normed = names.has_any(&["layers.0.self_attn.q_norm.weight", "blk.0.attn_q_norm.weight"]);
    // Gemma has norms that the others lack, and widths that they have.
    let gemma = names.has_any(&[
        "layers.0.pre_feedforward_layernorm.weight",
        "blk.0.post_ffw_norm.weight",
        "blk.0.ffn_post_norm.weight",
    ]);
    match width {
        _ if sinks => TextEncoder::GptOss,
        3840 => TextEncoder::Gemma3,
        2304 => TextEncoder::Gemma2,
        _ if gemma => TextEncoder::OtherLlm,
        3584 if bias => TextEncoder::Qwen25Vl,
        _ if normed && names.containing("deepstack") => TextEncoder::Qwen3Vl,
        _ if normed => TextEncoder::Qwen3,
        5120 if !bias => TextEncoder::MistralSmall,
        3072 if !bias => TextEncoder::Ministral3,
        _ => TextEncoder::OtherLlm,
    }
}

fn autoencoder(names: &Names<'_>) -> Option<Architecture> {
    let tiny = names
        .ending("decoder.layers.0.weight")
        .or_else(|| names.ending("decoder.1.weight"))
        .filter(|t| t.shape.len() == 4);
    if tiny.is_some() {
        // A video one remembers the frame before: its blocks take twice the channels.
        let remembers = ["decoder.3.conv.0.weight", "decoder.layers.3.conv.0.weight"]
            .iter()
            .filter_map(|name| names.ending(name))
            .any(|t| t.inner(2) == t.inner(3).saturating_mul(2));
        return Some(if remembers { Architecture::Taehv } else { Architecture::Taesd });
    }
    if names.containing("audio_vae.decoder.") || names.containing("vocoder.") {
        return Some(Architecture::AudioVae);
    }
    if names.containing("text_embedding_projection.")
        || names.containing("video_embeddings_connector.")
    {
        return Some(Architecture::LtxConnectors);
    }
    if names.has("initial_conv.weight") && names.containing("upsampler.") {
        return Some(Architecture::LtxUpscaler);
    }
    let kind = if names.containing("decoder.middle.0.residual.") {
        match names.ending("conv2.weight").map(|t| t.shape.first().copied()) {
            Some(Some(48)) => VaeKind::Wan22,
            _ => VaeKind::Wan,
        }
    } else if names.has("decoder.conv_in.conv.weight") {
        VaeKind::Ltx
    } else {
        match names.ending("decoder.conv_in.weight")?.inner(2) {
            4 => VaeKind::Channels4,
            16 => VaeKind::Channels16,
            32 => VaeKind::Channels32,
            _ => return None,
        }
    };
    Some(Architecture::Vae(kind))
}

/// Vectors of floats as wide as a CLIP's, and nothing else.
fn embedding(tensors: &[TensorInfo]) -> Option<Architecture> {
    const MOST_TENSORS: usize = 4;
    let vector = |t: &TensorInfo| {
        !t.tensor_type().is_integer()
            && t.shape.len() <= 2
            && matches!(t.shape.last(), Some(768 | 1024 | 1280))
            && t.inner(1) <= 512
    };
    (tensors.len() <= MOST_TENSORS && !tensors.is_empty() && tensors.iter().all(vector))
        .then_some(Architecture::Embedding)
}
