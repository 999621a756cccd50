//! How large a tensor is once it is loaded: the engine's rules of which tensor gets which type.

use super::tensors::Tensor;
use crate::{Component, ModelConfig, TensorInfo, TensorType, WeightType};
use regex_lite::Regex;

/// Types that the engine can read single rows of; a table of another type becomes 32-bit floats.
const TABLES: [&str; 7] = ["f32", "f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"];
/// Parts of the names of tensors that are never converted.
const KEPT: [&str; 15] = [
    "img_in.",
    "txt_in.",
    "time_in.",
    "vector_in.",
    "guidance_in.",
    "final_layer.",
    "x_embedder.",
    "t_embedder.",
    "y_embedder.",
    "pos_embed",
    "context_embedder.",
    "time_embed.",
    "label_emb.",
    "embedding",
    ".scale",
];

/// What the configuration has converted.
pub(super) struct Conversion {
    all: Option<TensorType>,
    rules: Vec<(Option<Regex>, Option<TensorType>)>,
}

impl Conversion {
    pub(super) fn of(config: &ModelConfig) -> Self {
        let rules = config.tensor_type_rules.as_deref().unwrap_or_default().split(',');
        let rules = rules.filter_map(|rule| rule.split_once('=')).map(|(pattern, kind)| {
            // A pattern of ECMAScript that is none here matches nothing.
            (Regex::new(pattern).ok(), TensorType::by_name(kind))
        });
        let by_type = |kind: WeightType| TensorType::by_name(kind.name());
        Self { all: config.weight_type.and_then(by_type), rules: rules.collect() }
    }

    /// Its bytes, and whether they are those of the file.
    pub(super) fn loaded(&self, tensor: &Tensor<'_>) -> (u64, bool) {
        let info = tensor.info;
        let own = info.tensor_type();
        let wanted = self.wanted(tensor);
        let kind = match shape(info) {
            Shape::Vector => "f32",
            Shape::Kernel => "f16",
            Shape::Matrix { row, table } => {
                let kind = wanted.unwrap_or(own);
                match kind.name() {
                    name if table && !TABLES.contains(&name) => "f32",
                    "f64" => "f32",
                    "f8_e4m3" | "f8_e5m2" => "f16",
                    _ if !kind.has_rows_of(row) => "f32",
                    name => name,
                }
            }
        };
        let bytes = TensorType::by_name(kind).and_then(|kind| kind.bytes_of(info.parameters()));
        (bytes.unwrap_or_else(|| info.bytes()), kind == own.name())
    }

    /// The type that a tensor is converted to, if it is.
    fn wanted(&self, tensor: &Tensor<'_>) -> Option<TensorType> {
        let name = tensor.info.name();
        let full = format!("{}{name}", prefix(tensor.component, name));
        let rule = self
            .rules
            .iter()
            .find(|(pattern, _)| pattern.as_ref().is_some_and(|p| p.is_match(&full)));
        let wanted = rule.and_then(|(_, kind)| *kind).or(self.all)?;
        let kept = full.ends_with(".bias") || KEPT.iter().any(|part| full.contains(part));
        (!kept).then_some(wanted)
    }
}

/// What the engine holds a tensor as.
enum Shape {
    /// A bias, or a norm's scale.
    Vector,
    /// Of a convolution.
    Kernel,
    /// Of a linear layer, or a table that rows are read from.
    Matrix { row: u64, table: bool },
}

fn shape(info: &TensorInfo) -> Shape {
    let name = info.name();
    // Some writers leave dimensions of one out, and some keep them.
    match info.shape() {
        [] | [_] => Shape::Vector,
        [_, row] if name.ends_with(".bias") || *row == 1 => Shape::Vector,
        [_, row] => Shape::Matrix { row: *row, table: is_table(name) },
        [_, _, _] => Shape::Vector,
        _ if name.ends_with("gamma") => Shape::Vector,
        _ => Shape::Kernel,
    }
}

fn is_table(name: &str) -> bool {
    ["embed_tokens", "token_embedding", "token_embd", "position_embedding", "shared.weight"]
        .iter()
        .any(|part| name.contains(part))
}

/// What the engine puts before the names of a part that is a file of its own.
fn prefix(component: Component, name: &str) -> &'static str {
    match component {
        Component::DiffusionModel if !name.contains("diffusion_model.") => "model.diffusion_model.",
        Component::Vae if !name.starts_with("first_stage_model.") => "first_stage_model.",
        Component::TextEncoder(_) if !name.contains('_') => "text_encoders.",
        _ => "",
    }
}
