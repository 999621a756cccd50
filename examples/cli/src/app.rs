//! What every command has at hand: how to speak to the user, and how it is stopped.

use crate::{bar::Bar, cancel, cli::GlobalOptions};
use sdcpp::{CancelToken, Engine, Error, Watch};
use std::{io::IsTerminal, time::Duration};

/// The running program.
pub(crate) struct App {
    /// Results and errors as one JSON object on standard output.
    pub(crate) json: bool,
    /// No progress, notes and warnings.
    pub(crate) quiet: bool,
    /// The engine's whole log.
    pub(crate) verbose: bool,
    pub(crate) bar: Bar,
    pub(crate) cancel: CancelToken,
}

impl App {
    pub(crate) fn new(options: GlobalOptions) -> Self {
        if options.verbose {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::DEBUG)
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr)
                .init();
        }
        Self {
            json: options.json,
            quiet: options.quiet,
            verbose: options.verbose,
            // Log lines and a bar would write over each other.
            bar: Bar::new(!options.quiet && !options.verbose),
            cancel: CancelToken::new(),
        }
    }

    /// The engine; from here on Ctrl-C stops what it does.
    pub(crate) fn engine(&self) -> Result<Engine, Error> {
        if let Err(error) = cancel::on_signal(self.cancel.clone()) {
            self.note(&format!("warning: Ctrl-C will end the program at once: {error}"));
        }
        Engine::auto()
    }

    /// Watches an operation: progress bar, Ctrl-C, time limit.
    pub(crate) fn watch<'a>(&self, limit: Option<Duration>) -> Watch<'a> {
        let bar = self.bar.clone();
        let watch = Watch::new()
            .on_progress(move |progress| bar.show(progress))
            .cancel_with(self.cancel.clone());
        match limit {
            Some(limit) => watch.time_limit(limit),
            None => watch,
        }
    }

    /// A line for people, on standard error.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.bar.above(|| eprintln!("{text}"));
        }
    }
}
