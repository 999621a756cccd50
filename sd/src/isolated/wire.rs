//! The crate's types as messages have them. serde's derive compares these with the types field by
//! field: one that is added there and not here does not compile.

use super::lines::shown;
use crate::{PreviewKind, PreviewOptions, Progress, Stage, Timings, Warning};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
#[serde(remote = "Stage")]
pub(super) enum StageDef {
    Preparing,
    Opening,
    Loading,
    TextEncoding,
    VaeEncoding,
    Sampling,
    VaeDecoding,
    Upscaling,
    Converting,
    Preprocessing,
    Queued,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Progress")]
pub(super) enum ProgressDef {
    Loading { tensors: u32, total: u32 },
    Encoding { tile: u32, tiles: u32 },
    Sampling { step: u32, steps: u32, image: u32, images: u32, step_time: Duration },
    Decoding { tile: u32, tiles: u32 },
    Upscaling { tile: u32, tiles: u32 },
    Converting { tensors: u32, total: u32 },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Timings")]
pub(super) struct TimingsDef {
    load: Duration,
    text_encoding: Duration,
    image_encoding: Duration,
    sampling: Duration,
    decoding: Duration,
    upscaling: Duration,
    total: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Warning")]
pub(super) enum WarningDef {
    Engine(#[serde(deserialize_with = "shown")] String),
    Uniform { image: usize, color: Vec<u8> },
    NotFinite { values: u64 },
    DecodedInTiles,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireWarning(#[serde(with = "WarningDef")] pub(super) Warning);

#[derive(Serialize, Deserialize)]
#[serde(remote = "PreviewKind")]
pub(super) enum PreviewKindDef {
    Projection,
    Taesd,
    Vae,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PreviewOptions")]
pub(super) struct PreviewOptionsDef {
    #[serde(with = "PreviewKindDef")]
    kind: PreviewKind,
    every: u32,
    min_interval: Duration,
    noisy: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WirePreviews(#[serde(with = "PreviewOptionsDef")] pub(super) PreviewOptions);
