//! Keys and values into the fields of a request.

use super::write::{FILLED, LATENT_NOISE, LATENT_NOTHING, NOT_MASKED, ONLY_MASKED};
use crate::{
    HiresFix, HiresUpscaler, ImageRequest, InpaintArea, InpaintFill, Sampler, Scheduler,
    named::same_name,
};
use serde::de::DeserializeOwned;
use std::str::FromStr;

type Pair = (String, String);

/// Fills the request; gives back what has no field, or is not understood.
pub(super) fn apply(request: &mut ImageRequest, pairs: Vec<Pair>) -> Vec<Pair> {
    // A1111 has one strength for both passes; this crate writes two where there are two.
    let has = |name: &str| pairs.iter().any(|(key, _)| same_name(key, name));
    let of_first = !HIRES_KEYS.iter().any(|key| has(key)) || has(HIRES_STRENGTH);
    let mut other = Vec::new();
    for (key, value) in pairs {
        let strength = same_name(&key, "Denoising strength") && !of_first;
        let name = if strength { HIRES_STRENGTH } else { &key };
        let taken =
            take(request, name, &value).is_some() || take_hires(request, name, &value).is_some();
        if !taken {
            other.push((key, value));
        }
    }
    other
}

/// What says that there is a second pass.
const HIRES_KEYS: [&str; 3] = ["Hires upscale", "Hires resize", "Hires upscaler"];
const HIRES_STRENGTH: &str = "Hires denoising strength";

/// `None` if the key is not one of these, or its value is none.
fn take(request: &mut ImageRequest, key: &str, value: &str) -> Option<()> {
    let is = |name: &str| same_name(key, name);
    let sampling = &mut request.sampling;
    if is("Steps") {
        sampling.steps = whole(value)?;
    } else if is("Sampler") {
        let (sampler, scheduler) = sampler(value)?;
        sampling.sampler = Some(sampler);
        sampling.scheduler = scheduler.or(sampling.scheduler);
    } else if is("Schedule type") || is("Scheduler") {
        sampling.scheduler = Some(value.parse().ok()?);
    } else if is("CFG scale") {
        sampling.cfg_scale = number(value)?;
    } else if is("Image CFG scale") {
        sampling.image_cfg_scale = Some(number(value)?);
    } else if is("Distilled CFG Scale") || is("Guidance") {
        sampling.distilled_guidance = number(value)?;
    } else if is("Skip layers") {
        sampling.skip_layers = Some(json(value)?);
    } else if is("Eta") {
        sampling.eta = Some(number(value)?);
    } else if is("Shift") {
        sampling.flow_shift = Some(number(value)?);
    } else if is("Shifted timestep") {
        sampling.shifted_timestep = whole(value)?;
    } else if is("Sigmas") {
        sampling.custom_sigmas = numbers(value)?;
    } else if is("Sampler arguments") {
        sampling.extra_sample_args = Some(value.to_owned());
    } else if is("Seed") {
        request.seed = Some(value.parse().ok()?);
    } else if is("Size") {
        (request.width, request.height) = size(value)?;
    } else if is("Denoising strength") {
        request.denoising_strength = number(value)?;
    } else if is("Clip skip") {
        request.clip_skip = Some(whole(value)?);
    } else if is("Mask blur") {
        request.inpaint.mask_blur = whole(value)?;
    } else if is("Mask mode") {
        request.inpaint.invert = same_name(value, NOT_MASKED).then_some(true)?;
    } else if is("Inpaint area") {
        let padding = padding(request);
        same_name(value, ONLY_MASKED).then_some(())?;
        request.inpaint.area = InpaintArea::OnlyMasked { padding };
    } else if is("Masked area padding") {
        let padding = whole(value)?;
        request.inpaint.area = InpaintArea::OnlyMasked { padding };
    } else if is("Masked content") {
        request.inpaint.fill = masked_content(value, request.seed)?;
    } else if is("Keep unmasked") {
        request.inpaint.keep_unmasked = value.parse().ok()?;
    } else if is("Outpaint") {
        request.outpaint = Some(json(value)?);
    } else if is("ControlNet strength") {
        request.control_strength = number(value)?;
    } else if is("Resize references") {
        request.resize_references = value.parse().ok()?;
    } else if is("Increase reference index") {
        request.increase_reference_index = value.parse().ok()?;
    } else if is("Cache") {
        request.step_cache = Some(json(value)?);
    } else if is("VAE tiling") {
        request.vae_tiling = Some(json(value)?);
    } else {
        return None;
    }
    Some(())
}

/// What is there already, or what A1111 has.
fn padding(request: &ImageRequest) -> u32 {
    match request.inpaint.area {
        InpaintArea::OnlyMasked { padding } => padding,
        _ => 32,
    }
}

/// A1111 has noise of the picture's seed.
fn masked_content(value: &str, seed: Option<i64>) -> Option<InpaintFill> {
    let is = |name: &str| same_name(value, name);
    if is("original") {
        Some(InpaintFill::Original)
    } else if is(FILLED) {
        Some(InpaintFill::Surroundings)
    } else if is(LATENT_NOISE) {
        Some(InpaintFill::Noise { seed: seed.unwrap_or(0).unsigned_abs() })
    } else if is(LATENT_NOTHING) {
        Some(InpaintFill::NOTHING)
    } else {
        json(value)
    }
}

fn take_hires(request: &mut ImageRequest, key: &str, value: &str) -> Option<()> {
    let is = |name: &str| same_name(key, name);
    let mut hires = request.hires.clone().unwrap_or_default();
    let mut understood = Some(());
    if is("Hires upscale") {
        hires.scale = number(value)?;
    } else if is("Hires resize") {
        hires.target_size = Some(size(value)?);
    } else if is("Hires upscaler") {
        understood = upscaler(&mut hires, value);
    } else if is("Hires steps") {
        // A1111 writes 0 for "as the first pass".
        hires.steps = Some(whole(value)?).filter(|steps| *steps != 0);
    } else if is("Hires tile size") {
        hires.tile_size = whole(value)?;
    } else if is("Hires sigmas") {
        hires.custom_sigmas = numbers(value)?;
    } else if is(HIRES_STRENGTH) {
        hires.denoising_strength = number(value)?;
    } else {
        return None;
    }
    request.hires = Some(hires);
    understood
}

/// The name of a model says which file it was, not where that is here.
fn upscaler(hires: &mut HiresFix, value: &str) -> Option<()> {
    let known = value.parse();
    hires.upscaler = known.as_ref().copied().unwrap_or(HiresUpscaler::Model);
    known.ok().map(|_| ())
}

/// With its scheduler, as A1111 wrote them until 1.9, or ComfyUI's nodes: `dpmpp_2m_karras`.
fn sampler(value: &str) -> Option<(Sampler, Option<Scheduler>)> {
    if let Ok(found) = Sampler::with_scheduler(value) {
        return Some(found);
    }
    let (sampler, scheduler) = value.rsplit_once('_')?;
    Some((sampler.parse().ok()?, Some(scheduler.parse().ok()?)))
}

/// `512x768`.
pub(super) fn size(value: &str) -> Option<(u32, u32)> {
    let (width, height) = value.split_once(['x', 'X', '×'])?;
    Some((whole(width.trim())?, whole(height.trim())?))
}

/// Some programs write 2 as 2.0.
fn whole(value: &str) -> Option<u32> {
    let value = value.strip_suffix(".0").unwrap_or(value);
    value.parse().ok()
}

fn number(value: &str) -> Option<f32> {
    f32::from_str(value).ok().filter(|number| number.is_finite())
}

fn numbers(value: &str) -> Option<Vec<f32>> {
    value.split_whitespace().map(number).collect()
}

fn json<T: DeserializeOwned>(value: &str) -> Option<T> {
    serde_json::from_str(value).ok()
}
