//! Which device a part of a model is computed on, and which its weights are kept on.

use super::needs::Module;
use crate::{Device, DeviceKind, ModelConfig};

/// What one device is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceMemory {
    /// The device's name, as [`ModelConfig::backend`] takes it.
    pub device: String,
    /// Its kind.
    pub kind: DeviceKind,
    /// Bytes it needs at the most: memory of its own.
    pub bytes: u64,
    /// Bytes of weights that lie in mapped files besides, which the system can drop and read again.
    pub mapped: u64,
}

/// Where a module's weights are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// On this device.
    On(String),
    /// Nowhere: they are read each time they are needed.
    Disk,
}

/// Devices by module.
pub(super) struct Placement<'a> {
    devices: &'a [Device],
    compute: Spec<'a>,
    weights: Spec<'a>,
}

/// A specification such as `cuda0,te=cpu`.
struct Spec<'a>(&'a str);

impl<'a> Spec<'a> {
    /// The device of a module: its own, or the one for all.
    fn of(&self, module: Module) -> Option<&'a str> {
        const ALL: [&str; 3] = ["all", "default", "*"];
        let (mut own, mut all) = (None, None);
        for part in self.0.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                None => all = Some(part),
                Some((name, device)) => {
                    let name = name.trim().to_ascii_lowercase();
                    let plain = name.replace(['_', '-'], "");
                    if ALL.contains(&name.as_str()) {
                        all = Some(device.trim());
                    } else if module.names().contains(&plain.as_str()) {
                        own = Some(device.trim());
                    }
                }
            }
        }
        own.or(all).filter(|device| !matches!(*device, "" | "auto" | "default"))
    }
}

impl<'a> Placement<'a> {
    pub(super) fn new(config: &'a ModelConfig, devices: &'a [Device]) -> Self {
        Self::of(config.backend.as_deref(), config.params_backend.as_deref(), devices)
    }

    fn of(compute: Option<&'a str>, weights: Option<&'a str>, devices: &'a [Device]) -> Self {
        let spec = |text: Option<&'a str>| Spec(text.unwrap_or_default());
        Self { devices, compute: spec(compute), weights: spec(weights) }
    }

    /// The device that a module is computed on.
    pub(super) fn computed(&self, module: Module) -> String {
        match self.compute.of(module) {
            Some(name) if !name.eq_ignore_ascii_case("gpu") => self.named(name),
            _ => self.chosen(),
        }
    }

    /// Where its weights are kept.
    pub(super) fn kept(&self, module: Module) -> Kept {
        match self.weights.of(module) {
            Some(name) if name.eq_ignore_ascii_case("disk") => Kept::Disk,
            Some(name) => Kept::On(self.named(name)),
            None => Kept::On(self.computed(module)),
        }
    }

    /// Whether a module is computed on the processor; without a list of devices, as far as the
    /// configuration tells.
    fn on_processor(&self, module: Module) -> bool {
        if self.devices.is_empty() {
            let device = self.compute.of(module);
            return device.is_none_or(|name| name.to_ascii_lowercase().starts_with("cpu"));
        }
        self.kind(&self.computed(module)) == DeviceKind::Cpu
    }

    pub(super) fn kind(&self, name: &str) -> DeviceKind {
        let known = self.devices.iter().find(|device| device.name == name);
        known.map_or(DeviceKind::Cpu, |device| device.kind)
    }

    /// The device of this name, or whose name begins so, as the engine has it.
    fn named(&self, name: &str) -> String {
        let begins = |device: &&Device| {
            device.name.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        let known = self.devices.iter().find(|device| device.name.eq_ignore_ascii_case(name));
        let known = known.or_else(|| self.devices.iter().find(begins));
        known.map_or_else(|| self.processor(), |device| device.name.clone())
    }

    /// The processor's name.
    pub(super) fn processor(&self) -> String {
        let cpu = self.devices.iter().find(|device| device.kind == DeviceKind::Cpu);
        cpu.map_or_else(|| "CPU".to_owned(), |device| device.name.clone())
    }

    /// The engine's own choice: a graphics card, a graphics unit, the processor.
    fn chosen(&self) -> String {
        [DeviceKind::Gpu, DeviceKind::IntegratedGpu]
            .iter()
            .find_map(|kind| self.devices.iter().find(|device| device.kind == *kind))
            .map_or_else(|| self.processor(), |device| device.name.clone())
    }
}

/// The configuration with its choice of convolutions, where it leaves that open: direct on the
/// processor. Devices are those of the engine; without any, the configuration's words decide.
pub(crate) fn with_convolutions(config: &ModelConfig, devices: &[Device]) -> ModelConfig {
    let placement = Placement::new(config, devices);
    let chosen = |set: Option<bool>, module| set.or_else(|| Some(placement.on_processor(module)));
    ModelConfig {
        diffusion_conv_direct: chosen(config.diffusion_conv_direct, Module::Diffusion),
        vae_conv_direct: chosen(config.vae_conv_direct, Module::Vae),
        ..config.clone()
    }
}

/// What the parts of a picture's way are computed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartDevices {
    pub(crate) text_encoder: PartDevice,
    pub(crate) diffusion: PartDevice,
    pub(crate) vae: PartDevice,
}

/// The device of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartDevice {
    pub(crate) name: String,
    pub(crate) on_processor: bool,
}

impl PartDevices {
    /// Devices are those of the engine; without any, the configuration's words decide.
    pub(crate) fn of(config: &ModelConfig, devices: &[Device]) -> Self {
        let placement = Placement::new(config, devices);
        let part = |module| PartDevice {
            name: placement.computed(module),
            on_processor: placement.on_processor(module),
        };
        Self {
            text_encoder: part(Module::TextEncoder),
            diffusion: part(Module::Diffusion),
            vae: part(Module::Vae),
        }
    }

    pub(crate) fn any_on_processor(&self) -> bool {
        self.all().iter().any(|part| part.on_processor)
    }

    pub(crate) fn all_on_processor(&self) -> bool {
        self.all().iter().all(|part| part.on_processor)
    }

    fn all(&self) -> [&PartDevice; 3] {
        [&self.text_encoder, &self.diffusion, &self.vae]
    }
}

/// Whether an upscaler with this [`backend`](crate::UpscalerConfig::backend) computes on the processor.
pub(crate) fn upscales_on_processor(backend: Option<&str>, devices: &[Device]) -> bool {
    Placement::of(backend, None, devices).on_processor(Module::Upscaler)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn modules_are_placed_as_the_engine_places_them() {
        let both = [Device::cpu(), Device::cuda()];
        let cpu = [Device::cpu()];
        let (te, vae, model) = (Module::TextEncoder, Module::Vae, Module::Diffusion);
        let place = |backend: &str, devices: &[Device], module| {
            let config = ModelConfig::new("m").backend(backend);
            Placement::new(&config, devices).computed(module)
        };
        assert_eq!(place("", &both, model), "CUDA0");
        assert_eq!(place("", &cpu, model), "CPU");
        assert_eq!(place("gpu,te=cpu", &both, te), "CPU");
        assert_eq!(place("gpu,te=cpu", &both, vae), "CUDA0");
        assert_eq!(place("cpu,diffusion=cuda0", &both, model), "CUDA0");
        assert_eq!(place("cpu, diffusion=cuda0", &both, vae), "CPU");
        let config = ModelConfig::new("m").params_backend("cpu,vae=disk");
        let placement = Placement::new(&config, &both);
        assert_eq!(placement.kept(model), Kept::On("CPU".to_owned()));
        assert_eq!(placement.kept(vae), Kept::Disk);
    }

    #[test]
    fn convolutions_are_direct_on_the_processor() {
        let both = [Device::cpu(), Device::cuda()];
        let cpu = [Device::cpu()];
        let chosen = |config: ModelConfig, devices: &[Device]| {
            let config = with_convolutions(&config, devices);
            (config.diffusion_conv_direct.unwrap(), config.vae_conv_direct.unwrap())
        };
        let config = || ModelConfig::new("m");
        assert_eq!(chosen(config(), &cpu), (true, true));
        assert_eq!(chosen(config(), &both), (false, false));
        assert_eq!(chosen(config().backend("cuda0,vae=cpu"), &both), (false, true));
        assert_eq!(chosen(config().backend("Cpu"), &both), (true, true));
        assert_eq!(chosen(config().vae_conv_direct(true), &both), (false, true));
        assert_eq!(chosen(config().vae_conv_direct(false), &cpu), (true, false));
        for (backend, direct) in [(None, false), (Some("upscaler=cpu"), true), (Some("cpu"), true)]
        {
            assert_eq!(upscales_on_processor(backend, &both), direct, "{backend:?}");
        }
        // No engine is asked.
        assert_eq!(chosen(config(), &[]), (true, true));
        assert_eq!(chosen(config().backend("vulkan0,vae=cpu"), &[]), (false, true));
    }

    proptest! {
        #[test]
        fn any_text_places_all(text in "\\PC*", spec in "([a-z]{0,4}=?(cpu|cuda0|disk|gpu|)?,?){0,4}") {
            let both = [Device::cpu(), Device::cuda()];
            for text in [text, spec] {
                let config = ModelConfig::new("m").backend(text.clone()).params_backend(text);
                let placement = Placement::new(&config, &both);
                for module in Module::ALL {
                    let name = placement.computed(module);
                    prop_assert!(both.iter().any(|device| device.name == name));
                    if let Kept::On(name) = placement.kept(module) {
                        prop_assert!(both.iter().any(|device| device.name == name));
                    }
                }
            }
        }
    }
}
