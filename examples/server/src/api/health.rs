//! `GET /health`: whether pictures can be drawn.
//!
//! It needs no key, for those who watch over the service have none. So it tells what things are called, and
//! not where they are: no path, no prompt, no number of a job.

use crate::service::Service;
use axum::{Json, extract::State, http::StatusCode};
use sdcpp::{AvailableMemory, BreakerState};
use serde::Serialize;
use std::path::Path;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Whether pictures can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HealthStatus {
    /// They can.
    Ok,
    /// They can, but not as they should.
    Degraded,
    /// They cannot.
    Unavailable,
}

/// The service's health.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    status: HealthStatus,
    /// Why it is not `ok`.
    reasons: Vec<String>,
    /// Whether pictures are patterns, drawn without a model.
    mock: bool,
    /// The model that draws.
    model: Option<String>,
    /// Whether a model can draw: patterns are drawn without.
    model_available: bool,
    /// The repository that the model was downloaded from, if it was by this program.
    repository: Option<String>,
    /// What it computes on.
    device: Option<String>,
    /// Main memory that can still be had, in bytes; null where the system does not tell.
    memory_available_bytes: Option<u64>,
    /// The folders that the server was started with.
    folders: Vec<Folder>,
    /// Jobs that wait.
    queued: usize,
    /// Jobs that are being drawn.
    running: usize,
    version: &'static str,
    uptime_seconds: u64,
}

/// A folder of the server's. Where it is is not told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Folder {
    /// `models`, `loras`, `upscalers` or `history`.
    name: &'static str,
    exists: bool,
    /// Whether the server may write there, as for downloads.
    writable: bool,
}

impl Folder {
    fn new(name: &'static str, path: &Path) -> Self {
        let exists = path.is_dir();
        Self { name, exists, writable: exists && is_writable(path) }
    }
}

#[cfg(unix)]
fn is_writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn is_writable(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| !metadata.permissions().readonly())
}

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(health))
}

/// Whether pictures can be drawn, and why not.
#[utoipa::path(get, path = "/health", tag = "service", responses(
    (status = 200, description = "ok or degraded", body = Health),
    (status = 503, description = "unavailable", body = Health),
))]
async fn health(State(service): State<Service>) -> (StatusCode, Json<Health>) {
    let options = service.options();
    // There is no service without a folder for its history, if it is to have one.
    let history = options.data_folder().ok().flatten();
    let folders = [
        ("models", &options.models),
        ("loras", &options.loras),
        ("upscalers", &options.upscalers),
        ("history", &history),
    ];
    let folders =
        folders.into_iter().filter_map(|(name, path)| Some(Folder::new(name, path.as_deref()?)));
    let mut health = Health {
        status: HealthStatus::Ok,
        reasons: Vec::new(),
        mock: options.is_mock(),
        model: None,
        model_available: false,
        repository: None,
        device: None,
        memory_available_bytes: AvailableMemory::now().map(|memory| memory.physical),
        folders: folders.collect(),
        queued: 0,
        running: 0,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: service.uptime().as_secs(),
    };
    match service.active() {
        Ok(active) => {
            let metrics = active.pool.metrics();
            (health.queued, health.running) = (metrics.queued, metrics.in_use);
            health.model = Some(active.name.clone());
            health.model_available = !active.mock;
            health.repository = active.repository.clone();
            health.device = Some(active.device.clone());
            if active.mock {
                health.degrade("pictures are patterns: the server was started with --mock");
            }
            if metrics.breaker != BreakerState::Closed {
                health.degrade("nothing is drawn for a while, after failures in a row");
            }
            if metrics.queued >= options.queue_limit() && metrics.queued > 0 {
                health.degrade("the queue is full");
            }
        }
        Err(why) => {
            health.status = HealthStatus::Unavailable;
            health.reasons.push(why.message);
            health.reasons.extend(why.advice.map(|advice| advice.into_owned()));
        }
    }
    let gone: Vec<_> =
        health.folders.iter().filter(|folder| !folder.exists).map(|f| f.name).collect();
    for name in gone {
        health.degrade(&format!("the folder of {name} is not there"));
    }
    if let Some(why) = service.jobs().history().trouble() {
        health.degrade(&format!(
            "the history of jobs cannot be written, and no job is accepted: {}",
            service.hidden().clean(&why)
        ));
    }
    let status = match health.status {
        HealthStatus::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (status, Json(health))
}

impl Health {
    fn degrade(&mut self, reason: &str) {
        if self.status == HealthStatus::Ok {
            self.status = HealthStatus::Degraded;
        }
        self.reasons.push(reason.to_owned());
    }
}
