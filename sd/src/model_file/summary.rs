//! A model file on one screen.

use super::{header::ModelFormat, inspect::ModelFile, parts::listed};
use std::fmt;

/// Keys of the metadata that say something to people.
const SHOWN: &[&str] = &[
    "general.name",
    "modelspec.title",
    "modelspec.author",
    "modelspec.license",
    "general.license",
    "ss_output_name",
    "ss_base_model_version",
    "modelspec.trigger_phrase",
];

impl fmt::Display for ModelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path().display())?;
        row(f, "architecture", format_args!("{}", self.architecture()))?;
        if let Some(lora) = self.lora() {
            let rank = lora.rank.map(|rank| format!(", rank {rank}")).unwrap_or_default();
            let family = lora.family.map_or("unknown", |family| family.label());
            row(f, "made for", format_args!("{family}, {} tensors{rank}", lora.modules))?;
        }
        if let Some(family) = self.embedding_family() {
            row(f, "made for", format_args!("{family}"))?;
        }
        if let Some(reason) = self.reason() {
            row(f, "note", format_args!("{reason}"))?;
        }
        row(f, "format", format_args!("{}, {}", self.format(), size(self.bytes())))?;
        if self.format() == ModelFormat::Pickle {
            return Ok(());
        }
        row(
            f,
            "weights",
            format_args!("{} in {} tensors", count(self.parameters()), self.tensors().len()),
        )?;
        for (kind, tensors, bytes) in self.weight_types() {
            row(f, "", format_args!("{kind:<9} {tensors:>6} tensors {:>10}", size(bytes)))?;
        }
        for (i, part) in self.components().iter().enumerate() {
            row(
                f,
                if i == 0 { "components" } else { "" },
                format_args!(
                    "{:<28} {:>8} {:>10}",
                    part.component,
                    count(part.parameters),
                    size(part.bytes)
                ),
            )?;
        }
        let missing = self.missing();
        if !missing.required.is_empty() {
            row(f, "needs", format_args!("{}", listed(missing.required.iter())))?;
        }
        if !missing.optional.is_empty() {
            row(f, "works better with", format_args!("{}", listed(missing.optional.iter())))?;
        }
        if let Some(field) = self.config_field() {
            row(f, "given as", format_args!("{field}"))?;
        }
        for key in SHOWN {
            if let Some(value) = self.metadata_value(key) {
                row(f, key, format_args!("{}", line(&value.to_string())))?;
            }
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "  {name:<24} {value}")
}

/// A text from a stranger's file, as one line without control characters.
fn line(text: &str) -> String {
    const MOST: usize = 60;
    let mut line: String =
        text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

fn count(weights: u64) -> String {
    match weights {
        0..10_000 => weights.to_string(),
        10_000..1_000_000 => format!("{:.1} k", weights as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", weights as f64 / 1e6),
        _ => format!("{:.2} G", weights as f64 / 1e9),
    }
}
