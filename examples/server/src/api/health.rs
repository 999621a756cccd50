//! `GET /health`: whether pictures can be drawn.

use crate::service::Service;
use axum::{Json, extract::State, http::StatusCode};
use sdcpp::BreakerState;
use serde::Serialize;
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
    /// What it computes on.
    device: Option<String>,
    /// Jobs that wait.
    queued: usize,
    /// Jobs that are being drawn.
    running: usize,
    version: &'static str,
    uptime_seconds: u64,
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
    let mut health = Health {
        status: HealthStatus::Ok,
        reasons: Vec::new(),
        mock: service.options().is_mock(),
        model: None,
        device: None,
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
            health.device = Some(active.device.clone());
            if active.mock {
                health.degrade("pictures are patterns: the server was started with --mock");
            }
            if metrics.breaker != BreakerState::Closed {
                health.degrade("nothing is drawn for a while, after failures in a row");
            }
            if metrics.queued >= service.options().queue_limit() && metrics.queued > 0 {
                health.degrade("the queue is full");
            }
        }
        Err(why) => {
            health.status = HealthStatus::Unavailable;
            health.reasons.push(why.message);
            health.reasons.extend(why.advice.map(|advice| advice.into_owned()));
        }
    }
    if let Some(why) = service.jobs().history().trouble() {
        health.degrade(&format!(
            "the history of jobs cannot be written, and no job is accepted: {why}"
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
