//! What the engine itself said about a failure.

use super::Error;
use std::fmt;

/// What the engine said about a failure. Displays as `: message` or `: first line`, for errors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineReport {
    /// Text of the exception or assertion; empty when the engine only returned a failure.
    pub message: String,
    /// The engine's ERROR lines of the call, in order.
    pub lines: Vec<String>,
}

impl fmt::Display for EngineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.lines.first().map(String::as_str).unwrap_or_default();
        match (self.message.as_str(), first) {
            ("", "") => Ok(()),
            ("", line) => write!(f, ": {line}"),
            (message, _) => write!(f, ": {message}"),
        }
    }
}

impl Error {
    /// The engine's own words, if it was involved.
    pub fn engine_report(&self) -> Option<&EngineReport> {
        match self {
            Self::ModelLoad { report, .. }
            | Self::OutOfMemory { report, .. }
            | Self::Vae { report, .. }
            | Self::TextEncoder { report }
            | Self::Sampling { report }
            | Self::EngineAssertion { report, .. }
            | Self::Engine { report, .. } => Some(report),
            _ => None,
        }
    }

    /// The engine's ERROR lines of the call; empty if it was not involved.
    pub fn engine_lines(&self) -> &[String] {
        self.engine_report().map_or(&[], |report| &report.lines)
    }
}
