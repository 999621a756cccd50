//! Latents as pictures, while they are being drawn.

use crate::{named::choice_names, setters::setters};
use image::RgbImage;
use std::time::{Duration, Instant};

/// How a latent becomes a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PreviewKind {
    /// By a matrix: next to no cost, an eighth of the size, rough colours. The default.
    #[default]
    Projection,
    /// By the TAESD of the configuration, which must have one: full size, a little cost.
    Taesd,
    /// By the VAE: full size, as the picture will be, and as slow as decoding it. With
    /// [`taesd_preview_only`](crate::ModelConfig::taesd_preview_only), by the TAESD too.
    Vae,
}

choice_names! {
    PreviewKind as "preview_kind" {
        Projection = "proj", ["projection"];
        Taesd = "tae", ["taesd"];
        Vae = "vae";
    }
}

/// Which previews to make, and how often: they are made only when they are due, so that a slow kind
/// costs no more than it must.
///
/// ```
/// use sdcpp::{PreviewKind, PreviewOptions};
/// use std::time::Duration;
///
/// let twice_a_second = PreviewOptions::new(PreviewKind::Taesd)
///     .min_interval(Duration::from_millis(500));
/// # drop(twice_a_second);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreviewOptions {
    /// How the latent becomes a picture. Default: [`PreviewKind::Projection`].
    pub kind: PreviewKind,
    /// At every so many steps; 0 counts as 1. Default 1.
    pub every: u32,
    /// And at least this long after the one before. Default: no wait.
    pub min_interval: Duration,
    /// The latent as it is, noise and all, in place of what the model expects it to become.
    /// Default: no.
    pub noisy: bool,
}

impl Default for PreviewOptions {
    fn default() -> Self {
        Self { kind: PreviewKind::default(), every: 1, min_interval: Duration::ZERO, noisy: false }
    }
}

impl PreviewOptions {
    /// Previews of this kind at each step.
    pub fn new(kind: PreviewKind) -> Self {
        Self { kind, ..Self::default() }
    }
}

setters! {
    PreviewOptions {
        plain kind: PreviewKind;
        plain every: u32;
        plain min_interval: Duration;
        plain noisy: bool;
    }
}

/// What a latent looks like so far.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Preview {
    /// The sampling step it is of, from 1.
    pub step: u32,
    /// The picture, or the frames of a video; one at least.
    pub frames: Vec<RgbImage>,
    /// Whether it has its noise still.
    pub noisy: bool,
}

type OnPreview<'a> = Box<dyn FnMut(Preview) + Send + 'a>;

/// Who gets previews, and when the next is due.
pub(crate) struct Previews<'a> {
    pub(crate) options: PreviewOptions,
    callback: OnPreview<'a>,
    last: Option<Instant>,
}

impl<'a> Previews<'a> {
    pub(crate) fn new(options: PreviewOptions, callback: impl FnMut(Preview) + Send + 'a) -> Self {
        Self { options, callback: Box::new(callback), last: None }
    }

    /// Whether one of the coming step is wanted.
    pub(crate) fn wanted(&self, step: u32) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= self.options.min_interval);
        due && step.is_multiple_of(self.options.every.max(1))
    }

    pub(crate) fn show(&mut self, preview: Preview) {
        self.last = Some(Instant::now());
        (self.callback)(preview);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_are_throttled_by_steps_and_time() {
        let options = PreviewOptions::default().every(2).min_interval(Duration::from_secs(3600));
        let mut previews = Previews::new(options, drop);
        assert!(!previews.wanted(1) && previews.wanted(2));
        previews.show(Preview { step: 2, frames: Vec::new(), noisy: false });
        assert!(!previews.wanted(4), "an hour has not passed");
        let every = Previews::new(PreviewOptions::default().every(0), drop);
        assert!(every.wanted(1) && every.wanted(3));
    }
}
