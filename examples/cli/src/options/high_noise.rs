//! Sampling by the second model of Wan 2.2.

use super::sampling::{sampler, skip_layers};
use crate::values::List;
use clap::Args;
use sdcpp::{HighNoise, Sampler, Scheduler};

/// What differs for the high-noise model.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "High-noise model (Wan 2.2)")]
pub(crate) struct HighNoiseOptions {
    /// Its steps; 0 or less: as --moe-boundary says
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    high_noise_steps: Option<i64>,
    /// How strongly the prompt rules [default: 7.5]
    #[arg(long, allow_negative_numbers = true, value_name = "SCALE")]
    high_noise_cfg_scale: Option<f32>,
    /// How strongly the input picture rules
    #[arg(long, allow_negative_numbers = true, value_name = "SCALE")]
    high_noise_img_cfg_scale: Option<f32>,
    /// Guidance of distilled models [default: 3.5]
    #[arg(long, value_name = "SCALE")]
    high_noise_guidance: Option<f32>,
    /// Sampler
    #[arg(long, value_name = "NAME", value_parser = sampler)]
    high_noise_sampling_method: Option<(Sampler, Option<Scheduler>)>,
    /// Noise added at each step, by samplers that add some
    #[arg(long, value_name = "ETA")]
    high_noise_eta: Option<f32>,
    /// Skip-layer guidance; 0 is off
    #[arg(long, allow_negative_numbers = true, value_name = "SCALE")]
    high_noise_slg_scale: Option<f32>,
    /// Layers it leaves out [default: [7,8,9]]
    #[arg(long, value_name = "LIST")]
    high_noise_skip_layers: Option<List<u32>>,
    /// Where it begins, as a share of the steps [default: 0.01]
    #[arg(long, value_name = "SHARE")]
    high_noise_skip_layer_start: Option<f32>,
    /// Where it ends [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    high_noise_skip_layer_end: Option<f32>,
    /// Further arguments of the sampler, as key=value,…
    #[arg(long, value_name = "ARGS")]
    high_noise_extra_sample_args: Option<String>,
}

impl HighNoiseOptions {
    /// Sets what is given.
    pub(crate) fn apply(&self, high: &mut HighNoise) {
        if let Some(steps) = self.high_noise_steps {
            high.steps = u32::try_from(steps).ok().filter(|steps| *steps > 0);
        }
        high.cfg_scale = self.high_noise_cfg_scale.unwrap_or(high.cfg_scale);
        high.image_cfg_scale = self.high_noise_img_cfg_scale.or(high.image_cfg_scale);
        high.distilled_guidance = self.high_noise_guidance.unwrap_or(high.distilled_guidance);
        if let Some((sampler, _)) = self.high_noise_sampling_method {
            high.sampler = Some(sampler);
        }
        high.eta = self.high_noise_eta.or(high.eta);
        if self.high_noise_extra_sample_args.is_some() {
            high.extra_sample_args.clone_from(&self.high_noise_extra_sample_args);
        }
        let skip = skip_layers(
            self.high_noise_slg_scale,
            self.high_noise_skip_layers.as_ref(),
            self.high_noise_skip_layer_start,
            self.high_noise_skip_layer_end,
        );
        high.skip_layers = skip.or(high.skip_layers.take());
    }
}
