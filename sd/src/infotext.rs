//! The A1111 "parameters" text: how a picture was made, for people and for other programs.

use crate::{ImageRequest, Sampler, Scheduler};
use std::fmt::Write as _;

/// What the text says beyond the request.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    pub(crate) sampler: Sampler,
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) steps: u32,
    pub(crate) seed: i64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) model: &'a str,
}

/// Prompt, negative prompt and a line of settings, in A1111's order and words.
pub(crate) fn write(request: &ImageRequest, facts: &Facts<'_>) -> String {
    let mut text = request.prompt.clone();
    if !request.negative_prompt.is_empty() {
        let _ = write!(text, "\nNegative prompt: {}", request.negative_prompt);
    }
    let mut settings: Vec<(&str, String)> = vec![("Steps", facts.steps.to_string())];
    settings.push(("Sampler", facts.sampler.label().to_owned()));
    if let Some(scheduler) = facts.scheduler {
        settings.push(("Schedule type", scheduler.label().to_owned()));
    }
    settings.push(("CFG scale", request.sampling.cfg_scale.to_string()));
    settings.push(("Seed", facts.seed.to_string()));
    settings.push(("Size", format!("{}x{}", facts.width, facts.height)));
    if !facts.model.is_empty() {
        settings.push(("Model", facts.model.to_owned()));
    }
    if request.init_image.is_some() {
        settings.push(("Denoising strength", request.denoising_strength.to_string()));
    }
    if let Some(clip_skip) = request.clip_skip {
        settings.push(("Clip skip", clip_skip.to_string()));
    }
    if let Some(eta) = request.sampling.eta {
        settings.push(("Eta", eta.to_string()));
    }
    settings.push(("Version", concat!("sdcpp ", env!("CARGO_PKG_VERSION")).to_owned()));
    let line: Vec<_> =
        settings.iter().map(|(name, value)| format!("{name}: {}", quoted(value))).collect();
    text.push('\n');
    text + &line.join(", ")
}

/// A1111 writes a value with a comma or colon as a JSON string.
fn quoted(value: &str) -> String {
    if value.contains([',', ':', '\n', '"']) {
        serde_json::Value::from(value).to_string()
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a1111_writes() {
        let request =
            ImageRequest::new("a red circle").negative_prompt("blue").steps(12).cfg_scale(3.0);
        let facts = Facts {
            sampler: Sampler::EulerA,
            scheduler: Some(Scheduler::Karras),
            steps: 12,
            seed: 7,
            width: 128,
            height: 64,
            model: "demo, v2",
        };
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            write(&request, &facts),
            format!(
                "a red circle\nNegative prompt: blue\nSteps: 12, Sampler: Euler a, Schedule type: \
                 Karras, CFG scale: 3, Seed: 7, Size: 128x64, Model: \"demo, v2\", Version: sdcpp \
                 {version}"
            )
        );
    }
}
