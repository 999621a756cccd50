//! `sdcpp samplers`

use crate::report::Report;
use sdcpp::{HiresUpscaler, LoraApplyMode, Prediction, RngKind, Sampler, Scheduler, WeightType};
use serde_json::{Value, json};

/// A name and what A1111 calls it.
type Name = (&'static str, &'static str);

macro_rules! names {
    ($enum:ident) => {
        $enum::ALL.iter().map(|value| (value.name(), value.label())).collect::<Vec<Name>>()
    };
}

/// Lists the names that options take.
pub(crate) fn run() -> Report {
    let mut report = Report::new("samplers");
    for (field, title, option, names) in [
        ("samplers", "Samplers", "--sampling-method", names!(Sampler)),
        ("schedulers", "Schedulers", "--scheduler", names!(Scheduler)),
        ("weight_types", "Weight types", "--type", names!(WeightType)),
        ("rngs", "Random numbers", "--rng, --sampler-rng", names!(RngKind)),
        ("predictions", "Predictions", "--prediction", names!(Prediction)),
        ("lora_apply_modes", "LoRA modes", "--lora-apply-mode", names!(LoraApplyMode)),
        ("hires_upscalers", "Hires upscalers", "--hires-upscaler", names!(HiresUpscaler)),
    ] {
        let list: Vec<Value> =
            names.iter().map(|(name, label)| json!({ "name": name, "label": label })).collect();
        report.set(field, list);
        report.line(format!("{title} ({option})"));
        for (name, label) in names {
            if name == label {
                report.line(format!("  {name}"));
            } else {
                report.line(format!("  {name:<16} {label}"));
            }
        }
    }
    report
}
