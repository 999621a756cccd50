//! Which source decides: an option, then the environment, then the model's preset, then the default.

use crate::{
    options::{EngineOptions, ModelOptions},
    values::invalid,
};
use sdcpp::{Error, ImageRequest, ModelConfig, Preset, Settings};
use std::time::Duration;

/// Model and request as everything but the options of the picture says.
pub(crate) struct Base {
    /// The model with the options of files and engine, and what environment and preset add.
    pub(crate) config: ModelConfig,
    /// The request by environment, preset and defaults; options are to be applied to it.
    pub(crate) request: ImageRequest,
    /// The time limit of the environment, if it sets one.
    pub(crate) time_limit: Option<Duration>,
}

impl Base {
    /// Reads the environment and the preset beside the model.
    pub(crate) fn read(model: &ModelOptions, engine: &EngineOptions) -> Result<Self, Error> {
        Self::with_settings(&Settings::from_env()?, model, engine)
    }

    fn with_settings(
        settings: &Settings,
        model: &ModelOptions,
        engine: &EngineOptions,
    ) -> Result<Self, Error> {
        let mut config = ModelConfig::default();
        model.apply(&mut config)?;
        engine.apply(&mut config);
        if model.main_file().is_none() {
            config.model.clone_from(&settings.model_path);
        }
        let main = config.diffusion_file().ok_or_else(|| {
            invalid("model", "not set", "--model, --diffusion-model, or SD_MODEL_PATH")
        })?;
        let preset = Preset::for_model(main)?;
        settings.apply_to_config(&mut config);
        preset.apply_to_config(&mut config);
        let mut request = ImageRequest::default();
        // The later of these rank higher.
        preset.apply_to_request(&mut request);
        settings.apply_to_request(&mut request);
        Ok(Self { config, request, time_limit: settings.timeout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use std::ffi::OsString;

    fn base(arguments: &[&str], vars: &[(&str, &str)]) -> Result<Base, Error> {
        let settings = Settings::from_vars(|name| {
            vars.iter().find(|(var, _)| *var == name).map(|(_, value)| OsString::from(value))
        })?;
        let all = ["sdcpp", "txt2img", "-p", "x"].iter().chain(arguments);
        match Cli::try_parse_from(all).unwrap().command {
            Command::Txt2img(options) => {
                let draw = &options.draw;
                let mut base = Base::with_settings(&settings, &draw.model, &draw.engine)?;
                draw.sampling.apply(&mut base.request.sampling);
                draw.picture.apply(&mut base.request);
                Ok(base)
            }
            _ => unreachable!(),
        }
    }

    #[test]
    fn options_environment_preset_default_in_this_order() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m.gguf");
        let preset = r#"{"width":128,"steps":12,"cfg_scale":3,"vae":"v.gguf"}"#;
        std::fs::write(folder.path().join("m.preset.json"), preset).unwrap();
        let model = model.to_str().unwrap();
        let vars =
            [("SD_INFERENCE_STEPS", "13"), ("SD_GUIDANCE_SCALE", "4"), ("SD_TIMEOUT_SECONDS", "9")];
        let base = base(&["-m", model, "--cfg-scale", "5"], &vars).unwrap();
        let sampling = &base.request.sampling;
        assert_eq!((sampling.cfg_scale, sampling.steps), (5.0, 13));
        assert_eq!((base.request.width, base.request.height), (128, 512));
        assert_eq!(base.config.vae, Some(folder.path().join("v.gguf")));
        assert_eq!(base.time_limit, Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_model_is_needed_from_somewhere() {
        let error = base(&[], &[]).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("model is not set"), "{error}");
        let model = |args: &[&str]| base(args, &[("SD_MODEL_PATH", "env.gguf")]).unwrap().config;
        assert_eq!(model(&[]).model, Some("env.gguf".into()));
        let parts = model(&["--diffusion-model", "d.gguf"]);
        assert_eq!((parts.model, parts.diffusion_model), (None, Some("d.gguf".into())));
    }
}
