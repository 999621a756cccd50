//! What `txt2img` and `img2img` answer.

use super::{draw::echo, request::DrawBody};
use crate::{error::ApiError, job::Job};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Pictures, and how they came to be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Drawn {
    /// Base64 of PNG files.
    images: Vec<String>,
    /// What was asked for.
    #[schema(value_type = Object)]
    parameters: Value,
    /// A JSON object as a text: what was drawn.
    info: String,
}

impl Drawn {
    /// Of a job that has ended well.
    pub(super) fn new(job: &Job, body: &DrawBody) -> Result<Self, ApiError> {
        let finished = match job.outcome() {
            Some(Ok(finished)) => finished,
            Some(Err(error)) => return Err(error.clone()),
            None => return Err(ApiError::internal("the job has not ended")),
        };
        let images = match body.send_images {
            Some(false) => Vec::new(),
            _ => finished.pictures.iter().map(|p| BASE64_STANDARD.encode(&p.png)).collect(),
        };
        Ok(Self { images, parameters: echo(body)?, info: info(job, body)?.to_string() })
    }
}

/// A1111 writes a time as digits: year, month, day, hour, minute, second.
pub(super) fn timestamp(rfc3339: &str) -> String {
    rfc3339.chars().filter(char::is_ascii_digit).take(14).collect()
}

fn info(job: &Job, body: &DrawBody) -> Result<Value, ApiError> {
    let Some(Ok(finished)) = job.outcome() else {
        return Err(ApiError::internal("the job has not ended"));
    };
    let (request, count) = (&job.request, finished.pictures.len());
    let seeds: Vec<_> = finished.pictures.iter().map(|picture| picture.seed).collect();
    let first = finished.pictures.first();
    let (width, height) = first.map_or((request.width, request.height), |p| (p.width, p.height));
    let sampler = request.sampling.sampler.map_or("Automatic", sdcpp::Sampler::label);
    Ok(json!({
        "prompt": request.prompt,
        "all_prompts": vec![&request.prompt; count],
        "negative_prompt": request.negative_prompt,
        "all_negative_prompts": vec![&request.negative_prompt; count],
        "seed": seeds.first(),
        "all_seeds": seeds,
        // Variation seeds are not drawn with.
        "subseed": seeds.first(),
        "all_subseeds": seeds,
        "subseed_strength": 0,
        "width": width,
        "height": height,
        "sampler_name": sampler,
        "cfg_scale": request.sampling.cfg_scale,
        "steps": request.sampling.steps,
        "batch_size": body.batch_size.unwrap_or(1),
        "restore_faces": false,
        "face_restoration_model": null,
        "sd_model_name": job.model,
        // Clients want a text; it is empty until the file has been read.
        "sd_model_hash": job.hash.short().unwrap_or_default(),
        "sd_vae_name": null,
        "sd_vae_hash": null,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": match &request.hires {
            _ if job.over_a_picture => Some(request.denoising_strength),
            Some(hires) => Some(hires.denoising_strength),
            None => None,
        },
        "extra_generation_params": if job.mock { json!({ "mock": true }) } else { json!({}) },
        "index_of_first_image": 0,
        "infotexts": finished.pictures.iter().map(|p| p.parameters.as_ref()).collect::<Vec<_>>(),
        "styles": [],
        "job_timestamp": timestamp(&job.view().created_at),
        "clip_skip": request.clip_skip.unwrap_or(1),
        "is_using_inpainting_conditioning": false,
        "version": concat!("sdcpp-server ", env!("CARGO_PKG_VERSION")),
        "mock": job.mock,
        "cached": finished.cached,
        "safety": finished.pictures.iter().map(|p| &p.safety).collect::<Vec<_>>(),
        "warnings": finished.warnings,
    }))
}
