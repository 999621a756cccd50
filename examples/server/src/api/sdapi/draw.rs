//! `txt2img` and `img2img`: the answer comes when the pictures are drawn.

use super::{SdapiError, answer::Drawn, request::DrawBody};
use crate::{
    api::{
        Body,
        refusals::{NotDone, NotTaken},
    },
    error::ApiError,
    service::{Service, blocking},
};
use axum::{Json, extract::State};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(txt2img)).routes(routes!(img2img))
}

/// Draws pictures.
#[utoipa::path(post, path = "/sdapi/v1/txt2img", tag = "a1111", request_body = DrawBody, responses(
    (status = 200, description = "the pictures", body = Drawn),
    (status = 404, description = "there is no such model", body = SdapiError),
    NotTaken<SdapiError>,
    NotDone<SdapiError>,
))]
async fn txt2img(
    State(service): State<Service>,
    Body(body): Body<DrawBody>,
) -> Result<Json<Drawn>, ApiError> {
    draw(&service, body, false).await
}

/// Draws over a picture, or a part of it.
#[utoipa::path(post, path = "/sdapi/v1/img2img", tag = "a1111", request_body = DrawBody, responses(
    (status = 200, description = "the pictures", body = Drawn),
    (status = 404, description = "there is no such model", body = SdapiError),
    NotTaken<SdapiError>,
    NotDone<SdapiError>,
))]
async fn img2img(
    State(service): State<Service>,
    Body(body): Body<DrawBody>,
) -> Result<Json<Drawn>, ApiError> {
    draw(&service, body, true).await
}

async fn draw(service: &Service, body: DrawBody, img2img: bool) -> Result<Json<Drawn>, ApiError> {
    let active = match body.model() {
        Some(name) if body.override_settings_restore_afterwards == Some(false) => {
            service.choose(name).await?
        }
        name => service.model(name).await?,
    };
    let defaults = active.defaults.clone();
    let echo = body.clone();
    // Base64 and PNG take a while.
    let asked = service.clone();
    let request = service
        .prepare(&active, move || {
            body.request(&defaults, img2img, &asked.options(), asked.upscaling().folder())
        })
        .await?;
    let job = service.draw(&active, request, None).await?;
    blocking(move || Drawn::new(&job, &echo)).await.map(Json)
}

/// What was asked for, as it is told back: without the pictures, which can be large.
pub(super) fn echo(body: &DrawBody) -> Result<Value, ApiError> {
    let mut body = body.clone();
    body.init_images = None;
    body.mask = None;
    serde_json::to_value(&body).map_err(|error| ApiError::internal(error.to_string()))
}
