//! `extra-single-image` and `extra-batch-images`: pictures are enlarged.

use super::SdapiError;
use crate::{
    api::{
        Body,
        refusals::{NotDone, NotTaken},
    },
    error::ApiError,
    service::{Service, blocking},
    upscale::{Enlarged, Method, Plan, Target},
};
use axum::{Json, extract::State};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(single)).routes(routes!(batch))
}

/// How pictures are enlarged. Every key may be left out or `null`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct Extras {
    /// 0, the default: by `upscaling_resize`; 1: to `upscaling_resize_w` by `upscaling_resize_h`.
    resize_mode: Option<u32>,
    /// How many times as wide and high, more than 0. Default 2.
    upscaling_resize: Option<f64>,
    /// In pixels. Default 512.
    upscaling_resize_w: Option<u32>,
    /// In pixels. Default 512.
    upscaling_resize_h: Option<u32>,
    /// With `resize_mode` 1: what is more than asked for is cut off. Default: yes; else a side may be
    /// longer.
    upscaling_crop: Option<bool>,
    /// As `upscalers` tells them. Default "None", which leaves a picture as it is.
    upscaler_1: Option<String>,
    /// Laid over the first. Default "None".
    upscaler_2: Option<String>,
    /// How much of the second shows, 0 to 1. Default 0.
    extras_upscaler_2_visibility: Option<f32>,
    /// Whether the answer has the pictures. Default: yes.
    show_extras_results: Option<bool>,
    /// 0: there are no face restorers.
    gfpgan_visibility: Option<f32>,
    /// 0: there are no face restorers.
    codeformer_visibility: Option<f32>,
}

/// A picture to enlarge.
#[derive(Debug, Deserialize, ToSchema)]
struct SingleBody {
    #[serde(flatten)]
    extras: Extras,
    /// Base64 of a PNG, JPEG or WebP, also as a data URI.
    image: String,
}

/// Pictures to enlarge.
#[derive(Debug, Deserialize, ToSchema)]
struct BatchBody {
    #[serde(flatten)]
    extras: Extras,
    #[serde(rename = "imageList")]
    #[schema(rename = "imageList")]
    image_list: Vec<FileData>,
}

/// A picture, and how its owner calls it.
#[derive(Debug, Deserialize, ToSchema)]
struct FileData {
    /// Base64 of a PNG, JPEG or WebP, also as a data URI.
    data: String,
    /// Has no effect.
    #[expect(dead_code, reason = "what the document says of it")]
    name: Option<String>,
}

/// An enlarged picture.
#[derive(Debug, Serialize, ToSchema)]
struct SingleAnswer {
    /// What was done, as HTML.
    html_info: String,
    /// Base64 of a PNG; empty where it is not wanted.
    image: String,
}

/// Enlarged pictures.
#[derive(Debug, Serialize, ToSchema)]
struct BatchAnswer {
    /// What was done, as HTML.
    html_info: String,
    /// Base64 of PNGs; none where they are not wanted.
    images: Vec<String>,
}

/// Enlarges a picture.
#[utoipa::path(post, path = "/sdapi/v1/extra-single-image", tag = "a1111", request_body = SingleBody, responses(
    (status = 200, description = "the picture", body = SingleAnswer),
    NotTaken<SdapiError>,
    NotDone<SdapiError>,
))]
async fn single(
    State(service): State<Service>,
    Body(body): Body<SingleBody>,
) -> Result<Json<SingleAnswer>, ApiError> {
    let given = vec![("image".to_owned(), body.image)];
    let (html_info, images) = enlarged(&service, body.extras, given).await?;
    Ok(Json(SingleAnswer { html_info, image: images.into_iter().next().unwrap_or_default() }))
}

/// Enlarges several pictures.
#[utoipa::path(post, path = "/sdapi/v1/extra-batch-images", tag = "a1111", request_body = BatchBody, responses(
    (status = 200, description = "the pictures, in their order", body = BatchAnswer),
    NotTaken<SdapiError>,
    NotDone<SdapiError>,
))]
async fn batch(
    State(service): State<Service>,
    Body(body): Body<BatchBody>,
) -> Result<Json<BatchAnswer>, ApiError> {
    let (count, most) = (body.image_list.len(), service.options().max_batch());
    if count > most as usize {
        let allowed = format!("up to {most} on this server");
        return Err(ApiError::invalid("the number of pictures in imageList", count, &allowed));
    }
    let named = |(index, file): (usize, FileData)| (format!("imageList[{index}].data"), file.data);
    let given = body.image_list.into_iter().enumerate().map(named).collect();
    let (html_info, images) = enlarged(&service, body.extras, given).await?;
    Ok(Json(BatchAnswer { html_info, images }))
}

async fn enlarged(
    service: &Service,
    extras: Extras,
    given: Vec<(String, String)>,
) -> Result<(String, Vec<String>), ApiError> {
    let shown = extras.show_extras_results.unwrap_or(true);
    let upscaling = service.upscaling().clone();
    let plan =
        blocking(move || extras.plan(|field, name| Method::find(field, name, upscaling.folder())))
            .await?;
    let html_info = html(plan.as_ref());
    let pictures = service.upscaling().enlarge(given, plan).await?;
    let base64 = |picture: &Enlarged| BASE64_STANDARD.encode(&picture.png);
    let images = if shown { pictures.iter().map(base64).collect() } else { Vec::new() };
    Ok((html_info, images))
}

impl Extras {
    /// What is to be done; none where a picture is left as it is.
    fn plan(
        &self,
        find: impl Fn(&str, &str) -> Result<Option<Method>, ApiError>,
    ) -> Result<Option<Plan>, ApiError> {
        for (field, visibility) in [
            ("gfpgan_visibility", self.gfpgan_visibility),
            ("codeformer_visibility", self.codeformer_visibility),
        ] {
            if let Some(visibility) = visibility.filter(|visibility| *visibility != 0.0) {
                return Err(ApiError::invalid(field, visibility, "0: there are no face restorers"));
            }
        }
        let share = self.extras_upscaler_2_visibility.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&share) {
            return Err(ApiError::invalid("extras_upscaler_2_visibility", share, "0 to 1"));
        }
        let target = match self.resize_mode.unwrap_or(0) {
            0 => {
                let factor = self.upscaling_resize.unwrap_or(2.0);
                if factor.is_nan() || factor <= 0.0 {
                    return Err(ApiError::invalid("upscaling_resize", factor, "more than 0"));
                }
                Target::Factor(factor)
            }
            1 => Target::Cover {
                width: side("upscaling_resize_w", self.upscaling_resize_w)?,
                height: side("upscaling_resize_h", self.upscaling_resize_h)?,
                crop: self.upscaling_crop.unwrap_or(true),
            },
            other => {
                let allowed = "0 (by upscaling_resize), 1 (to upscaling_resize_w and _h)";
                return Err(ApiError::invalid("resize_mode", other, allowed));
            }
        };
        let method = |field: &str, name: &Option<String>| match name.as_deref() {
            None | Some("") => Ok(None),
            Some(name) => find(field, name),
        };
        let first = method("upscaler_1", &self.upscaler_1)?;
        let second = method("upscaler_2", &self.upscaler_2)?;
        // Without a first, A1111 leaves the picture as it is, whatever the second.
        Ok(first.map(|method| {
            let second = second.filter(|_| share > 0.0).map(|method| (method, share));
            Plan { method, second, target }
        }))
    }
}

fn side(field: &str, side: Option<u32>) -> Result<u32, ApiError> {
    match side.unwrap_or(512) {
        0 => Err(ApiError::invalid(field, 0, "1 pixel or more")),
        side => Ok(side),
    }
}

/// What was done, in A1111's words.
fn html(plan: Option<&Plan>) -> String {
    let Some(plan) = plan else { return "<p></p>".to_owned() };
    let mut told = match plan.target {
        Target::Factor(factor) => vec![format!("Postprocess upscale by: {factor}")],
        Target::Cover { width, height, .. } => {
            vec![format!("Postprocess upscale to: {width}x{height}")]
        }
    };
    if let Target::Cover { width, height, crop: true } = plan.target {
        told.push(format!("Postprocess crop to: {width}x{height}"));
    }
    told.push(format!("Postprocess upscaler: {}", plan.method.name()));
    if let Some((second, share)) = &plan.second {
        told.push(format!("Postprocess upscaler 2: {}", second.name()));
        told.push(format!("Postprocess upscaler 2 visibility: {share}"));
    }
    // Names of files may have what is markup in HTML.
    let text = told.join(", ").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<p>{text}</p>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(body: Value) -> Result<Option<Plan>, ApiError> {
        let extras: Extras = serde_json::from_value(body).unwrap();
        extras.plan(|_, name| Ok(Some(Method::Lanczos).filter(|_| name != "None")))
    }

    #[test]
    fn defaults_are_those_of_a1111() {
        assert_eq!(plan(json!({ "upscaling_resize": null })).unwrap(), None);
        let twice = plan(json!({ "upscaler_1": "x", "upscaler_2": "y" })).unwrap().unwrap();
        assert_eq!((twice.target, twice.second), (Target::Factor(2.0), None));
        let to = plan(json!({ "upscaler_1": "x", "resize_mode": 1 })).unwrap().unwrap();
        assert_eq!(to.target, Target::Cover { width: 512, height: 512, crop: true });
        let both =
            json!({ "upscaler_1": "x", "upscaler_2": "y", "extras_upscaler_2_visibility": 0.25 });
        let both = plan(both).unwrap();
        assert!(
            html(both.as_ref())
                .contains("upscaler 2: Lanczos, Postprocess upscaler 2 visibility: 0.25")
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (body, start) in [
            (json!({ "gfpgan_visibility": 0.5 }), "gfpgan_visibility is 0.5; allowed: 0"),
            (json!({ "codeformer_visibility": 1 }), "codeformer_visibility is 1"),
            (json!({ "resize_mode": 2 }), "resize_mode is 2"),
            (json!({ "upscaling_resize": 0 }), "upscaling_resize is 0"),
            (json!({ "resize_mode": 1, "upscaling_resize_h": 0 }), "upscaling_resize_h is 0"),
            (json!({ "extras_upscaler_2_visibility": -1 }), "extras_upscaler_2_visibility is -1"),
        ] {
            let message = plan(body).unwrap_err().message;
            assert!(message.starts_with(start), "{message}");
        }
    }
}
