//! How noise becomes a latent: what pictures and videos have in common.

use crate::{Error, Result, Sampler, Scheduler, setters::setters, validate};

/// The most sampling steps.
pub const MAX_STEPS: u32 = 1000;

/// The most layers that are left out.
pub(crate) const MOST_LAYERS: usize = 256;

/// Sampler, steps and guidance. Part of [`ImageRequest`](crate::ImageRequest) and
/// [`VideoRequest`](crate::VideoRequest), which have its methods too. Where a field names no default
/// it is absent or empty.
///
/// Noise levels of one's own in place of a scheduler's; the shift of a flow model's timesteps; the
/// noise that ancestral samplers add:
///
/// ```
/// use sdcpp::{ImageRequest, Sampler};
///
/// let own = ImageRequest::new("a fox").custom_sigmas([14.6, 6.5, 2.9, 1.1, 0.4, 0.0]);
/// let shifted = ImageRequest::new("a fox").flow_shift(3.0).sampler(Sampler::Euler);
/// let calmer = ImageRequest::new("a fox").sampler(Sampler::EulerA).eta(0.5);
/// for request in [own, shifted, calmer] {
///     assert!(request.check().is_ok());
/// }
/// ```
///
/// Adaptive projected guidance, which keeps high [`cfg_scale`](Self#structfield.cfg_scale)s from
/// oversaturated colours:
///
/// ```
/// let request = sdcpp::ImageRequest::new("a fox")
///     .cfg_scale(12.0)
///     .extra_sample_args("apg_eta=0,apg_momentum=-0.5,apg_norm_threshold=15");
/// # drop(request);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct Sampling {
    /// Sampling steps, 1 to [`MAX_STEPS`]. Default 20.
    pub steps: u32,
    /// How strongly the prompt rules, −100 to 100. 1 switches the negative prompt off and halves
    /// the time. Default 7.5.
    pub cfg_scale: f32,
    /// How strongly the input picture rules, in models that are told of it apart (InstructPix2Pix,
    /// inpainting models, FLUX with references), −100 to 100. Default: not told apart.
    pub image_cfg_scale: Option<f32>,
    /// Guidance of distilled models (FLUX), 0 to 100. Default 3.5.
    pub distilled_guidance: f32,
    /// Skip-layer guidance (SD3.5 medium above all). SD3, FLUX, FLUX.2 and LongCat only: with other
    /// models it is an error. Default: off.
    pub skip_layers: Option<SkipLayers>,
    /// The sampler. Default: [`Sampler::Euler`] for transformer models, else
    /// [`Sampler::Dpmpp2m`].
    pub sampler: Option<Sampler>,
    /// The scheduler. Default: the engine's for sampler and model.
    pub scheduler: Option<Scheduler>,
    /// Noise added at each step by samplers that add some, 0 to 100, and to 1 for
    /// [`Sampler::Tcd`]. Default: the sampler's.
    pub eta: Option<f32>,
    /// Shift of flow models' timesteps, above 0 to 100. Default: the model's.
    pub flow_shift: Option<f32>,
    /// Timesteps of the distilled SDXL models that shift them (NitroSD), 0 to 1000. 0: off. Default 0.
    pub shifted_timestep: u32,
    /// Noise levels in place of a scheduler's: 2 to 1001 finite numbers from 0 up, falling, the last
    /// usually 0. Sets the steps to one less than their number. Default: empty, the scheduler's.
    pub custom_sigmas: Vec<f32>,
    /// Further arguments of samplers and guidance, as `key=value,…`; at most 32 KiB. The engine warns
    /// of values it cannot read, and ignores keys it does not know.
    ///
    /// - Adaptive projected guidance: `apg_eta` (1), `apg_momentum` (0), `apg_norm_threshold` (0) and
    ///   `apg_norm_threshold_smoothing` (0); on when one of the first three differs from what is in
    ///   brackets.
    /// - [`skip_layers`](Self::skip_layers): `slg_uncond=true` leaves the layers out of the negative
    ///   prediction.
    /// - [`Sampler::Lcm`]: `noise_clip_std`, `noise_scale_start`, `noise_scale_end`.
    /// - [`Sampler::EulerGe`]: `gamma` (2).
    /// - [`Scheduler::Ltx2`]: `max_shift`, `base_shift`, `terminal`, `stretch`.
    pub extra_sample_args: Option<String>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            steps: 20,
            cfg_scale: 7.5,
            image_cfg_scale: None,
            distilled_guidance: 3.5,
            skip_layers: None,
            sampler: None,
            scheduler: None,
            eta: None,
            flow_shift: None,
            shifted_timestep: 0,
            custom_sigmas: Vec::new(),
            extra_sample_args: None,
        }
    }
}

/// Skip-layer guidance: the model also predicts with some of its layers left out, and the result is
/// led away from that. Costs one more evaluation in the steps it is on for.
///
/// SD3, FLUX, FLUX.2 and LongCat can leave layers out; with other models it is an error. The default is
/// as in Stability's SD3.5 reference: layers 7, 8 and 9, from 1 % to 20 % of the steps, scale 2.5.
///
/// ```
/// use sdcpp::{ImageRequest, SkipLayers};
///
/// let medium = ImageRequest::new("hands of a potter").skip_layers(SkipLayers::default());
/// let own = ImageRequest::new("hands of a potter")
///     .skip_layers(SkipLayers::new([8, 9]).start(0.05).end(0.3).scale(2.0));
/// # drop((medium, own));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct SkipLayers {
    /// The layers to leave out: 1 to 256 of them, each 0 to 1000. Default: 7, 8 and 9.
    pub layers: Vec<u32>,
    /// Where it begins, as a share of the steps, 0 to 1. Default 0.01.
    pub start: f32,
    /// Where it ends, as a share of the steps, from [`start`](Self::start) to 1. Default 0.2.
    pub end: f32,
    /// How strong it is, −100 to 100; 0 is off. Default 2.5.
    pub scale: f32,
}

impl Default for SkipLayers {
    fn default() -> Self {
        Self { layers: vec![7, 8, 9], start: 0.01, end: 0.2, scale: 2.5 }
    }
}

impl SkipLayers {
    /// Leaves out these layers, everything else by default.
    pub fn new(layers: impl Into<Vec<u32>>) -> Self {
        Self { layers: layers.into(), ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.layers.is_empty() || self.layers.len() > MOST_LAYERS {
            return Err(Error::invalid(
                "skip_layers.layers",
                format!("a list of {}", self.layers.len()),
                format!("1 to {MOST_LAYERS} layers"),
            ));
        }
        for layer in &self.layers {
            validate::range("skip_layers.layers", *layer, 0..=1000)?;
        }
        validate::range("skip_layers.start", self.start, 0.0..=1.0)?;
        validate::range("skip_layers.end", self.end, self.start..=1.0)?;
        validate::range("skip_layers.scale", self.scale, -100.0..=100.0)
    }
}

setters! {
    SkipLayers {
        into layers: Vec<u32>;
        plain start: f32;
        plain end: f32;
        plain scale: f32;
    }
}

setters! {
    Sampling {
        plain steps: u32;
        plain cfg_scale: f32;
        some image_cfg_scale: f32;
        plain distilled_guidance: f32;
        some skip_layers: SkipLayers;
        some sampler: Sampler;
        some scheduler: Scheduler;
        some eta: f32;
        some flow_shift: f32;
        plain shifted_timestep: u32;
        into custom_sigmas: Vec<f32>;
        text extra_sample_args;
    }
}

/// The setters of [`Sampling`], on a struct that has one in the field `sampling`.
macro_rules! sampling_setters {
    ($struct:ident) => {
        $crate::sampling::sampling_setters! { @ $struct,
            steps: u32 => |v| v;
            cfg_scale: f32 => |v| v;
            image_cfg_scale: f32 => |v| Some(v);
            distilled_guidance: f32 => |v| v;
            skip_layers: $crate::SkipLayers => |v| Some(v);
            sampler: $crate::Sampler => |v| Some(v);
            scheduler: $crate::Scheduler => |v| Some(v);
            eta: f32 => |v| Some(v);
            flow_shift: f32 => |v| Some(v);
            shifted_timestep: u32 => |v| v;
            custom_sigmas: impl Into<Vec<f32>> => |v| v.into();
            extra_sample_args: impl Into<String> => |v| Some(v.into());
        }
    };
    (@ $struct:ident, $($field:ident: $type:ty => |$value:ident| $set:expr;)*) => {
        impl $struct {
            $(
                #[doc = concat!("Sets [`Sampling::", stringify!($field),
                    "`](crate::Sampling::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $value: $type) -> Self {
                    self.sampling.$field = $set;
                    self
                }
            )*
        }
    };
}
pub(crate) use sampling_setters;

impl Sampling {
    pub(crate) fn check(&self) -> Result<()> {
        validate::range("steps", self.steps, 1..=MAX_STEPS)?;
        validate::range("cfg_scale", self.cfg_scale, -100.0..=100.0)?;
        validate::range("distilled_guidance", self.distilled_guidance, 0.0..=100.0)?;
        validate::range("shifted_timestep", self.shifted_timestep, 0..=1000)?;
        for (field, value, allowed) in [
            ("image_cfg_scale", self.image_cfg_scale, -100.0..=100.0),
            ("eta", self.eta, 0.0..=100.0),
            ("flow_shift", self.flow_shift, f32::MIN_POSITIVE..=100.0),
        ] {
            if let Some(value) = value {
                validate::range(field, value, allowed)?;
            }
        }
        if let Some(args) = &self.extra_sample_args {
            validate::text("extra_sample_args", args)?;
        }
        if let Some(skip_layers) = &self.skip_layers {
            skip_layers.check()?;
        }
        validate::sigmas("custom_sigmas", &self.custom_sigmas)?;
        if let (Some(scheduler), false) = (self.scheduler, self.custom_sigmas.is_empty()) {
            return Err(Error::invalid(
                "custom_sigmas",
                format!("set together with the scheduler {scheduler}"),
                "one of the two",
            ));
        }
        self.check_steps_with(self.scheduler)
    }

    /// Steps that are run: own sigmas have their own number.
    pub(crate) fn effective_steps(&self) -> u32 {
        match u32::try_from(self.custom_sigmas.len()) {
            Ok(0) | Err(_) => self.steps,
            Ok(sigmas) => sigmas - 1,
        }
    }

    /// With one step these divide by zero.
    pub(crate) fn check_steps_with(&self, scheduler: Option<Scheduler>) -> Result<()> {
        if self.custom_sigmas.is_empty() {
            check_steps("steps", self.steps, scheduler)
        } else {
            Ok(())
        }
    }
}

/// Karras, Exponential and GITS divide by the number of steps less one.
pub(crate) fn check_steps(
    field: &'static str,
    steps: u32,
    scheduler: Option<Scheduler>,
) -> Result<()> {
    use Scheduler::{Exponential, Gits, Karras};
    match scheduler {
        Some(scheduler @ (Karras | Exponential | Gits)) if steps < 2 => {
            Err(Error::invalid(field, steps, format!("at least 2 with the scheduler {scheduler}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_layers_are_checked() {
        let refused = |s: SkipLayers| s.check().unwrap_err().to_string();
        assert!(SkipLayers::default().check().is_ok());
        assert!(refused(SkipLayers::new([])).starts_with("skip_layers.layers is a list of 0"));
        assert!(refused(SkipLayers::new([5000])).starts_with("skip_layers.layers is 5000"));
        assert!(refused(SkipLayers::new([1]).start(2.0)).starts_with("skip_layers.start is 2"));
        assert!(refused(SkipLayers::new([1]).start(0.5).end(0.2)).contains("0.5..=1.0"));
        assert!(refused(SkipLayers::new([1]).scale(f32::NAN)).starts_with("skip_layers.scale is"));
    }
}
