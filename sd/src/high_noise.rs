//! Sampling by the second model of Wan 2.2.

use crate::{MAX_STEPS, Result, Sampler, SkipLayers, setters::setters, validate};

/// Sampling by the second, high-noise model of Wan 2.2
/// ([`ModelConfig::high_noise_diffusion_model`](crate::ModelConfig::high_noise_diffusion_model)),
/// which draws the first steps. Scheduler, noise levels and shifts are those of the request. An error
/// where there is no such model.
///
/// ```
/// use sdcpp::{HighNoise, ModelConfig, Sampler, VideoRequest};
///
/// let config = ModelConfig::from_parts("wan2.2_t2v_low_noise_14B-q4_0.gguf")
///     .high_noise_diffusion_model("wan2.2_t2v_high_noise_14B-q4_0.gguf")
///     .t5xxl("umt5-xxl-q8_0.gguf")
///     .vae("wan_2.1_vae.safetensors");
/// let request = VideoRequest::new("a cat on a skateboard")
///     .steps(10)
///     .cfg_scale(3.5)
///     .sampler(Sampler::Euler)
///     .high_noise(HighNoise::default().steps(8).cfg_scale(3.5).sampler(Sampler::Euler))
///     .flow_shift(3.0);
/// # drop((config, request));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct HighNoise {
    /// Its steps, 1 to [`MAX_STEPS`], besides those of the request. Default: those of the request
    /// whose noise is above [`moe_boundary`](crate::VideoRequest::moe_boundary).
    pub steps: Option<u32>,
    /// How strongly the prompt rules, −100 to 100. Default 7.5.
    pub cfg_scale: f32,
    /// As [`Sampling::image_cfg_scale`](crate::Sampling::image_cfg_scale).
    pub image_cfg_scale: Option<f32>,
    /// As [`Sampling::distilled_guidance`](crate::Sampling::distilled_guidance), 0 to 100.
    /// Default 3.5.
    pub distilled_guidance: f32,
    /// As [`Sampling::skip_layers`](crate::Sampling::skip_layers), which the engine does not have for
    /// Wan: an error when set.
    pub skip_layers: Option<SkipLayers>,
    /// The sampler. Default: the engine's.
    pub sampler: Option<Sampler>,
    /// As [`Sampling::eta`](crate::Sampling::eta).
    pub eta: Option<f32>,
    /// As [`Sampling::extra_sample_args`](crate::Sampling::extra_sample_args).
    pub extra_sample_args: Option<String>,
}

impl Default for HighNoise {
    fn default() -> Self {
        Self {
            steps: None,
            cfg_scale: 7.5,
            image_cfg_scale: None,
            distilled_guidance: 3.5,
            skip_layers: None,
            sampler: None,
            eta: None,
            extra_sample_args: None,
        }
    }
}

setters! {
    HighNoise {
        some steps: u32;
        plain cfg_scale: f32;
        some image_cfg_scale: f32;
        plain distilled_guidance: f32;
        some skip_layers: SkipLayers;
        some sampler: Sampler;
        some eta: f32;
        text extra_sample_args;
    }
}

impl HighNoise {
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(steps) = self.steps {
            validate::range("high_noise.steps", steps, 1..=MAX_STEPS)?;
        }
        validate::range("high_noise.cfg_scale", self.cfg_scale, -100.0..=100.0)?;
        let image_cfg_scale = self.image_cfg_scale.unwrap_or(1.0);
        validate::range("high_noise.image_cfg_scale", image_cfg_scale, -100.0..=100.0)?;
        let guidance = self.distilled_guidance;
        validate::range("high_noise.distilled_guidance", guidance, 0.0..=100.0)?;
        let most_eta = if self.sampler == Some(Sampler::Tcd) { 1.0 } else { 100.0 };
        validate::range("high_noise.eta", self.eta.unwrap_or(0.0), 0.0..=most_eta)?;
        if let Some(args) = &self.extra_sample_args {
            validate::text("high_noise.extra_sample_args", args)?;
        }
        self.skip_layers.as_ref().map_or(Ok(()), SkipLayers::check)
    }
}
