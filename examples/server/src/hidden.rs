//! What clients are not told: where files of the server are.

use crate::{error::ApiError, options::Options};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

/// The folders that are cut from what clients are told; copies share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hidden(Arc<RwLock<Vec<String>>>);

impl Hidden {
    /// Those that the options name, as they are named and as they are.
    pub(crate) fn new(options: &Options) -> Self {
        let hidden = Self::default();
        hidden.add(options);
        hidden
    }

    /// Those of further options too; jobs that were accepted before may tell of the others still.
    pub(crate) fn add(&self, options: &Options) {
        let of_model = options.model.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        let folders =
            [&options.models, &options.loras, &options.upscalers].map(|folder| folder.clone());
        // Without a folder for it there is no history, and no service.
        let history = options.data_folder().ok().flatten();
        let named: Vec<PathBuf> =
            folders.into_iter().chain([of_model, history]).flatten().collect();
        let real = named.iter().filter_map(|folder| folder.canonicalize().ok());
        let mut folders = self.0.write().unwrap_or_else(PoisonError::into_inner);
        folders.extend(
            named
                .iter()
                .cloned()
                .chain(real)
                .map(|folder| folder.display().to_string())
                .filter(|folder| !folder.is_empty() && folder != "."),
        );
        // A folder within another goes first.
        folders.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        folders.dedup();
    }

    /// The text, with names of files only.
    pub(crate) fn clean(&self, text: &str) -> String {
        let folders = self.0.read().unwrap_or_else(PoisonError::into_inner);
        folders.iter().fold(text.to_owned(), |text, folder| {
            let folder = folder.trim_end_matches(std::path::MAIN_SEPARATOR);
            text.replace(&format!("{folder}{}", std::path::MAIN_SEPARATOR), "").replace(folder, "…")
        })
    }

    /// The error, with names of files only; the log has it whole.
    pub(crate) fn clean_error(&self, error: ApiError) -> ApiError {
        let message = self.clean(&error.message);
        if message != error.message && error.status.is_server_error() {
            tracing::info!(code = %error.code, "{}", error.message);
        }
        ApiError { message, ..error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_cut_and_names_stay() {
        let options = Options {
            models: Some("/srv/models".into()),
            model: Some("/home/alice/art/a.gguf".into()),
            loras: Some("/srv/models/loras/".into()),
            upscalers: Some("/srv/upscalers".into()),
            ..Options::default()
        };
        let hidden = Hidden::new(&options);
        for (text, expected) in [
            ("model not found: /home/alice/art/a.gguf", "model not found: a.gguf"),
            ("/srv/models/b.gguf lacks a VAE", "b.gguf lacks a VAE"),
            ("/srv/models/loras/c.gguf", "c.gguf"),
            ("/srv/upscalers/d.gguf", "d.gguf"),
            ("/srv/models cannot be read", "… cannot be read"),
            ("width is 7", "width is 7"),
        ] {
            assert_eq!(hidden.clean(text), expected);
        }
        assert_eq!(Hidden::new(&Options::default()).clean("a/b"), "a/b");
    }
}
