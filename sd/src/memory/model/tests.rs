use super::*;
use crate::{ImageRequest, MemoryEstimate, WeightType};
use proptest::prelude::*;
use std::{fs, path::Path, time::Instant};
use tempfile::TempDir;

/// Writes a safetensors file of f16 tensors, all at the same place: sizes cost nothing.
fn write(folder: &Path, tensors: &[(&str, &str, &[u64])]) -> ModelConfig {
    let elements = |shape: &[u64]| shape.iter().product::<u64>();
    let bytes = |kind: &str| if kind == "F32" { 4 } else { 2 };
    let most = tensors.iter().map(|(_, kind, shape)| elements(shape) * bytes(kind)).max().unwrap();
    let entries: Vec<_> = tensors
        .iter()
        .map(|(name, kind, shape)| {
            let end = elements(shape) * bytes(kind);
            format!(r#""{name}":{{"dtype":"{kind}","shape":{shape:?},"data_offsets":[0,{end}]}}"#)
        })
        .collect();
    let header = format!("{{{}}}", entries.join(","));
    let path = folder.join("m.safetensors");
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + most as usize, 0);
    fs::write(&path, file).unwrap();
    ModelConfig::new(path)
}

/// What an SD 1.x is told by, and a tensor of each kind.
const SD1: &[(&str, &str, &[u64])] = &[
    ("model.diffusion_model.input_blocks.0.0.weight", "F32", &[32, 4, 3, 3]),
    ("model.diffusion_model.input_blocks.0.0.bias", "F16", &[32]),
    ("model.diffusion_model.middle_block.1.proj_in.weight", "F16", &[128, 128, 1, 1]),
    (
        "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight",
        "F16",
        &[64, 768],
    ),
    ("model.diffusion_model.time_embed.0.weight", "F16", &[128, 32]),
    (
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        "BF16",
        &[64, 768],
    ),
    ("cond_stage_model.transformer.text_model.embeddings.position_ids", "F32", &[1, 77]),
    ("first_stage_model.encoder.conv_in.weight", "F16", &[128, 3, 3, 3]),
    ("first_stage_model.decoder.conv_in.weight", "F16", &[128, 4, 3, 3]),
    ("model_ema.decay", "F32", &[1]),
];

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn bytes(facts: &ModelFacts, component: Component, share: Share) -> Bytes {
    facts.weights.get(&(component, share)).copied().unwrap_or_default()
}

#[test]
fn tensors_are_counted_in_the_types_they_are_held_in() {
    let folder = folder();
    let config = write(folder.path(), SD1);
    let facts = |config: &ModelConfig| ModelFacts::of(config).unwrap().unwrap();
    let read = facts(&config);
    assert_eq!(read.architecture, Architecture::Sd1);
    // Convolutions as f16, the bias as f32, matrices as they are.
    let matrices = 2 * (64 * 768 + 128 * 32);
    let model = 2 * 32 * 4 * 9 + 4 * 32 + 2 * 128 * 128 + matrices;
    let diffusion = |facts: &ModelFacts| bytes(facts, Component::DiffusionModel, Share::Always);
    assert_eq!(diffusion(&read), Bytes { own: model, mapped: 0 });
    // A table of bf16 becomes f32; what is not used counts nothing.
    let text = Component::TextEncoder(crate::TextEncoder::ClipL);
    assert_eq!(bytes(&read, text, Share::Always).own, 4 * 64 * 768);
    assert_eq!(bytes(&read, Component::Vae, Share::Encoder).own, 2 * 128 * 3 * 9);
    assert_eq!(bytes(&read, Component::Vae, Share::Always).own, 2 * 128 * 4 * 9);
    assert!(!read.weights.keys().any(|(component, _)| *component == Component::Other));

    // Only what keeps its type is mapped.
    let mapped = diffusion(&facts(&config.clone().mmap(true)));
    assert_eq!(mapped.mapped, 2 * 128 * 128 + matrices);
    assert_eq!(mapped.own, model - mapped.mapped);

    // 18 bytes for 32 weights; the embedding of times keeps its type.
    let small = |config: ModelConfig| diffusion(&facts(&config)).own;
    let converted = model - 2 * 64 * 768 + 64 * 768 / 32 * 18;
    assert_eq!(small(config.clone().weight_type(WeightType::Q4_0)), converted);
    let rule = r"attn2\.to_k=q4_0,nothing=f32";
    assert_eq!(small(config.clone().tensor_type_rules(rule)), converted);
    let other = config.weight_type(WeightType::Q4_0).tensor_type_rules(r"attn2\.=f16");
    assert_eq!(small(other), model);
}

#[test]
fn numbers_of_blocks_in_hostile_files_cost_no_time() {
    let folder = folder();
    let begun = Instant::now();
    for name in ["joint_blocks.", "double_blocks.", "blocks.", "layers.", "transformer_blocks."] {
        let far = format!("model.diffusion_model.{name}18446744073709551614.x.weight");
        let wide = format!("model.diffusion_model.{name}0.cross_attn.norm_k.weight");
        let config = write(
            folder.path(),
            &[
                (&far, "F16", &[8, 8]),
                (&wide, "F16", &[8, 8]),
                ("model.diffusion_model.joint_blocks.x.weight", "F16", &[8, 8]),
                ("model.diffusion_model.x_embedder.proj.weight", "F16", &[8, 16, 2, 2]),
                ("model.diffusion_model.context_embedder.weight", "F16", &[8, 8]),
                ("model.diffusion_model.patch_embedding.bias", "F16", &[8]),
            ],
        );
        let request = ImageRequest::new("x").size(16_384, 16_384).batch(1024);
        let estimate = MemoryEstimate::of(&config, &request);
        let peak = estimate.unwrap_or_else(|e| panic!("{name}: {e}")).peak();
        assert!(peak > 1 << 30, "{name}: {peak}");
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever names and shapes a file has: an estimate or an error, soon.
    #[test]
    fn any_model_has_an_estimate_or_none(
        tensors in proptest::collection::vec(
            (
                "(model\\.diffusion_model\\.|first_stage_model\\.|text_encoders\\.llm\\.|)\
                  (double_blocks|single_blocks|joint_blocks|layers|blocks|input_blocks|txt_in|img_in|\
                  embed_tokens|decoder\\.conv_in|x_embedder\\.proj|cap_embedder)\\.([0-9]{1,20}\\.)?\
                  (0\\.)?(weight|bias|attn2\\.to_k\\.weight|ffn\\.0\\.weight)",
                proptest::collection::vec(1_u64..40, 1..6),
            ),
            1..24,
        ),
        side in 1_u32..=16_384,
    ) {
        let mut named: Vec<(&str, &str, &[u64])> = vec![
            ("model.diffusion_model.cap_embedder.0.weight", "F16", &[64]),
        ];
        for (name, shape) in &tensors {
            if !named.iter().any(|(other, ..)| other == name) && shape.iter().product::<u64>() < 1 << 20 {
                named.push((name, "F16", shape));
            }
        }
        let folder = folder();
        let config = write(folder.path(), &named);
        let _ = MemoryEstimate::of(&config, &ImageRequest::new("x").size(side, side));
    }
}
