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
    /// [`ModelConfig::diffusion_conv_direct`]
    DiffusionConvDirect(bool),
    /// [`ModelConfig::vae_conv_direct`]
    VaeConvDirect(bool),
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
            Self::DiffusionConvDirect(_) => "diffusion_conv_direct",
            Self::VaeConvDirect(_) => "vae_conv_direct",
        }
    }

    /// The value, as people write it: a number, `on` or `off`.
    pub fn value(self) -> String {
        let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
        match self {
            Self::Threads(count) => count.to_string(),
            Self::DiffusionFlashAttention => switch(true),
            Self::DiffusionConvDirect(on) | Self::VaeConvDirect(on) => switch(on),
        }
    }

    /// What it is judged by: threads by the whole picture, the others by the phase that they change.
    pub const fn judged(self) -> Judged {
        match self {
            Self::Threads(_) => Judged::Whole,
            Self::DiffusionFlashAttention | Self::DiffusionConvDirect(_) => Judged::Sampling,
            Self::VaeConvDirect(_) => Judged::Decoding,
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
    pub diffusion_conv_direct: Option<bool>,
    /// [`ModelConfig::vae_conv_direct`]
    pub vae_conv_direct: Option<bool>,
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
        config.diffusion_conv_direct = config.diffusion_conv_direct.or(self.diffusion_conv_direct);
        config.vae_conv_direct = config.vae_conv_direct.or(self.vae_conv_direct);
    }

    /// These, with a candidate.
    pub(super) fn with(mut self, candidate: Candidate) -> Self {
        match candidate {
            Candidate::Threads(count) => self.threads = Some(count),
            Candidate::DiffusionFlashAttention => self.diffusion_flash_attention = true,
            Candidate::DiffusionConvDirect(on) => self.diffusion_conv_direct = Some(on),
            Candidate::VaeConvDirect(on) => self.vae_conv_direct = Some(on),
        }
        self
    }
}

impl fmt::Display for TunedSettings {
    /// As in `threads 4, diffusion_flash_attention on`, or `the defaults`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            self.threads.map(Candidate::Threads),
            self.diffusion_flash_attention.then_some(Candidate::DiffusionFlashAttention),
            self.diffusion_conv_direct.map(Candidate::DiffusionConvDirect),
            self.vae_conv_direct.map(Candidate::VaeConvDirect),
        ];
        let words: Vec<_> = all.iter().flatten().map(Candidate::to_string).collect();
        f.pad(&if words.is_empty() { "the defaults".to_owned() } else { words.join(", ") })
    }
}
