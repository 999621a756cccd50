//! What a host and its worker say to each other.

use super::{
    wire::{ProgressDef, TimingsDef, WirePreviews, WireWarning},
    wire_error::WireError,
};
use crate::{ImageRequest, ModelConfig, Progress, Timings, VideoRequest};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Changes with every change of the messages. The version of the crate is compared too.
pub(super) const PROTOCOL: u32 = 2;

/// From the host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToWorker<'a> {
    /// Open this model; comes first, and once.
    Open {
        config: Cow<'a, ModelConfig>,
        /// How many a pool has side by side, if this is one of a pool's.
        models: Option<usize>,
        memory_limit: Option<u64>,
        watched: Watched,
    },
    /// Draw.
    Image { request: Cow<'a, ImageRequest>, watched: Watched },
    /// Make a video.
    Video { request: Cow<'a, VideoRequest>, watched: Watched },
    /// Stop what was asked for last.
    Cancel,
}

/// What the host wants to be told of an operation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Watched {
    pub(super) previews: Option<WirePreviews>,
    /// Log lines up to this level, as [`log::number`](super::log::number) counts them.
    pub(super) log: u8,
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromWorker {
    /// Comes first, and proves that the program is a worker of the same version.
    Hello { protocol: u32, version: String, nonce: String },
    /// Sent each second.
    Alive,
    /// A line of its log.
    Log { level: u8, target: String, text: String },
    /// What the running operation has come to.
    Progress(#[serde(with = "ProgressDef")] Progress),
    /// A preview; the pixels of its frames follow, RGB.
    Preview { step: u32, noisy: bool, frames: Vec<(u32, u32)> },
    /// The model is open.
    Ready(Ready),
    /// A picture of the result; its pixels follow.
    Picture { width: u32, height: u32, channels: u32, seed: i64, parameters: String },
    /// The sound of the result; its samples follow, as 32-bit floats, the lowest byte first.
    Sound { sample_rate: u32, channels: u16, samples: u32 },
    /// The pictures that came are the result.
    Drawn(Drawn),
    /// The operation failed.
    Failed {
        error: WireError,
        /// Whether the model can be used again.
        usable: bool,
    },
}

/// What the host is told of an open model.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) family: String,
    pub(super) makes_images: bool,
    pub(super) makes_video: bool,
    /// What it was opened with, which is not what the host sent if it is one of a pool's.
    pub(super) threads: Option<u32>,
    pub(super) mmap: Option<bool>,
    #[serde(with = "TimingsDef")]
    pub(super) load: Timings,
}

/// How an operation came to its end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Drawn {
    #[serde(with = "TimingsDef")]
    pub(super) timings: Timings,
    pub(super) warnings: Vec<WireWarning>,
    /// The seed the operation began with.
    pub(super) seed: i64,
}
