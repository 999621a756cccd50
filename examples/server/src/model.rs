//! The models that there are, and the one that draws.

use crate::{
    error::ApiError, file::FileState, hash::ModelHash, hub::Folder, options::Options, report, tuned,
};
use axum::http::StatusCode;
use sdcpp::{
    ContextPool, Engine, ImageRequest, JobPool, ModelConfig, ModelFile, PoolOptions, Provider,
    Settings,
    isolated::{WorkerCommand, WorkerOptions, WorkerPool},
    mock,
};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use utoipa::ToSchema;

/// A model that can be chosen by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelEntry {
    /// The name of its file without the ending; with it, where two are the same.
    pub name: String,
    /// What its tensors say it is; none where they cannot be read.
    pub family: Option<String>,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether it draws by itself: LoRAs and VAEs do not.
    pub draws: bool,
    /// Where it is. Not told: a client has no use for it.
    #[serde(skip)]
    #[schema(ignore)]
    pub path: PathBuf,
}

/// What draws where there is no model is called so.
pub(crate) const MOCK: &str = "mock";

/// The endings of files that the engine reads.
pub(crate) const ENDINGS: [&str; 3] = ["gguf", "safetensors", "ckpt"];

/// The models of a folder, and the one that was named.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    folder: Option<PathBuf>,
    named: Option<PathBuf>,
}

impl Catalogue {
    /// What the options name.
    ///
    /// # Errors
    /// That there is no such file or folder.
    pub fn new(options: &Options) -> Result<Self, ApiError> {
        let folder = options.models.clone();
        if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(ApiError::invalid("models", folder.display(), "a folder that exists"));
        }
        let named = options.model.clone().map(|model| match &folder {
            Some(folder) if !model.exists() => folder.join(model),
            _ => model,
        });
        Ok(Self { folder, named })
    }

    /// The files of models there are now, with the names they are chosen by, sorted by these.
    fn files(&self) -> Result<Vec<(String, PathBuf)>, ApiError> {
        let mut files: Vec<PathBuf> = self.named.iter().cloned().collect();
        if let Some(folder) = &self.folder {
            let unreadable = |error: std::io::Error| {
                ApiError::internal(format!("the models folder cannot be read: {error}"))
            };
            for entry in folder.read_dir().map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                let ending = path.extension().and_then(|ending| ending.to_str());
                let known =
                    ending.is_some_and(|e| ENDINGS.iter().any(|k| k.eq_ignore_ascii_case(e)));
                if known && path.is_file() && !files.iter().any(|file| same_file(file, &path)) {
                    files.push(path);
                }
            }
        }
        let stems: Vec<_> = files.iter().map(|path| stem(path)).collect();
        let unique = |stem: &String| stems.iter().filter(|other| *other == stem).count() == 1;
        let name = |path: &Path, stem: &String| {
            if unique(stem) { stem.clone() } else { file_name(path) }
        };
        let names: Vec<_> = files.iter().zip(&stems).map(|(path, stem)| name(path, stem)).collect();
        let mut named: Vec<_> = names.into_iter().zip(files).collect();
        named.sort();
        Ok(named)
    }

    /// The models there are now, by name. Reads the headers of the files.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<ModelEntry>, ApiError> {
        Ok(self.files()?.into_iter().map(|(name, path)| entry(&path, name)).collect())
    }

    /// The model of this name, as [`list`](Self::list) tells it, with or without the file's ending.
    ///
    /// # Errors
    /// There is none. A path is no name.
    pub fn find(&self, name: &str) -> Result<ModelEntry, ApiError> {
        let files = self.files()?;
        let called = |wanted: &str| {
            files.iter().find(|(name, path)| name == wanted || file_name(path) == wanted)
        };
        // A1111 puts a hash behind it: "name.safetensors [0123456789]".
        let found = called(name).or_else(|| called(name.rsplit_once(" [")?.0.trim()));
        found.map(|(name, path)| entry(path, name.clone())).ok_or_else(|| {
            let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            ApiError::not_found(format!("model `{name}`; there are: {known}"))
        })
    }

    /// The model to start with: the one that was named, else the first that draws.
    ///
    /// # Errors
    /// There is none.
    pub fn first(&self) -> Result<ModelEntry, ApiError> {
        let models = self.list()?;
        let named = models.iter().find(|model| Some(&model.path) == self.named.as_ref());
        named.or_else(|| models.iter().find(|model| model.draws)).cloned().ok_or_else(|| {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_model", "no model is named").advise(
                "start the server with --model FILE or --models FOLDER, or try it with --mock",
            )
        })
    }
}

/// Two ways of naming one file.
fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn entry(path: &Path, name: String) -> ModelEntry {
    let file = match ModelFile::open(path) {
        Ok(file) => Some(file),
        Err(why) => {
            tracing::debug!("{why}");
            None
        }
    };
    ModelEntry {
        name,
        family: file.as_ref().map(|file| file.architecture().to_string()),
        bytes: file.as_ref().map_or(0, ModelFile::bytes),
        draws: file.as_ref().is_some_and(ModelFile::is_image_model),
        path: path.to_path_buf(),
    }
}

/// The model that draws.
pub struct Active {
    /// Its name.
    pub name: String,
    /// The engine's word for what it is.
    pub family: String,
    /// Whether it draws patterns, without a model.
    pub mock: bool,
    /// What a request has that says nothing: of the preset beside the model, and of `SD_*` variables.
    pub defaults: ImageRequest,
    /// What it is opened with.
    pub config: ModelConfig,
    /// The files of that, as they were then.
    pub(crate) files: Vec<FileState>,
    /// The file of measured settings, as it was then, if they are used.
    pub(crate) tuned: Option<FileState>,
    /// What draws.
    pub pool: Arc<dyn JobPool>,
    /// The hash of its file.
    pub hash: ModelHash,
    /// The repository that it was downloaded from, if it was by this program.
    pub repository: Option<String>,
    /// The device it computes on, as it is named by the engine.
    pub device: String,
}

impl Active {
    /// Opens a model, which reads headers and no weights: those are read for the first picture.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open(
        engine: &Engine,
        options: &Options,
        entry: &ModelEntry,
        hash: ModelHash,
    ) -> Result<Self, ApiError> {
        let mut settings = settings()?;
        settings.model_path = Some(entry.path.clone());
        settings.max_concurrent = options.max_concurrent.or(settings.max_concurrent);
        let provider = Provider::detect_on(engine, &settings)?;
        let mut config = provider.config().clone();
        config.threads = options.threads.or(config.threads);
        config.lora_folder = options.loras.clone().or(config.lora_folder);
        let defaults = provider.request("");
        let pool_options = pool_options(options, &settings);
        let mut tuned = None;
        if options.uses_tuned() {
            (config, tuned) = tuned::apply(engine, config, &defaults, pool_options.size);
        }
        report::model(&entry.name, entry.bytes, &config, &defaults);
        let pool: Arc<dyn JobPool> = if options.isolated == Some(true) {
            let (command, worker) = (WorkerCommand::this_program(), WorkerOptions::default());
            Arc::new(WorkerPool::open(command, config.clone(), worker, pool_options)?)
        } else {
            Arc::new(ContextPool::open(engine, config.clone(), pool_options)?)
        };
        Ok(Self {
            name: entry.name.clone(),
            family: provider.family().to_owned(),
            mock: false,
            defaults,
            files: files_of(&config),
            tuned,
            config,
            pool,
            hash,
            repository: repository(&entry.path),
            device: first_device(engine)?,
        })
    }

    /// Whether its files are as they were when it was opened.
    pub(crate) fn is_current(&self) -> bool {
        self.files.iter().all(FileState::is_current)
    }

    /// Draws patterns.
    ///
    /// # Errors
    /// The variables that set sizes are wrong.
    pub fn mock(options: &Options) -> Result<Self, ApiError> {
        let settings = settings()?;
        let mut defaults = ImageRequest::new("");
        settings.apply_to_request(&mut defaults);
        let config = ModelConfig::new(MOCK);
        let pool =
            ContextPool::open(&mock::engine(), config.clone(), pool_options(options, &settings))?;
        Ok(Self {
            name: MOCK.to_owned(),
            family: MOCK.to_owned(),
            mock: true,
            defaults,
            files: files_of(&config),
            tuned: None,
            config,
            pool: Arc::new(pool),
            hash: ModelHash::default(),
            repository: None,
            device: "none".to_owned(),
        })
    }
}

fn files_of(config: &ModelConfig) -> Vec<FileState> {
    config.files().map(|(_, path)| FileState::now(path)).collect()
}

fn settings() -> Result<Settings, ApiError> {
    Ok(Settings::from_env()?)
}

fn pool_options(options: &Options, settings: &Settings) -> PoolOptions {
    let mut pool = PoolOptions::from(settings).queue_limit(options.queue_limit());
    pool.size = options.max_concurrent.unwrap_or(pool.size);
    pool.time_limit = options.time_limit();
    pool
}

/// The repository that a file was downloaded from, by the record beside it.
fn repository(path: &Path) -> Option<String> {
    let record = Folder::open(path.parent()?).and_then(|folder| folder.record(&file_name(path)));
    match record {
        Ok(record) => record.map(|record| record.repo),
        // It draws all the same.
        Err(why) => {
            tracing::debug!("{why}");
            None
        }
    }
}

/// The best device is the first that is no processor.
fn first_device(engine: &Engine) -> Result<String, ApiError> {
    let devices = engine.devices()?;
    let card = devices.iter().find(|device| device.kind != sdcpp::DeviceKind::Cpu);
    let device = card.or(devices.first()).ok_or_else(|| ApiError::internal("no device"))?;
    Ok(format!("{} ({})", device.name, device.description))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_by_name_and_never_by_path() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.gguf", "a.safetensors", "b.safetensors", "notes.txt"] {
            std::fs::write(folder.path().join(name), "no model").unwrap();
        }
        let options = Options {
            models: Some(folder.path().into()),
            model: Some("a.safetensors".into()),
            ..Options::default()
        };
        let catalogue = Catalogue::new(&options).unwrap();
        let names: Vec<_> = catalogue.list().unwrap().into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["a", "b.gguf", "b.safetensors"]);
        assert_eq!(catalogue.first().unwrap().name, "a");
        for name in ["a", "a.safetensors", "a.safetensors [0123456789]"] {
            assert_eq!(catalogue.find(name).unwrap().name, "a");
        }
        let path = folder.path().join("a.safetensors");
        for name in [path.to_str().unwrap(), "../a", "", "notes"] {
            assert_eq!(catalogue.find(name).unwrap_err().status, StatusCode::NOT_FOUND);
        }
    }

    #[test]
    fn without_a_model_it_is_said_what_to_do() {
        let error = Catalogue::default().first().unwrap_err();
        assert_eq!(error.code, "no_model");
        assert!(error.advice.unwrap().contains("--mock"));
        let nowhere = Options { models: Some("/no/such/folder".into()), ..Options::default() };
        assert!(Catalogue::new(&nowhere).unwrap_err().message.contains("/no/such/folder"));
    }
}
