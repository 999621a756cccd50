//! What a pool has to know about requests.

use crate::{HiresFix, ImageRequest, VideoRequest};

pub(super) trait Request: Send + 'static {
    /// Whether it needs weights beside the model's own: if they do not load, that says nothing about
    /// the model.
    fn brings_weights(&self) -> bool;
}

fn has_tags(prompt: &str) -> bool {
    prompt.contains("<lora:")
}

fn brings_upscaler(hires: Option<&HiresFix>) -> bool {
    hires.is_some_and(|hires| hires.model.is_some())
}

impl Request for ImageRequest {
    fn brings_weights(&self) -> bool {
        !self.loras.is_empty()
            || has_tags(&self.prompt)
            || self.photo_maker.is_some()
            || brings_upscaler(self.hires.as_ref())
    }
}

impl Request for VideoRequest {
    fn brings_weights(&self) -> bool {
        !self.loras.is_empty() || has_tags(&self.prompt) || brings_upscaler(self.hires.as_ref())
    }
}
