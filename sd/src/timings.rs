//! How long each phase took.

use crate::stage::Stage;
use std::{
    ops::AddAssign,
    time::{Duration, Instant},
};

/// How long each phase of an operation took, by wall clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Timings {
    /// Reading headers and weights. The engine reads the weights of a part when it is first used,
    /// so this is in the first picture's timings, and not counted in the phase that waited for it.
    pub load: Duration,
    /// The text encoder.
    pub text_encoding: Duration,
    /// The VAE's encoder, for input pictures.
    pub image_encoding: Duration,
    /// The diffusion model.
    pub sampling: Duration,
    /// The VAE's decoder.
    pub decoding: Duration,
    /// Enlarging between two passes.
    pub upscaling: Duration,
    /// Everything, with what is in no phase.
    pub total: Duration,
}

impl AddAssign for Timings {
    /// Adds up each phase; [`Duration::MAX`] is the most.
    fn add_assign(&mut self, other: Self) {
        // Worker processes tell theirs, and may tell anything.
        let add = |phase: &mut Duration, time| *phase = phase.saturating_add(time);
        add(&mut self.load, other.load);
        add(&mut self.text_encoding, other.text_encoding);
        add(&mut self.image_encoding, other.image_encoding);
        add(&mut self.sampling, other.sampling);
        add(&mut self.decoding, other.decoding);
        add(&mut self.upscaling, other.upscaling);
        add(&mut self.total, other.total);
    }
}

/// Attributes time to the stage the engine is in.
#[derive(Debug)]
pub(crate) struct Clock {
    timings: Timings,
    stage: Stage,
    since: Instant,
    start: Instant,
}

impl Clock {
    pub(crate) fn start(stage: Stage) -> Self {
        let now = Instant::now();
        Self { timings: Timings::default(), stage, since: now, start: now }
    }

    pub(crate) fn enter(&mut self, stage: Stage) {
        let now = Instant::now();
        let spent = now - self.since;
        let phase = match self.stage {
            Stage::Opening | Stage::Loading => Some(&mut self.timings.load),
            Stage::TextEncoding => Some(&mut self.timings.text_encoding),
            Stage::VaeEncoding => Some(&mut self.timings.image_encoding),
            Stage::Sampling => Some(&mut self.timings.sampling),
            Stage::VaeDecoding => Some(&mut self.timings.decoding),
            Stage::Upscaling => Some(&mut self.timings.upscaling),
            Stage::Queued | Stage::Preparing | Stage::Converting | Stage::Preprocessing => None,
        };
        if let Some(phase) = phase {
            *phase += spent;
        }
        self.stage = stage;
        self.since = now;
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn finish(mut self) -> Timings {
        self.enter(Stage::Preparing);
        self.timings.total = self.start.elapsed();
        self.timings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_times_add_up_to_the_most() {
        let all = Duration::MAX;
        let absurd = Timings {
            load: all,
            text_encoding: all,
            image_encoding: all,
            sampling: all,
            decoding: all,
            upscaling: all,
            total: all,
        };
        let mut sum = absurd;
        sum += absurd;
        assert_eq!(sum, absurd);
    }

    #[test]
    fn phases_add_up() {
        let mut clock = Clock::start(Stage::Opening);
        std::thread::sleep(Duration::from_millis(5));
        clock.enter(Stage::Sampling);
        std::thread::sleep(Duration::from_millis(5));
        let timings = clock.finish();
        assert!(timings.load >= Duration::from_millis(5));
        assert!(timings.sampling >= Duration::from_millis(5));
        assert!(timings.total >= timings.load + timings.sampling);
    }
}
