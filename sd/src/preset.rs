//! What suits one model: values between the user's settings and the general defaults.

mod known;

use crate::{
    Architecture, Error, ImageRequest, ModelConfig, ModelFile, Result, Sampler, Scheduler,
    json::{Object, object},
};
pub use known::{HubFile, KnownModel};
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
/// Every key may be left out; unknown keys are errors. File names are relative to the preset. What
/// it leaves out is as it suits the model's [family](Self::of).
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
    /// Guidance that is an input of the model (FLUX.1 dev and its kin).
    pub distilled_guidance: Option<f32>,
    /// The sampler.
    pub sampler: Option<Sampler>,
    /// The scheduler.
    pub scheduler: Option<Scheduler>,
    /// A VAE file for this model.
    pub vae: Option<PathBuf>,
    /// A TAESD file for this model.
    pub taesd: Option<PathBuf>,
    /// Its CLIP-L text encoder.
    pub clip_l: Option<PathBuf>,
    /// Its CLIP-G text encoder.
    pub clip_g: Option<PathBuf>,
    /// Its CLIP image encoder.
    pub clip_vision: Option<PathBuf>,
    /// Its T5-XXL text encoder.
    pub t5xxl: Option<PathBuf>,
    /// Its language model.
    pub llm: Option<PathBuf>,
    /// Its language model's vision part.
    pub llm_vision: Option<PathBuf>,
    /// Its embeddings connectors.
    pub embeddings_connectors: Option<PathBuf>,
    /// Its audio VAE.
    pub audio_vae: Option<PathBuf>,
    /// Its second diffusion model, for high noise.
    pub high_noise_diffusion_model: Option<PathBuf>,
}

object! {
    Preset = Preset::default();
    width;
    height;
    steps;
    cfg_scale;
    distilled_guidance;
    sampler;
    scheduler;
    vae;
    taesd;
    clip_l;
    clip_g;
    clip_vision;
    t5xxl;
    llm;
    llm_vision;
    embeddings_connectors;
    audio_vae;
    high_noise_diffusion_model;
}

macro_rules! parts {
    ($($part:ident)*) => {
        impl Preset {
            /// The file of a part, by the name of its field; none where there is no such part.
            pub fn part_mut(&mut self, field: &str) -> Option<&mut Option<PathBuf>> {
                self.parts_mut().into_iter().find(|(name, _)| *name == field).map(|(_, file)| file)
            }

            fn parts_mut(&mut self) -> Vec<(&'static str, &mut Option<PathBuf>)> {
                vec![
                    ("vae", &mut self.vae),
                    ("taesd", &mut self.taesd),
                    $((stringify!($part), &mut self.$part)),*
                ]
            }

            /// Fills in the files that belong to the model, where none are given.
            pub fn apply_to_config(&self, config: &mut ModelConfig) {
                // One takes the other's place.
                if config.vae.is_none() && config.taesd.is_none() {
                    config.vae.clone_from(&self.vae);
                    config.taesd.clone_from(&self.taesd);
                }
                $(if config.$part.is_none() {
                    config.$part.clone_from(&self.$part);
                })*
            }
        }
    };
}

parts! {
    clip_l clip_g clip_vision t5xxl llm llm_vision embeddings_connectors audio_vae
    high_noise_diffusion_model
}

impl Preset {
    /// What suits a model: the preset [beside](Self::beside) it, and where that says nothing, what
    /// suits its [family](Self::of). Reads the model's header; of a file that cannot be read the
    /// family is not known, and opening it says why.
    ///
    /// # Errors
    /// As [`beside`](Self::beside).
    pub fn for_model(model: impl AsRef<Path>) -> Result<Self> {
        let model = model.as_ref();
        let own = Self::beside(model)?;
        match ModelFile::open(model) {
            Ok(file) => Ok(own.above(Self::of(file.architecture())?)),
            Err(_) => Ok(own),
        }
    }

    /// What suits a family in general, as its first and most used model wants it; empty for those
    /// that nothing is known of. Other models of the family may want other steps or another
    /// `cfg_scale`: tensors do not tell SDXL from SDXL Turbo. See [`KnownModel`].
    ///
    /// # Errors
    /// The crate's own table is wrong, which its tests rule out.
    pub fn of(architecture: Architecture) -> Result<Self> {
        let all = KnownModel::all()?;
        let first = all.iter().find(|known| known.suits.contains(&architecture));
        Ok(first.map(|known| known.preset.clone()).unwrap_or_default())
    }

    /// The preset beside `model`; empty if there is none.
    ///
    /// # Errors
    /// [`Error::FileUnreadable`] or [`Error::InvalidParameter`] if there is one that cannot be used.
    pub fn beside(model: impl AsRef<Path>) -> Result<Self> {
        let path = Self::path_beside(model);
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

    /// Where the preset of a model is looked for.
    pub fn path_beside(model: impl AsRef<Path>) -> PathBuf {
        model.as_ref().with_extension("preset.json")
    }

    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let mut preset: Self = serde_json::from_str(text).map_err(|error| {
            let allowed = format!("a JSON object with the keys {}", Self::keys().join(", "));
            Error::invalid("preset", format!("no usable JSON ({error})"), allowed)
        })?;
        for file in preset.parts_mut().into_iter().filter_map(|(_, file)| file.as_mut()) {
            *file = folder.join(&*file);
        }
        Ok(preset)
    }

    /// These settings, and where they say nothing, those of `other`. Files are its own.
    fn above(self, other: Self) -> Self {
        Self {
            width: self.width.or(other.width),
            height: self.height.or(other.height),
            steps: self.steps.or(other.steps),
            cfg_scale: self.cfg_scale.or(other.cfg_scale),
            distilled_guidance: self.distilled_guidance.or(other.distilled_guidance),
            sampler: self.sampler.or(other.sampler),
            scheduler: self.scheduler.or(other.scheduler),
            ..self
        }
    }

    /// Fills in what suits the model.
    pub fn apply_to_request(&self, request: &mut ImageRequest) {
        request.width = self.width.unwrap_or(request.width);
        request.height = self.height.unwrap_or(request.height);
        let sampling = &mut request.sampling;
        sampling.steps = self.steps.unwrap_or(sampling.steps);
        sampling.cfg_scale = self.cfg_scale.unwrap_or(sampling.cfg_scale);
        sampling.distilled_guidance =
            self.distilled_guidance.unwrap_or(sampling.distilled_guidance);
        sampling.sampler = self.sampler.or(sampling.sampler);
        sampling.scheduler = self.scheduler.or(sampling.scheduler);
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

    #[test]
    fn every_part_has_its_place_in_a_configuration() {
        let folder = Path::new("models");
        let mut blank = Preset::default();
        for (field, _) in blank.parts_mut() {
            let preset = Preset::parse(&format!("{{\"{field}\":\"p.gguf\"}}"), folder).unwrap();
            let mut config = ModelConfig::new("m.gguf");
            preset.apply_to_config(&mut config);
            let value = serde_json::to_value(&preset).unwrap();
            assert_eq!(value, serde_json::json!({ field: "models/p.gguf" }));
            assert_ne!(config, ModelConfig::new("m.gguf"), "{field}");
            // A file that is given stays.
            let mut own = config.clone();
            Preset::parse(&format!("{{\"{field}\":\"q.gguf\"}}"), folder)
                .unwrap()
                .apply_to_config(&mut own);
            assert_eq!(own, config, "{field}");
        }
    }

    #[test]
    fn the_preset_beside_a_model_ranks_above_its_family() {
        let own = Preset::parse(r#"{"steps":3}"#, Path::new("")).unwrap();
        let both = own.above(Preset::of(Architecture::FluxSchnell).unwrap());
        assert_eq!((both.steps, both.cfg_scale, both.width), (Some(3), Some(1.0), Some(1024)));
        assert_eq!(Preset::of(Architecture::Lora).unwrap(), Preset::default());
        assert_eq!(Preset::for_model("/no/such/model.gguf").unwrap(), Preset::default());
    }

    #[test]
    fn what_suits_sd_1_is_the_general_default() {
        for family in [Architecture::Sd1, Architecture::Sd1Inpaint, Architecture::Sd1Tiny] {
            let mut request = ImageRequest::new("x");
            Preset::of(family).unwrap().apply_to_request(&mut request);
            assert_eq!(request, ImageRequest::new("x"), "{family}");
        }
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
