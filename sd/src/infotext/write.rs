//! Writing the text.

use crate::{
    HiresFix, HiresUpscaler, ImageRequest, InpaintArea, InpaintFill, Lora, RngKind, Sampler,
    Sampling, Scheduler,
};
use std::{fmt::Write as _, path::Path};

/// What the text says beyond the request.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    pub(crate) sampler: Sampler,
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) steps: u32,
    pub(crate) seed: i64,
    pub(crate) rng: RngKind,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) model: &'a str,
}

/// A1111's words for a mask that is turned round.
pub(super) const NOT_MASKED: &str = "Inpaint not masked";
/// A1111's words for what a masked part starts from.
pub(super) const FILLED: &str = "fill";
pub(super) const LATENT_NOISE: &str = "latent noise";
pub(super) const LATENT_NOTHING: &str = "latent nothing";
/// A1111's words for an area that is cut out.
pub(super) const ONLY_MASKED: &str = "Only masked";

/// The line of settings.
#[derive(Default)]
struct Settings(String);

impl Settings {
    fn add(&mut self, key: &str, value: impl ToString) {
        let comma = if self.0.is_empty() { "" } else { ", " };
        let _ = write!(self.0, "{comma}{key}: {}", quoted(&value.to_string()));
    }

    fn some<T: ToString>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    /// A value with parts, as JSON.
    fn json<T: serde::Serialize>(&mut self, key: &str, value: Option<&T>) {
        self.some(key, value.and_then(|value| serde_json::to_string(value).ok()));
    }

    fn numbers(&mut self, key: &str, numbers: &[f32]) {
        if !numbers.is_empty() {
            self.add(key, numbers.iter().map(f32::to_string).collect::<Vec<_>>().join(" "));
        }
    }
}

/// Prompt, negative prompt and a line of settings, in A1111's order and words where it has some.
pub(crate) fn write(request: &ImageRequest, facts: &Facts<'_>) -> String {
    let mut text = request.prompt.clone();
    for lora in request.loras.iter().filter(|lora| lora.multiplier != 0.0) {
        text.push_str(&tag(lora));
    }
    if !request.negative_prompt.is_empty() {
        let _ = write!(text, "\nNegative prompt: {}", request.negative_prompt);
    }
    // With a second pass, the size is that of the first.
    let (width, height) = match request.hires {
        Some(_) => (request.width, request.height),
        None => (facts.width, facts.height),
    };
    let mut settings = Settings::default();
    settings.add("Steps", facts.steps);
    settings.add("Sampler", facts.sampler.label());
    settings.some("Schedule type", facts.scheduler.map(Scheduler::label));
    settings.add("CFG scale", request.sampling.cfg_scale);
    guidance(&mut settings, &request.sampling);
    settings.add("Seed", facts.seed);
    settings.add("Size", format!("{width}x{height}"));
    settings.some("Model", Some(facts.model).filter(|model| !model.is_empty()));
    let from_picture = request.init_image.is_some();
    if from_picture {
        settings.add("Denoising strength", request.denoising_strength);
    }
    repainted(&mut settings, request);
    settings.some("Clip skip", request.clip_skip);
    if let Some(hires) = &request.hires {
        second_pass(&mut settings, hires, from_picture);
    }
    noise(&mut settings, &request.sampling);
    // A1111 draws on the graphics card unless it says so.
    settings.some("RNG", Some(facts.rng).filter(|rng| *rng != RngKind::Cuda).map(RngKind::label));
    inputs(&mut settings, request);
    settings.json("Cache", request.step_cache.as_ref());
    settings.json("VAE tiling", request.vae_tiling.as_ref());
    settings.add("Version", concat!("sdcpp ", env!("CARGO_PKG_VERSION")));
    text.push('\n');
    text + &settings.0
}

/// A LoRA given as a file, as a prompt names it. The folder it is in is nobody else's business.
fn tag(lora: &Lora) -> String {
    let name = lora.path.file_stem().unwrap_or_default().to_string_lossy();
    let name = name.replace(['<', '>', '\n', '\r'], "_");
    let for_high_noise = if lora.high_noise { "|high_noise|" } else { "" };
    format!(" <lora:{for_high_noise}{name}:{}>", lora.multiplier)
}

/// What is done around the mask, in A1111's words where it has some.
fn repainted(settings: &mut Settings, request: &ImageRequest) {
    let inpaint = &request.inpaint;
    settings.some("Mask blur", Some(inpaint.mask_blur).filter(|blur| *blur != 0));
    settings.some("Mask mode", inpaint.invert.then_some(NOT_MASKED));
    if let InpaintArea::OnlyMasked { padding } = inpaint.area {
        settings.add("Inpaint area", ONLY_MASKED);
        settings.add("Masked area padding", padding);
    }
    match inpaint.fill {
        InpaintFill::Original => {}
        InpaintFill::Surroundings => settings.add("Masked content", FILLED),
        InpaintFill::NOTHING => settings.add("Masked content", LATENT_NOTHING),
        other => settings.json("Masked content", Some(&other)),
    }
    settings.some("Keep unmasked", inpaint.keep_unmasked.then_some("true"));
    settings.json("Outpaint", request.outpaint.as_ref());
}

fn guidance(settings: &mut Settings, sampling: &Sampling) {
    settings.some("Image CFG scale", sampling.image_cfg_scale);
    if sampling.distilled_guidance != Sampling::default().distilled_guidance {
        // As Forge writes it.
        settings.add("Distilled CFG Scale", sampling.distilled_guidance);
    }
    settings.json("Skip layers", sampling.skip_layers.as_ref());
}

fn noise(settings: &mut Settings, sampling: &Sampling) {
    settings.some("Eta", sampling.eta);
    // As Forge writes it.
    settings.some("Shift", sampling.flow_shift);
    settings.some("Shifted timestep", Some(sampling.shifted_timestep).filter(|step| *step != 0));
    settings.numbers("Sigmas", &sampling.custom_sigmas);
    settings.some("Sampler arguments", sampling.extra_sample_args.as_ref());
}

/// A1111 has one strength for both passes, which is the second's unless there is a picture.
fn second_pass(settings: &mut Settings, hires: &HiresFix, from_picture: bool) {
    let strength = if from_picture { "Hires denoising strength" } else { "Denoising strength" };
    settings.add(strength, hires.denoising_strength);
    match hires.target_size {
        Some((width, height)) => settings.add("Hires resize", format!("{width}x{height}")),
        None => settings.add("Hires upscale", hires.scale),
    }
    settings.some("Hires steps", hires.steps);
    settings.add("Hires upscaler", upscaler_name(hires));
    if hires.tile_size != HiresFix::default().tile_size {
        settings.add("Hires tile size", hires.tile_size);
    }
    settings.numbers("Hires sigmas", &hires.custom_sigmas);
}

/// A model goes by the name of its file, unless that would be taken for another upscaler.
fn upscaler_name(hires: &HiresFix) -> String {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let model = hires.model.as_deref().map(stem);
    match model {
        Some(name) if hires.upscaler == HiresUpscaler::Model && !name.trim().is_empty() => {
            if name.parse::<HiresUpscaler>().is_ok() { "Model".to_owned() } else { name }
        }
        _ => hires.upscaler.label().to_owned(),
    }
}

/// What is said of pictures that came in.
fn inputs(settings: &mut Settings, request: &ImageRequest) {
    if request.control_image.is_some() {
        settings.add("ControlNet strength", request.control_strength);
    }
    if !request.reference_images.is_empty() {
        settings.add("References", request.reference_images.len());
        settings.some("Resize references", (!request.resize_references).then_some("false"));
        settings
            .some("Increase reference index", request.increase_reference_index.then_some("true"));
    }
    settings
        .some("PhotoMaker style strength", request.photo_maker.as_ref().map(|p| p.style_strength));
}

/// A1111 writes a value with a comma or colon as a JSON string.
fn quoted(value: &str) -> String {
    let plain = !value.is_empty() && value.trim() == value;
    if plain && !value.contains([',', ':', '\n', '\r', '"']) && !value.starts_with(['[', '{']) {
        value.to_owned()
    } else {
        serde_json::Value::from(value).to_string()
    }
}
