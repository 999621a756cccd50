//! Settings that `sdcpp tune` measured.

use crate::app::App;
use clap::Args;
use sdcpp::{
    Engine, Error, ImageRequest, ModelConfig,
    tune::{self, Tuned, TunedFile, TunedSettings},
};
use serde_json::Value;
use std::{env, path::PathBuf};

/// Whether measured settings are used.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Engine")]
pub(crate) struct TunedOptions {
    /// Use the fastest settings for this machine, model and size, as `sdcpp tune` measured them: of
    /// FILE, else of the file whose path SDCPP_TUNED is, else of the user's own. Used without this option
    /// where SDCPP_TUNED is set. Options rank before them
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    tuned: Option<Option<PathBuf>>,
}

impl TunedOptions {
    /// Sets what was measured, where that is wanted, and says what was found. Threads stay as they are
    /// where an option sets them. Gives the settings for JSON, null where there are none.
    pub(crate) fn apply(
        &self,
        app: &App,
        engine: &Engine,
        config: &mut ModelConfig,
        request: &ImageRequest,
        threads_are_set: bool,
    ) -> Result<Option<Value>, Error> {
        let by_variable = env::var_os("SDCPP_TUNED").is_some_and(|value| !value.is_empty());
        let apply = |file: TunedFile| {
            let file = if threads_are_set { file.without_threads() } else { file };
            file.apply(engine, config.clone(), (request.width, request.height))
        };
        let tuned = match &self.tuned {
            None if !by_variable => return Ok(None),
            // A file that is named must be there, and must be one.
            Some(Some(path)) => TunedFile::open(path).and_then(apply)?,
            _ => {
                let path = tune::default_path()?;
                match TunedFile::open_or_new(path).and_then(apply) {
                    Ok(tuned) => tuned,
                    Err(error) => {
                        app.note(&format!("warning: no measured settings are used: {error}"));
                        return Ok(Some(Value::Null));
                    }
                }
            }
        };
        let Tuned { config: tuned, found, .. } = tuned;
        *config = tuned;
        app.note(&match found.entry() {
            Some(entry) if threads_are_set => {
                format!("measured to be the fastest here, but for threads: {}", entry.settings)
            }
            _ => found.to_string(),
        });
        Ok(Some(found.entry().map_or(Value::Null, |entry| settings_json(&entry.settings))))
    }
}

/// Without what is as by default.
pub(crate) fn settings_json(settings: &TunedSettings) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}
