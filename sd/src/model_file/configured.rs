//! What all files of a configuration together lack.

use super::{
    architecture::{Architecture, TextEncoder},
    component::{self, Component},
    header::ModelFormat,
    inspect::ModelFile,
    parts::{self, MissingParts, Part, slot},
};
use crate::{ModelConfig, Result};
use std::path::Path;

/// See [`ModelConfig::missing_parts`].
pub(crate) fn missing_parts(config: &ModelConfig) -> Result<MissingParts> {
    let open = |role, path: &Option<_>| {
        path.as_deref().map(|path: &Path| ModelFile::open_as(role, path)).transpose()
    };
    let model = open("model", &config.model)?;
    let diffusion = open("diffusion_model", &config.diffusion_model)?;
    // A pickle's content is not known, so nothing can be said to be missing.
    let pickle = |file: &Option<ModelFile>| {
        file.as_ref().is_some_and(|file| file.format() == ModelFormat::Pickle)
    };
    if pickle(&model) || pickle(&diffusion) {
        return Ok(MissingParts::default());
    }
    let main = [&diffusion, &model]
        .into_iter()
        .flatten()
        .find(|file| file.architecture().has_diffusion_model());
    let Some(main) = main else {
        let unknown = [&diffusion, &model]
            .into_iter()
            .flatten()
            .any(|file| file.architecture() == Architecture::Unknown);
        let mut missing = MissingParts::default();
        if !unknown {
            missing.required.push(Part::DiffusionModel);
        }
        return Ok(missing);
    };
    let given = |component| match component {
        // Tensors of a `diffusion_model` other than the diffusion model's get its prefix, and are
        // lost.
        Component::TextEncoder(TextEncoder::ClipL) => config.clip_l.is_some(),
        Component::TextEncoder(TextEncoder::ClipG) => config.clip_g.is_some(),
        Component::TextEncoder(TextEncoder::ClipVision) => config.clip_vision.is_some(),
        Component::TextEncoder(TextEncoder::T5Xxl) => config.t5xxl.is_some(),
        Component::TextEncoder(TextEncoder::OtherLlm) => config.llm.is_some(),
        Component::Vae => config.vae.is_some(),
        Component::Taesd => config.taesd.is_some() && !config.taesd_preview_only,
        Component::Connectors => config.embeddings_connectors.is_some(),
        Component::AudioVae => config.audio_vae.is_some(),
        _ => false,
    };
    // What `model` has is found by its prefix, even where the file is no whole model.
    let built_in = main.architecture().uses_built_in_taesd();
    let in_model = |component| {
        if component == Component::Taesd && !built_in {
            return false;
        }
        model.as_ref().is_some_and(|file| {
            file.tensors().filter_map(|t| component::by_prefix(t.name())).any(|found| match found {
                Component::TextEncoder(encoder) => slot(encoder) == component,
                found => found == component,
            })
        })
    };
    // The engine tells U-Nets by the text encoder in the model file, before it loads the others.
    let untold = main.architecture().is_unet() && !in_model(slot(TextEncoder::ClipL));
    let mut missing = parts::missing(main.architecture(), untold, |c| given(c) || in_model(c));
    if main.is_bare() && config.diffusion_model.is_none() {
        missing.required.insert(0, Part::AsDiffusionModel);
    }
    if config.high_noise_diffusion_model.is_some() {
        missing.optional.retain(|part| *part != Part::HighNoiseModel);
    }
    Ok(missing)
}
