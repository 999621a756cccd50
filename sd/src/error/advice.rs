//! What a user can try.

use super::Error;
use crate::Stage;

/// The last words of C++ and of Rust when memory runs out where no error can be told.
fn out_of_memory(line: &str) -> bool {
    line.contains("std::bad_alloc") || line.contains("memory allocation of ")
}

impl Error {
    /// What the user can try, if there is something.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::FileNotFound { .. } => {
                "check the path; relative paths start at the current folder"
            }
            Self::NotAModel { .. } => {
                "download the file again, and compare its size with the source's"
            }
            Self::MissingParts { .. } => {
                "give the missing parts in files of their own, or a file that has them"
            }
            Self::DoesNotFit { .. } => "use one that was made for this model's family",
            Self::ModelLoad { .. } => {
                "check that the file is of a supported family, and that its text encoder and VAE are \
                 in it or given apart"
            }
            Self::OutOfMemory { stage: Stage::VaeDecoding, .. } => {
                "turn vae_tiling or vae_tiling_fallback on, or use a smaller size, fewer pictures at \
                 once, or a TAESD decoder"
            }
            Self::OutOfMemory { stage: Stage::VaeEncoding, .. } => {
                "turn vae_tiling on, or use a smaller size"
            }
            Self::OutOfMemory { stage: Stage::Loading | Stage::Opening, .. } => {
                "use a smaller quantisation (q8_0, q4_0) or memory mapping, or offload: a part to \
                 another device by backend, weights to main memory by params_backend"
            }
            Self::OutOfMemory { stage: Stage::TextEncoding, .. } => {
                "use a smaller quantisation of the text encoder, or compute it elsewhere, as by the \
                 backend te=cpu"
            }
            Self::OutOfMemory { stage: Stage::Upscaling, .. } => {
                "use smaller tiles, or a smaller picture"
            }
            Self::OutOfMemory { .. } => {
                "use a smaller size or fewer frames, flash attention, or a smaller quantisation"
            }
            Self::Vae { .. } => "turn VAE tiling on, or give another VAE file",
            Self::TextEncoder { .. } => {
                "check that the text encoder's file is whole and fits the model"
            }
            Self::EngineAssertion { .. } | Self::Poisoned { .. } => {
                "drop this context and create a new one"
            }
            Self::AcquireTimeout { .. } | Self::QueueFull { .. } => {
                "try again later, wait longer, or let the pool have more contexts"
            }
            Self::CircuitOpen { .. } => {
                "mend what the last failure says, or try again after the time it names"
            }
            Self::WorkerCrashed { lines, .. } if lines.iter().any(|line| out_of_memory(line)) => {
                "raise the worker's memory limit if there is one, or use a smaller size or batch, a \
                 smaller quantisation, or memory mapping"
            }
            Self::WorkerCrashed { signal: Some(9), .. } => {
                "try again: the next operation gets a fresh worker; if nobody killed it, the system \
                 ran out of memory"
            }
            Self::WorkerCrashed { .. } => {
                "try again: the next operation gets a fresh worker; if it crashes again, check the \
                 model file"
            }
            Self::WorkerStart { .. } => {
                "check the path of the worker program, and that it is of this version"
            }
            Self::InsufficientMemory { .. } => {
                "use a smaller size or batch, VAE tiling, a smaller quantisation, or memory mapping"
            }
            Self::LibraryNotFound { .. } => {
                "build it with scripts/engine-library.sh, and put it beside the program or name it in \
                 SDCPP_LIBRARY"
            }
            Self::Library { reason, .. } if reason.contains("libcu") => {
                "install CUDA's runtime libraries of the version that it names, or put them beside it"
            }
            Self::Library { reason, .. } if reason.contains("libvulkan") => {
                "install the Vulkan loader (libvulkan1, vulkan-loader)"
            }
            Self::Library { .. } => "build the library from the same version as this program",
            Self::BackendUnavailable { .. } => {
                "install the driver, or use another backend; the processor always works"
            }
            Self::DeadlineExceeded { .. } => {
                "raise the limit, or use fewer steps or a smaller size"
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_runs_out_has_an_advice_for_each_stage() {
        let advice = |stage| {
            let report = Box::default();
            let error = Error::OutOfMemory { stage, device: None, requested: None, report };
            error.advice().unwrap()
        };
        let all = [
            (Stage::Loading, "quantisation"),
            (Stage::TextEncoding, "text encoder"),
            (Stage::VaeEncoding, "vae_tiling"),
            (Stage::Sampling, "flash attention"),
            (Stage::VaeDecoding, "vae_tiling_fallback"),
            (Stage::Upscaling, "smaller tiles"),
        ];
        for (stage, part) in all {
            assert!(advice(stage).contains(part), "{stage}: {}", advice(stage));
            let same = all.iter().filter(|(other, _)| advice(*other) == advice(stage));
            assert_eq!(same.count(), 1, "{stage}");
        }
        assert_eq!(advice(Stage::Opening), advice(Stage::Loading));
        // The fallback is for decoding alone.
        assert!(!advice(Stage::VaeEncoding).contains("fallback"));
    }

    #[test]
    fn crashes_for_lack_of_memory_are_told_by_the_last_lines() {
        let crashed = |signal, line: &str| Error::WorkerCrashed {
            signal: Some(signal),
            reason: "was killed".to_owned(),
            stage: Stage::Loading,
            lines: vec![line.to_owned(), "Aborted".to_owned()],
        };
        let advice = |signal, line| crashed(signal, line).advice().unwrap();
        assert!(advice(6, "terminate called after … 'std::bad_alloc'").contains("memory limit"));
        assert!(advice(6, "memory allocation of 9 bytes failed").contains("memory limit"));
        assert!(advice(9, "fine").contains("the system ran out of memory"));
        assert!(advice(11, "fine").contains("check the model file"));
    }
}
