//! What tuning tells while it measures, and what comes of it.

use super::{Candidate, Measured, Subject, TunedEntry, TunedFile, TunedSettings, default_path};
use crate::{Error, Result};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What tuning has come to.
#[derive(Debug)]
#[non_exhaustive]
pub enum TuneProgress<'a> {
    /// The defaults are measured for the first time.
    Default,
    /// A candidate is about to be measured.
    Trying {
        /// The candidate.
        candidate: Candidate,
        /// Which it is, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// What came of it.
    Tried(&'a Tried),
    /// All that was chosen is measured against the defaults.
    Together(TunedSettings),
}

/// A candidate, and what came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tried {
    /// The candidate.
    pub candidate: Candidate,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a candidate.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It is faster than the best before it, and takes its place.
    Chosen(Measured),
    /// It is not.
    NotFaster(Measured),
    /// The model cannot be opened by it, or cannot draw: it is not supported, or memory runs out.
    Failed(Error),
    /// There was no time for it.
    NoTime,
}

/// What was measured, and what is best.
#[derive(Debug)]
#[non_exhaustive]
pub struct TuneReport {
    /// What it holds for.
    pub subject: Subject,
    /// Every candidate, in the order in which they were tried.
    pub tried: Vec<Tried>,
    /// The fastest settings.
    pub settings: TunedSettings,
    /// The median time of a picture by the defaults, but for reading weights.
    pub default_time: Duration,
    /// All that was chosen together against the defaults; none if nothing was, if there was no time, or
    /// if drawing failed then. If it is slower, the defaults are the fastest after all.
    pub together: Option<Measured>,
    /// Pictures that were drawn and counted.
    pub pictures: u32,
    /// How long it took.
    pub time: Duration,
}

impl TuneReport {
    /// As it is written to a file.
    pub fn entry(&self) -> TunedEntry {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let together = self.together.filter(|_| !self.settings.is_default());
        TunedEntry {
            subject: self.subject.clone(),
            settings: self.settings,
            default_micros: micros(together.map_or(self.default_time, |measured| measured.best)),
            tuned_micros: together.map(|measured| micros(measured.candidate)),
        }
    }

    /// Writes it to the file of [`default_path`], and says which that is.
    ///
    /// # Errors
    /// As [`save_to`](Self::save_to), and those of [`default_path`].
    pub fn save(&self) -> Result<PathBuf> {
        let path = default_path()?;
        self.save_to(&path)?;
        Ok(path)
    }

    /// Writes it to a file, in place of what was measured there for the same
    /// [subject](Self::subject) before. Settings there that were not tried now stay: those that the
    /// configuration set, and those for which there was no time. The file is made if there is none.
    ///
    /// # Errors
    /// Those of [`TunedFile`] if there is one that cannot be used, which stays as it is; [`Error::Io`].
    pub fn save_to(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut file = TunedFile::open_or_new(path.as_ref())?;
        let entry = match file.find(&self.subject) {
            Some(earlier) => self.entry_after(earlier),
            None => self.entry(),
        };
        file.put(entry);
        file.save()
    }

    fn entry_after(&self, earlier: &TunedEntry) -> TunedEntry {
        let mut entry = self.entry();
        let kept = earlier.settings.chosen().filter(|chosen| !self.has_tried(chosen.field()));
        entry.settings = kept.fold(entry.settings, TunedSettings::with);
        if entry.settings != self.settings {
            // They were not drawn with all together.
            entry.tuned_micros = None;
        }
        entry
    }

    fn has_tried(&self, field: &str) -> bool {
        let is_tried = |tried: &Tried| !matches!(tried.outcome, Outcome::NoTime);
        self.tried.iter().any(|tried| tried.candidate.field() == field && is_tried(tried))
    }
}
