//! Settings that `sdcpp tune` measured.

use crate::app::App;
use clap::Args;
use sdcpp::{
    Engine, Error, ImageRequest, ModelConfig,
    tune::{self, Match, Tuned, TunedFile},
};
use std::{env, path::PathBuf};

/// Whether measured settings are used.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Engine")]
pub(crate) struct TunedOptions {
    /// Use the fastest settings for this machine, model and size, as `sdcpp tune` measured them: of
    /// FILE, else of SDCPP_TUNED, else of the user's own file. Used without this option where
    /// SDCPP_TUNED is set. Options rank before them
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    tuned: Option<Option<PathBuf>>,
}

impl TunedOptions {
    /// Sets what was measured, where that is wanted, and says what was found.
    pub(crate) fn apply(
        &self,
        app: &App,
        engine: &Engine,
        config: &mut ModelConfig,
        request: &ImageRequest,
    ) -> Result<Option<Match>, Error> {
        let by_variable = env::var_os("SDCPP_TUNED").is_some_and(|value| !value.is_empty());
        let file = match &self.tuned {
            None if !by_variable => return Ok(None),
            // A file that is named must be there.
            Some(Some(path)) => TunedFile::open(path)?,
            _ => {
                let path = tune::default_path()?;
                if !path.exists() {
                    let found = Match::NoFile { path };
                    app.note(&format!("{found}; `sdcpp tune` measures"));
                    return Ok(Some(found));
                }
                TunedFile::open(path)?
            }
        };
        let size = (request.width, request.height);
        let Tuned { config: tuned, found, .. } = file.apply(engine, config.clone(), size)?;
        *config = tuned;
        let advice = if found.entry().is_none() { "; `sdcpp tune` measures" } else { "" };
        app.note(&format!("{found}{advice}"));
        Ok(Some(found))
    }
}
