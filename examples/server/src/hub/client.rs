//! Asks a hub. The token goes to the hub alone: redirects are followed here, one at a time, and what is
//! at another place is asked without it.

use super::{
    error::{Again, HubError},
    name::{Repo, encoded},
};
use hf_hub::{
    Cache, RepoType,
    api::sync::{Api, ApiBuilder, ApiRepo},
};
use serde::Deserialize;
use std::{env, time::Duration};
use ureq::{
    Agent, Body, RequestBuilder,
    http::{Response, StatusCode, Uri, header},
    typestate::WithoutBody,
};

const CONNECTING: Duration = Duration::from_secs(30);
/// Nothing comes for so long: the connection is lost.
const SILENCE: Duration = Duration::from_secs(60);
const REDIRECTS: usize = 8;
/// What a listing of files may have.
const LISTING_BYTES: u64 = 32 << 20;

/// A hub, and who asks.
pub(crate) struct Hub {
    api: Api,
    own: Origin,
    token: Option<String>,
    agent: Agent,
}

/// A file of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    pub(crate) repo: Repo,
    pub(crate) path: String,
    /// The commit that the revision is.
    pub(crate) commit: String,
    pub(crate) size: u64,
    /// Of its content; files that are not in the hub's storage for large ones have none.
    pub(crate) sha256: Option<String>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Hub {
    /// The hub of `HF_ENDPOINT`, with the token of `HUGGINGFACE_TOKEN`, `HF_TOKEN` or the hub's file.
    pub(crate) fn from_env() -> Result<Self, HubError> {
        let var = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        // Its own default panics where there is no home.
        let cache = match env::home_dir() {
            Some(_) => Cache::from_env(),
            None => Cache::new(var("HF_HOME").unwrap_or_default().into()),
        };
        let token = var("HUGGINGFACE_TOKEN").or_else(|| var("HF_TOKEN")).or_else(|| cache.token());
        let token = token.map(|token| token.trim().to_owned());
        if token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(HubError::new("the hub's token has signs that no token has")
                .advise("set HUGGINGFACE_TOKEN to the token as the hub shows it"));
        }
        let mut builder = ApiBuilder::from_cache(cache)
            .with_token(token.clone())
            .with_progress(false)
            .with_user_agent("sdcpp-server", env!("CARGO_PKG_VERSION"));
        if let Some(endpoint) = var("HF_ENDPOINT") {
            builder = builder.with_endpoint(endpoint.trim().trim_end_matches('/').to_owned());
        }
        let api = builder.build().map_err(|error| HubError::new(error.to_string()))?;
        let some_url = api.model("a/b".to_owned()).url("c");
        let own = some_url.parse().ok().and_then(|url| Origin::of(&url)).ok_or_else(|| {
            HubError::new("HF_ENDPOINT is no address; allowed: as in https://hub.example.org")
        })?;
        Ok(Self { api, own, token, agent: Agent::new_with_defaults() })
    }

    /// The files of a repository.
    pub(crate) fn files(&self, repo: &Repo) -> Result<Vec<RemoteFile>, HubError> {
        let request = self.repo(repo, &repo.revision).info_request().query("blobs", "true");
        let url = request.uri_ref().cloned().ok_or_else(|| bad_answer(repo, "no address"))?;
        let first = limited(request).call();
        let (_, mut answer) = self.follow(url, first, &[])?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(repo, None, &answer));
        }
        let reader = answer.body_mut().with_config().limit(LISTING_BYTES).reader();
        let info: Info = serde_json::from_reader(reader).map_err(|error| {
            let lost = error.is_io() || error.is_eof();
            bad_answer(repo, error).again(if lost { Again::Soon } else { Again::Never })
        })?;
        if !is_hex(&info.sha, 40) {
            return Err(bad_answer(repo, "its commit is no hash"));
        }
        let file = |sibling: Sibling| {
            let (size, sha256) = match sibling.lfs {
                Some(lfs) => (lfs.size, Some(lfs.sha256)),
                None => (sibling.size?, None),
            };
            let sound = sha256.as_ref().is_none_or(|sha256| is_hex(sha256, 64));
            sound.then(|| RemoteFile {
                repo: repo.clone(),
                path: sibling.rfilename,
                commit: info.sha.clone(),
                size,
                sha256: sha256.map(|sha256| sha256.to_ascii_lowercase()),
            })
        };
        Ok(info.siblings.into_iter().filter_map(file).collect())
    }

    /// The bytes of a file from `from` on; all of them if it is not what `etag` was told of.
    pub(crate) fn fetch(
        &self,
        file: &RemoteFile,
        from: u64,
        etag: Option<&str>,
    ) -> Result<Response<Body>, HubError> {
        let url = self.repo(&file.repo, &file.commit).url(&encoded(&file.path));
        let url: Uri = url.parse().map_err(|error| bad_answer(&file.repo, error))?;
        let mut headers = vec![(header::ACCEPT_ENCODING, "identity".to_owned())];
        if from > 0 {
            headers.push((header::RANGE, format!("bytes={from}-")));
            headers.extend(etag.map(|etag| (header::IF_RANGE, etag.to_owned())));
        }
        let first = self.get(&url, &headers);
        let (url, answer) = self.follow(url, first, &headers)?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(answer)
            }
            // The storage that the hub sends to: its addresses expire, and the next try has another.
            status if !self.is_own(&url) => {
                let message = format!("{} answers {status} for {}", host(&url), file.path);
                Err(HubError::new(message).again(after(&answer)))
            }
            _ => Err(self.refused(&file.repo, Some(&file.path), &answer)),
        }
    }

    fn repo(&self, repo: &Repo, revision: &str) -> ApiRepo {
        let (id, revision) = (repo.id.clone(), revision.to_owned());
        self.api.repo(hf_hub::Repo::with_revision(id, RepoType::Model, revision))
    }

    fn get(&self, url: &Uri, headers: &Headers) -> Result<Response<Body>, ureq::Error> {
        let mut request = self.agent.get(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(token) = self.token.as_ref().filter(|_| self.is_own(url)) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        limited(request).call()
    }

    /// Whether an address is the hub's own, and not another place that it leads to.
    fn is_own(&self, url: &Uri) -> bool {
        Origin::of(url).as_ref() == Some(&self.own)
    }

    /// Goes where the answers lead; the last address, and its answer.
    fn follow(
        &self,
        mut url: Uri,
        mut answer: Result<Response<Body>, ureq::Error>,
        headers: &Headers,
    ) -> Result<(Uri, Response<Body>), HubError> {
        for _ in 0..REDIRECTS {
            let response = answer.map_err(|error| unreachable_hub(&url, &error))?;
            if !response.status().is_redirection() {
                return Ok((url, response));
            }
            let location = response.headers().get(header::LOCATION);
            url = location.and_then(|to| joined(&url, to.to_str().ok()?)).ok_or_else(|| {
                HubError::new(format!("{} leads to no usable address", host(&url)))
            })?;
            answer = self.get(&url, headers);
        }
        Err(HubError::new(format!("{} leads in circles", host(&url))))
    }

    /// What a status that is no success means.
    fn refused(&self, repo: &Repo, path: Option<&str>, answer: &Response<Body>) -> HubError {
        let status = answer.status();
        let told = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let reason = told("x-error-message").map(|text| format!(": {}", one_line(text)));
        let reason = reason.unwrap_or_default();
        let what = match path {
            Some(path) => format!("{path} of {}", repo.id),
            None => format!("{} at {}", repo.id, repo.revision),
        };
        let error = HubError::new(format!("the hub answers {status} for {what}{reason}"));
        match status {
            StatusCode::UNAUTHORIZED if self.token.is_some() => error.advise(
                "the token is not accepted, or there is no such repository: check HUGGINGFACE_TOKEN \
                 and the name",
            ),
            StatusCode::UNAUTHORIZED => error.advise(
                "it asks for a token, or there is no such repository: accept the model's licence on \
                 its page at the hub, and set HUGGINGFACE_TOKEN to a token that may read it",
            ),
            StatusCode::FORBIDDEN => error.advise(
                "accept the model's licence on its page at the hub, with the account that the token \
                 in HUGGINGFACE_TOKEN is of",
            ),
            StatusCode::NOT_FOUND => error.advise(match path {
                Some(_) => "check the file's name; upper and lower case count",
                None => "check the repository's name, and the revision behind `@`",
            }),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => error.again(after(answer)),
            status if status.is_server_error() => error.again(after(answer)),
            _ => error,
        }
    }
}

type Headers = [(header::HeaderName, String)];

/// Redirects are ours to follow, statuses ours to read, and no silence lasts for ever.
fn limited(request: RequestBuilder<WithoutBody>) -> RequestBuilder<WithoutBody> {
    request
        .config()
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_resolve(Some(CONNECTING))
        .timeout_connect(Some(CONNECTING))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
}

fn bad_answer(repo: &Repo, why: impl std::fmt::Display) -> HubError {
    HubError::new(format!("the hub's answer about {} cannot be used: {why}", repo.id))
        .advise("check HF_ENDPOINT")
}

/// No answer at all. Names the host, and not the address: it may be signed.
fn unreachable_hub(url: &Uri, error: &ureq::Error) -> HubError {
    let told = HubError::new(format!("{} does not answer: {error}", host(url)))
        .advise("check the network, HF_ENDPOINT and proxies; --offline uses what is there");
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => told,
        _ => told.again(Again::Soon),
    }
}

/// When a hub that is busy wants to be asked again.
fn after(answer: &Response<Body>) -> Again {
    let told = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = told.and_then(|text| text.trim().parse().ok());
    seconds.map_or(Again::Soon, |seconds| Again::After(Duration::from_secs(seconds)))
}

/// A scheme, a host and a port: what may have the token.
#[derive(Debug, PartialEq, Eq)]
struct Origin(String, String, u16);

impl Origin {
    fn of(url: &Uri) -> Option<Self> {
        let scheme = url.scheme_str()?.to_ascii_lowercase();
        let usual = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let host = url.host()?.to_ascii_lowercase();
        Some(Self(scheme, host, url.port_u16().unwrap_or(usual)))
    }
}

/// Where a redirect leads; never from an encrypted connection to one that is not.
fn joined(from: &Uri, location: &str) -> Option<Uri> {
    let to: Uri = match location.strip_prefix('/') {
        Some(rest) if !rest.starts_with('/') => {
            format!("{}://{}{location}", from.scheme_str()?, from.authority()?).parse().ok()?
        }
        _ => location.parse().ok()?,
    };
    let known = Origin::of(&to).is_some();
    let weaker = from.scheme_str() == Some("https") && to.scheme_str() != Some("https");
    (known && !weaker).then_some(to)
}

fn host(url: &Uri) -> &str {
    url.host().unwrap_or("the hub")
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A stranger's text, as one short line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn a_redirect_is_absolute_or_from_the_root() {
        let from = uri("https://hub.test/a/b");
        let to = |location: &str| joined(&from, location).map(|url| url.to_string());
        assert_eq!(to("/c?d=1").unwrap(), "https://hub.test/c?d=1");
        assert_eq!(to("https://cdn.test/x").unwrap(), "https://cdn.test/x");
        for bad in ["http://hub.test/x", "//cdn.test/x", "x", "", "ftp://a/b", "file:///etc/passwd"]
        {
            assert_eq!(to(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_origin_has_a_port() {
        let origin = |text: &str| Origin::of(&uri(text)).unwrap();
        assert_eq!(origin("https://Hub.test/x"), origin("https://hub.test:443/"));
        for other in ["http://hub.test/", "https://hub.test:8443/", "https://cdn.hub.test/"] {
            assert_ne!(origin("https://hub.test/"), origin(other), "{other}");
        }
    }
}
