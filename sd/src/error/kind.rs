//! Names of errors and where they happened, for logs and protocols.

use super::{Error, VaeOperation};
use crate::Stage;

impl Error {
    /// The name of its kind, for logs, metrics and protocols: `invalid_parameter`,
    /// `out_of_memory`, `worker_crashed` and so on. A name never changes its meaning.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidParameter { .. } => "invalid_parameter",
            Self::FileNotFound { .. } => "file_not_found",
            Self::FileUnreadable { .. } => "file_unreadable",
            Self::NotAModel { .. } => "not_a_model",
            Self::MissingParts { .. } => "missing_parts",
            Self::DoesNotFit { .. } => "does_not_fit",
            Self::ModelLoad { .. } => "model_load",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::Vae { .. } => "vae",
            Self::TextEncoder { .. } => "text_encoder",
            Self::Sampling { .. } => "sampling",
            Self::EngineAssertion { .. } => "engine_assertion",
            Self::Engine { .. } => "engine",
            Self::Cancelled { .. } => "cancelled",
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
            Self::Unsupported { .. } => "unsupported",
            Self::Poisoned { .. } => "poisoned",
            Self::CallbackPanicked { .. } => "callback_panicked",
            Self::Panicked { .. } => "panicked",
            Self::Io { .. } => "io",
            Self::ImageCodec { .. } => "image_codec",
            Self::AcquireTimeout { .. } => "acquire_timeout",
            Self::QueueFull { .. } => "queue_full",
            Self::ShutDown => "shut_down",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::WorkerCrashed { .. } => "worker_crashed",
            Self::WorkerStart { .. } => "worker_start",
            Self::InsufficientMemory { .. } => "insufficient_memory",
            Self::LibraryNotFound { .. } => "library_not_found",
            Self::Library { .. } => "library",
            Self::BackendUnavailable { .. } => "backend_unavailable",
            Self::EngineTable(_) => "engine_table",
        }
    }
    /// What was being done when it failed, where the error tells.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::OutOfMemory { stage, .. }
            | Self::EngineAssertion { stage, .. }
            | Self::Engine { stage, .. }
            | Self::Cancelled { stage }
            | Self::DeadlineExceeded { stage, .. }
            | Self::WorkerCrashed { stage, .. } => Some(*stage),
            Self::Vae { operation: VaeOperation::Encode, .. } => Some(Stage::VaeEncoding),
            Self::Vae { operation: VaeOperation::Decode, .. } => Some(Stage::VaeDecoding),
            Self::TextEncoder { .. } => Some(Stage::TextEncoding),
            Self::Sampling { .. } => Some(Stage::Sampling),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_told_where_they_are_known() {
        let decode = Error::Vae { operation: VaeOperation::Decode, report: Box::default() };
        assert_eq!(decode.stage(), Some(Stage::VaeDecoding));
        let cancelled = Error::Cancelled { stage: Stage::Queued };
        assert_eq!(cancelled.stage(), Some(Stage::Queued));
        assert_eq!(Error::ShutDown.stage(), None);
    }
}
