//! Makes a typed error of a failed engine call: the only place that reads the engine's error texts.

use crate::{
    Error, Result,
    engine::{Outcome, Status},
    error::{EngineReport, VaeOperation},
    stage::Stage,
};
use std::path::Path;

/// Texts that mean memory ran out, from the engine's allocators and drivers. Compared in lower case.
const OUT_OF_MEMORY: &[&str] = &[
    "cudamalloc failed",
    "failed to allocate",
    "out of memory",
    "outofdevicememory",
    "outofhostmemory",
    "device memory allocation of size",
    "alloc params backend buffer failed",
    "alloc compute params backend buffer failed",
    "is too large for params buffer",
    "alloc compute buffer failed",
    "insufficient memory",
    // Asserted of what `malloc` gave: pixels, and ggml's own tables.
    "ggml_assert(data != nullptr) failed",
    "ggml_assert(galloc",
    "std::bad_alloc",
];

/// Texts about weights, whatever stage first needed them.
const WEIGHTS: &[&str] = &[
    "alloc params backend buffer failed",
    "is too large for params buffer",
    "prepare graph weights failed",
    "get sd version from file failed",
    "not in model metadata",
    "model metadata validation failed",
    "read tensor data failed",
    "unsupported dtype",
    "size mismatch for tensor",
    "lora could not be merged",
    "load tensors from",
    "init model loader from file failed",
];

/// What a failed call was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum During {
    Opening,
    Generating,
}

/// The error of a call that did not end well. `model` is the main file, for errors about it.
pub(crate) fn classify(outcome: Outcome, during: During, model: &Path) -> Error {
    if let Some(stopped) = outcome.stopped(false) {
        return stopped;
    }
    let stage = outcome.ended.stage;
    let report = Box::new(outcome.ended.report);
    let says =
        |texts: &[&str]| texts_in(&report).any(|line| texts.iter().any(|t| line.contains(t)));
    let about_weights = says(WEIGHTS);

    if outcome.status == Status::OutOfMemory || says(OUT_OF_MEMORY) {
        let (device, requested) = asked_for(&report);
        let stage = if about_weights { Stage::Loading } else { stage };
        return Error::OutOfMemory { stage, device, requested, report };
    }
    if outcome.status == Status::Assert {
        return Error::EngineAssertion { stage, report };
    }
    let path = model.to_path_buf();
    match stage {
        _ if about_weights => Error::ModelLoad { path, report },
        Stage::Loading => Error::ModelLoad { path, report },
        Stage::Opening if during == During::Opening => Error::ModelLoad { path, report },
        Stage::TextEncoding => Error::TextEncoder { report },
        Stage::VaeEncoding => Error::Vae { operation: VaeOperation::Encode, report },
        Stage::VaeDecoding => Error::Vae { operation: VaeOperation::Decode, report },
        Stage::Sampling => Error::Sampling { report },
        _ => Error::Engine { stage, report },
    }
}

/// Whether an earlier failure left what the engine holds in an unknown state, and which.
#[derive(Debug, Default)]
pub(crate) struct Poison(Option<String>);

impl Poison {
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn check(&self) -> Result<()> {
        match &self.0 {
            Some(cause) => Err(Error::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    /// What a call on the model in this file made, or why it did not.
    pub(crate) fn finish<T>(
        &mut self,
        made: Result<T, String>,
        outcome: Outcome,
        model: &Path,
    ) -> Result<(T, Outcome)> {
        if outcome.status != Status::Ok {
            let poisons = poisons(outcome.status);
            let error = classify(outcome, During::Generating, model);
            if poisons {
                self.0 = Some(error.to_string());
            }
            return Err(error);
        }
        if let Some(stopped) = outcome.stopped(false) {
            return Err(stopped);
        }
        match made {
            Ok(made) => Ok((made, outcome)),
            Err(reason) => Err(Error::Engine {
                stage: outcome.ended.stage,
                report: Box::new(EngineReport { message: reason, ..EngineReport::default() }),
            }),
        }
    }
}

/// Whether the engine's state is unknown after a call that ended so.
fn poisons(status: Status) -> bool {
    matches!(status, Status::Assert | Status::Exception | Status::OutOfMemory)
}

fn texts_in(report: &EngineReport) -> impl Iterator<Item = String> + '_ {
    std::iter::once(&report.message).chain(&report.lines).map(|line| line.to_lowercase())
}

/// Device (or buffer) and bytes, from the allocators' lines:
/// `allocating 1024.00 MiB on device 0: cudaMalloc failed: …`,
/// `failed to allocate CUDA0 buffer of size 1073741824`,
/// `Device memory allocation of size 1073741824 failed.`,
/// `insufficient memory (attempted to allocate 1024.00 MB)`
fn asked_for(report: &EngineReport) -> (Option<String>, Option<u64>) {
    for line in std::iter::once(&report.message).chain(&report.lines) {
        if let Some((_, rest)) = line.split_once("allocating ")
            && let Some((amount, rest)) = rest.split_once(" MiB on device ")
        {
            let device = rest.split([':', ' ']).next().map(|n| format!("device {n}"));
            return (device, mebibytes(amount));
        }
        if let Some((_, rest)) = line.split_once("(attempted to allocate ")
            && let Some((amount, _)) = rest.split_once(" MB)")
        {
            return (None, mebibytes(amount));
        }
        if let Some((_, rest)) = line.split_once("failed to allocate ")
            && let Some((name, size)) = rest.split_once("buffer of size ")
        {
            let name = name.trim();
            return ((!name.is_empty()).then(|| name.to_owned()), leading_number(size));
        }
        if let Some((_, size)) = line.split_once("memory allocation of size ") {
            return (None, leading_number(size));
        }
    }
    (None, None)
}

fn mebibytes(text: &str) -> Option<u64> {
    let number = text.trim().parse::<f64>().ok().filter(|m| *m >= 0.0);
    number.map(|m| (m * 1_048_576.0) as u64)
}

fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end).0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[&str]) -> EngineReport {
        EngineReport {
            message: String::new(),
            lines: lines.iter().map(|l| (*l).to_owned()).collect(),
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read(line in "(allocating |failed to allocate |memory allocation of size )?\\PC{0,30}( MiB on device |buffer of size )?\\PC{0,20}") {
            let _ = asked_for(&report(&[&line]));
        }
    }

    #[test]
    fn sizes_and_devices_are_read_from_allocator_lines() {
        let cases = [
            (
                "allocating 1024.50 MiB on device 0: cudaMalloc failed: out of memory",
                Some("device 0"),
                Some(1_074_266_112),
            ),
            ("failed to allocate CUDA0 buffer of size 4096", Some("CUDA0"), Some(4096)),
            ("failed to allocate buffer of size 77", None, Some(77)),
            ("Device memory allocation of size 123 failed.", None, Some(123)),
            ("failed to allocate the compute buffer", None, None),
            (
                "ggml_aligned_malloc: insufficient memory (attempted to allocate  2.50 MB)",
                None,
                Some(2_621_440),
            ),
            ("allocating much MiB on device 1: cudaMalloc failed", Some("device 1"), None),
        ];
        for (line, device, bytes) in cases {
            assert_eq!(asked_for(&report(&[line])), (device.map(str::to_owned), bytes), "{line}");
        }
    }
}
