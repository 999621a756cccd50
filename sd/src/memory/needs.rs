//! What devices need, by the phases in which an engine's parts use them.

use super::{
    model::Bytes,
    placement::{DeviceMemory, Placement},
};
use crate::{Component, TextEncoder};
use std::collections::BTreeMap;

/// A part of the engine that has devices of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    TextEncoder,
    ClipVision,
    Diffusion,
    Vae,
    ControlNet,
    PhotoMaker,
    Upscaler,
}

impl Module {
    #[cfg(test)]
    pub(super) const ALL: [Self; 7] = [
        Self::TextEncoder,
        Self::ClipVision,
        Self::Diffusion,
        Self::Vae,
        Self::ControlNet,
        Self::PhotoMaker,
        Self::Upscaler,
    ];

    /// Its names in specifications of devices, without dashes.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::TextEncoder => &[
                "te",
                "clip",
                "text",
                "textencoder",
                "textencoders",
                "conditioner",
                "cond",
                "llm",
                "t5",
                "t5xxl",
            ],
            Self::ClipVision => &["clipvision", "vision"],
            Self::Diffusion => &["diffusion", "model", "unet", "dit", "diffusionmodel"],
            Self::Vae => &["vae", "firststage", "autoencoder", "tae"],
            Self::ControlNet => &["controlnet", "control"],
            Self::PhotoMaker => &["photomaker", "photomakerid", "pmid", "photo"],
            Self::Upscaler => &["upscaler", "esrgan", "hires"],
        }
    }

    /// The one that a part's weights belong to.
    pub(super) fn of(component: Component) -> Self {
        match component {
            Component::TextEncoder(TextEncoder::ClipVision) => Self::ClipVision,
            Component::TextEncoder(_) | Component::Connectors => Self::TextEncoder,
            Component::Vae | Component::Taesd | Component::AudioVae => Self::Vae,
            Component::ControlNet => Self::ControlNet,
            Component::PhotoMaker => Self::PhotoMaker,
            _ => Self::Diffusion,
        }
    }
}

/// What devices need, by name.
#[derive(Default)]
pub(super) struct Needs {
    always: BTreeMap<String, Bytes>,
    /// By phase, what comes and goes.
    phases: [BTreeMap<String, u64>; PHASES.len()],
}

impl Needs {
    /// What stays on a device.
    pub(super) fn always(&mut self, device: &str, own: u64, mapped: u64) {
        let sum = self.always.entry(device.to_owned()).or_default();
        sum.own = sum.own.saturating_add(own);
        sum.mapped = sum.mapped.saturating_add(mapped);
    }

    /// What is there in one phase.
    pub(super) fn during(&mut self, phase: usize, device: &str, bytes: u64) {
        if let Some(phase) = self.phases.get_mut(phase) {
            let sum = phase.entry(device.to_owned()).or_default();
            *sum = sum.saturating_add(bytes);
        }
    }

    /// What is there in all phases that use a module.
    pub(super) fn during_phases_of(&mut self, module: Module, device: &str, bytes: u64) {
        for (phase, modules) in PHASES.iter().enumerate() {
            if modules.contains(&module) {
                self.during(phase, device, bytes);
            }
        }
    }

    /// What stays and the largest phase, by device.
    pub(super) fn by_device(mut self, placement: &Placement<'_>) -> Vec<DeviceMemory> {
        for name in self.phases.iter().flat_map(BTreeMap::keys) {
            self.always.entry(name.clone()).or_default();
        }
        let mut all = Vec::new();
        for (device, kept) in self.always {
            let most = self.phases.iter().filter_map(|phase| phase.get(&device)).max();
            all.push(DeviceMemory {
                kind: placement.kind(&device),
                bytes: kept.own.saturating_add(most.copied().unwrap_or(0)),
                mapped: kept.mapped,
                device,
            });
        }
        all.retain(|need| need.bytes > 0 || need.mapped > 0);
        all
    }
}

/// Which modules each phase uses: encoding pictures, encoding text, sampling, decoding.
const PHASES: [&[Module]; 4] = [
    &[Module::Vae],
    &[Module::TextEncoder, Module::ClipVision, Module::PhotoMaker],
    &[Module::Diffusion, Module::ControlNet],
    &[Module::Vae],
];
