//! `GET /api/v1/choices`: what a form for requests needs to know.

use crate::{
    error::ApiError,
    service::{Service, blocking},
};
use axum::{Json, extract::State};
use sdcpp::{HiresUpscaler, LoraFolder, Sampler, Scheduler};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(choices))
}

/// A value, and how people call it.
#[derive(Debug, Serialize, ToSchema)]
struct Named {
    name: &'static str,
    label: &'static str,
}

/// What a request has that says nothing.
#[derive(Debug, Serialize, ToSchema)]
struct Defaults {
    negative_prompt: String,
    width: u32,
    height: u32,
    steps: u32,
    cfg_scale: f32,
    /// None: the engine chooses by model.
    sampler: Option<&'static str>,
    /// None: the engine chooses by model and sampler.
    scheduler: Option<&'static str>,
    batch: u32,
    /// None: the engine chooses by model.
    clip_skip: Option<u32>,
    vae_tiling: bool,
}

/// The most that a request may ask for.
#[derive(Debug, Serialize, ToSchema)]
struct Most {
    side: u32,
    steps: u32,
    batch: u32,
}

/// What a form for requests needs to know.
#[derive(Debug, Serialize, ToSchema)]
struct Choices {
    /// The model that draws.
    model: String,
    /// The models that can be chosen.
    models: Vec<String>,
    samplers: Vec<Named>,
    schedulers: Vec<Named>,
    /// Of `hires.upscaler`, which need no file.
    hires_upscalers: Vec<Named>,
    /// The LoRAs that prompts can name, as `<lora:name:1>`.
    loras: Vec<String>,
    defaults: Defaults,
    limits: Most,
    /// Whether pictures are patterns, drawn without a model.
    mock: bool,
}

/// The LoRAs that prompts can name. Reads the folder.
///
/// # Errors
/// It cannot be read.
pub(crate) async fn loras(service: &Service) -> Result<Vec<String>, ApiError> {
    let Some(folder) = service.options().loras.clone() else { return Ok(Vec::new()) };
    blocking(move || {
        let folder = LoraFolder::open(folder)?;
        Ok(folder.files().map(|(name, _)| name.to_owned()).collect())
    })
    .await
}

/// What a form for requests needs to know: models, samplers, schedulers, LoRAs, defaults, limits.
#[utoipa::path(get, path = "/api/v1/choices", tag = "service", responses(
    (status = 200, description = "choices", body = Choices),
    (status = 500, description = "a folder cannot be read", body = super::ErrorBody),
    (status = 503, description = "nothing can be drawn, or the folder of LoRAs cannot be read", body = super::ErrorBody),
))]
async fn choices(State(service): State<Service>) -> Result<Json<Choices>, ApiError> {
    let active = service.active()?;
    let models = service.drawing_models().await?;
    let loras = loras(&service).await?;
    let (request, options) = (&active.defaults, service.options());
    Ok(Json(Choices {
        model: active.name.clone(),
        models,
        samplers: Sampler::ALL.iter().map(|s| Named { name: s.name(), label: s.label() }).collect(),
        schedulers: Scheduler::ALL
            .iter()
            .map(|s| Named { name: s.name(), label: s.label() })
            .collect(),
        hires_upscalers: HiresUpscaler::ALL
            .iter()
            .filter(|upscaler| **upscaler != HiresUpscaler::Model)
            .map(|u| Named { name: u.name(), label: u.label() })
            .collect(),
        loras,
        defaults: Defaults {
            negative_prompt: request.negative_prompt.clone(),
            width: request.width,
            height: request.height,
            steps: request.sampling.steps,
            cfg_scale: request.sampling.cfg_scale,
            sampler: request.sampling.sampler.map(Sampler::name),
            scheduler: request.sampling.scheduler.map(Scheduler::name),
            batch: request.batch,
            clip_skip: request.clip_skip,
            vae_tiling: request.vae_tiling.is_some(),
        },
        limits: Most {
            side: options.max_side(),
            steps: options.max_steps(),
            batch: options.max_batch(),
        },
        mock: active.mock,
    }))
}
