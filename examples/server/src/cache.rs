//! When two requests draw the same: the key that an answer is found by again.

use crate::model::Active;
use sdcpp::{ImageRequest, LoraFolder};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{path::PathBuf, time::SystemTime};

/// A file that pictures depend on, as it is now.
#[derive(Debug, Serialize)]
struct Part {
    path: PathBuf,
    bytes: Option<u64>,
    changed: Option<SystemTime>,
}

/// The key of a request: of all it says, its pictures included, of the model's hash, of how the model is
/// opened, of the other files that it is drawn with, and of who judges it. None if another picture is drawn each time, or
/// the model's hash is not known yet.
pub(crate) fn key(active: &Active, request: &ImageRequest, judge: &str) -> Option<Vec<u8>> {
    request.seed?;
    let hash = match active.mock {
        true => "mock",
        false => active.hash.sha256()?,
    };
    let mut files: Vec<PathBuf> =
        active.config.files().map(|(_, path)| path.to_path_buf()).collect();
    files.extend(request.loras.iter().map(|lora| lora.path.clone()));
    files.extend(request.hires.iter().filter_map(|hires| hires.model.clone()));
    if let Some(folder) =
        active.config.lora_folder.as_deref().filter(|_| request.prompt.contains("<lora:"))
    {
        let (_, loras) = LoraFolder::open(folder).ok()?.resolve(&request.prompt).ok()?;
        files.extend(loras.into_iter().map(|lora| lora.path));
    }
    let part = |path: PathBuf| {
        // A mock's model is no file.
        let facts = path.metadata().ok();
        Part {
            bytes: facts.as_ref().map(std::fs::Metadata::len),
            changed: facts.and_then(|facts| facts.modified().ok()),
            path,
        }
    };
    let parts: Vec<_> = files.into_iter().map(part).collect();
    let version = env!("CARGO_PKG_VERSION");
    let all = (version, hash, &active.device, &active.config, parts, judge, request);
    Some(Sha256::digest(serde_json::to_vec(&all).ok()?).to_vec())
}
