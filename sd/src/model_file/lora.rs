//! LoRAs: which tensors they change, and by how much.

use super::{
    architecture::Architecture,
    inspect::ModelFile,
    metadata::MetadataValue,
    tensor::{TensorInfo, product},
};
use std::collections::BTreeMap;

/// One matrix of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Factor {
    Down,
    Up,
    Mid,
    Hada1A,
    Hada1B,
    Hada2,
    HadaMid,
    Lokr1,
    Lokr1A,
    Lokr1B,
    Lokr2,
    Lokr2A,
    Lokr2B,
    Diff,
    /// Alphas, scales and changes of biases.
    Other,
}

/// The endings the engine knows. What only other programs write is no sign of a LoRA.
const ENDINGS: &[(&str, Factor)] = &[
    (".lora_down.weight", Factor::Down),
    (".lora_up.weight", Factor::Up),
    (".lora_mid.weight", Factor::Mid),
    (".lora.down.weight", Factor::Down),
    (".lora.up.weight", Factor::Up),
    (".lora.mid.weight", Factor::Mid),
    ("_lora.down.weight", Factor::Down),
    ("_lora.up.weight", Factor::Up),
    ("_lora.mid.weight", Factor::Mid),
    (".lora_A.weight", Factor::Down),
    (".lora_B.weight", Factor::Up),
    (".lora_A.default.weight", Factor::Down),
    (".lora_B.default.weight", Factor::Up),
    (".hada_w1_a", Factor::Hada1A),
    (".hada_w1_b", Factor::Hada1B),
    (".hada_w2_a", Factor::Hada2),
    (".hada_w2_b", Factor::Hada2),
    (".hada_t1", Factor::HadaMid),
    (".hada_t2", Factor::HadaMid),
    (".lokr_w1", Factor::Lokr1),
    (".lokr_w1_a", Factor::Lokr1A),
    (".lokr_w1_b", Factor::Lokr1B),
    (".lokr_w2", Factor::Lokr2),
    (".lokr_w2_a", Factor::Lokr2A),
    (".lokr_w2_b", Factor::Lokr2B),
    (".diff", Factor::Diff),
    (".diff_b", Factor::Other),
    (".alpha", Factor::Other),
    (".scale", Factor::Other),
];

/// The name of what a tensor changes, and which matrix it is.
fn split(name: &str) -> Option<(&str, Factor)> {
    ENDINGS.iter().find_map(|(end, factor)| Some((name.strip_suffix(end)?, *factor)))
}

/// Whether only a LoRA has such a tensor.
pub(super) fn is_lora_name(name: &str) -> bool {
    split(name).is_some_and(|(_, factor)| factor != Factor::Other)
}

/// The change of one tensor of a model.
#[derive(Debug)]
pub(super) struct Module<'a> {
    /// Its name without the endings.
    pub(super) name: &'a str,
    factors: BTreeMap<Factor, &'a [u64]>,
}

impl Module<'_> {
    fn get(&self, factor: Factor) -> Option<(u64, u64)> {
        rows_and_columns(self.factors.get(&factor)?)
    }

    /// Rows and columns of the changed tensor, its inner dimensions taken as one; none where the
    /// file does not tell them.
    pub(super) fn shape(&self) -> Option<(u64, u64)> {
        if let (Some((rank, columns)), Some((rows, _))) =
            (self.get(Factor::Down), self.get(Factor::Up))
        {
            let kernel = match self.factors.get(&Factor::Mid) {
                Some(mid) => mid.get(2..).and_then(product)?,
                None => 1,
            };
            return (rank > 0).then_some((rows, columns.checked_mul(kernel)?));
        }
        if let (Some((rows, _)), Some((_, columns))) =
            (self.get(Factor::Hada1A), self.get(Factor::Hada1B))
        {
            return (!self.factors.contains_key(&Factor::HadaMid)).then_some((rows, columns));
        }
        let pair = |whole, a, b| match (self.get(whole), self.get(a), self.get(b)) {
            (Some(whole), ..) => Some(whole),
            (_, Some((rows, _)), Some((_, columns))) => Some((rows, columns)),
            _ => None,
        };
        let first = pair(Factor::Lokr1, Factor::Lokr1A, Factor::Lokr1B);
        let second = pair(Factor::Lokr2, Factor::Lokr2A, Factor::Lokr2B);
        if let (Some(first), Some(second)) = (first, second) {
            return Some((first.0.checked_mul(second.0)?, first.1.checked_mul(second.1)?));
        }
        self.get(Factor::Diff)
    }

    /// The inner size of the decomposition.
    fn rank(&self) -> Option<u64> {
        let down = [Factor::Down, Factor::Hada1B, Factor::Lokr2B, Factor::Lokr1B];
        down.iter().find_map(|factor| self.get(*factor)).map(|(rank, _)| rank)
    }
}

/// Rows, and all else as columns.
pub(super) fn rows_and_columns(shape: &[u64]) -> Option<(u64, u64)> {
    let (rows, columns) = shape.split_first()?;
    Some((*rows, product(columns)?))
}

/// The changes in a LoRA's tensors, by name.
pub(super) fn modules(tensors: &[TensorInfo]) -> Vec<Module<'_>> {
    let mut all = BTreeMap::<_, Module<'_>>::new();
    for tensor in tensors {
        if let Some((name, factor)) = split(&tensor.name) {
            let module = all.entry(name).or_insert(Module { name, factors: BTreeMap::new() });
            module.factors.insert(factor, &tensor.shape);
        }
    }
    all.into_values().filter(|m| m.factors.keys().any(|f| *f != Factor::Other)).collect()
}

/// What is told of a LoRA without a model at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoraInfo {
    /// How many tensors of a model it changes.
    pub modules: usize,
    /// The inner size of its changes, the largest one; none for whole differences.
    pub rank: Option<u64>,
    /// The family it was made for, as far as names, shapes and metadata tell. FLUX stands for all
    /// that have its blocks.
    pub family: Option<Architecture>,
    /// Whether it changes text encoders too.
    pub changes_text_encoder: bool,
}

impl ModelFile {
    /// What is told of a LoRA; none if the file is something else.
    ///
    /// ```no_run
    /// # fn main() -> sdcpp::Result<()> {
    /// let info = sdcpp::ModelFile::open("style.safetensors")?.lora();
    /// if let Some(info) = info {
    ///     println!("rank {:?} for {:?}", info.rank, info.family.map(|f| f.label()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn lora(&self) -> Option<LoraInfo> {
        if self.architecture() != Architecture::Lora {
            return None;
        }
        let modules = modules(self.tensor_list());
        let text = |name: &str| {
            ["lora_te", "text_encoder", "te1", "te2", "te.", "cond_stage_model", "conditioner"]
                .iter()
                .any(|head| name.starts_with(head))
        };
        Some(LoraInfo {
            modules: modules.len(),
            rank: modules.iter().filter_map(Module::rank).max(),
            family: family_of_names(&modules).or_else(|| self.family_of_metadata()),
            changes_text_encoder: modules.iter().any(|m| text(m.name)),
        })
    }

    /// What trainers write.
    fn family_of_metadata(&self) -> Option<Architecture> {
        let text = ["ss_base_model_version", "modelspec.architecture"]
            .iter()
            .find_map(|key| self.metadata_value(key).and_then(MetadataValue::as_text))?;
        let has = |part| text.contains(part);
        Some(match () {
            () if has("sdxl") || has("xl-v1") => Architecture::Sdxl,
            () if has("sd_v2") || has("diffusion-v2") => Architecture::Sd2,
            () if has("sd_v1") || has("diffusion-v1") => Architecture::Sd1,
            () if has("sd3") || has("diffusion-3") => Architecture::Sd3,
            () if has("flux-2") || has("flux2") => Architecture::Flux2,
            () if has("flux") => Architecture::FluxDev,
            _ => return None,
        })
    }
}

fn family_of_names(modules: &[Module<'_>]) -> Option<Architecture> {
    let mut names = modules.iter().map(|m| (m.name.replace('.', "_"), m));
    names.find_map(|(name, module)| {
        let has = |part: &str| name.contains(part);
        if has("attn2_to_k") && !has("transformer_1d") {
            return match module.shape()?.1 {
                768 => Some(Architecture::Sd1),
                1024 => Some(Architecture::Sd2),
                2048 => Some(Architecture::Sdxl),
                _ => None,
            };
        }
        Some(match () {
            () if has("joint_blocks_") => Architecture::Sd3,
            () if has("single_blocks_") || has("single_transformer_blocks_") => {
                // FLUX.2 has no biases, and another width inside.
                let wide = |part, rows| has(part) && module.shape().is_some_and(|s| s.0 == rows);
                match () {
                    () if wide("linear1", 55_296) => Architecture::Flux2,
                    _ => Architecture::FluxDev,
                }
            }
            () if has("img_mod_1") || has("txt_mod_1") || has("img_mlp_net") => {
                Architecture::QwenImage
            }
            () if has("cross_attn_k") && has("blocks_") => Architecture::WanT2v,
            () if has("layers_") && has("adaLN_modulation_0") || has("attention_qkv") => {
                Architecture::ZImage
            }
            _ => return None,
        })
    })
}
