//! When two requests draw the same: the key that an answer is found by again.

use crate::{file::FileState, model::Active};
use sdcpp::{ImageRequest, LoraFolder};
use sha2::{Digest, Sha256};

/// The key of a request: of all it says, its pictures included, of the model's hash, of how the model is
/// opened, of the other files that it is drawn with, and of who judges it. None if another picture is drawn
/// each time, if the model's hash is not known yet, or if a file of the model has changed since it was
/// opened.
pub(crate) fn key(active: &Active, request: &ImageRequest, judge: &str) -> Option<Vec<u8>> {
    // A negative seed is drawn at random, as none is.
    request.seed.filter(|seed| *seed >= 0)?;
    let hash = match active.mock {
        true => "mock",
        false => active.hash.sha256()?,
    };
    if !active.is_current() {
        return None;
    }
    let mut files = Vec::new();
    files.extend(request.loras.iter().map(|lora| lora.path.clone()));
    files.extend(request.hires.iter().filter_map(|hires| hires.model.clone()));
    if let Some(folder) =
        active.config.lora_folder.as_deref().filter(|_| request.prompt.contains("<lora:"))
    {
        let (_, loras) = LoraFolder::open(folder).ok()?.resolve(&request.prompt).ok()?;
        files.extend(loras.into_iter().map(|lora| lora.path));
    }
    let others: Vec<_> = files.into_iter().map(FileState::now).collect();
    let version = env!("CARGO_PKG_VERSION");
    let model = (hash, &active.device, &active.config, &active.files);
    let all = (version, model, others, judge, request);
    Some(Sha256::digest(serde_json::to_vec(&all).ok()?).to_vec())
}
