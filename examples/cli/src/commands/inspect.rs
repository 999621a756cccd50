//! `sdcpp inspect`

use crate::report::Report;
use clap::Args;
use sdcpp::{Error, ModelFile};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Say what a model file is, from its header: family, components, types, and what it needs besides.
#[derive(Args, Debug)]
#[command(after_long_help = crate::exit::HELP)]
pub(crate) struct Inspect {
    /// Model file, or diffusers folder; may be repeated
    #[arg(value_name = "FILE", required_unless_present = "model")]
    files: Vec<PathBuf>,
    /// The same, as the other commands name it
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// List every tensor
    #[arg(long)]
    tensors: bool,
    /// List all metadata
    #[arg(long)]
    metadata: bool,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<Report, Error> {
        let mut report = Report::new("inspect");
        let mut models = Vec::new();
        for path in self.model.iter().chain(&self.files) {
            let file = ModelFile::open(path)?;
            report.line(file.to_string().trim_end());
            if self.tensors {
                for tensor in file.tensors() {
                    let shape = format!("{:?}", tensor.shape());
                    report.line(format!(
                        "  {:<8} {shape:<24} {}",
                        tensor.tensor_type(),
                        tensor.name()
                    ));
                }
            }
            if self.metadata {
                for (key, value) in file.metadata() {
                    report.line(format!("  {key} = {}", one_line(&value.to_string())));
                }
            }
            models.push(self.to_json(&file));
        }
        report.set("models", models);
        Ok(report)
    }

    fn to_json(&self, file: &ModelFile) -> Value {
        let components: Vec<_> = file
            .components()
            .iter()
            .map(|c| {
                json!({
                    "name": c.component.to_string(),
                    "tensors": c.tensors,
                    "parameters": c.parameters,
                    "bytes": c.bytes,
                })
            })
            .collect();
        let types: Vec<_> = file
            .weight_types()
            .iter()
            .map(|(kind, tensors, bytes)| {
                json!({ "type": kind.to_string(), "tensors": tensors, "bytes": bytes })
            })
            .collect();
        let needs: Vec<_> = file
            .missing_parts()
            .iter()
            .map(|part| json!({ "what": part.to_string(), "field": part.field() }))
            .collect();
        let mut value = json!({
            "path": file.path().display().to_string(),
            "architecture": file.architecture().to_string(),
            "reason": file.reason(),
            "format": file.format().to_string(),
            "bytes": file.bytes(),
            "parameters": file.parameters(),
            "tensor_count": file.tensors().len(),
            "image_model": file.is_image_model(),
            "video_model": file.is_video_model(),
            "field": file.config_field(),
            "components": components,
            "weight_types": types,
            "missing_parts": needs,
        });
        let mut set = |name: &str, more: Value| {
            if let Some(fields) = value.as_object_mut() {
                fields.insert(name.to_owned(), more);
            }
        };
        if let Some(lora) = file.lora() {
            set(
                "lora",
                json!({
                    "modules": lora.modules,
                    "rank": lora.rank,
                    "family": lora.family.map(|family| family.to_string()),
                    "changes_text_encoder": lora.changes_text_encoder,
                }),
            );
        }
        if self.tensors {
            let all: Vec<_> = file
                .tensors()
                .map(|t| json!({ "name": t.name(), "type": t.tensor_type().to_string(), "shape": t.shape() }))
                .collect();
            set("tensors", all.into());
        }
        if self.metadata {
            let all: Map<_, _> = file
                .metadata()
                .map(|(key, value)| (key.to_owned(), value.to_string().into()))
                .collect();
            set("metadata", all.into());
        }
        value
    }
}

/// A text from a stranger's file, without control characters, and not too long.
fn one_line(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut line: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_strangers_text_sends_nothing_to_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31m\nb"), "a [31m b");
        assert_eq!(one_line(&"x".repeat(500)).chars().count(), 201);
    }
}
