//! A hub of models that a test has to itself: its API and addresses on one port, and its storage of
//! large files on another, as hubs have it. It keeps what it was asked, and fails on request.

#![allow(dead_code, reason = "each test binary uses its own part")]

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, Response, StatusCode, header},
    routing::get,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What goes wrong, once each, in order.
#[derive(Clone)]
pub(crate) enum Fault {
    /// The API answers with this, and when to come again.
    Api(u16, Option<&'static str>),
    /// The file's address answers with this.
    File(u16),
    /// The storage answers with this.
    Storage(u16),
    /// The storage sends so many bytes, and hangs up.
    Cut(usize),
    /// The storage sends so many bytes, and no more for a while.
    Stall(usize),
    /// The storage sends something else of the same length.
    Wrong,
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `api`, `file` or `storage`.
    pub(crate) place: &'static str,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) if_range: Option<String>,
    pub(crate) authorization: Option<String>,
}

#[derive(Default)]
struct Inner {
    /// By repository and path.
    files: BTreeMap<(String, String), Bytes>,
    faults: VecDeque<Fault>,
    asked: Vec<Asked>,
    /// What the API says of sizes, where that is not the truth.
    size: Option<u64>,
    /// Who may read; everybody if none is set.
    token: Option<String>,
    /// A part of the storage's ETag, which a test may change.
    pub(crate) salt: u32,
}

#[derive(Clone)]
struct Shared {
    inner: Arc<Mutex<Inner>>,
    storage: SocketAddr,
}

/// A running hub; it ends with this.
pub(crate) struct Hub {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
    _runtime: tokio::runtime::Runtime,
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Hub {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let inner = Arc::<Mutex<Inner>>::default();
        let url = runtime.block_on(async {
            let bind = || tokio::net::TcpListener::bind("127.0.0.1:0");
            let (hub, storage) = (bind().await.unwrap(), bind().await.unwrap());
            let address = storage.local_addr().unwrap();
            let shared = Shared { inner: Arc::clone(&inner), storage: address };
            let url = format!("http://{}", hub.local_addr().unwrap());
            let routes = Router::new()
                .route("/api/models/{owner}/{name}/revision/{revision}", get(api))
                .route("/{owner}/{name}/resolve/{commit}/{*path}", get(file))
                .with_state(shared.clone());
            let stored = Router::new().route("/{*path}", get(stored)).with_state(shared);
            tokio::spawn(async move { axum::serve(hub, routes).await });
            tokio::spawn(async move { axum::serve(storage, stored).await });
            url
        });
        Self { url, inner, _runtime: runtime }
    }

    pub(crate) fn put(&self, repo: &str, path: &str, bytes: impl Into<Bytes>) {
        self.inner.lock().unwrap().files.insert((repo.into(), path.into()), bytes.into());
    }

    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner.lock().unwrap().faults.extend(faults);
    }

    pub(crate) fn claim_size(&self, size: u64) {
        self.inner.lock().unwrap().size = Some(size);
    }

    pub(crate) fn require_token(&self, token: &str) {
        self.inner.lock().unwrap().token = Some(token.to_owned());
    }

    /// The storage's files have other ETags from now on.
    pub(crate) fn change_etags(&self) {
        self.inner.lock().unwrap().salt += 1;
    }

    /// What was asked since it was last looked at.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.inner.lock().unwrap().asked)
    }

    /// The same, of one place.
    pub(crate) fn asked_at(&self, place: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.place == place).collect()
    }
}

impl Inner {
    fn note(&mut self, place: &'static str, path: &str, headers: &HeaderMap) {
        let text =
            |name| headers.get(name).map(|v: &header::HeaderValue| v.to_str().unwrap().to_owned());
        self.asked.push(Asked {
            place,
            path: path.to_owned(),
            range: text(header::RANGE),
            if_range: text(header::IF_RANGE),
            authorization: text(header::AUTHORIZATION),
        });
    }

    /// The next fault, if it is of this place.
    fn fault(&mut self, here: impl Fn(&Fault) -> bool) -> Option<Fault> {
        if here(self.faults.front()?) { self.faults.pop_front() } else { None }
    }

    fn refused(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        self.token.as_ref().is_some_and(|token| sent != Some(&format!("Bearer {token}")))
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn status(code: u16) -> axum::http::response::Builder {
    Response::builder().status(code)
}

async fn api(
    State(hub): State<Shared>,
    Path((owner, name, revision)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    let mut hub = hub.inner.lock().unwrap();
    let repo = format!("{owner}/{name}");
    hub.note("api", &format!("{repo}@{revision}"), &headers);
    if let Some(Fault::Api(code, again)) = hub.fault(|fault| matches!(fault, Fault::Api(..))) {
        let mut answer = status(code)
            .header("x-error-message", "as the test\u{7f} wants it".replace('\u{7f}', ""));
        if let Some(again) = again {
            answer = answer.header(header::RETRY_AFTER, again);
        }
        return answer.body(Body::empty()).unwrap();
    }
    if hub.refused(&headers) {
        return status(401).body(Body::empty()).unwrap();
    }
    // A repository that was renamed.
    if name == "old" {
        let location = format!("/api/models/{owner}/new/revision/{revision}?blobs=true");
        return status(307).header(header::LOCATION, location).body(Body::empty()).unwrap();
    }
    let siblings: Vec<Value> = hub
        .files
        .iter()
        .filter(|((of, _), _)| *of == repo)
        .map(|((_, path), bytes)| {
            let size = hub.size.unwrap_or(bytes.len() as u64);
            let lfs = json!({ "sha256": sha256(bytes), "size": size, "pointerSize": 130 });
            match path.starts_with("small/") {
                true => json!({ "rfilename": path, "size": size, "blobId": "0" }),
                false => json!({ "rfilename": path, "size": size, "blobId": "0", "lfs": lfs }),
            }
        })
        .collect();
    if siblings.is_empty() || revision == "none" {
        return status(404).body(Body::empty()).unwrap();
    }
    let body = json!({ "sha": COMMIT, "siblings": siblings });
    status(200).body(Body::from(body.to_string())).unwrap()
}

async fn file(
    State(hub): State<Shared>,
    Path((owner, name, commit, path)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    let mut inner = hub.inner.lock().unwrap();
    inner.note("file", &path, &headers);
    if let Some(Fault::File(code)) = inner.fault(|fault| matches!(fault, Fault::File(_))) {
        return status(code).body(Body::empty()).unwrap();
    }
    if inner.refused(&headers) {
        return status(401).body(Body::empty()).unwrap();
    }
    let Some(bytes) = inner.files.get(&(format!("{owner}/{name}"), path.clone())) else {
        return status(404).body(Body::empty()).unwrap();
    };
    assert_eq!(commit, COMMIT, "files are asked for by commit");
    let path: String = path.replace(' ', "%20");
    status(302)
        .header(header::LOCATION, format!("http://{}/{owner}/{name}/{path}?signed", hub.storage))
        .header("x-repo-commit", COMMIT)
        .header("x-linked-etag", format!("\"{}\"", sha256(bytes)))
        .header("x-linked-size", bytes.len())
        .body(Body::empty())
        .unwrap()
}

async fn stored(
    State(hub): State<Shared>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let mut inner = hub.inner.lock().unwrap();
    inner.note("storage", &path, &headers);
    if let Some(Fault::Storage(code)) = inner.fault(|fault| matches!(fault, Fault::Storage(_))) {
        return status(code).body(Body::empty()).unwrap();
    }
    let (repo, file) = path.match_indices('/').nth(1).map(|(at, _)| path.split_at(at)).unwrap();
    let key = (repo.to_owned(), file[1..].to_owned());
    let Some(mut bytes) = inner.files.get(&key).cloned() else {
        return status(404).body(Body::empty()).unwrap();
    };
    let etag = format!("\"{}-{}\"", &sha256(&bytes)[..16], inner.salt);
    let fault = inner.fault(|f| matches!(f, Fault::Cut(_) | Fault::Stall(_) | Fault::Wrong));
    if matches!(fault, Some(Fault::Wrong)) {
        bytes = bytes.iter().map(|byte| !byte).collect::<Vec<_>>().into();
    }
    let size = bytes.len();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let from = text(header::RANGE)
        .filter(|_| text(header::IF_RANGE).is_none_or(|told| told == etag))
        .map(|range| range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap())
        .map(|from| from.parse::<usize>().unwrap());
    let mut answer = status(200).header(header::ETAG, etag);
    if let Some(from) = from {
        answer = answer
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, format!("bytes {from}-{}/{size}", size - 1));
        bytes = bytes.slice(from..);
    }
    answer = answer.header(header::CONTENT_LENGTH, bytes.len());
    let (first, pause) = match fault {
        Some(Fault::Cut(sent)) => (sent, Duration::from_millis(100)),
        Some(Fault::Stall(sent)) => (sent, Duration::from_secs(30)),
        _ => return answer.body(Body::from(bytes)).unwrap(),
    };
    let lost = Err(std::io::Error::other("hung up"));
    let sent = stream::iter([Ok(bytes.slice(..first)), lost]).enumerate();
    let body = sent.then(move |(at, item)| async move {
        tokio::time::sleep(pause * u32::from(at > 0)).await;
        item
    });
    answer.body(Body::from_stream(body)).unwrap()
}
