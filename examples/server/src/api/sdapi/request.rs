//! The bodies of `txt2img` and `img2img`, and the request that they mean.

use crate::{error::ApiError, options::Options, upscale::Folder};
use sdcpp::{HiresFix, HiresUpscaler, ImageRequest, Sampler, Scheduler};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What is to be drawn. Every key may be left out or `null`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default)]
pub(crate) struct DrawBody {
    pub(crate) prompt: Option<String>,
    pub(crate) negative_prompt: Option<String>,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) steps: Option<u32>,
    pub(crate) cfg_scale: Option<f32>,
    /// -1: a random one, which is told.
    pub(crate) seed: Option<i64>,
    /// Pictures at once; with `n_iter` multiplied.
    pub(crate) batch_size: Option<u32>,
    pub(crate) n_iter: Option<u32>,
    pub(crate) clip_skip: Option<i64>,
    /// As `samplers` tells them; a scheduler may stand behind it.
    pub(crate) sampler_name: Option<String>,
    /// The older name of `sampler_name`.
    pub(crate) sampler_index: Option<String>,
    pub(crate) scheduler: Option<String>,
    pub(crate) denoising_strength: Option<f32>,
    pub(crate) enable_hr: Option<bool>,
    /// One of the engine's, or a model that `upscalers` tells.
    pub(crate) hr_upscaler: Option<String>,
    pub(crate) hr_scale: Option<f32>,
    pub(crate) hr_resize_x: Option<u32>,
    pub(crate) hr_resize_y: Option<u32>,
    pub(crate) hr_second_pass_steps: Option<u32>,
    /// `sd_model_checkpoint` and `CLIP_stop_at_last_layers` are heeded.
    #[schema(value_type = Option<Object>)]
    pub(crate) override_settings: Option<Map<String, Value>>,
    /// `false`: the model of `override_settings` draws from then on. Default: for this request only.
    pub(crate) override_settings_restore_afterwards: Option<bool>,
    /// Whether the answer has the pictures. Default: yes.
    pub(crate) send_images: Option<bool>,
    /// img2img: base64 of a PNG or JPEG, also as a data URI; the first is drawn over.
    pub(crate) init_images: Option<Vec<String>>,
    /// img2img: white is drawn anew.
    pub(crate) mask: Option<String>,
    /// img2img: not 0 turns the mask round.
    pub(crate) inpainting_mask_invert: Option<u32>,
    /// img2img: what the masked part starts from. 0, the default: the colours around it; 1: the original;
    /// 2: noise; 3: grey.
    pub(crate) inpainting_fill: Option<u32>,
    /// img2img: how a picture of another shape gets the size that is drawn. 0, the default, and 3: it is
    /// stretched; 1: cut; 2: its borders are drawn out.
    pub(crate) resize_mode: Option<u32>,
    /// img2img: how softly the mask ends, in pixels. Default 4.
    pub(crate) mask_blur: Option<u32>,
    /// img2img: without `mask_blur`, the greater of the two counts.
    pub(crate) mask_blur_x: Option<u32>,
    pub(crate) mask_blur_y: Option<u32>,
    /// img2img: only the mask's surroundings are drawn, in the full size, and put back. Default: yes.
    pub(crate) inpaint_full_res: Option<bool>,
    /// img2img: how many pixels around the mask the model sees then. Default 0.
    pub(crate) inpaint_full_res_padding: Option<u32>,
}

/// A1111 begins at 1, which skips nothing, as the engine does.
fn clip_skip(value: i64) -> Result<Option<u32>, ApiError> {
    match value {
        // 0 and -1 are how clients say nothing.
        -1 | 0 => Ok(None),
        1..=12 => Ok(u32::try_from(value).ok()),
        _ => Err(ApiError::invalid("clip_skip", value, "1 to 12")),
    }
}

fn sampler(request: &mut ImageRequest, name: &str) -> Result<(), ApiError> {
    let (sampler, scheduler) = Sampler::with_scheduler(name)?;
    request.sampling.sampler = Some(sampler);
    if scheduler.is_some() {
        request.sampling.scheduler = scheduler;
    }
    Ok(())
}

/// One of the engine's upscalers, or a model of the folder.
fn enlarged_by(hires: HiresFix, name: &str, upscalers: &Folder) -> Result<HiresFix, ApiError> {
    // A1111 resizes so where there is no upscaler.
    if name == "None" {
        return Ok(hires.upscaler(HiresUpscaler::Lanczos));
    }
    match name.parse() {
        // That is a kind, and no model.
        Ok(HiresUpscaler::Model) | Err(_) => {}
        Ok(upscaler) => return Ok(hires.upscaler(upscaler)),
    }
    if let Some(model) = upscalers.find(name)? {
        return Ok(hires.model(model.path));
    }
    let kinds = HiresUpscaler::ALL.iter().filter(|kind| **kind != HiresUpscaler::Model);
    let mut names: Vec<_> = kinds.map(|kind| kind.label().to_owned()).collect();
    names.extend(upscalers.list()?.into_iter().map(|model| model.name));
    Err(ApiError::invalid("hr_upscaler", name, &names.join(", ")))
}

impl DrawBody {
    /// The model that is asked for, by name.
    pub(crate) fn model(&self) -> Option<&str> {
        self.setting("sd_model_checkpoint").and_then(Value::as_str).filter(|name| !name.is_empty())
    }

    fn setting(&self, key: &str) -> Option<&Value> {
        self.override_settings.as_ref()?.get(key).filter(|value| !value.is_null())
    }

    /// What is to be drawn, above the model's defaults. With `img2img`, over a picture. Reads the folder
    /// of upscalers.
    pub(crate) fn request(
        &self,
        defaults: &ImageRequest,
        img2img: bool,
        options: &Options,
        upscalers: &Folder,
    ) -> Result<ImageRequest, ApiError> {
        let mut request = defaults.clone();
        request.prompt = self.prompt.clone().unwrap_or_default();
        if let Some(negative) = &self.negative_prompt {
            request.negative_prompt.clone_from(negative);
        }
        request.width = self.width.unwrap_or(request.width);
        request.height = self.height.unwrap_or(request.height);
        request.sampling.steps = self.steps.unwrap_or(request.sampling.steps);
        request.sampling.cfg_scale = self.cfg_scale.unwrap_or(request.sampling.cfg_scale);
        if let Some(seed) = self.seed {
            request.seed = (seed >= 0).then_some(seed);
        }
        let batch = u64::from(self.batch_size.unwrap_or(1)) * u64::from(self.n_iter.unwrap_or(1));
        request.batch = u32::try_from(batch).map_err(|_| {
            ApiError::invalid("batch_size × n_iter", batch, &format!("1 to {}", sdcpp::MAX_BATCH))
        })?;
        let setting = self.setting("CLIP_stop_at_last_layers").and_then(Value::as_i64);
        if let Some(skip) = self.clip_skip.or(setting) {
            request.clip_skip = clip_skip(skip)?;
        }
        let name = self.sampler_name.as_deref().or(self.sampler_index.as_deref());
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            sampler(&mut request, name)?;
        }
        if let Some(name) = self.scheduler.as_deref().filter(|name| !name.is_empty()) {
            // A1111's "automatic" is the sampler's own.
            request.sampling.scheduler = if name.eq_ignore_ascii_case("automatic") {
                None
            } else {
                Some(name.parse::<Scheduler>()?)
            };
        }
        if img2img {
            self.over_a_picture(&mut request, options)?;
        } else if self.enable_hr == Some(true) {
            request.hires = Some(self.hires(upscalers)?);
        }
        Ok(request)
    }

    fn hires(&self, upscalers: &Folder) -> Result<HiresFix, ApiError> {
        let mut hires = HiresFix::default();
        if let Some(name) = self.hr_upscaler.as_deref().filter(|name| !name.is_empty()) {
            hires = enlarged_by(hires, name, upscalers)?;
        }
        hires.scale = self.hr_scale.unwrap_or(2.0);
        if let (Some(width @ 1..), Some(height @ 1..)) = (self.hr_resize_x, self.hr_resize_y) {
            hires.target_size = Some((width, height));
        }
        hires.steps = self.hr_second_pass_steps.filter(|steps| *steps > 0);
        hires.denoising_strength = self.denoising_strength.unwrap_or(hires.denoising_strength);
        Ok(hires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<ImageRequest, ApiError> {
        let body: DrawBody = serde_json::from_value(body).unwrap();
        body.request(&ImageRequest::new(""), false, &Options::default(), &Folder::default())
    }

    #[test]
    fn nulls_and_unknown_keys_mean_nothing() {
        let body = json!({ "prompt": "a cat", "seed": -1, "styles": null, "steps": null, "tiling": false });
        let request = read(body).unwrap();
        assert_eq!((request.prompt.as_str(), request.seed), ("a cat", None));
        assert_eq!(request.sampling.steps, ImageRequest::new("").sampling.steps);
    }

    #[test]
    fn samplers_carry_schedulers() {
        let request = read(json!({ "sampler_name": "DPM++ 2M Karras" })).unwrap();
        assert_eq!(request.sampling.scheduler, Some(Scheduler::Karras));
        let request = read(json!({ "sampler_name": "Euler a", "scheduler": "automatic" })).unwrap();
        assert_eq!(
            (request.sampling.sampler, request.sampling.scheduler),
            (Some(Sampler::EulerA), None)
        );
        let error = read(json!({ "sampler_name": "No Such" })).unwrap_err();
        assert!(error.message.contains("No Such"), "{}", error.message);
    }

    #[test]
    fn batches_multiply() {
        assert_eq!(read(json!({ "batch_size": 2, "n_iter": 3 })).unwrap().batch, 6);
        let huge = json!({ "batch_size": u32::MAX, "n_iter": u32::MAX });
        assert!(read(huge).unwrap_err().message.contains("batch_size × n_iter"));
    }

    #[test]
    fn the_settings_of_one_request_are_heeded() {
        let body = json!({ "override_settings": { "CLIP_stop_at_last_layers": 2, "sd_model_checkpoint": "x" } });
        let parsed: DrawBody = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(parsed.model(), Some("x"));
        assert_eq!(read(body).unwrap().clip_skip, Some(2));
        assert!(
            read(json!({ "clip_skip": 99 })).unwrap_err().message.starts_with("clip_skip is 99")
        );
    }
}
