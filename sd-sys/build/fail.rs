//! Build failures in words a user can act on.

use std::{fmt, io, path::Path, process};

/// What failed, and what to do about it.
#[derive(Debug)]
pub(crate) struct Fail {
    what: String,
    advice: Vec<String>,
}

impl Fail {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), advice: Vec::new() }
    }

    /// A file-system failure on `path`.
    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(format!("cannot {doing} {}: {error}", path.display()))
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    pub(crate) fn report_and_exit(self) -> ! {
        // Cargo shows a failed build script's stderr as it is; `cargo::error` makes the first line
        // stand out as an error of this package.
        println!("cargo::error={}", self.what.replace('\n', " "));
        eprintln!("\n{self}");
        process::exit(1);
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sdcpp-sys: {}", self.what)?;
        for line in &self.advice {
            writeln!(f, "  - {line}")?;
        }
        Ok(())
    }
}
