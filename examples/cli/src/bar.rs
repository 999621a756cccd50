//! The progress bar, on standard error and only in a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use sdcpp::Progress;
use std::ops::ControlFlow;

/// One bar whose label says the phase. Clones show the same one.
#[derive(Clone)]
pub(crate) struct Bar(ProgressBar);

/// Label, how far, and of how much.
type Shown = (&'static str, u32, u32);

impl Bar {
    pub(crate) fn new(visible: bool) -> Self {
        // The bar draws to standard error, and nothing at all where that is no terminal.
        let bar = if visible { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) =
            ProgressStyle::with_template("{msg:10} {bar:40} {pos}/{len} {elapsed} (left {eta})")
        {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn show(&self, progress: Progress) -> ControlFlow<()> {
        if let Some((label, at, of)) = shown(&progress) {
            let new = self.0.message() != label;
            if new {
                self.0.reset();
            }
            // What has no parts is one part.
            self.0.set_length(u64::from(of.max(1)));
            self.0.set_position(u64::from(at));
            if new {
                self.0.set_message(label);
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes the bar away while `print` writes to the terminal.
    pub(crate) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn shown(progress: &Progress) -> Option<Shown> {
    Some(match *progress {
        Progress::Loading { tensors, total } => ("loading", tensors, total),
        Progress::Encoding { tile, tiles } => ("encoding", tile, tiles),
        Progress::Sampling { step, steps, image, images, .. } => {
            let before = image.saturating_sub(1).saturating_mul(steps);
            ("sampling", before.saturating_add(step), steps.saturating_mul(images.max(1)))
        }
        Progress::Decoding { tile, tiles } => ("decoding", tile, tiles),
        Progress::Upscaling { tile, tiles } => ("upscaling", tile, tiles),
        Progress::Converting { tensors, total } => ("converting", tensors, total),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_batch_is_one_bar() {
        let step = |step, image| Progress::Sampling {
            step,
            steps: 10,
            image,
            images: 3,
            step_time: Duration::ZERO,
        };
        assert_eq!(shown(&step(4, 1)), Some(("sampling", 4, 30)));
        assert_eq!(shown(&step(4, 3)), Some(("sampling", 24, 30)));
    }
}
