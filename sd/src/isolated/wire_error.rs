//! Errors as messages have them, field by field as in [`wire`](super::wire).

use super::{
    lines::{shown, shown_if_any, shown_lines},
    wire::StageDef,
};
use crate::{
    Architecture, Backend, EngineReport, Error, Mismatch, MissingParts, Stage, VaeOperation,
};
use sdcpp_sys::TableError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, io, path::PathBuf, time::Duration};

#[derive(Serialize, Deserialize)]
#[serde(remote = "VaeOperation")]
enum VaeOperationDef {
    Encode,
    Decode,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "EngineReport")]
struct EngineReportDef {
    #[serde(deserialize_with = "shown")]
    message: String,
    #[serde(deserialize_with = "shown_lines")]
    lines: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Mismatch")]
enum MismatchDef {
    Shape {
        #[serde(deserialize_with = "shown")]
        tensor: String,
        given: Vec<u64>,
        model: Vec<u64>,
    },
    NoKeyMatches {
        modules: usize,
        #[serde(deserialize_with = "shown")]
        example: String,
    },
    WrongKind {
        #[serde(deserialize_with = "shown")]
        expected: Cow<'static, str>,
        found: Architecture,
    },
    Family {
        #[serde(deserialize_with = "shown")]
        what: Cow<'static, str>,
        family: Architecture,
    },
}

/// A `Box` of what has one of the definitions above.
macro_rules! boxed {
    ($module:ident, $type:ty, $def:literal) => {
        mod $module {
            use super::*;

            #[derive(Serialize, Deserialize)]
            struct Inner(#[serde(with = $def)] $type);

            pub(super) fn serialize<S: Serializer>(
                value: &$type,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                Inner(value.clone()).serialize(serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Box<$type>, D::Error> {
                Inner::deserialize(deserializer).map(|inner| Box::new(inner.0))
            }
        }
    };
}

boxed!(report, EngineReport, "EngineReportDef");
boxed!(mismatch, Mismatch, "MismatchDef");

/// An error of the system: its number where it has one, else its kind and text.
mod system {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Inner {
        number: Option<i32>,
        kind: String,
        #[serde(deserialize_with = "shown")]
        text: String,
    }

    /// The kinds that callers look for; the others are told by their text.
    const KINDS: &[io::ErrorKind] = &[
        io::ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::AlreadyExists,
        io::ErrorKind::InvalidInput,
        io::ErrorKind::InvalidData,
        io::ErrorKind::TimedOut,
        io::ErrorKind::StorageFull,
        io::ErrorKind::Interrupted,
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::OutOfMemory,
    ];

    pub(super) fn serialize<S: Serializer>(
        error: &io::Error,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Inner {
            number: error.raw_os_error(),
            kind: format!("{:?}", error.kind()),
            text: error.to_string(),
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<io::Error, D::Error> {
        let Inner { number, kind, text } = Inner::deserialize(deserializer)?;
        if let Some(number) = number {
            return Ok(io::Error::from_raw_os_error(number));
        }
        let kind = KINDS.iter().copied().find(|known| format!("{known:?}") == kind);
        Ok(io::Error::new(kind.unwrap_or(io::ErrorKind::Other), text))
    }
}

/// A path in an error, which is read by people: what is no Unicode in it is replaced.
mod shown_path {
    use super::*;
    use std::path::Path;

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.to_string_lossy().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PathBuf, D::Error> {
        shown(deserializer)
    }
}

/// Several of them.
mod shown_paths {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        paths: &[PathBuf],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        Ok(shown_lines(deserializer)?.into_iter().map(PathBuf::from).collect())
    }
}

/// An error on its way. [`Error::EngineTable`] becomes [`Error::Unsupported`], for the names in it
/// are of the worker's program; paths and system errors keep what is shown of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireError(#[serde(with = "ErrorDef")] Error);

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::EngineTable(reason) => Error::Unsupported {
                what: "the engine of the worker".to_owned(),
                reason: reason.to_string(),
            },
            other => other,
        })
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        error.0
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Backend")]
enum BackendDef {
    Cuda,
    Hip,
    Sycl,
    Metal,
    Vulkan,
    Cpu,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Error")]
enum ErrorDef {
    InvalidParameter {
        #[serde(deserialize_with = "shown")]
        field: Cow<'static, str>,
        #[serde(deserialize_with = "shown")]
        value: String,
        #[serde(deserialize_with = "shown")]
        allowed: String,
    },
    FileNotFound {
        #[serde(deserialize_with = "shown")]
        role: Cow<'static, str>,
        #[serde(with = "shown_path")]
        path: PathBuf,
    },
    FileUnreadable {
        #[serde(deserialize_with = "shown")]
        role: Cow<'static, str>,
        #[serde(with = "shown_path")]
        path: PathBuf,
        #[serde(with = "system")]
        source: io::Error,
    },
    NotAModel {
        #[serde(deserialize_with = "shown")]
        role: Cow<'static, str>,
        #[serde(with = "shown_path")]
        path: PathBuf,
        #[serde(deserialize_with = "shown")]
        reason: String,
    },
    MissingParts {
        #[serde(with = "shown_path")]
        path: PathBuf,
        missing: MissingParts,
    },
    DoesNotFit {
        #[serde(deserialize_with = "shown")]
        role: Cow<'static, str>,
        #[serde(with = "shown_path")]
        path: PathBuf,
        #[serde(with = "mismatch")]
        mismatch: Box<Mismatch>,
    },
    ModelLoad {
        #[serde(with = "shown_path")]
        path: PathBuf,
        #[serde(with = "report")]
        report: Box<EngineReport>,
    },
    OutOfMemory {
        #[serde(with = "StageDef")]
        stage: Stage,
        #[serde(deserialize_with = "shown_if_any")]
        device: Option<String>,
        requested: Option<u64>,
        #[serde(with = "report")]
        report: Box<EngineReport>,
    },
    Vae {
        #[serde(with = "VaeOperationDef")]
        operation: VaeOperation,
        #[serde(with = "report")]
        report: Box<EngineReport>,
    },
    TextEncoder {
        #[serde(with = "report")]
        report: Box<EngineReport>,
    },
    Sampling {
        #[serde(with = "report")]
        report: Box<EngineReport>,
    },
    EngineAssertion {
        #[serde(with = "StageDef")]
        stage: Stage,
        #[serde(with = "report")]
        report: Box<EngineReport>,
    },
    Engine {
        #[serde(with = "StageDef")]
        stage: Stage,
        #[serde(with = "report")]
        report: Box<EngineReport>,
    },
    Cancelled {
        #[serde(with = "StageDef")]
        stage: Stage,
    },
    DeadlineExceeded {
        #[serde(with = "StageDef")]
        stage: Stage,
        limit: Duration,
    },
    Unsupported {
        #[serde(deserialize_with = "shown")]
        what: String,
        #[serde(deserialize_with = "shown")]
        reason: String,
    },
    Poisoned {
        #[serde(deserialize_with = "shown")]
        cause: String,
    },
    CallbackPanicked {
        #[serde(deserialize_with = "shown")]
        message: String,
    },
    Panicked {
        #[serde(deserialize_with = "shown")]
        doing: Cow<'static, str>,
        #[serde(deserialize_with = "shown")]
        message: String,
    },
    Io {
        #[serde(deserialize_with = "shown")]
        doing: String,
        #[serde(with = "system")]
        source: io::Error,
    },
    ImageCodec {
        #[serde(deserialize_with = "shown")]
        doing: String,
        #[serde(deserialize_with = "shown")]
        reason: String,
    },
    AcquireTimeout {
        waited: Duration,
    },
    QueueFull {
        limit: usize,
    },
    ShutDown,
    CircuitOpen {
        failures: u32,
        retry_in: Duration,
        #[serde(deserialize_with = "shown")]
        cause: String,
    },
    WorkerCrashed {
        signal: Option<i32>,
        #[serde(deserialize_with = "shown")]
        reason: String,
        #[serde(with = "StageDef")]
        stage: Stage,
        #[serde(deserialize_with = "shown_lines")]
        lines: Vec<String>,
    },
    WorkerStart {
        #[serde(with = "shown_path")]
        program: PathBuf,
        #[serde(deserialize_with = "shown")]
        reason: String,
    },
    InsufficientMemory {
        #[serde(deserialize_with = "shown")]
        doing: String,
        #[serde(deserialize_with = "shown")]
        device: String,
        needed: u64,
        available: u64,
    },
    LibraryNotFound {
        #[serde(deserialize_with = "shown")]
        name: String,
        #[serde(with = "shown_paths")]
        searched: Vec<PathBuf>,
    },
    Library {
        #[serde(with = "shown_path")]
        path: PathBuf,
        #[serde(deserialize_with = "shown")]
        reason: String,
    },
    BackendUnavailable {
        #[serde(with = "BackendDef")]
        backend: Backend,
        #[serde(deserialize_with = "shown")]
        reason: String,
    },
    #[serde(skip)]
    EngineTable(#[allow(dead_code, reason = "`WireError` never holds one")] TableError),
}
