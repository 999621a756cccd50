//! Sampler, steps and guidance.

use crate::values::List;
use clap::Args;
use sdcpp::{Error, Sampler, Sampling, Scheduler, SkipLayers};

/// Sampler, steps and guidance.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Sampling")]
pub(crate) struct SamplingOptions {
    /// Sampling steps; else SD_INFERENCE_STEPS, the preset's, 20
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// How strongly the prompt rules; else SD_GUIDANCE_SCALE, the preset's, 7.5
    #[arg(long, allow_negative_numbers = true, value_name = "SCALE")]
    cfg_scale: Option<f32>,
    /// How strongly the input picture rules, in models that tell it apart
    #[arg(long, allow_negative_numbers = true, value_name = "SCALE")]
    img_cfg_scale: Option<f32>,
    /// Guidance of distilled models (FLUX) [default: 3.5]
    #[arg(long, value_name = "SCALE")]
    guidance: Option<f32>,
    /// Sampler, as "euler_a" or "DPM++ 2M Karras" (see `sdcpp samplers`)
    #[arg(long, visible_alias = "sampler", value_name = "NAME", value_parser = sampler)]
    sampling_method: Option<(Sampler, Option<Scheduler>)>,
    /// Scheduler, as "karras"
    #[arg(long, alias = "schedule", value_name = "NAME")]
    scheduler: Option<Scheduler>,
    /// Noise levels in place of a scheduler's, as "14.6,7.8,3.5,0"
    #[arg(long, value_name = "LIST")]
    sigmas: Option<List<f32>>,
    /// Noise added at each step, by samplers that add some
    #[arg(long, value_name = "ETA")]
    eta: Option<f32>,
    /// Shift of flow models' timesteps
    #[arg(long, value_name = "SHIFT")]
    flow_shift: Option<f32>,
    /// Shifted timestep of NitroSD models, 250 or 500
    #[arg(long, value_name = "N")]
    timestep_shift: Option<u32>,
    /// Further arguments of samplers, as key=value,…
    #[arg(long, value_name = "ARGS")]
    extra_sample_args: Option<String>,
    /// Skip-layer guidance, for SD3.5 medium: 2.5 is usual, 0 is off
    #[arg(long, allow_negative_numbers = true, value_name = "SCALE")]
    slg_scale: Option<f32>,
    /// Layers it leaves out [default: [7,8,9]]
    #[arg(long, value_name = "LIST")]
    skip_layers: Option<List<u32>>,
    /// Where it begins, as a share of the steps [default: 0.01]
    #[arg(long, value_name = "SHARE")]
    skip_layer_start: Option<f32>,
    /// Where it ends [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    skip_layer_end: Option<f32>,
}

/// A sampler's name, with its scheduler perhaps.
pub(super) fn sampler(text: &str) -> Result<(Sampler, Option<Scheduler>), Error> {
    Sampler::with_scheduler(text)
}

/// Skip-layer guidance, if it is switched on.
pub(super) fn skip_layers(
    scale: Option<f32>,
    layers: Option<&List<u32>>,
    start: Option<f32>,
    end: Option<f32>,
) -> Option<SkipLayers> {
    let mut skip = SkipLayers::default().scale(scale.filter(|scale| *scale != 0.0)?);
    if let Some(List(layers)) = layers {
        skip.layers.clone_from(layers);
    }
    skip.start = start.unwrap_or(skip.start);
    skip.end = end.unwrap_or(skip.end);
    Some(skip)
}

impl SamplingOptions {
    /// Sets what is given.
    pub(crate) fn apply(&self, sampling: &mut Sampling) {
        sampling.steps = self.steps.unwrap_or(sampling.steps);
        sampling.cfg_scale = self.cfg_scale.unwrap_or(sampling.cfg_scale);
        sampling.image_cfg_scale = self.img_cfg_scale.or(sampling.image_cfg_scale);
        sampling.distilled_guidance = self.guidance.unwrap_or(sampling.distilled_guidance);
        if let Some((sampler, scheduler)) = self.sampling_method {
            sampling.sampler = Some(sampler);
            sampling.scheduler = scheduler.or(sampling.scheduler);
        }
        if let Some(List(sigmas)) = &self.sigmas {
            sampling.custom_sigmas.clone_from(sigmas);
            // The preset's scheduler gives way; one that is asked for here is a contradiction.
            sampling.scheduler = None;
        }
        sampling.scheduler = self.scheduler.or(sampling.scheduler);
        sampling.eta = self.eta.or(sampling.eta);
        sampling.flow_shift = self.flow_shift.or(sampling.flow_shift);
        sampling.shifted_timestep = self.timestep_shift.unwrap_or(sampling.shifted_timestep);
        if self.extra_sample_args.is_some() {
            sampling.extra_sample_args.clone_from(&self.extra_sample_args);
        }
        let skip = skip_layers(
            self.slg_scale,
            self.skip_layers.as_ref(),
            self.skip_layer_start,
            self.skip_layer_end,
        );
        match self.slg_scale {
            Some(0.0) => sampling.skip_layers = None,
            _ => sampling.skip_layers = skip.or(sampling.skip_layers.take()),
        }
    }
}
