//! What of a request decides about memory.

use crate::{ImageRequest, VideoRequest};
use image::RgbImage;
use std::{fs, path::Path};

/// What of a request decides about memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    /// Width and height of what is sampled last and decoded, in pixels.
    pub(super) size: (u32, u32),
    pub(super) frames: u32,
    pub(super) pictures: u32,
    /// Tokens of the prompt, about.
    pub(super) words: f64,
    /// Pixels of all references.
    pub(super) references: f64,
    /// Whether pictures are encoded.
    pub(super) encodes: bool,
    pub(super) controlled: bool,
    pub(super) tiling: Option<crate::VaeTiling>,
    /// Bytes of LoRA files.
    pub(super) loras: u64,
}

impl Job {
    pub(crate) fn of_image(request: &ImageRequest) -> Self {
        let mut size = (request.width, request.height);
        if let (Some(outpaint), Some(init)) = (&request.outpaint, &request.init_image) {
            size = (
                init.width().saturating_add(outpaint.left).saturating_add(outpaint.right),
                init.height().saturating_add(outpaint.top).saturating_add(outpaint.bottom),
            );
        }
        if let Some(hires) = &request.hires {
            let (width, height) = hires.size(size.0, size.1);
            size = (size.0.max(width), size.1.max(height));
        }
        // The engine brings references to the size of the picture unless told otherwise.
        let area = f64::from(request.width) * f64::from(request.height);
        let reference = |picture: &RgbImage| match request.resize_references {
            true => area.min(f64::from(1 << 20)),
            false => f64::from(picture.width()) * f64::from(picture.height()),
        };
        Self {
            size,
            frames: 1,
            pictures: request.batch,
            words: words(&request.prompt).max(words(&request.negative_prompt)),
            references: request.reference_images.iter().map(reference).sum(),
            encodes: request.init_image.is_some()
                || !request.reference_images.is_empty()
                || request.hires.is_some(),
            controlled: request.control_image.is_some(),
            tiling: request.vae_tiling.clone(),
            loras: request.loras.iter().map(|lora| file_size(&lora.path)).sum(),
        }
    }

    pub(crate) fn of_video(request: &VideoRequest) -> Self {
        let encodes = request.init_image.is_some()
            || request.end_image.is_some()
            || !request.control_frames.is_empty();
        let mut size = (request.width, request.height);
        if let Some(hires) = &request.hires {
            size = hires.size(size.0, size.1);
        }
        Self {
            size,
            frames: request.frames,
            pictures: 1,
            words: words(&request.prompt).max(words(&request.negative_prompt)),
            references: 0.0,
            encodes,
            controlled: false,
            tiling: request.vae_tiling.clone(),
            loras: request.loras.iter().map(|lora| file_size(&lora.path)).sum(),
        }
    }
}

/// Tokens of a prompt, about: a word of four letters and a space is one or two.
fn words(prompt: &str) -> f64 {
    (prompt.len() as f64 / 3.0).ceil() + 2.0
}

fn file_size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
