//! What the log tells of the machine and the service when it starts.

use crate::service::Service;
use sdcpp::{AvailableMemory, Engine, ImageRequest, MemoryEstimate, ModelConfig};
use std::net::SocketAddr;

/// Tells where it listens, on what it computes, and what it was told to do.
pub fn report(service: &Service, address: SocketAddr) {
    let options = service.options();
    machine(service.engine());
    let (draws, at_once, device) = match service.active() {
        Ok(active) => (active.name.clone(), active.pool.metrics().size, active.device.clone()),
        Err(why) => (format!("nothing: {}", why.message), 0, "none".to_owned()),
    };
    tracing::info!(
        %address,
        keys = options.api_keys.len(),
        model = %draws,
        device = %device,
        at_once,
        isolated = options.isolated == Some(true),
        mock = options.is_mock(),
        queue = options.queue_limit(),
        seconds_a_job = options.time_limit().map_or(0, |limit| limit.as_secs()),
        draws_a_minute = options.rate_limit.unwrap_or(0),
        connections = options.max_connections(),
        body_bytes = options.max_body_bytes(),
        "ready"
    );
    if options.api_keys.is_empty() && !address.ip().is_loopback() {
        tracing::warn!("everybody who reaches {address} may draw: no key is set (--api-key)");
    }
    for key in options.api_keys.iter().filter(|key| key.len() < KEY) {
        tracing::warn!("a key has {} characters: who has time guesses it", key.len());
    }
}

/// Characters that a key ought to have.
const KEY: usize = 16;

fn machine(engine: &Engine) {
    let library = engine.library().map_or("linked".into(), |path| path.display().to_string());
    tracing::info!(
        version = %engine.version(),
        commit = %engine.commit(),
        library = %library,
        cores = engine.physical_cores(),
        threads = std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        memory_available_mb = AvailableMemory::now().map(|memory| memory.physical / 1_000_000),
        "engine"
    );
    match engine.devices() {
        Ok(devices) => {
            for device in devices {
                tracing::info!(
                    name = %device.name,
                    kind = ?device.kind,
                    memory_mb = device.memory_total / 1_000_000,
                    free_mb = device.memory_free / 1_000_000,
                    "device: {}", device.description
                );
            }
        }
        Err(error) => tracing::warn!("the engine does not tell its devices: {error}"),
    }
}

/// Tells what a model is that was opened, and what a picture by its defaults needs.
pub(crate) fn model(name: &str, file_bytes: u64, config: &ModelConfig, defaults: &ImageRequest) {
    let file_mb = file_bytes / 1_000_000;
    let (width, height) = (defaults.width, defaults.height);
    match MemoryEstimate::of(config, defaults) {
        Ok(needs) => {
            tracing::info!(model = name, file_mb, "a picture of {width}x{height} needs {needs}");
        }
        // Pickle checkpoints tell no sizes.
        Err(error) => tracing::info!(model = name, file_mb, "no estimate of its memory: {error}"),
    }
}
