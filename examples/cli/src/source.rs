//! Requests from files: as JSON, and as pictures say how they were made.

use crate::values::invalid;
use clap::Args;
use sdcpp::{Error, ImageRequest, Parameters};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{fs, io, path::PathBuf};

/// What a request starts from. Options rank before it.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Picture")]
pub(crate) struct SourceOptions {
    /// Request as a JSON object, with the names of the library's fields; "-" is standard input.
    /// Options rank before it, environment and preset behind
    #[arg(long, conflicts_with = "from", value_name = "FILE")]
    request: Option<PathBuf>,
    /// Draw again as this picture says it was made (PNG, JPEG or WebP); options rank before it
    #[arg(long, value_name = "PICTURE")]
    from: Option<PathBuf>,
}

impl SourceOptions {
    /// The picture's own request in place of `base`, if one is given.
    pub(crate) fn picture(&self, base: ImageRequest) -> Result<ImageRequest, Error> {
        let Some(path) = &self.from else { return Ok(base) };
        let parameters = Parameters::read(path)?.ok_or_else(|| {
            invalid("from", path.display(), "a picture that says how it was made")
        })?;
        let mut request = parameters.request;
        // About memory, not about the picture.
        request.vae_tiling = request.vae_tiling.or(base.vae_tiling);
        request.vae_tiling_fallback |= base.vae_tiling_fallback;
        Ok(request)
    }

    /// `base` with what the JSON file says, if one is given.
    pub(crate) fn json<T: Serialize + DeserializeOwned>(&self, base: T) -> Result<T, Error> {
        let Some(path) = &self.request else { return Ok(base) };
        let text = if path.as_os_str() == "-" {
            io::read_to_string(io::stdin())
        } else {
            fs::read_to_string(path)
        };
        let text = text.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                Error::FileNotFound { role: "request".into(), path: path.clone() }
            }
            _ => Error::FileUnreadable { role: "request".into(), path: path.clone(), source },
        })?;
        overlay(&base, &text).map_err(|error| {
            let allowed = "a JSON object with the fields of a request";
            invalid("request", format!("{}: {error}", path.display()), allowed)
        })
    }
}

fn overlay<T: Serialize + DeserializeOwned>(base: &T, text: &str) -> serde_json::Result<T> {
    // By itself first: a key that is there twice is told here, and not below.
    serde_json::from_str::<T>(text)?;
    let mut all = serde_json::to_value(base)?;
    let said: Map<String, Value> = serde_json::from_str(text)?;
    if let Some(fields) = all.as_object_mut() {
        fields.extend(said);
    }
    serde_json::from_value(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_says_ranks_before_the_base() {
        let base = ImageRequest::new("").size(128, 64).steps(12);
        let request = overlay(&base, r#"{"prompt":"a cat","steps":20,"height":96}"#).unwrap();
        assert_eq!(request, ImageRequest::new("a cat").size(128, 96).steps(20));
    }

    #[test]
    fn mistakes_are_told_by_their_key() {
        for (text, part) in [
            (r#"{"stepz":1}"#, "stepz"),
            (r#"{"steps":1,"steps":2}"#, "steps"),
            (r#"{"steps":"x"}"#, "steps"),
            ("[]", "invalid type"),
        ] {
            let error = overlay(&ImageRequest::default(), text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
