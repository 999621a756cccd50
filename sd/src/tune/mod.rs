//! The fastest settings, as measured on this machine: threads, flash attention, direct convolutions.
//!
//! The defaults suit most machines. Which settings are the fastest depends on processor, card, model
//! and size, so [`Tune`] measures it, writes it to a file ([`TunedFile`]), and
//! [`ModelConfig::tuned`] uses what is there for this machine, engine, model and size
//! ([`Subject`]). Nothing reads the file by itself.
//!
//! ```no_run
//! use sdcpp::{Context, Engine, ImageRequest, ModelConfig, Watch, tune::{Tune, TunedFile}};
//!
//! # fn main() -> sdcpp::Result<()> {
//! let (engine, config) = (Engine::auto()?, ModelConfig::new("sd15.safetensors"));
//! let request = ImageRequest::new("a lighthouse").size(768, 512).steps(2);
//! let report = Tune::new(config.clone())
//!     .request(request)
//!     .run_with(&engine, Watch::new(), |progress| println!("{progress:?}"))?;
//! report.save_to("tuned.json")?;
//!
//! let tuned = TunedFile::open("tuned.json")?.apply(&engine, config, (768, 512))?;
//! println!("{}", tuned.found); // measured to be the fastest here: threads 4
//! let context = Context::open(&engine, tuned.config, Watch::new())?;
//! # drop(context);
//! # Ok(())
//! # }
//! ```
//!
//! Flash attention and direct convolutions change the last digits of a picture, and lower the memory it
//! needs. What needs more memory is not tried, nor what changes the picture further; nor is
//! [`ModelConfig::mmap`], which changes how long loading takes and not drawing.

mod candidates;
mod choose;
mod file;
mod models;
mod report;
mod run;
mod setting;
mod subject;
#[cfg(test)]
mod tests;

pub use choose::{MARGIN, Measured};
pub use file::{TunedEntry, TunedFile, default_path};
pub use report::{Outcome, Tried, TuneProgress, TuneReport};
pub use run::Tune;
pub use setting::{Candidate, Judged, TunedSettings};
pub use subject::Subject;

use crate::{Architecture, Engine, Error, ModelConfig, Result, validate};
use std::{fmt, path::PathBuf};

/// A configuration with what was measured for it, and what that is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tuned {
    /// The configuration; as it was, if nothing was found.
    pub config: ModelConfig,
    /// What was found.
    pub found: Match,
}

/// What a file of measured settings has for a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Match {
    /// This entry.
    Entry(Box<TunedEntry>),
    /// There is no file: nothing was measured yet.
    NoFile {
        /// Where it would be.
        path: PathBuf,
    },
    /// Nothing for this machine, engine, model and size.
    NoEntry {
        /// The file.
        path: PathBuf,
        /// The fields of [`Subject`] in which the nearest entry differs; empty if there is none.
        differs: Vec<&'static str>,
    },
    /// Nothing, and [`Tune`] cannot measure it: the model draws no pictures, or none from a prompt alone.
    Unmeasurable {
        /// What the model is.
        architecture: Architecture,
    },
}

impl Match {
    /// The entry, if there is one.
    pub fn entry(&self) -> Option<&TunedEntry> {
        match self {
            Self::Entry(entry) => Some(entry),
            _ => None,
        }
    }
}

/// What the command line has for it.
const ADVICE: &str = "`sdcpp tune` measures";

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(entry) => {
                write!(f, "measured to be the fastest here: {}", entry.settings)
            }
            Self::NoFile { path } => {
                write!(f, "nothing was measured here: there is no {}; {ADVICE}", path.display())
            }
            Self::NoEntry { path, differs } if differs.is_empty() => {
                write!(f, "nothing was measured here: {} has no entry; {ADVICE}", path.display())
            }
            Self::NoEntry { path, differs } => write!(
                f,
                "nothing was measured for this: the nearest entry of {} differs in {}; {ADVICE}",
                path.display(),
                differs.join(", ")
            ),
            Self::Unmeasurable { architecture } => write!(
                f,
                "nothing is measured for {architecture}, which draws no pictures from a prompt alone"
            ),
        }
    }
}

impl TunedFile {
    /// The configuration with the settings for it that are in this file: of this machine, `engine`,
    /// the configuration's model, and pictures of this size. What it sets itself stays.
    ///
    /// # Errors
    /// Those of [`Subject::of`], and [`Error::InvalidParameter`] for a setting that no measurement
    /// has written: `threads` beyond [its range](ModelConfig::threads).
    pub fn apply(
        &self,
        engine: &Engine,
        mut config: ModelConfig,
        size: (u32, u32),
    ) -> Result<Tuned> {
        let subject = Subject::of(engine, &config, size)?;
        let Some(entry) = self.find(&subject) else {
            return Ok(Tuned { config, found: self.nothing_for(&subject) });
        };
        if let Some(threads) = entry.settings.threads
            && let Err(Error::InvalidParameter { field, value, allowed }) =
                validate::threads(threads)
        {
            let value = format!("{value}, in {}", self.path().display());
            return Err(Error::InvalidParameter { field, value, allowed });
        }
        entry.settings.apply_to_config(&mut config);
        Ok(Tuned { config, found: Match::Entry(Box::new(entry.clone())) })
    }

    /// Why there is no entry.
    fn nothing_for(&self, subject: &Subject) -> Match {
        if let Some(architecture) = subject.unmeasurable() {
            return Match::Unmeasurable { architecture };
        }
        let path = self.path().to_owned();
        let differences = self.entries().iter().map(|entry| entry.subject.differences(subject));
        match differences.min_by_key(Vec::len) {
            None if !path.exists() => Match::NoFile { path },
            differs => Match::NoEntry { path, differs: differs.unwrap_or_default() },
        }
    }
}

impl ModelConfig {
    /// With the settings that were measured to be the fastest for it, by [`Tune`] or `sdcpp tune`: of
    /// the file of [`tune::default_path`](default_path), for this machine, the engine of
    /// [`Engine::auto`], and pictures of the size that the model's [preset](crate::Preset::for_model)
    /// says. For another engine or size there is [`TunedFile::apply`].
    ///
    /// What the configuration sets stays. Where nothing was measured all of it does, and
    /// [`Tuned::found`] says so.
    ///
    /// Threads are measured for one picture at a time. A [`Pool`](crate::Pool) of several divides the
    /// cores itself if `threads` is absent.
    ///
    /// ```no_run
    /// use sdcpp::{Context, ModelConfig};
    ///
    /// # fn main() -> sdcpp::Result<()> {
    /// let tuned = ModelConfig::new("sd15.safetensors").tuned()?;
    /// println!("{}", tuned.found);
    /// let context = Context::new(tuned.config)?;
    /// # drop(context);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`TunedFile::apply`], [`Engine::auto`] and [`tune::default_path`](default_path), and
    /// those of [`TunedFile`] if there is a file that cannot be used.
    pub fn tuned(self) -> Result<Tuned> {
        self.tuned_with(&TunedFile::open_or_new(default_path()?)?)
    }

    /// As [`tuned`](Self::tuned), by another file, which must exist.
    ///
    /// # Errors
    /// As [`tuned`](Self::tuned), and [`Error::FileNotFound`].
    pub fn tuned_by(self, path: impl Into<PathBuf>) -> Result<Tuned> {
        self.tuned_with(&TunedFile::open(path)?)
    }

    fn tuned_with(self, file: &TunedFile) -> Result<Tuned> {
        let request = Tune::request_for(&self)?;
        file.apply(&Engine::auto()?, self, (request.width, request.height))
    }
}
