//! The variables users already have in their environment.

use crate::{Error, ImageRequest, ModelConfig, Result};
use std::{env, ffi::OsString, path::PathBuf, time::Duration};

/// Settings from `SD_*` variables. Each is `None` where the variable is not set or empty, so that
/// other sources rank as they should: an option of the program, then the environment, then the
/// model's [`Preset`](crate::Preset), then the general default.
///
/// | variable | default | meaning |
/// |---|---|---|
/// | `SD_MODEL_PATH` | | model file |
/// | `SD_VAE_PATH` | in the model | VAE file |
/// | `SD_IMAGE_SIZE` | 512 | width and height in pixels |
/// | `SD_INFERENCE_STEPS` | 20 | sampling steps |
/// | `SD_GUIDANCE_SCALE` | 7.5 | cfg scale |
/// | `SD_NEGATIVE_PROMPT` | empty | what to avoid |
/// | `SD_TIMEOUT_SECONDS` | 120 | time limit of one generation, in a pool its wait included; 0 for none |
/// | `SD_MAX_CONCURRENT` | 2 | generations at once: the size of a pool |
/// | `SD_VAE_TILING` | false | decode in tiles |
/// | `SD_FREE_PARAMS` | false | drop weights after use and read them again (engine's `disk`) |
///
/// [`PoolOptions`](crate::PoolOptions) are made from settings by `From`.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// `SD_MODEL_PATH`
    pub model_path: Option<PathBuf>,
    /// `SD_VAE_PATH`
    pub vae_path: Option<PathBuf>,
    /// `SD_IMAGE_SIZE`, in pixels.
    pub image_size: Option<u32>,
    /// `SD_INFERENCE_STEPS`
    pub inference_steps: Option<u32>,
    /// `SD_GUIDANCE_SCALE`
    pub guidance_scale: Option<f32>,
    /// `SD_NEGATIVE_PROMPT`
    pub negative_prompt: Option<String>,
    /// `SD_TIMEOUT_SECONDS`; zero is no limit.
    pub timeout: Option<Duration>,
    /// `SD_MAX_CONCURRENT`
    pub max_concurrent: Option<usize>,
    /// `SD_VAE_TILING`
    pub vae_tiling: Option<bool>,
    /// `SD_FREE_PARAMS`
    pub free_params: Option<bool>,
}

/// Time limit of one generation where `SD_TIMEOUT_SECONDS` is not set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);
/// Generations at once where `SD_MAX_CONCURRENT` is not set.
const DEFAULT_MAX_CONCURRENT: usize = 2;

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the variable's name, its value and what is allowed.
    pub fn from_env() -> Result<Self> {
        Self::from_vars(|name| env::var_os(name))
    }

    /// Reads variables from elsewhere, as [`from_env`](Self::from_env) does from the environment.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let raw = |name: &str| var(name).filter(|value| !value.is_empty());
        let text = |name: &'static str| -> Result<Option<String>> {
            raw(name)
                .map(|v| {
                    v.into_string()
                        .map_err(|v| Error::invalid(name, v.to_string_lossy(), "valid Unicode"))
                })
                .transpose()
        };
        let whole = |name: &'static str, min: u32, max: u32| -> Result<Option<u32>> {
            let Some(text) = text(name)? else { return Ok(None) };
            let value = text.trim().parse().ok().filter(|v| (min..=max).contains(v));
            let error = || Error::invalid(name, text.as_str(), format!("{min} to {max}"));
            Ok(Some(value.ok_or_else(error)?))
        };
        let flag = |name: &'static str| -> Result<Option<bool>> {
            let Some(text) = text(name)? else { return Ok(None) };
            match text.trim().to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(Some(true)),
                "0" | "false" | "no" | "off" => Ok(Some(false)),
                _ => Err(Error::invalid(name, text, "true or false")),
            }
        };
        let guidance_scale = match text("SD_GUIDANCE_SCALE")? {
            None => None,
            Some(text) => {
                let value = text.trim().parse::<f32>().ok().filter(|v| v.abs() <= 100.0);
                let error = || Error::invalid("SD_GUIDANCE_SCALE", text.as_str(), "-100 to 100");
                Some(value.ok_or_else(error)?)
            }
        };
        Ok(Self {
            model_path: raw("SD_MODEL_PATH").map(PathBuf::from),
            vae_path: raw("SD_VAE_PATH").map(PathBuf::from),
            image_size: whole("SD_IMAGE_SIZE", 1, crate::MAX_SIDE)?,
            inference_steps: whole("SD_INFERENCE_STEPS", 1, crate::MAX_STEPS)?,
            guidance_scale,
            negative_prompt: text("SD_NEGATIVE_PROMPT")?,
            timeout: whole("SD_TIMEOUT_SECONDS", 0, 86_400)?
                .map(|s| Duration::from_secs(u64::from(s))),
            max_concurrent: whole("SD_MAX_CONCURRENT", 1, 1024)?.map(|n| n as usize),
            vae_tiling: flag("SD_VAE_TILING")?,
            free_params: flag("SD_FREE_PARAMS")?,
        })
    }

    /// The time limit of one generation; none if it is set to 0.
    pub fn time_limit(&self) -> Option<Duration> {
        Some(self.timeout.unwrap_or(DEFAULT_TIMEOUT)).filter(|limit| !limit.is_zero())
    }

    /// Generations at once.
    pub fn concurrency(&self) -> usize {
        self.max_concurrent.unwrap_or(DEFAULT_MAX_CONCURRENT)
    }

    /// Fills in what is set about the model.
    pub fn apply_to_config(&self, config: &mut ModelConfig) {
        if config.vae.is_none() {
            config.vae.clone_from(&self.vae_path);
        }
        if self.free_params == Some(true) && config.params_backend.is_none() {
            config.params_backend = Some("disk".to_owned());
        }
    }

    /// Fills in what is set about the picture.
    pub fn apply_to_request(&self, request: &mut ImageRequest) {
        if let Some(size) = self.image_size {
            (request.width, request.height) = (size, size);
        }
        request.sampling.steps = self.inference_steps.unwrap_or(request.sampling.steps);
        request.sampling.cfg_scale = self.guidance_scale.unwrap_or(request.sampling.cfg_scale);
        if let Some(prompt) = &self.negative_prompt {
            request.negative_prompt.clone_from(prompt);
        }
        match self.vae_tiling {
            Some(true) if request.vae_tiling.is_none() => {
                request.vae_tiling = Some(crate::VaeTiling::default());
            }
            Some(false) => request.vae_tiling = None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(name: &'static str, value: &str) -> Result<Settings> {
        let value = value.to_owned();
        Settings::from_vars(move |asked| (asked == name).then(|| OsString::from(&value)))
    }

    #[test]
    fn nothing_set_is_nothing_but_defaults() {
        let settings = Settings::from_vars(|_| None).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.time_limit(), Some(Duration::from_secs(120)));
        assert_eq!(settings.concurrency(), 2);
        let mut request = ImageRequest::new("x");
        settings.apply_to_request(&mut request);
        assert_eq!(request, ImageRequest::new("x"));
        assert_eq!(
            (request.width, request.sampling.steps, request.sampling.cfg_scale),
            (512, 20, 7.5)
        );
    }

    #[test]
    fn every_variable_is_read() {
        let vars = [
            ("SD_MODEL_PATH", "m.gguf"),
            ("SD_VAE_PATH", "v.gguf"),
            ("SD_IMAGE_SIZE", " 640 "),
            ("SD_INFERENCE_STEPS", "8"),
            ("SD_GUIDANCE_SCALE", "4.5"),
            ("SD_NEGATIVE_PROMPT", "fog"),
            ("SD_TIMEOUT_SECONDS", "0"),
            ("SD_MAX_CONCURRENT", "1"),
            ("SD_VAE_TILING", "true"),
            ("SD_FREE_PARAMS", "1"),
        ];
        let settings = Settings::from_vars(|asked| {
            vars.iter().find(|(name, _)| *name == asked).map(|(_, v)| OsString::from(v))
        })
        .unwrap();
        assert_eq!(settings.model_path, Some("m.gguf".into()));
        assert_eq!(settings.time_limit(), None);
        assert_eq!(settings.concurrency(), 1);
        let mut request = ImageRequest::new("x");
        settings.apply_to_request(&mut request);
        assert_eq!((request.width, request.height, request.sampling.steps), (640, 640, 8));
        assert_eq!((request.sampling.cfg_scale, request.negative_prompt.as_str()), (4.5, "fog"));
        assert!(request.vae_tiling.is_some());
        let mut config = ModelConfig::new("m");
        settings.apply_to_config(&mut config);
        assert_eq!(config.vae, Some("v.gguf".into()));
        assert_eq!(config.params_backend.as_deref(), Some("disk"));
    }

    #[test]
    fn each_mistake_names_its_variable() {
        for (name, value) in [
            ("SD_IMAGE_SIZE", "-1"),
            ("SD_IMAGE_SIZE", "0"),
            ("SD_IMAGE_SIZE", "99999999999999999999"),
            ("SD_INFERENCE_STEPS", "many"),
            ("SD_GUIDANCE_SCALE", "NaN"),
            ("SD_TIMEOUT_SECONDS", "1.5"),
            ("SD_MAX_CONCURRENT", "0"),
            ("SD_VAE_TILING", "maybe"),
            ("SD_FREE_PARAMS", "2"),
        ] {
            let error = with(name, value).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(value), "{error}");
        }
        assert_eq!(with("SD_IMAGE_SIZE", "").unwrap(), Settings::default());
    }

    proptest! {
        #[test]
        fn no_value_panics(value in "\\PC*") {
            for name in ["SD_IMAGE_SIZE", "SD_GUIDANCE_SCALE", "SD_VAE_TILING", "SD_TIMEOUT_SECONDS"] {
                let value = value.clone();
                let _ = Settings::from_vars(move |asked| {
                    (asked == name).then(|| OsString::from(&value))
                });
            }
        }
    }
}
