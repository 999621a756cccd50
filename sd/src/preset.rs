//! What suits one model: values between the user's settings and the general defaults.

use crate::{
    Error, ImageRequest, ModelConfig, Result, Sampler, Scheduler,
    json::{Object, object},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Sizes, steps and the like that suit one model, and files that belong to it.
///
/// Kept beside the model as `<model file without extension>.preset.json`:
///
/// ```json
/// { "width": 128, "height": 128, "steps": 12, "cfg_scale": 3.0, "sampler": "euler", "taesd": "demo_tae.gguf" }
/// ```
///
/// Every key may be left out; unknown keys are errors. File names are relative to the preset.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Preset {
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Sampling steps.
    pub steps: Option<u32>,
    /// How strongly the prompt rules.
    pub cfg_scale: Option<f32>,
    /// The sampler.
    pub sampler: Option<Sampler>,
    /// The scheduler.
    pub scheduler: Option<Scheduler>,
    /// A VAE file for this model.
    pub vae: Option<PathBuf>,
    /// A TAESD file for this model.
    pub taesd: Option<PathBuf>,
}

object! {
    Preset = Preset::default();
    width;
    height;
    steps;
    cfg_scale;
    sampler;
    scheduler;
    vae;
    taesd;
}

impl Preset {
    /// The preset beside `model`; empty if there is none.
    ///
    /// # Errors
    /// [`Error::FileUnreadable`] or [`Error::InvalidParameter`] if there is one that cannot be used.
    pub fn beside(model: impl AsRef<Path>) -> Result<Self> {
        let path = model.as_ref().with_extension("preset.json");
        if !path.is_file() {
            return Ok(Self::default());
        }
        match fs::read_to_string(&path) {
            Ok(text) => {
                let preset = Self::parse(&text, path.parent().unwrap_or(Path::new("")));
                preset.map_err(|error| match error {
                    Error::InvalidParameter { field, value, allowed } => {
                        let value = format!("{value}, in {}", path.display());
                        Error::InvalidParameter { field, value, allowed }
                    }
                    other => other,
                })
            }
            Err(source) => Err(Error::FileUnreadable { role: "preset".into(), path, source }),
        }
    }

    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let mut preset: Self = serde_json::from_str(text).map_err(|error| {
            let allowed = format!("a JSON object with the keys {}", Self::keys().join(", "));
            Error::invalid("preset", format!("no usable JSON ({error})"), allowed)
        })?;
        for file in [&mut preset.vae, &mut preset.taesd].into_iter().flatten() {
            *file = folder.join(&*file);
        }
        Ok(preset)
    }

    /// Fills in what suits the model.
    pub fn apply_to_request(&self, request: &mut ImageRequest) {
        request.width = self.width.unwrap_or(request.width);
        request.height = self.height.unwrap_or(request.height);
        request.sampling.steps = self.steps.unwrap_or(request.sampling.steps);
        request.sampling.cfg_scale = self.cfg_scale.unwrap_or(request.sampling.cfg_scale);
        request.sampling.sampler = self.sampler.or(request.sampling.sampler);
        request.sampling.scheduler = self.scheduler.or(request.sampling.scheduler);
    }

    /// Fills in the files that belong to the model, where none are given.
    pub fn apply_to_config(&self, config: &mut ModelConfig) {
        if config.vae.is_none() && config.taesd.is_none() {
            config.vae.clone_from(&self.vae);
            config.taesd.clone_from(&self.taesd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_and_applied() {
        let text = r#"{"width":128,"height":64,"steps":12,"cfg_scale":3,"sampler":"Euler a","taesd":"t.gguf"}"#;
        let preset = Preset::parse(text, Path::new("models")).unwrap();
        let mut request = ImageRequest::new("x");
        preset.apply_to_request(&mut request);
        assert_eq!((request.width, request.height, request.sampling.steps), (128, 64, 12));
        assert_eq!(request.sampling.sampler, Some(Sampler::EulerA));
        let mut config = ModelConfig::new("m.gguf");
        preset.apply_to_config(&mut config);
        assert_eq!(config.taesd.as_deref(), Some(Path::new("models/t.gguf")));
        let mut own = ModelConfig::new("m.gguf").vae("v.gguf");
        preset.apply_to_config(&mut own);
        assert_eq!(own.taesd, None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_preset_or_an_error(text in "\\PC*", key in "[a-z_]{1,12}", value in "[0-9\"a-z.\\-]{0,9}") {
            let _ = Preset::parse(&text, Path::new(""));
            let _ = Preset::parse(&format!("{{\"{key}\":{value}}}"), Path::new(""));
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("[]", "sequence"),
            ("{", "no usable JSON (EOF"),
            (r#"{"stepz":1}"#, "unknown key `stepz`; the keys are width, "),
            (r#"{"steps":-1}"#, "`steps`: invalid value: integer `-1`"),
            (r#"{"sampler":"none such"}"#, "`sampler`: \"none such\" is none of euler, "),
        ] {
            let error = Preset::parse(text, Path::new("")).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(Preset::beside("/no/such/model.gguf").unwrap(), Preset::default());
    }
}
