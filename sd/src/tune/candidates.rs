//! What is tried: values that a configuration leaves open, that can make a difference, and that need no
//! more memory than the defaults.

use super::setting::Candidate;
use crate::{
    Device, ModelConfig,
    memory::{PartDevices, with_convolutions},
    validate,
};

/// Processor cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cores {
    /// As the engine counts them: the default number of threads.
    pub(super) physical: u32,
    /// As many threads as the system lets run at once, limits of control groups included.
    pub(super) logical: u32,
}

impl Cores {
    /// Numbers of threads that are tried, beside the default: the cores, half of them, and one. The
    /// most come first, as these are the quickest to measure.
    fn threads(self) -> Vec<u32> {
        let Self { physical, logical } = self;
        let mut counts = vec![physical, logical, physical / 2, logical / 2, 1];
        counts.retain(|count| *count != physical && validate::threads(*count).is_ok());
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.dedup();
        counts
    }
}

/// The candidates in the order in which they are tried. What the configuration sets is not among them.
pub(super) fn candidates(
    config: &ModelConfig,
    devices: &[Device],
    has_unet: bool,
    cores: Cores,
) -> Vec<Candidate> {
    let parts = PartDevices::of(config, devices);
    let mut all = Vec::new();
    // A card does not wait for the processor's threads.
    if config.threads.is_none() && parts.any_on_processor() {
        all.extend(cores.threads().into_iter().map(Candidate::Threads));
    }
    if !config.flash_attention && !config.diffusion_flash_attention {
        all.push(Candidate::DiffusionFlashAttention);
    }
    let default = with_convolutions(config, devices);
    // Where they are direct by default, the other way needs much more memory.
    let is_open = |set: Option<bool>, default| set.is_none() && default != Some(true);
    // The engine has direct convolutions for U-Nets alone.
    if has_unet && is_open(config.diffusion_conv_direct, default.diffusion_conv_direct) {
        all.push(Candidate::DiffusionConvDirect);
    }
    if is_open(config.vae_conv_direct, default.vae_conv_direct) {
        all.push(Candidate::VaeConvDirect);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Candidate::*, *};

    const TWO: Cores = Cores { physical: 2, logical: 4 };

    fn card() -> Vec<Device> {
        vec![Device::cpu(), Device::cuda()]
    }

    #[test]
    fn threads_are_the_cores_half_of_them_and_one() {
        let threads = |physical, logical| Cores { physical, logical }.threads();
        assert_eq!(threads(2, 4), [4, 1]);
        assert_eq!(threads(4, 4), [2, 1]);
        assert_eq!(threads(8, 16), [16, 4, 1]);
        // More cores than the process may use.
        assert_eq!(threads(8, 2), [4, 2, 1]);
        assert!(threads(1, 1).is_empty());
        assert_eq!(threads(1, 2), [2]);
    }

    #[test]
    fn on_the_processor_nothing_is_tried_that_needs_more_memory() {
        let all = candidates(&ModelConfig::new("m"), &[], true, TWO);
        assert_eq!(all, [Threads(4), Threads(1), DiffusionFlashAttention]);
        for set in [
            ModelConfig::new("m").flash_attention(true),
            ModelConfig::new("m").diffusion_flash_attention(true),
        ] {
            assert_eq!(candidates(&set, &[], true, TWO), [Threads(4), Threads(1)]);
            assert!(candidates(&set.threads(2), &[], true, TWO).is_empty());
        }
        // What is set to be slow stays so.
        let set = ModelConfig::new("m").diffusion_conv_direct(false).vae_conv_direct(false);
        assert_eq!(candidates(&set.threads(1), &[], true, TWO), [DiffusionFlashAttention]);
    }

    #[test]
    fn on_a_card_threads_are_not_tried_and_direct_convolutions_are() {
        let on = |config: ModelConfig, has_unet| candidates(&config, &card(), has_unet, TWO);
        let expected = [DiffusionFlashAttention, DiffusionConvDirect, VaeConvDirect];
        assert_eq!(on(ModelConfig::new("m"), true), expected);
        assert_eq!(on(ModelConfig::new("m"), false), [DiffusionFlashAttention, VaeConvDirect]);
        let set = ModelConfig::new("m").vae_conv_direct(false).diffusion_conv_direct(true);
        assert_eq!(on(set, true), [DiffusionFlashAttention]);
        let split = ModelConfig::new("m").backend("cuda0,te=cpu,vae=cpu");
        let expected = [Threads(4), Threads(1), DiffusionFlashAttention, DiffusionConvDirect];
        assert_eq!(on(split, true), expected);
    }
}
