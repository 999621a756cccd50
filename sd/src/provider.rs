//! Whether a local model can serve, or why not.

use crate::{
    Context, ContextPool, Engine, Error, ImageRequest, ModelConfig, PoolOptions, Preset, Result,
    Settings, Watch,
};
use std::{borrow::Cow, path::PathBuf};

/// A local model that can serve: the engine opened it, and there is memory for a picture.
///
/// An application with several sources of pictures asks once, and takes another if the answer is a
/// reason why not:
///
/// ```
/// use sdcpp::{Provider, Settings, Unavailable};
///
/// # fn main() -> sdcpp::Result<()> {
/// match Provider::detect(&Settings::from_env()?) {
///     Ok(provider) => {
///         let picture = provider.open()?.generate(&provider.request("a lighthouse"))?;
///         # drop(picture);
///     }
///     Err(Unavailable::NoPath) => println!("drawing elsewhere"),
///     Err(reason) => println!("drawing elsewhere, because {reason}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Provider {
    engine: Engine,
    settings: Settings,
    preset: Preset,
    config: ModelConfig,
    family: String,
}

/// Why a local model cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// No model is named.
    #[error("no local model is named: SD_MODEL_PATH is not set")]
    NoPath,
    /// A file that is named does not exist.
    #[error("{role} not found: {}", path.display())]
    NotFound {
        /// What the file is for: `model`, `vae` and so on.
        role: Cow<'static, str>,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The model, or the engine itself, cannot be used.
    #[error("the local model does not load: {0}")]
    DoesNotLoad(#[source] Box<Error>),
    /// There is too little memory for the model, or for a picture of the size that is set.
    #[error("the local model has too little memory: {0}")]
    NoMemory(#[source] Box<Error>),
}

impl From<Error> for Unavailable {
    fn from(error: Error) -> Self {
        match error {
            Error::FileNotFound { role, path } => Self::NotFound { role, path },
            error if error.is_out_of_memory() => Self::NoMemory(Box::new(error)),
            error => Self::DoesNotLoad(Box::new(error)),
        }
    }
}

impl Unavailable {
    /// What the user can try, if there is something.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NoPath => Some("set SD_MODEL_PATH to a .gguf or .safetensors file"),
            Self::NotFound { .. } => {
                Some("check the path; relative paths start at the current folder")
            }
            Self::DoesNotLoad(error) | Self::NoMemory(error) => error.advice(),
        }
    }
}

impl Provider {
    /// Tries the model that the settings name, with what [suits it](Preset::for_model), on the engine
    /// of [`Engine::auto`].
    ///
    /// The model is opened and closed again: headers are read, devices chosen, and memory is compared
    /// with what the weights and a picture of the set size need, by estimate. That takes
    /// milliseconds for one file, and longer for large files in many parts; no weights are read. A
    /// file of unknown origin is better tried in a worker process.
    ///
    /// # Errors
    /// The reason why the model cannot serve.
    pub fn detect(settings: &Settings) -> Result<Self, Unavailable> {
        if settings.model_path.is_none() {
            return Err(Unavailable::NoPath);
        }
        Self::detect_on(&Engine::auto()?, settings)
    }

    /// As [`detect`](Self::detect), on another engine.
    ///
    /// # Errors
    /// As [`detect`](Self::detect).
    pub fn detect_on(engine: &Engine, settings: &Settings) -> Result<Self, Unavailable> {
        let path = settings.model_path.as_ref().ok_or(Unavailable::NoPath)?;
        let preset = Preset::for_model(path)?;
        let mut config = ModelConfig::for_file(path);
        settings.apply_to_config(&mut config);
        preset.apply_to_config(&mut config);
        let mut provider = Self {
            engine: engine.clone(),
            settings: settings.clone(),
            preset,
            config,
            family: String::new(),
        };
        let mut context = provider.open()?;
        provider.family = context.family().to_owned();
        if context.makes_images() {
            let request = provider.request("");
            request.check()?;
            context.admission.check_image(engine, &provider.config, &request)?;
        }
        Ok(provider)
    }

    /// What the model is opened with: the files, and what settings and preset say about them.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The model's family, as [`Context::family`] tells it.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// A request with what settings and preset say about pictures; the settings rank higher.
    pub fn request(&self, prompt: impl Into<String>) -> ImageRequest {
        let mut request = ImageRequest::new(prompt);
        self.preset.apply_to_request(&mut request);
        self.settings.apply_to_request(&mut request);
        request
    }

    /// Opens the model.
    ///
    /// # Errors
    /// As [`Context::open`].
    pub fn open(&self) -> Result<Context> {
        Context::open(&self.engine, &self.config, Watch::new())
    }

    /// A pool with as many contexts, and the time limit, that are set.
    ///
    /// # Errors
    /// As [`ContextPool::open`].
    pub fn pool(&self) -> Result<ContextPool> {
        ContextPool::open(&self.engine, self.config.clone(), PoolOptions::from(&self.settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(path: Option<PathBuf>) -> Settings {
        Settings { model_path: path, ..Settings::default() }
    }

    #[test]
    fn each_reason_has_its_type() {
        let detect = |path: Option<PathBuf>| Provider::detect(&settings(path)).unwrap_err();
        assert!(matches!(detect(None), Unavailable::NoPath));
        let missing = detect(Some("no/such.gguf".into()));
        assert!(
            matches!(&missing, Unavailable::NotFound { role, .. } if role == "model"),
            "{missing:?}"
        );
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken.gguf");
        std::fs::write(&broken, b"GGUF and no more").unwrap();
        let broken = detect(Some(broken));
        assert!(matches!(&broken, Unavailable::DoesNotLoad(_)), "{broken:?}");
        assert!(
            broken.to_string().starts_with("the local model does not load: model is no usable")
        );
        let preset = folder.path().join("m.preset.json");
        std::fs::write(preset, "{").unwrap();
        let preset = detect(Some(folder.path().join("m.gguf")));
        assert!(matches!(preset, Unavailable::DoesNotLoad(_)), "{preset:?}");
        for reason in [missing, broken] {
            assert!(reason.advice().is_some(), "{reason:?}");
        }
    }

    #[test]
    fn lack_of_memory_is_a_reason_of_its_own() {
        let error = Error::InsufficientMemory {
            doing: "loading m".into(),
            device: "CPU".into(),
            needed: 2 << 30,
            available: 1 << 30,
        };
        let reason = Unavailable::from(error);
        assert!(matches!(reason, Unavailable::NoMemory(_)));
        assert!(reason.to_string().contains("2048 MiB"), "{reason}");
    }

    #[cfg(feature = "mock")]
    #[test]
    fn a_ready_provider_draws_as_it_is_set() {
        let settings = Settings { image_size: Some(64), ..settings(Some("any".into())) };
        let provider = Provider::detect_on(&crate::mock::engine(), &settings).unwrap();
        let request = provider.request("x");
        assert_eq!((request.width, request.height), (64, 64));
        assert!(provider.open().unwrap().generate(&request).is_ok());
        assert!(provider.pool().unwrap().generate(&request).is_ok());
    }
}
