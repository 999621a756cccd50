//! Checks of a configuration: values first, then files.

use super::ModelConfig;
use crate::{
    Error, LoraFolder, Result, WeightType,
    model_file::{self, MissingParts, Trust},
    validate,
};
use std::path::Path;

impl ModelConfig {
    /// Checks every value and every file; the engine is not touched.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`], [`Error::FileNotFound`], [`Error::FileUnreadable`],
    /// [`Error::NotAModel`], or [`Error::Unsupported`] for a pickle file without
    /// [`trust_pickle`](Self::trust_pickle).
    pub fn check(&self) -> Result<()> {
        self.check_values()?;
        if let Some(folder) = &self.lora_folder {
            LoraFolder::open(folder)?;
        }
        let trust = self.trust();
        self.files().try_for_each(|(role, path)| model_file::check(role, path, trust))
    }

    /// What all files given here lack together, read from their headers; the engine is not touched.
    /// [`MissingParts::required`](crate::MissingParts::required) is what it does not work without.
    /// Nothing is said of what is in pickle checkpoints, nor of unknown models.
    ///
    /// ```no_run
    /// use sdcpp::ModelConfig;
    ///
    /// # fn main() -> sdcpp::Result<()> {
    /// let config = ModelConfig::from_parts("z_image_turbo-q4_0.gguf").vae("ae.safetensors");
    /// let missing = config.missing_parts()?;
    /// if !missing.required.is_empty() {
    ///     eprintln!("needs {missing}"); // needs a Qwen3 text encoder
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ModelFile::open`](crate::ModelFile::open), for the model and the diffusion model. The
    /// other files are taken as what they are given as, and not opened.
    pub fn missing_parts(&self) -> Result<MissingParts> {
        model_file::missing_parts(self)
    }

    /// Every file, with the field it is from. A folder of LoRAs is none.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [
            ("model", &self.model),
            ("diffusion_model", &self.diffusion_model),
            ("high_noise_diffusion_model", &self.high_noise_diffusion_model),
            ("uncond_diffusion_model", &self.uncond_diffusion_model),
            ("clip_l", &self.clip_l),
            ("clip_g", &self.clip_g),
            ("clip_vision", &self.clip_vision),
            ("t5xxl", &self.t5xxl),
            ("llm", &self.llm),
            ("llm_vision", &self.llm_vision),
            ("embeddings_connectors", &self.embeddings_connectors),
            ("vae", &self.vae),
            ("audio_vae", &self.audio_vae),
            ("taesd", &self.taesd),
            ("control_net", &self.control_net),
            ("photo_maker", &self.photo_maker),
        ]
        .into_iter()
        .filter_map(|(role, path)| Some((role, path.as_deref()?)))
        .chain(self.embeddings.iter().map(|e| ("embeddings", e.path.as_path())))
    }

    pub(crate) fn trust(&self) -> Trust {
        if self.trust_pickle { Trust::Pickle } else { Trust::DataOnly }
    }

    /// Checks every value, and no file.
    pub(crate) fn check_values(&self) -> Result<()> {
        if self.main_file().is_none() {
            return Err(Error::invalid("model", "not set", "a model file, or `diffusion_model`"));
        }
        if let Some(threads) = self.threads {
            validate::threads(threads)?;
        }
        if self.max_vram.is_nan() || self.max_vram.is_infinite() {
            return Err(Error::invalid("max_vram", self.max_vram, "a number of GiB"));
        }
        if self.stream_layers && self.max_vram == 0.0 {
            return Err(Error::invalid(
                "stream_layers",
                "set without max_vram",
                "both, or neither",
            ));
        }
        if self.taesd_preview_only && self.taesd.is_none() {
            return Err(Error::invalid("taesd_preview_only", "set without taesd", "with a taesd"));
        }
        validate::range("chroma_t5_mask_pad", self.chroma_t5_mask_pad, 0..=512)?;
        for (field, text) in [
            ("backend", &self.backend),
            ("params_backend", &self.params_backend),
            ("tensor_type_rules", &self.tensor_type_rules),
        ] {
            if let Some(text) = text {
                validate::text(field, text)?;
            }
        }
        if let Some(rules) = &self.tensor_type_rules {
            check_type_rules(rules)?;
        }
        for embedding in &self.embeddings {
            validate::text("embeddings", &embedding.name)?;
            if embedding.name.trim().is_empty() {
                return Err(Error::invalid("embeddings", "an empty name", "a word"));
            }
        }
        Ok(())
    }
}

/// The engine's regular expressions compile recursively.
const MAX_PATTERN_BYTES: usize = 1024;

/// The form of the rules; whether the engine's regular expressions take the patterns is asked when
/// the engine is at hand.
pub(crate) fn check_type_rules(rules: &str) -> Result<()> {
    for rule in rules.split(',').filter(|rule| !rule.is_empty()) {
        let allowed = || "pattern=type,… with types as f16 or q8_0";
        let (pattern, name) = rule
            .split_once('=')
            .ok_or_else(|| Error::invalid("tensor_type_rules", format!("{rule:?}"), allowed()))?;
        // The engine compares names exactly, and ignores a rule it does not understand.
        let known = WeightType::ALL.iter().any(|t| t.name() == name);
        if pattern.is_empty() || pattern.len() > MAX_PATTERN_BYTES || !known {
            return Err(Error::invalid("tensor_type_rules", format!("{rule:?}"), allowed()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_rules_are_accepted_or_refused(rules in "([a-z^.$(]{0,5}=?(f16|q8_0|q9|)?,?){0,4}") {
            let ok = check_type_rules(&rules).is_ok();
            let bad = rules.split(',').any(|r| !r.is_empty() && !r.contains('='));
            assert!(!(ok && bad), "{rules}");
        }
    }

    #[test]
    fn values_are_checked_before_files() {
        let fails = |config: ModelConfig| config.check().unwrap_err().to_string();
        assert!(fails(ModelConfig::default()).starts_with("model is not set"));
        assert!(fails(ModelConfig::new("x").threads(0)).starts_with("threads is 0"));
        assert!(fails(ModelConfig::new("x").threads(1_000_000)).contains("allowed: 1..="));
        assert!(fails(ModelConfig::new("x").backend("cpu\0")).starts_with("backend is"));
        assert!(fails(ModelConfig::new("x").tensor_type_rules("vae")).contains("pattern=type"));
        assert!(fails(ModelConfig::new("x").tensor_type_rules("vae=q9")).contains("pattern=type"));
        assert!(fails(ModelConfig::new("x").max_vram(f32::NAN)).starts_with("max_vram"));
        assert!(fails(ModelConfig::new("x").stream_layers(true)).starts_with("stream_layers is"));
        assert!(fails(ModelConfig::new("x").taesd_preview_only(true)).starts_with("taesd_preview"));
        assert!(matches!(
            ModelConfig::new("/no/such/file").check(),
            Err(Error::FileNotFound { role, .. }) if role == "model"
        ));
    }
}
