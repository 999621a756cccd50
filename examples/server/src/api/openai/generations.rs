//! `POST /v1/images/generations`.

use super::{
    OpenAiError,
    encode::{Format, Images, images},
    size,
};
use crate::{
    api::{
        Body,
        refusals::{NotDone, NotTaken},
    },
    error::ApiError,
    model::Active,
    service::Service,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
};
use sdcpp::ImageRequest;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(generations))
}

/// What is to be drawn. Only the prompt is needed; other keys of OpenAI's are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct GenerationBody {
    pub(super) prompt: String,
    /// The name of a model that is here; other names, as OpenAI's own, mean the one that draws.
    pub(super) model: Option<String>,
    /// Pictures. Default 1.
    pub(super) n: Option<u32>,
    /// `512x512`, or `auto`.
    pub(super) size: Option<String>,
    /// `b64_json` (default) or `url`.
    pub(super) response_format: Option<String>,
    /// `png` (default), `jpeg` or `webp` without loss.
    pub(super) output_format: Option<String>,
    /// The quality of JPEG, 0 to 100.
    pub(super) output_compression: Option<u32>,
    /// Not of OpenAI: a seed.
    pub(super) seed: Option<i64>,
}

impl GenerationBody {
    /// What is to be drawn, above the model's defaults.
    pub(super) fn request(&self, defaults: &ImageRequest) -> Result<ImageRequest, ApiError> {
        let mut request = defaults.clone();
        request.prompt.clone_from(&self.prompt);
        request.batch = self.n.unwrap_or(1);
        if let Some((width, height)) = self.size.as_deref().map(size).transpose()?.flatten() {
            (request.width, request.height) = (width, height);
        }
        if let Some(seed) = self.seed {
            request.seed = (seed >= 0).then_some(seed);
        }
        Ok(request)
    }

    /// The model that is named, if it is one of ours, else the one that draws.
    pub(super) async fn model(&self, service: &Service) -> Result<Arc<Active>, ApiError> {
        match service.model(self.model.as_deref()).await {
            // Clients must name one, and have OpenAI's names built in.
            Err(error) if error.code == "not_found" => service.active(),
            other => other,
        }
    }

    /// Draws, and answers as it is wanted.
    pub(super) async fn answer(
        &self,
        service: &Service,
        headers: &HeaderMap,
        active: &Arc<Active>,
        request: ImageRequest,
    ) -> Result<Json<Images>, ApiError> {
        let format = Format::new(self.output_format.as_deref(), self.output_compression)?;
        let base = match self.response_format.as_deref() {
            None | Some("b64_json") => None,
            Some("url") => {
                let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
                // Behind a proxy the client came by another scheme.
                let proxied =
                    headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
                let scheme = if proxied { "https" } else { "http" };
                Some(format!("{scheme}://{}", host.unwrap_or("localhost")))
            }
            Some(other) => {
                return Err(ApiError::invalid("response_format", other, "b64_json, url"));
            }
        };
        let job = service.draw(active, request, None).await?;
        images(job, format, base).await.map(Json)
    }
}

/// Draws pictures.
#[utoipa::path(post, path = "/v1/images/generations", tag = "openai", request_body = GenerationBody, responses(
    (status = 200, description = "the pictures", body = Images),
    NotTaken<OpenAiError>,
    NotDone<OpenAiError>,
))]
async fn generations(
    State(service): State<Service>,
    headers: HeaderMap,
    Body(body): Body<GenerationBody>,
) -> Result<Json<Images>, ApiError> {
    let active = body.model(&service).await?;
    let request = body.request(&active.defaults)?;
    body.answer(&service, &headers, &active, request).await
}
