//! A service that looks at pictures.

use super::{Candidate, LIMIT, MOST, SafetyFilter, Verdict, verdict};
use crate::error::ApiError;
use axum::http::Uri;
use ureq::Agent;

/// A service that is asked about each picture: `POST` of an object in JSON with `prompt`, `model` and
/// `image` (base64 of a PNG). It answers 200 with a [`Verdict`] in JSON within 30 seconds.
#[derive(Debug)]
pub struct HttpFilter {
    url: String,
    agent: Agent,
}

impl HttpFilter {
    /// The service at this address.
    ///
    /// # Errors
    /// It is no address.
    pub fn new(url: &str) -> Result<Self, ApiError> {
        let uri = url.parse::<Uri>().ok();
        if !uri.is_some_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some()) {
            return Err(ApiError::invalid(
                "safety-filter-url",
                url,
                "an address, as http://127.0.0.1:9000/judge",
            ));
        }
        let agent = Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .max_redirects(0)
            // Pictures go to this service and nowhere else.
            .proxy(None)
            .build()
            .into();
        Ok(Self { url: url.to_owned(), agent })
    }
}

impl SafetyFilter for HttpFilter {
    fn name(&self) -> String {
        self.url.clone()
    }

    fn judge(&self, candidate: &Candidate<'_>) -> Result<Verdict, String> {
        let mut answer = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .send(&candidate.message())
            .map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("it answered {}", answer.status()));
        }
        let text = answer
            .body_mut()
            .with_config()
            .limit(MOST)
            .read_to_vec()
            .map_err(|error| error.to_string())?;
        verdict(&text)
    }
}
