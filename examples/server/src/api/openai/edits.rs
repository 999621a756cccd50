//! `POST /v1/images/edits`: a form with a picture, and a mask whose transparent part is drawn anew.

use super::{OpenAiError, encode::Images, generations::GenerationBody};
use crate::{
    api::refusals::{NotDone, NotTaken},
    error::ApiError,
    pictures,
    service::Service,
};
use axum::{
    Json,
    extract::{Multipart, State, multipart::MultipartError},
    http::{HeaderMap, StatusCode},
};
use image::GrayImage;
use sdcpp::{ImageRequest, Inpaint};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(edits))
}

/// The parts of the form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what the document says of the form")]
struct EditForm {
    /// PNG or JPEG; also as `image[]`. The first is drawn over.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
    /// PNG of the picture's size: what is transparent is drawn anew. Without it everything is.
    #[schema(value_type = Option<String>, format = Binary)]
    mask: Option<Vec<u8>>,
    prompt: String,
    model: Option<String>,
    n: Option<u32>,
    size: Option<String>,
    response_format: Option<String>,
    output_format: Option<String>,
    output_compression: Option<u32>,
    seed: Option<i64>,
}

fn broken(error: &MultipartError) -> ApiError {
    let code = if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        "body_too_large"
    } else {
        "invalid_body"
    };
    ApiError::new(error.status(), code, error.body_text())
}

fn number<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, ApiError> {
    text.trim().parse().map_err(|_| ApiError::invalid(field, text, "a number"))
}

/// Draws over a picture.
///
/// With a mask its transparent part is drawn anew; without one, the whole picture at a denoising
/// strength of 0.75. The size is the picture's unless another is asked for.
#[utoipa::path(post, path = "/v1/images/edits", tag = "openai",
    request_body(content = EditForm, content_type = "multipart/form-data"), responses(
    (status = 200, description = "the pictures", body = Images),
    NotTaken<OpenAiError>,
    NotDone<OpenAiError>,
))]
async fn edits(
    State(service): State<Service>,
    headers: HeaderMap,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<Json<Images>, ApiError> {
    // It says no more than that the Content-Type is another, or lacks what divides the parts.
    let mut form = form.map_err(|rejection| {
        ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            rejection.body_text(),
        )
    })?;
    let mut body = GenerationBody::default();
    let (mut image, mut mask) = (None, None);
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "image" | "image[]" | "mask" => {
                let bytes = field.bytes().await.map_err(|error| broken(&error))?;
                let place = if name == "mask" { &mut mask } else { &mut image };
                place.get_or_insert(bytes);
            }
            _ => {
                let text = field.text().await.map_err(|error| broken(&error))?;
                match name.as_str() {
                    "prompt" => body.prompt = text,
                    "model" => body.model = Some(text),
                    "n" => body.n = Some(number("n", &text)?),
                    "size" => body.size = Some(text),
                    "response_format" => body.response_format = Some(text),
                    "output_format" => body.output_format = Some(text),
                    "output_compression" => {
                        body.output_compression = Some(number("output_compression", &text)?);
                    }
                    "seed" => body.seed = Some(number("seed", &text)?),
                    // Others of OpenAI's have no meaning here.
                    _ => {}
                }
            }
        }
    }
    let image = image.ok_or_else(|| ApiError::invalid("image", "missing", "a PNG or JPEG"))?;
    let active = body.model(&service).await?;
    let mut request = body.request(&active.defaults)?;
    let own_size = body.size.as_deref().is_none_or(|size| size == "auto");
    let request = service
        .prepare(&active, move || {
            over(&mut request, &image, mask.as_deref(), own_size)?;
            Ok(request)
        })
        .await?;
    body.answer(&service, &headers, &active, request).await
}

fn over(
    request: &mut ImageRequest,
    image: &[u8],
    mask: Option<&[u8]>,
    own_size: bool,
) -> Result<(), ApiError> {
    let picture = pictures::decoded("image", image)?;
    if own_size {
        (request.width, request.height) = (picture.width(), picture.height());
    }
    if let Some(mask) = mask {
        let mask = pictures::decoded("mask", mask)?.into_rgba8();
        if mask.pixels().all(|pixel| pixel.0[3] == 255) {
            return Err(ApiError::invalid(
                "mask",
                "opaque",
                "a PNG that is transparent where it is drawn anew",
            ));
        }
        // What is not drawn anew stays as it is, to the pixel.
        request.inpaint = Inpaint::new().keep_unmasked(true);
        request.mask = Some(GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
            image::Luma([255 - mask.get_pixel(x, y).0[3]])
        }));
        request.denoising_strength = 1.0;
    } else {
        request.denoising_strength = 0.75;
    }
    request.init_image = Some(picture.into_rgb8());
    Ok(())
}
