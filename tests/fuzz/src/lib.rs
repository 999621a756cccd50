//! What hostile input may not do to the parsers of `sdcpp`.
//!
//! Each [`Target`] takes any bytes, and panics only where the crate breaks a promise: no panic of
//! its own, and what is said in the target's documentation. `corpus/` has a folder of inputs for
//! each: `tests/corpus.rs` replays and mutates them in CI, `scripts/fuzz.sh` lets libFuzzer look
//! for more.

mod json;
mod metadata;
mod model_header;
mod mutate;
mod prompt;
mod worker_message;

pub use mutate::mutate;

use std::path::{Path, PathBuf};

/// One parser under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Gives the parser any bytes.
    pub run: fn(&[u8]),
}

impl Target {
    /// Where its inputs are.
    pub fn corpus(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name)
    }
}

/// All targets.
pub fn targets() -> impl Iterator<Item = Target> {
    [
        Target { name: "model_header", run: model_header::run },
        Target { name: "prompt", run: prompt::run },
        Target { name: "metadata", run: metadata::run },
        Target { name: "request_json", run: json::run },
        Target { name: "worker_message", run: worker_message::run },
    ]
    .into_iter()
}
