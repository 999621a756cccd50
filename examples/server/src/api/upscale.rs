//! `POST /api/v1/upscale`: a picture is enlarged.

use super::{
    Body, ErrorBody,
    refusals::{NotDone, NotTaken},
};
use crate::{
    error::ApiError,
    service::{Service, blocking},
    upscale::{Method, Plan, Target},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(upscale))
}

/// A picture, and how it is enlarged.
#[derive(Debug, Deserialize, ToSchema)]
struct UpscaleBody {
    /// Base64 of a PNG, JPEG or WebP, also as a data URI.
    image: String,
    /// A model of the folder `--upscalers` by its name, "Lanczos" or "Nearest".
    upscaler: String,
    /// How many times as wide and high, more than 0. Default 2.
    scale: Option<f64>,
}

/// Enlarges a picture. What its file says about how it was made stays.
#[utoipa::path(post, path = "/api/v1/upscale", tag = "upscale", request_body = UpscaleBody, responses(
    (status = 200, description = "a PNG", body = Vec<u8>, content_type = "image/png"),
    NotTaken<ErrorBody>,
    NotDone<ErrorBody>,
))]
async fn upscale(
    State(service): State<Service>,
    Body(body): Body<UpscaleBody>,
) -> Result<Response, ApiError> {
    let upscaling = service.upscaling().clone();
    let method =
        blocking(move || Method::find("upscaler", &body.upscaler, upscaling.folder())).await?;
    let target = Target::Factor(body.scale.unwrap_or(2.0));
    let plan = method.map(|method| Plan { method, second: None, target });
    let given = vec![("image".to_owned(), body.image)];
    let pictures = service.upscaling().enlarge(given, plan).await?;
    let picture = pictures.into_iter().next().ok_or_else(|| ApiError::internal("no picture"))?;
    Ok(([(header::CONTENT_TYPE, "image/png")], picture.png).into_response())
}
