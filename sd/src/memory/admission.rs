//! The check before a model is opened, and before it draws: whether there is enough memory.

use super::{
    available::AvailableMemory, estimate::MemoryEstimate, job::Job, model::ModelFacts,
    placement::DeviceMemory,
};
use crate::{
    Component, Device, DeviceKind, Engine, Error, ImageRequest, ModelConfig, Result, VideoRequest,
    context::main_file,
};
use std::collections::BTreeMap;

/// How far an estimate may be above what is needed. An attempt that fails is better than a refusal
/// without need, so that only more than this is refused.
const MARGIN: f64 = 1.3;
/// Where there is another way, as to open one model after the other, whatever may not fit is refused: the system
/// ends a process that takes more than there is, and does not tell it before.
const NO_MARGIN: f64 = 1.0;
/// Address space that the engine takes and hardly uses, at the least: tables for the graph of each
/// part, the stack of a call. Counts towards limits on address space and data alone. Measured: 580 to
/// 800 MiB, with those of the program around it.
const RESERVED: u64 = 512 << 20;

/// What a context knows of its model's memory: from its files, and what of it is loaded.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    /// None if nothing is checked.
    facts: Option<ModelFacts>,
    loaded: BTreeMap<Component, u64>,
}

impl Admission {
    /// Reads the headers of a model's files, and checks that there is memory for its weights.
    pub(crate) fn open(engine: &Engine, config: &ModelConfig) -> Result<Self> {
        if engine.mock || !config.memory_check {
            return Ok(Self::default());
        }
        let Some(facts) = ModelFacts::of(config)? else { return Ok(Self::default()) };
        // The smallest picture, of which only the weights count.
        let least = Job::of_image(&ImageRequest::new("").size(64, 64));
        let weights = MemoryEstimate {
            text_encoding: 0,
            sampling: 0,
            vae_decode: 0,
            ..MemoryEstimate::new(&facts, &least)
        };
        let admission = Self { facts: Some(facts), loaded: BTreeMap::new() };
        let doing = format!("loading {}", main_file(config).display());
        admission.compare(engine, config, &weights, &doing, MARGIN)?;
        Ok(admission)
    }

    /// Checks that there is memory for a picture.
    pub(crate) fn check_image(
        &mut self,
        engine: &Engine,
        config: &ModelConfig,
        request: &ImageRequest,
    ) -> Result<()> {
        let doing = format!("drawing {}x{}", request.width, request.height);
        self.check(engine, config, &Job::of_image(request), &doing)
    }

    /// Checks that there is memory for a video.
    pub(crate) fn check_video(
        &mut self,
        engine: &Engine,
        config: &ModelConfig,
        request: &VideoRequest,
    ) -> Result<()> {
        let VideoRequest { width, height, frames, .. } = request;
        let doing = format!("making {frames} frames of {width}x{height}");
        self.check(engine, config, &Job::of_video(request), &doing)
    }

    fn check(
        &mut self,
        engine: &Engine,
        config: &ModelConfig,
        job: &Job,
        doing: &str,
    ) -> Result<()> {
        let Some(facts) = &self.facts else { return Ok(()) };
        let estimate = MemoryEstimate::new(facts, job);
        let doing = format!("{doing} with {}", main_file(config).display());
        self.compare(engine, config, &estimate, &doing, MARGIN)?;
        // The engine is about to load what it has not yet. Should it stop before, too little is
        // asked for next time, and never too much.
        for part in &estimate.weights {
            let loaded = self.loaded.entry(part.component).or_default();
            *loaded = part.allocated.max(*loaded);
        }
        Ok(())
    }

    fn compare(
        &self,
        engine: &Engine,
        config: &ModelConfig,
        estimate: &MemoryEstimate,
        doing: &str,
        margin: f64,
    ) -> Result<()> {
        let devices = engine.devices()?;
        let needs = estimate.still_by_device(config, &devices, &self.loaded);
        for need in &needs {
            let Some((needed, available)) = numbers(need, config, &devices) else { continue };
            if needed as f64 / margin > available as f64 {
                return Err(Error::InsufficientMemory {
                    doing: doing.to_owned(),
                    device: need.device.clone(),
                    needed,
                    available,
                });
            }
        }
        tracing::debug!(needed = estimate.peak(), ?needs, "memory by estimate");
        Ok(())
    }
}

/// Checks that a model would fit beside what there is, with a picture: surely, and not only perhaps.
pub(crate) fn check_room(
    engine: &Engine,
    config: &ModelConfig,
    request: &ImageRequest,
) -> Result<()> {
    if engine.mock || !config.memory_check {
        return Ok(());
    }
    let Some(facts) = ModelFacts::of(config)? else { return Ok(()) };
    let estimate = MemoryEstimate::new(&facts, &Job::of_image(request));
    let doing = format!("opening {} beside another", main_file(config).display());
    Admission::default().compare(engine, config, &estimate, &doing, NO_MARGIN)
}

/// What a device needs, and what it has; none if it does not tell, or the engine fits itself in.
fn numbers(need: &DeviceMemory, config: &ModelConfig, devices: &[Device]) -> Option<(u64, u64)> {
    match need.kind {
        DeviceKind::Cpu => {
            let AvailableMemory { physical, swap, address_space } = AvailableMemory::now()?;
            let system = (need.bytes, physical.saturating_add(swap));
            let limited = address_space.map(|left| {
                let virtual_bytes = need.bytes.saturating_add(need.mapped).saturating_add(RESERVED);
                (virtual_bytes, left)
            });
            // The tighter of the two.
            let short = |(needed, left): &(u64, u64)| *needed as f64 / (*left as f64).max(1.0);
            let limited = limited.filter(|limited| short(limited) > short(&system));
            Some(limited.unwrap_or(system))
        }
        DeviceKind::Gpu if config.max_vram == 0.0 => {
            let device = devices.iter().find(|device| device.name == need.device)?;
            // A driver that tells nothing tells zero.
            (device.memory_total > 0).then_some((need.bytes, device.memory_free))
        }
        // A graphics unit takes main memory, and its driver tells less than it would give.
        _ => None,
    }
}
