//! `png-info`, and what the server says of itself.

use super::SdapiError;
use crate::{
    api::Body,
    error::ApiError,
    pictures,
    service::{Service, blocking},
};
use axum::{Json, extract::State};
use sdcpp::{AvailableMemory, Parameters, ProcessMemory};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(png_info))
        .routes(routes!(memory))
        .routes(routes!(cmd_flags))
        .routes(routes!(system_info))
}

/// A picture's file.
#[derive(Debug, Deserialize, ToSchema)]
struct PngInfoBody {
    /// Base64 of a PNG, JPEG or WebP, also as a data URI.
    image: String,
}

/// What a picture's file says about how it was made.
#[derive(Debug, Serialize, ToSchema)]
struct PngInfo {
    /// The text as it stands; empty where there is none.
    info: String,
    /// The same, as A1111 tells it: `parameters`.
    #[schema(value_type = Object)]
    items: Map<String, Value>,
    /// Its values, by name.
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
}

/// Reads what a picture's file says about how it was made.
#[utoipa::path(post, path = "/sdapi/v1/png-info", tag = "a1111", request_body = PngInfoBody, responses(
    (status = 200, description = "what it says; empty where it says nothing", body = PngInfo),
    (status = 400, description = "it is no picture"),
    (status = 413, description = "the body is too large"),
    (status = 415, description = "the body is not JSON"),
))]
async fn png_info(Body(body): Body<PngInfoBody>) -> Result<Json<PngInfo>, ApiError> {
    blocking(move || {
        let bytes = pictures::bytes("image", &body.image)?;
        if image::guess_format(&bytes).is_err() {
            return Err(ApiError::invalid("image", "something else", "a PNG, JPEG or WebP"));
        }
        let text = Parameters::text_from_bytes(&bytes)?;
        let mut items = Map::new();
        let mut parameters = Map::new();
        if let Some(text) = &text {
            items.insert("parameters".to_owned(), json!(text));
            parameters = named(&Parameters::parse(text));
        }
        Ok(PngInfo { info: text.unwrap_or_default(), items, parameters })
    })
    .await
    .map(Json)
}

/// The values by A1111's names.
fn named(parameters: &Parameters) -> Map<String, Value> {
    let request = &parameters.request;
    let mut named = Map::new();
    let mut tell = |key: &str, value: Value| {
        named.insert(key.to_owned(), value);
    };
    tell("Prompt", json!(request.prompt));
    tell("Negative prompt", json!(request.negative_prompt));
    tell("Steps", json!(request.sampling.steps));
    if let Some(sampler) = request.sampling.sampler {
        tell("Sampler", json!(sampler.label()));
    }
    if let Some(scheduler) = request.sampling.scheduler {
        tell("Schedule type", json!(scheduler.label()));
    }
    tell("CFG scale", json!(request.sampling.cfg_scale));
    if let Some(seed) = request.seed {
        tell("Seed", json!(seed));
    }
    tell("Size-1", json!(request.width));
    tell("Size-2", json!(request.height));
    for (key, value) in &parameters.other {
        tell(key, json!(value));
    }
    named
}

/// Memory of the machine and of this process, in bytes.
#[utoipa::path(get, path = "/sdapi/v1/memory", tag = "a1111", responses(
    (status = 200, description = "ram (free, used, total) and cuda", body = Object),
    (status = 500, description = "the engine cannot tell"),
))]
async fn memory(State(service): State<Service>) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let free = AvailableMemory::now().map(|memory| memory.physical);
        let used = ProcessMemory::now().map(|memory| memory.resident);
        let devices = service.engine().devices()?;
        let card = devices.iter().find(|device| device.kind != sdcpp::DeviceKind::Cpu);
        let cuda = match card {
            Some(card) => json!({ "system": {
                "free": card.memory_free,
                "used": card.memory_total.saturating_sub(card.memory_free),
                "total": card.memory_total,
            }}),
            None => json!({ "error": "no graphics card" }),
        };
        let total = free.zip(used).map(|(free, used)| free.saturating_add(used));
        Ok(json!({ "ram": { "free": free, "used": used, "total": total }, "cuda": cuda }))
    })
    .await
    .map(Json)
}

/// What the server was started with, as far as clients may know.
#[utoipa::path(get, path = "/sdapi/v1/cmd-flags", tag = "a1111",
    responses((status = 200, description = "flags", body = Object)))]
async fn cmd_flags(State(service): State<Service>) -> Json<Value> {
    let options = service.options();
    Json(json!({
        "api": true,
        "listen": !options.address().ip().is_loopback(),
        "port": options.address().port(),
        "cors_allow_origins": options.cors_allow_origins.join(","),
        "api_auth": !options.api_keys.is_empty(),
        "isolated": options.isolated == Some(true),
        "mock": options.is_mock(),
    }))
}

/// What this is, for health checks.
#[utoipa::path(get, path = "/sdapi/v1/system-info", tag = "a1111", responses(
    (status = 200, description = "version, sd_model and sd_models, device, mock", body = Object),
    (status = 500, description = "the models folder cannot be read", body = SdapiError),
))]
async fn system_info(State(service): State<Service>) -> Result<Json<Value>, ApiError> {
    let active = service.active().ok();
    Ok(Json(json!({
        "version": concat!("sdcpp-server ", env!("CARGO_PKG_VERSION")),
        "sd_models": service.drawing_models().await?,
        "sd_model": active.as_ref().map(|active| &active.name),
        "device": active.as_ref().map(|active| &active.device),
        "uptime": service.uptime().as_secs(),
        "mock": service.options().is_mock(),
    })))
}
