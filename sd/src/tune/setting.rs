//! The settings that are tuned.

use crate::{ModelConfig, Timings, json::object};
use std::{fmt, time::Duration};

/// A setting and a value of it that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Candidate {
    /// [`ModelConfig::threads`]
    Threads(u32),
    /// [`ModelConfig::diffusion_flash_attention`], on. Its default is off.
    DiffusionFlashAttention,
    /// [`ModelConfig::diffusion_conv_direct`], on, where its default is off: on a card.
    DiffusionConvDirect,
    /// [`ModelConfig::vae_conv_direct`], likewise.
    VaeConvDirect,
}

/// What of a picture's time a setting is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Judged {
    /// All of it, but for reading weights.
    Whole,
    /// [`Timings::sampling`]
    Sampling,
    /// [`Timings::decoding`]
    Decoding,
}

impl Judged {
    /// That time.
    pub fn of(self, timings: &Timings) -> Duration {
        match self {
            Self::Whole => timings.total.saturating_sub(timings.load),
            Self::Sampling => timings.sampling,
            Self::Decoding => timings.decoding,
        }
    }
}

impl Candidate {
    /// The field of [`ModelConfig`].
    pub const fn field(self) -> &'static str {
        match self {
            Self::Threads(_) => "threads",
            Self::DiffusionFlashAttention => "diffusion_flash_attention",
            Self::DiffusionConvDirect => "diffusion_conv_direct",
            Self::VaeConvDirect => "vae_conv_direct",
        }
    }

    /// The value, as people write it: a number, or `on`.
    pub fn value(self) -> String {
        match self {
            Self::Threads(count) => count.to_string(),
            _ => "on".to_owned(),
        }
    }

    /// What it is judged by: threads by the whole picture, the others by the phase that they change.
    pub const fn judged(self) -> Judged {
        match self {
            Self::Threads(_) => Judged::Whole,
            Self::DiffusionFlashAttention | Self::DiffusionConvDirect => Judged::Sampling,
            Self::VaeConvDirect => Judged::Decoding,
        }
    }
}

impl fmt::Display for Candidate {
    /// As in `threads 4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field(), self.value())
    }
}

/// Settings that were measured to be faster than the defaults. What is absent, or off, was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TunedSettings {
    /// [`ModelConfig::threads`]
    pub threads: Option<u32>,
    /// [`ModelConfig::diffusion_flash_attention`]
    pub diffusion_flash_attention: bool,
    /// [`ModelConfig::diffusion_conv_direct`]
    pub diffusion_conv_direct: bool,
    /// [`ModelConfig::vae_conv_direct`]
    pub vae_conv_direct: bool,
}

object! {
    TunedSettings = TunedSettings::default();
    threads;
    diffusion_flash_attention;
    diffusion_conv_direct;
    vae_conv_direct;
}

impl TunedSettings {
    /// Whether the defaults are the fastest.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Sets what the configuration leaves open. A switch without a third state counts as open where it
    /// is off.
    pub fn apply_to_config(&self, config: &mut ModelConfig) {
        config.threads = config.threads.or(self.threads);
        config.diffusion_flash_attention |= self.diffusion_flash_attention;
        let on = |set: bool| set.then_some(true);
        config.diffusion_conv_direct =
            config.diffusion_conv_direct.or(on(self.diffusion_conv_direct));
        config.vae_conv_direct = config.vae_conv_direct.or(on(self.vae_conv_direct));
    }

    /// What of them is not as by default.
    pub(super) fn chosen(&self) -> impl Iterator<Item = Candidate> + use<> {
        let all = [
            self.threads.map(Candidate::Threads),
            self.diffusion_flash_attention.then_some(Candidate::DiffusionFlashAttention),
            self.diffusion_conv_direct.then_some(Candidate::DiffusionConvDirect),
            self.vae_conv_direct.then_some(Candidate::VaeConvDirect),
        ];
        all.into_iter().flatten()
    }

    /// These, with a candidate.
    pub(super) fn with(mut self, candidate: Candidate) -> Self {
        match candidate {
            Candidate::Threads(count) => self.threads = Some(count),
            Candidate::DiffusionFlashAttention => self.diffusion_flash_attention = true,
            Candidate::DiffusionConvDirect => self.diffusion_conv_direct = true,
            Candidate::VaeConvDirect => self.vae_conv_direct = true,
        }
        self
    }
}

impl fmt::Display for TunedSettings {
    /// As in `threads 4, diffusion_flash_attention on`, or `the defaults`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.chosen().map(|chosen| chosen.to_string()).collect();
        f.pad(&if words.is_empty() { "the defaults".to_owned() } else { words.join(", ") })
    }
}
