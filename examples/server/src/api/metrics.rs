//! `GET /metrics`: numbers for Prometheus, in its text format.

use crate::service::Service;
use axum::{extract::State, http::header, response::IntoResponse};
use sdcpp::AvailableMemory;
use std::fmt::Write;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Numbers for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "service", responses(
    (status = 200, description = "the text format of Prometheus", body = String, content_type = "text/plain"),
))]
async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    let mut text = String::new();
    let mut tell = |name: &str, kind: &str, help: &str, value: f64| {
        // Writing into a string does not fail.
        let _ = writeln!(
            text,
            "# HELP sdcpp_{name} {help}\n# TYPE sdcpp_{name} {kind}\nsdcpp_{name} {value}"
        );
    };
    tell("uptime_seconds", "gauge", "Seconds since the start.", service.uptime().as_secs_f64());
    tell("jobs_open", "gauge", "Jobs that wait or run.", service.jobs().open().len() as f64);
    for (name, help, value) in [
        (
            "rate_limited_total",
            "Requests refused because they came too often.",
            service.rates().refused(),
        ),
        ("wrong_keys_total", "Requests with a wrong key.", service.rates().wrong_keys()),
    ] {
        tell(name, "counter", help, value as f64);
    }
    if let Some(memory) = AvailableMemory::now() {
        let help = "Main memory that can still be had.";
        tell("memory_available_bytes", "gauge", help, memory.physical as f64);
    }
    let upscales = service.upscaling().open() as f64;
    tell("upscales_open", "gauge", "Requests to enlarge pictures that wait or run.", upscales);
    let active = service.active();
    tell(
        "model_available",
        "gauge",
        "1 if pictures can be drawn.",
        f64::from(u8::from(active.is_ok())),
    );
    if let Ok(active) = active {
        let pool = active.pool.metrics();
        for (name, help, value) in [
            ("queued", "Jobs that wait for a model.", pool.queued),
            ("models_in_use", "Models that draw or are being opened.", pool.in_use),
            ("models_idle", "Models that are open and free.", pool.idle),
        ] {
            tell(name, "gauge", help, value as f64);
        }
        for (name, help, value) in [
            ("jobs_submitted_total", "Jobs taken on.", pool.submitted),
            ("jobs_done_total", "Jobs that came to their end.", pool.done),
            ("jobs_failed_total", "Jobs that failed.", pool.failed),
            ("jobs_cancelled_total", "Jobs that were cancelled.", pool.cancelled),
            ("jobs_timed_out_total", "Jobs whose time limit passed.", pool.timed_out),
            (
                "refused_queue_full_total",
                "Jobs refused because too many waited.",
                pool.refused_queue_full,
            ),
            ("models_opened_total", "Models opened.", pool.opened),
            (
                "models_replaced_total",
                "Models dropped because they could not be used again.",
                pool.replaced,
            ),
        ] {
            tell(name, "counter", help, value as f64);
        }
        tell(
            "wait_seconds_total",
            "counter",
            "Seconds that jobs waited.",
            pool.waited.as_secs_f64(),
        );
        tell(
            "sampling_seconds_total",
            "counter",
            "Seconds of sampling.",
            pool.timings.sampling.as_secs_f64(),
        );
        tell(
            "decoding_seconds_total",
            "counter",
            "Seconds of decoding.",
            pool.timings.decoding.as_secs_f64(),
        );
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
