//! What can go wrong, by stage and cause, with the engine's own words.

mod advice;
mod kind;
mod report;

pub use report::EngineReport;

use crate::{Backend, Mismatch, MissingParts, stage::Stage};
use sdcpp_sys::TableError;
use std::{borrow::Cow, fmt, io, path::PathBuf, time::Duration};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
///
/// [`Display`](fmt::Display) says what failed and on what; [`Error::advice`] says what to try;
/// [`Error::engine_lines`] has what the engine logged as errors meanwhile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is outside what the engine accepts. The engine was not called.
    #[error("{field} is {value}; allowed: {allowed}")]
    InvalidParameter {
        /// The field of the request, configuration or setting.
        field: Cow<'static, str>,
        /// What was given, shortened if long.
        value: String,
        /// What is allowed.
        allowed: String,
    },

    /// A file of the configuration does not exist.
    #[error("{role} not found: {}", path.display())]
    FileNotFound {
        /// What the file was for: the field of [`ModelConfig`](crate::ModelConfig).
        role: Cow<'static, str>,
        /// Where it was looked for.
        path: PathBuf,
    },

    /// A file exists and cannot be read.
    #[error("{role} cannot be read: {}: {source}", path.display())]
    FileUnreadable {
        /// What the file was for.
        role: Cow<'static, str>,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// A file is no model file, or a damaged one.
    #[error("{role} is no usable model: {}: {reason}", path.display())]
    NotAModel {
        /// What the file was for.
        role: Cow<'static, str>,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The files of the configuration are no whole model. The engine was not called.
    #[error("{} lacks {missing}", path.display())]
    MissingParts {
        /// The main model file.
        path: PathBuf,
        /// What is missing.
        missing: MissingParts,
    },

    /// A LoRA, ControlNet or embedding is not for this model. The engine was not called.
    #[error("{role} does not fit the model: {}: {mismatch}", path.display())]
    DoesNotFit {
        /// What the file was for.
        role: Cow<'static, str>,
        /// The file.
        path: PathBuf,
        /// Where the two differ.
        mismatch: Box<Mismatch>,
    },

    /// The engine refused the model.
    #[error("the model could not be loaded: {}{report}", path.display())]
    ModelLoad {
        /// The main model file.
        path: PathBuf,
        /// What the engine said.
        report: Box<EngineReport>,
    },

    /// Memory ran out, on the device or in the process.
    #[error("out of memory while {stage}{}{}{report}", on_device(device), asked_for(*requested))]
    OutOfMemory {
        /// What the engine was doing.
        stage: Stage,
        /// The device or buffer the engine named, if it did.
        device: Option<String>,
        /// How many bytes it asked for, if it said so.
        requested: Option<u64>,
        /// What the engine said.
        report: Box<EngineReport>,
    },

    /// The VAE failed to encode a picture into latents, or to decode latents into a picture.
    #[error("the VAE failed to {operation}{report}")]
    Vae {
        /// Which direction.
        operation: VaeOperation,
        /// What the engine said.
        report: Box<EngineReport>,
    },

    /// The text encoder failed.
    #[error("the text encoder failed{report}")]
    TextEncoder {
        /// What the engine said.
        report: Box<EngineReport>,
    },

    /// The diffusion model failed while sampling.
    #[error("sampling failed{report}")]
    Sampling {
        /// What the engine said.
        report: Box<EngineReport>,
    },

    /// An assertion in the engine failed. The context is poisoned.
    #[error("an engine assertion failed while {stage}{report}")]
    EngineAssertion {
        /// What the engine was doing.
        stage: Stage,
        /// The assertion, with its source file and line, and what the engine said before.
        report: Box<EngineReport>,
    },

    /// The engine failed in a way that has no kind of its own.
    #[error("the engine failed while {stage}{report}")]
    Engine {
        /// What the engine was doing.
        stage: Stage,
        /// What the engine said.
        report: Box<EngineReport>,
    },

    /// The caller asked to stop. The context can be used again.
    #[error("cancelled while {stage}")]
    Cancelled {
        /// What the engine was doing.
        stage: Stage,
    },

    /// The time limit passed. The context can be used again.
    #[error("the time limit of {limit:?} passed while {stage}")]
    DeadlineExceeded {
        /// What the engine was doing.
        stage: Stage,
        /// The limit that was set.
        limit: Duration,
    },

    /// This model or this build cannot do what was asked.
    #[error("{what} is not supported: {reason}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// Why not.
        reason: String,
    },

    /// An earlier failure left the context in an unknown state.
    #[error("the context cannot be used any more, because {cause}")]
    Poisoned {
        /// The failure that poisoned it.
        cause: String,
    },

    /// The caller's own progress closure panicked. The context can be used again.
    #[error("the progress callback panicked: {message}")]
    CallbackPanicked {
        /// The panic's message.
        message: String,
    },

    /// Code of a pool's model, or of the function that opens it, panicked. The model is replaced.
    #[error("panicked while {doing}: {message}")]
    Panicked {
        /// What was being done.
        doing: Cow<'static, str>,
        /// The panic's message.
        message: String,
    },

    /// A file could not be written, or a thread not started.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done, and on what.
        doing: String,
        /// The system's reason.
        source: io::Error,
    },

    /// Pixels could not be encoded or decoded.
    #[error("cannot {doing}: {reason}")]
    ImageCodec {
        /// What was being done.
        doing: String,
        /// The codec's reason.
        reason: String,
    },

    /// No context became free in time. The operation has not begun.
    #[error("no context became free within {waited:?}")]
    AcquireTimeout {
        /// How long was waited.
        waited: Duration,
    },

    /// The pool's queue is full. The operation was not queued.
    #[error("the queue is full: {limit} wait already")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },

    /// The pool is shut down. The operation has not begun, or was stopped.
    #[error("the pool is shut down")]
    ShutDown,

    /// The model failed too often in a row; the pool tries again when the time has passed.
    #[error("{failures} failures in a row, the last: {cause}; next attempt in {retry_in:?}")]
    CircuitOpen {
        /// Failures in a row: contexts that could not be opened, were poisoned or crashed.
        failures: u32,
        /// How long until the next attempt.
        retry_in: Duration,
        /// The last failure.
        cause: String,
    },

    /// A worker process ended, or was ended, in the middle of an operation. Only this operation is
    /// lost.
    #[error("the worker process {reason} while {stage}{}", last_of(lines))]
    WorkerCrashed {
        /// The signal that ended it, on systems that have signals.
        signal: Option<i32>,
        /// How it ended, as in `was killed by signal 11 (SIGSEGV)`.
        reason: String,
        /// What it was doing.
        stage: Stage,
        /// Its log's last ERROR lines, and behind them the last lines it wrote to standard error.
        lines: Vec<String>,
    },

    /// A worker process could not be started.
    #[error("the worker {} cannot be started: {reason}", program.display())]
    WorkerStart {
        /// The program.
        program: PathBuf,
        /// Why not.
        reason: String,
    },

    /// By estimate there is not enough memory. The engine was not called.
    #[error(
        "{doing} needs about {} of memory on {device}, and {} are free", mebibytes(*needed), mebibytes(*available)
    )]
    InsufficientMemory {
        /// What needs it, as in `loading sd15.safetensors and drawing 1024x1024`.
        doing: String,
        /// Where.
        device: String,
        /// Bytes needed, by estimate.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },

    /// There is no engine library of this name where it was looked for.
    #[error("{name} was not found in {}", folders(searched))]
    LibraryNotFound {
        /// Its file name.
        name: String,
        /// The folders that were looked into.
        searched: Vec<PathBuf>,
    },

    /// An engine library cannot be used.
    #[error("the engine library {} cannot be used: {reason}", path.display())]
    Library {
        /// The library, or its name where the system's loader found it.
        path: PathBuf,
        /// The loader's words, or what is wrong with it.
        reason: String,
    },

    /// The driver or the device of a backend is missing, or the engine was built without it.
    #[error("{backend} cannot be used: {reason}")]
    BackendUnavailable {
        /// The backend.
        backend: Backend,
        /// What is missing.
        reason: String,
    },

    /// The linked engine does not fit this crate.
    #[error("the engine cannot be used: {0}")]
    EngineTable(#[from] TableError),
}

/// Which way the VAE worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VaeOperation {
    /// Picture to latent.
    Encode,
    /// Latent to picture.
    Decode,
}

impl fmt::Display for VaeOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encode => "encode the picture",
            Self::Decode => "decode the picture",
        })
    }
}

fn on_device(device: &Option<String>) -> String {
    device.as_ref().map(|d| format!(" on {d}")).unwrap_or_default()
}

fn asked_for(bytes: Option<u64>) -> String {
    bytes.map(|b| format!(" ({:.1} MiB asked for)", b as f64 / 1_048_576.0)).unwrap_or_default()
}

fn last_of(lines: &[String]) -> String {
    lines.last().map(|line| format!(": {line}")).unwrap_or_default()
}

fn folders(searched: &[PathBuf]) -> String {
    let folders: Vec<_> = searched.iter().map(|folder| folder.display().to_string()).collect();
    match folders.as_slice() {
        [] => "the system's library folders".to_owned(),
        _ => format!("{} or the system's library folders", folders.join(", ")),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / 1_048_576.0)
}

impl Error {
    /// An [`Error::InvalidParameter`]; long values are shortened.
    pub(crate) fn invalid(
        field: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        const SHOWN: usize = 80;
        let text = value.to_string();
        let value = match text.char_indices().nth(SHOWN) {
            Some((cut, _)) => {
                format!("{}… ({} bytes)", text.split_at(cut).0, text.len())
            }
            None => text,
        };
        Self::InvalidParameter { field: field.into(), value, allowed: allowed.into() }
    }

    /// Why a file or folder could not be opened.
    pub(crate) fn file(
        role: impl Into<Cow<'static, str>>,
        path: impl Into<PathBuf>,
        source: io::Error,
    ) -> Self {
        let (role, path) = (role.into(), path.into());
        match source.kind() {
            io::ErrorKind::NotFound => Self::FileNotFound { role, path },
            _ => Self::FileUnreadable { role, path, source },
        }
    }

    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }

    /// Whether the failure is for lack of memory.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. } | Self::InsufficientMemory { .. })
    }

    /// Whether the operation was stopped by the caller, by cancelling or by a time limit.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Cancelled { .. } | Self::DeadlineExceeded { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small_enough_to_return_by_value() {
        assert!(size_of::<Error>() <= 128, "{}", size_of::<Error>());
    }

    #[test]
    fn says_what_failed_on_what() {
        let report = EngineReport { message: String::new(), lines: vec!["no memory".into()] };
        let error = Error::OutOfMemory {
            stage: Stage::VaeDecoding,
            device: Some("CUDA0".into()),
            requested: Some(3 << 20),
            report: Box::new(report),
        };
        assert_eq!(
            error.to_string(),
            "out of memory while decoding with the VAE on CUDA0 (3.0 MiB asked for): no memory"
        );
        assert!(error.advice().unwrap().contains("tiling"));
    }

    #[test]
    fn long_values_are_shortened_at_a_character() {
        let error = Error::invalid("prompt", "ü".repeat(1000), "less");
        let text = error.to_string();
        assert!(text.len() < 300 && text.contains("2000 bytes"), "{text}");
    }
}
