//! What there is: samplers, schedulers, models and the rest, in A1111's words.

use crate::{
    api::choices,
    error::ApiError,
    hash::ModelHash,
    service::{Service, blocking},
    upscale::{Esrgan, Method},
};
use axum::{Json, extract::State};
use sdcpp::{HiresUpscaler, Sampler, Scheduler};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(samplers))
        .routes(routes!(schedulers))
        .routes(routes!(models))
        .routes(routes!(vaes))
        .routes(routes!(latent_upscale_modes))
        .routes(routes!(scripts))
        .routes(routes!(loras))
        .routes(routes!(upscalers))
        .routes(routes!(realesrgan_models))
        .routes(routes!(face_restorers))
        .routes(routes!(hypernetworks))
        .routes(routes!(prompt_styles))
        .routes(routes!(script_info))
        .routes(routes!(embeddings))
        .routes(routes!(refresh_checkpoints))
        .routes(routes!(refresh_loras))
        .routes(routes!(refresh_vae))
}

/// The samplers.
#[utoipa::path(get, path = "/sdapi/v1/samplers", tag = "a1111",
    responses((status = 200, description = "name, aliases, options", body = Vec<Object>)))]
async fn samplers() -> Json<Value> {
    let sampler = |sampler: &Sampler| json!({ "name": sampler.label(), "aliases": [sampler.name()], "options": {} });
    Json(Sampler::ALL.iter().map(sampler).collect())
}

/// The schedulers.
#[utoipa::path(get, path = "/sdapi/v1/schedulers", tag = "a1111",
    responses((status = 200, description = "name, label, aliases", body = Vec<Object>)))]
async fn schedulers() -> Json<Value> {
    let automatic = json!({ "name": "automatic", "label": "Automatic", "aliases": null });
    let scheduler = |scheduler: &Scheduler| {
        json!({
            "name": scheduler.name(),
            "label": scheduler.label(),
            "aliases": null,
            "default_rho": -1,
            "need_inner_model": false,
        })
    };
    Json(std::iter::once(automatic).chain(Scheduler::ALL.iter().map(scheduler)).collect())
}

/// The models that draw. `filename` is a name, and no path.
#[utoipa::path(get, path = "/sdapi/v1/sd-models", tag = "a1111", responses(
    (status = 200, description = "title, model_name, hash, sha256, filename, config", body = Vec<Object>),
    (status = 500, description = "the models folder cannot be read"),
))]
async fn models(State(service): State<Service>) -> Result<Json<Value>, ApiError> {
    let active = service.active().ok();
    let model = |name: &str| {
        let hash = active.as_ref().filter(|active| active.name == name).map(|active| &active.hash);
        json!({
            // Without the hash, so that it stays the same when that is known.
            "title": name,
            "model_name": name,
            "hash": hash.and_then(ModelHash::short),
            "sha256": hash.and_then(ModelHash::sha256),
            "filename": name,
            "config": null,
        })
    };
    Ok(Json(service.drawing_models().await?.iter().map(|name| model(name)).collect()))
}

/// VAEs cannot be chosen by themselves: a preset beside the model names them.
#[utoipa::path(get, path = "/sdapi/v1/sd-vae", tag = "a1111",
    responses((status = 200, description = "an empty list", body = Vec<Object>)))]
async fn vaes() -> Json<Value> {
    Json(json!([]))
}

/// The upscalers of `hr_upscaler`.
#[utoipa::path(get, path = "/sdapi/v1/latent-upscale-modes", tag = "a1111",
    responses((status = 200, description = "name", body = Vec<Object>)))]
async fn latent_upscale_modes() -> Json<Value> {
    let modes = HiresUpscaler::ALL.iter().filter(|mode| **mode != HiresUpscaler::Model);
    Json(modes.map(|mode| json!({ "name": mode.label() })).collect())
}

/// There are no scripts.
#[utoipa::path(get, path = "/sdapi/v1/scripts", tag = "a1111",
    responses((status = 200, description = "txt2img and img2img, both empty", body = Object)))]
async fn scripts() -> Json<Value> {
    Json(json!({ "txt2img": [], "img2img": [] }))
}

/// The LoRAs that prompts can name. `path` is a name, and no path.
#[utoipa::path(get, path = "/sdapi/v1/loras", tag = "a1111", responses(
    (status = 200, description = "name, alias, path, metadata", body = Vec<Object>),
    (status = 503, description = "the folder cannot be read"),
))]
async fn loras(State(service): State<Service>) -> Result<Json<Value>, ApiError> {
    let lora = |name: &String| json!({ "name": name, "alias": name, "path": name, "metadata": {} });
    Ok(Json(choices::loras(&service).await?.iter().map(lora).collect()))
}

/// What enlarges pictures: without a model, and the models of `--upscalers`. `model_path` is a name, and
/// no path.
#[utoipa::path(get, path = "/sdapi/v1/upscalers", tag = "a1111", responses(
    (status = 200, description = "name, model_name, model_path, model_url, scale", body = Vec<Object>),
    (status = 500, description = "the folder cannot be read"),
))]
async fn upscalers(State(service): State<Service>) -> Result<Json<Value>, ApiError> {
    let upscaler = |name: &str, model: Option<&str>, scale: u32| json!({ "name": name, "model_name": model, "model_path": model, "model_url": null, "scale": scale });
    let models = esrgans(&service).await?;
    // They have any scale; A1111 says 4.
    let without = Method::WITHOUT_MODEL.iter().map(|name| upscaler(name, None, 4));
    let with = models.iter().map(|model| upscaler(&model.name, Some(&model.name), model.factor));
    Ok(Json(without.chain(with).collect()))
}

/// The models of `--upscalers`, in another form. `path` is a name, and no path.
#[utoipa::path(get, path = "/sdapi/v1/realesrgan-models", tag = "a1111", responses(
    (status = 200, description = "name, path, scale", body = Vec<Object>),
    (status = 500, description = "the folder cannot be read"),
))]
async fn realesrgan_models(State(service): State<Service>) -> Result<Json<Value>, ApiError> {
    let model =
        |model: &Esrgan| json!({ "name": model.name, "path": model.name, "scale": model.factor });
    Ok(Json(esrgans(&service).await?.iter().map(model).collect()))
}

async fn esrgans(service: &Service) -> Result<Vec<Esrgan>, ApiError> {
    let upscaling = service.upscaling().clone();
    blocking(move || upscaling.folder().list()).await
}

/// There are none.
#[utoipa::path(get, path = "/sdapi/v1/face-restorers", tag = "a1111",
    responses((status = 200, description = "an empty list", body = Vec<Object>)))]
async fn face_restorers() -> Json<Value> {
    Json(json!([]))
}

/// There are none.
#[utoipa::path(get, path = "/sdapi/v1/hypernetworks", tag = "a1111",
    responses((status = 200, description = "an empty list", body = Vec<Object>)))]
async fn hypernetworks() -> Json<Value> {
    Json(json!([]))
}

/// There are none.
#[utoipa::path(get, path = "/sdapi/v1/prompt-styles", tag = "a1111",
    responses((status = 200, description = "an empty list", body = Vec<Object>)))]
async fn prompt_styles() -> Json<Value> {
    Json(json!([]))
}

/// There are no scripts.
#[utoipa::path(get, path = "/sdapi/v1/script-info", tag = "a1111",
    responses((status = 200, description = "an empty list", body = Vec<Object>)))]
async fn script_info() -> Json<Value> {
    Json(json!([]))
}

/// Embeddings are named by the preset beside a model.
#[utoipa::path(get, path = "/sdapi/v1/embeddings", tag = "a1111",
    responses((status = 200, description = "loaded and skipped, both empty", body = Object)))]
async fn embeddings() -> Json<Value> {
    Json(json!({ "loaded": {}, "skipped": {} }))
}

/// Nothing to do: the folder is read at each listing.
#[utoipa::path(post, path = "/sdapi/v1/refresh-checkpoints", tag = "a1111",
    responses((status = 200, description = "null")))]
async fn refresh_checkpoints() -> Json<Value> {
    Json(Value::Null)
}

/// Nothing to do: the folder is read at each listing.
#[utoipa::path(post, path = "/sdapi/v1/refresh-loras", tag = "a1111",
    responses((status = 200, description = "null")))]
async fn refresh_loras() -> Json<Value> {
    Json(Value::Null)
}

/// Nothing to do.
#[utoipa::path(post, path = "/sdapi/v1/refresh-vae", tag = "a1111",
    responses((status = 200, description = "null")))]
async fn refresh_vae() -> Json<Value> {
    Json(Value::Null)
}
