//! Who looks at pictures before clients do: a safety filter, between decoding and the answer.
//!
//! A filter is a program ([`CommandFilter`]), a service ([`HttpFilter`]), or what an application makes
//! of the trait. It is given [`Candidate`]s and tells [`Verdict`]s. A picture that it refuses is made
//! black before anybody sees it, and the answer says so; previews are not shown. Where it tells nothing
//! that can be used, the job fails: nothing is shown that was not looked at.

mod command;
mod http;

pub use command::CommandFilter;
pub use http::HttpFilter;

use crate::{error::ApiError, job::Stored, options::Options};
use axum::http::StatusCode;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{ImageFormat, RgbImage};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{io::Cursor, sync::Arc, time::Duration};
use utoipa::ToSchema;

/// How long a verdict may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Bytes that a verdict may have.
const MOST: u64 = 64 << 10;

/// A picture that is to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What was asked for.
    pub prompt: &'a str,
    /// The name of the model.
    pub model: &'a str,
    /// The picture's file.
    pub png: &'a [u8],
}

impl Candidate<'_> {
    /// What filters outside of this program are given: `prompt`, `model`, and `image`, base64 of a PNG.
    fn message(&self) -> Vec<u8> {
        let image = BASE64_STANDARD.encode(self.png);
        json!({ "prompt": self.prompt, "model": self.model, "image": image })
            .to_string()
            .into_bytes()
    }
}

/// What a filter says of a picture. Other keys than these are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// Whether it may be shown.
    pub allowed: bool,
    /// Why not, or what is worth knowing.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Looks at pictures before they are shown.
pub trait SafetyFilter: Send + Sync {
    /// What tells it from other filters: answers that another one judged are not given again.
    fn name(&self) -> String;

    /// Looks at a picture. Called on a thread that may block.
    ///
    /// # Errors
    /// Why there is no verdict, in words. The job fails then.
    fn judge(&self, candidate: &Candidate<'_>) -> Result<Verdict, String>;
}

/// The filter that the options name.
///
/// # Errors
/// There are two, or one cannot be used.
pub(crate) fn named(options: &Options) -> Result<Option<Arc<dyn SafetyFilter>>, ApiError> {
    Ok(match (&options.safety_filter_command, &options.safety_filter_url) {
        (None, None) => None,
        (Some(program), None) => Some(Arc::new(CommandFilter::new(program)?)),
        (None, Some(url)) => Some(Arc::new(HttpFilter::new(url)?)),
        (Some(_), Some(url)) => {
            let allowed = "either this or safety-filter-command";
            return Err(ApiError::invalid("safety-filter-url", url, allowed));
        }
    })
}

/// Has all pictures looked at, and makes those black that may not be shown. What is to be told of that.
/// `proceed` is asked before each, and its error ends it.
///
/// # Errors
/// There is no verdict.
pub(crate) fn apply(
    filter: &dyn SafetyFilter,
    (prompt, model): (&str, &str),
    pictures: &mut [Stored],
    proceed: impl Fn() -> Result<(), ApiError>,
) -> Result<Vec<String>, ApiError> {
    let mut told = Vec::new();
    for (index, picture) in pictures.iter_mut().enumerate() {
        proceed()?;
        let candidate = Candidate { prompt, model, png: &picture.png };
        let verdict = filter.judge(&candidate).map_err(|why| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "safety_filter_failed",
                format!("the safety filter gave no verdict, and so nothing is shown: {why}"),
            )
        })?;
        if !verdict.allowed {
            picture.png = black(picture.width, picture.height)?;
            let reason = verdict.reason.as_deref().unwrap_or("it gave no reason");
            told.push(format!("picture {} was refused by the safety filter: {reason}", index + 1));
        }
        picture.safety = Some(verdict);
    }
    Ok(told)
}

fn black(width: u32, height: u32) -> Result<Arc<[u8]>, ApiError> {
    let mut png = Cursor::new(Vec::new());
    RgbImage::new(width, height)
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(png.into_inner().into())
}

/// Reads a verdict.
fn verdict(text: &[u8]) -> Result<Verdict, String> {
    serde_json::from_slice(text)
        .map_err(|error| format!("it told no verdict, {{\"allowed\": true or false}}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoBlue;

    impl SafetyFilter for NoBlue {
        fn name(&self) -> String {
            "no blue".to_owned()
        }

        fn judge(&self, candidate: &Candidate<'_>) -> Result<Verdict, String> {
            if candidate.prompt == "unanswerable" {
                return Err("no idea".to_owned());
            }
            let picture = image::load_from_memory(candidate.png).map_err(|e| e.to_string())?;
            let allowed = picture.to_rgb8().get_pixel(0, 0).0 != [0, 0, 255];
            Ok(Verdict { allowed, reason: (!allowed).then(|| "blue".to_owned()) })
        }
    }

    fn picture(colour: [u8; 3]) -> Stored {
        let mut png = Cursor::new(Vec::new());
        RgbImage::from_pixel(16, 8, image::Rgb(colour))
            .write_to(&mut png, ImageFormat::Png)
            .unwrap();
        Stored {
            png: png.into_inner().into(),
            parameters: "x".into(),
            seed: 1,
            width: 16,
            height: 8,
            safety: None,
        }
    }

    #[test]
    fn what_is_refused_is_black_and_told() {
        let mut pictures = [picture([255, 0, 0]), picture([0, 0, 255])];
        let red = Arc::clone(&pictures[0].png);
        let told = apply(&NoBlue, ("x", "m"), &mut pictures, || Ok(())).unwrap();
        assert_eq!(told, ["picture 2 was refused by the safety filter: blue"]);
        assert_eq!(pictures[0].png, red);
        let black = image::load_from_memory(&pictures[1].png).unwrap().to_rgb8();
        assert!(black.dimensions() == (16, 8) && black.iter().all(|byte| *byte == 0));
        let allowed = pictures.map(|picture| picture.safety.unwrap().allowed);
        assert_eq!(allowed, [true, false]);
    }

    #[test]
    fn without_a_verdict_nothing_is_shown() {
        let error =
            apply(&NoBlue, ("unanswerable", "m"), &mut [picture([0; 3])], || Ok(())).unwrap_err();
        assert_eq!(error.code, "safety_filter_failed");
        assert!(error.message.ends_with("no idea"), "{}", error.message);
        for text in ["", "{}", "true", "{\"allowed\": 1}"] {
            assert!(verdict(text.as_bytes()).unwrap_err().contains("no verdict"), "{text}");
        }
        let read = verdict(br#"{"allowed": false, "reason": "x", "score": 0.9}"#).unwrap();
        assert_eq!(read, Verdict { allowed: false, reason: Some("x".to_owned()) });
    }
}
