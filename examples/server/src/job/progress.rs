//! How far a job is.

use sdcpp::Progress;
use std::time::{Duration, Instant, SystemTime};

/// What a job does now.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// Whether it is written down and in the queue.
    pub(crate) accepted: bool,
    /// When the engine began; none while it waits.
    pub(crate) started: Option<(SystemTime, Instant)>,
    /// When it ended, however it did.
    pub(crate) ended: Option<(SystemTime, Instant)>,
    /// `loading`, `encoding`, `sampling`, `decoding` or `upscaling`.
    pub(crate) stage: Option<&'static str>,
    /// Sampling steps done, of the picture that is being drawn.
    pub(crate) step: u32,
    pub(crate) steps: u32,
    /// The picture of the batch, from 1.
    pub(crate) image: u32,
    pub(crate) images: u32,
    /// Previews so far.
    pub(crate) previews: u32,
}

/// The parts of a picture's time that sampling is counted as.
const SAMPLING: (f32, f32) = (0.05, 0.9);

impl State {
    pub(crate) fn see(&mut self, progress: &Progress) {
        self.started.get_or_insert_with(|| (SystemTime::now(), Instant::now()));
        self.stage = Some(match progress {
            Progress::Loading { .. } => "loading",
            Progress::Encoding { .. } => "encoding",
            Progress::Sampling { step, steps, image, images, .. } => {
                (self.step, self.steps, self.image, self.images) = (*step, *steps, *image, *images);
                "sampling"
            }
            Progress::Decoding { .. } => "decoding",
            Progress::Upscaling { .. } => "upscaling",
            _ => return,
        });
    }

    pub(crate) fn see_preview(&mut self) {
        self.previews += 1;
    }

    pub(crate) fn end(&mut self, now: (SystemTime, Instant)) {
        self.ended = Some(now);
    }

    /// From 0 to 1; sampling is most of it.
    pub(crate) fn fraction(&self) -> f32 {
        if self.ended.is_some() {
            return 1.0;
        }
        let of_steps = if self.steps == 0 { 0.0 } else { self.step as f32 / self.steps as f32 };
        let all = match self.images {
            0 => 0.0,
            images => ((self.image.max(1) - 1) as f32 + of_steps) / images as f32,
        };
        match self.stage {
            None | Some("loading" | "encoding") => 0.0,
            Some("sampling") => SAMPLING.0 + (SAMPLING.1 - SAMPLING.0) * all.min(1.0),
            _ => SAMPLING.1,
        }
    }

    /// How long it may take still, if the rest is as fast; none before the first step.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let (_, started) = self.started?;
        let fraction = self.fraction();
        if self.ended.is_some() || fraction <= SAMPLING.0 {
            return None;
        }
        Duration::try_from_secs_f32(started.elapsed().as_secs_f32() * (1.0 - fraction) / fraction)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(step: u32, image: u32) -> Progress {
        Progress::Sampling { step, steps: 10, image, images: 2, step_time: Duration::ZERO }
    }

    #[test]
    fn it_never_goes_back() {
        let mut state = State::default();
        let mut last = state.fraction();
        assert_eq!((last, state.remaining()), (0.0, None));
        state.see(&Progress::Encoding { tile: 0, tiles: 0 });
        for (step, image) in (1..=2).flat_map(|image| (0..=10).map(move |step| (step, image))) {
            state.see(&sampling(step, image));
            assert!(state.fraction() >= last, "{step} of {image}");
            last = state.fraction();
        }
        state.see(&Progress::Decoding { tile: 0, tiles: 0 });
        assert!(state.fraction() >= last && state.fraction() < 1.0);
        assert!(state.remaining().is_some());
        state.end((SystemTime::now(), Instant::now()));
        assert_eq!((state.fraction(), state.remaining()), (1.0, None));
    }
}
