//! How much memory a model and a picture need.

use super::{
    job::Job,
    model::{Bytes, Evaluation, Frames, ModelFacts, Share},
    needs::{Module, Needs},
    placement::{DeviceMemory, Kept, Placement, with_convolutions},
};
use crate::{
    Architecture, Component, Device, Error, ImageRequest, ModelConfig, Result, VideoRequest,
    context::main_file,
};
use std::collections::BTreeMap;

/// How much memory a model and a request need, by estimate: nothing is loaded and the engine is not
/// called.
///
/// Weights are counted from the headers of the files, in the types that the engine holds them in.
/// For the compute buffers the engine's graphs are gone through with the sizes of this model and
/// request, and ggml's rules of which tensor gets which part of a buffer. `docs/memory.md` says how
/// far they are from what was measured.
///
/// A part is taken to be computed on the processor unless [`ModelConfig::backend`] names another
/// device for it: that decides how convolutions are computed, unless
/// [`ModelConfig::vae_conv_direct`] and [`ModelConfig::diffusion_conv_direct`] say it.
///
/// ```no_run
/// use sdcpp::{ImageRequest, MemoryEstimate, ModelConfig};
///
/// # fn main() -> sdcpp::Result<()> {
/// let config = ModelConfig::new("sd15.safetensors");
/// let estimate = MemoryEstimate::of(&config, &ImageRequest::new("a cat").size(768, 768))?;
/// println!("{} MB, {} of them for the VAE", estimate.peak() >> 20, estimate.vae_decode >> 20);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryEstimate {
    /// The family of the diffusion model.
    pub architecture: Architecture,
    /// The weights by part, those that this request needs.
    pub weights: Vec<PartMemory>,
    /// The largest compute buffer of the text encoders, in bytes.
    pub text_encoding: u64,
    /// The compute buffer of the VAE when it encodes pictures; 0 if the request has none.
    pub vae_encode: u64,
    /// The compute buffer of the diffusion model.
    pub sampling: u64,
    /// The compute buffer and outputs of a ControlNet, which are there together with that of the
    /// diffusion model; 0 without one.
    pub control_net: u64,
    /// The compute buffer of the VAE when it decodes.
    pub vae_decode: u64,
    /// Pictures and latent pictures, in main memory.
    pub pixels: u64,
    /// The engine's own tables, in main memory.
    pub overhead: u64,
    /// Whether the blocks of this family were not looked at, so that [`sampling`](Self::sampling) is
    /// a rule of thumb by the sizes of its matrices.
    pub is_rough: bool,
}

/// The weights of one part of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartMemory {
    /// Which part.
    pub component: Component,
    /// Bytes that are allocated for it.
    pub allocated: u64,
    /// Bytes that lie in the mapped file instead, which the system can drop and read again.
    pub mapped: u64,
}

impl MemoryEstimate {
    /// Estimates a picture.
    ///
    /// # Errors
    /// As [`ModelFile::open`](crate::ModelFile::open) for each file of the configuration, and
    /// [`Error::Unsupported`] for pickle checkpoints and for files without a diffusion model.
    pub fn of(config: &ModelConfig, request: &ImageRequest) -> Result<Self> {
        let facts = facts(config)?;
        Ok(Self::new(&facts, &Job::of_image(request)))
    }

    /// Estimates a video.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_video(config: &ModelConfig, request: &VideoRequest) -> Result<Self> {
        let facts = facts(config)?;
        Ok(Self::new(&facts, &Job::of_video(request)))
    }

    pub(super) fn new(facts: &ModelFacts, job: &Job) -> Self {
        // A control picture without a ControlNet is for a model that sees it as a latent one, and
        // VACE encodes grey frames where none are given.
        let encodes = job.encodes
            || job.controlled && !facts.control
            || facts.architecture == Architecture::WanVace;
        let job = &Job { encodes, ..job.clone() };
        /// Of the engine's graphs and of what its allocator does not give back.
        const OVERHEAD: u64 = 16 << 20;
        let (width, height) = (f64::from(job.size.0), f64::from(job.size.1));
        let whole = Frames { width, height, count: f64::from(job.frames.max(1)) };
        let frames = facts.decoder.latent_frames(whole.count);
        let controlled = job.controlled && facts.control;
        let on = Evaluation {
            pixels: whole.pixels(),
            frames,
            references: job.references,
            tokens: facts.text.seen(job.words),
            controlled,
        };
        let (ways, vae) = (facts.diffusion_ways, facts.vae_ways);
        let tiling = job.tiling.as_ref();
        let control = controlled.then(|| facts.diffusion.control_graph(ways, on)).flatten();
        let video = facts.architecture.is_video_model();
        // A picture is encoded alone, but a video model's first frame with all that follow.
        let encoded = if video { whole } else { Frames { count: 1.0, ..whole } };
        let pictures = f64::from(job.pictures) * whole.pixels() * whole.count;
        // Floats of three colours, then bytes; and a float for each latent value, which are fewer.
        let pixels = pictures * 3.0 * 5.0 + whole.pixels() * frames * 2.0;
        Self {
            architecture: facts.architecture,
            weights: weights(facts, job),
            text_encoding: facts.text.graphs(job.words).map(|g| g.buffer_size()).max().unwrap_or(0),
            vae_encode: match job.encodes {
                true => facts.decoder.encode(vae, encoded, tiling).buffer_size(),
                false => 0,
            },
            sampling: facts.diffusion.graph(ways, on).buffer_size(),
            control_net: control.map_or(0, |graph| {
                // Its outputs are kept in a buffer of their own.
                graph.buffer_size().saturating_add(graph.output_size())
            }),
            vae_decode: facts.decoder.decode(vae, whole, tiling).buffer_size(),
            pixels: pixels as u64,
            overhead: OVERHEAD,
            is_rough: facts.diffusion.is_rough(),
        }
    }

    /// Weights that are allocated, in bytes.
    pub fn allocated(&self) -> u64 {
        self.weights.iter().fold(0, |all, part| all.saturating_add(part.allocated))
    }

    /// Weights that lie in mapped files.
    pub fn mapped(&self) -> u64 {
        self.weights.iter().fold(0, |all, part| all.saturating_add(part.mapped))
    }

    /// The largest of the compute buffers: each is freed before the next is made, but for that of a
    /// ControlNet.
    pub fn compute(&self) -> u64 {
        let sampling = self.sampling.saturating_add(self.control_net);
        self.text_encoding.max(self.vae_encode).max(sampling).max(self.vae_decode)
    }

    /// The most memory at once if everything is on one device: all weights, which stay, and the
    /// largest compute buffer. Mapped weights are not in it.
    pub fn peak(&self) -> u64 {
        [self.allocated(), self.compute(), self.pixels, self.overhead]
            .iter()
            .fold(0, |all, bytes| all.saturating_add(*bytes))
    }

    /// What each device needs of it, with the parts placed as the configuration says. Devices are
    /// those of [`Engine::devices`](crate::Engine::devices).
    pub fn by_device(&self, config: &ModelConfig, devices: &[Device]) -> Vec<DeviceMemory> {
        self.still_by_device(config, devices, &BTreeMap::new())
    }

    /// The same less what is loaded already, in bytes by part.
    pub(super) fn still_by_device(
        &self,
        config: &ModelConfig,
        devices: &[Device],
        loaded: &BTreeMap<Component, u64>,
    ) -> Vec<DeviceMemory> {
        let placement = Placement::new(config, devices);
        let mut needs = Needs::default();
        for part in &self.weights {
            let module = Module::of(part.component);
            let computed = placement.computed(module);
            let all = part.allocated.saturating_add(part.mapped);
            match placement.kept(module) {
                Kept::Disk => needs.during_phases_of(module, &computed, all),
                Kept::On(device) => {
                    // Brought to where it is computed for as long as that takes.
                    if device != computed {
                        needs.during_phases_of(module, &computed, all);
                    }
                    let there = loaded.get(&part.component).copied().unwrap_or(0);
                    needs.always(&device, part.allocated.saturating_sub(there), part.mapped);
                }
            }
        }
        for (phase, module, bytes) in [
            (0, Module::Vae, self.vae_encode),
            (1, Module::TextEncoder, self.text_encoding),
            (2, Module::Diffusion, self.sampling),
            (2, Module::ControlNet, self.control_net),
            (3, Module::Vae, self.vae_decode),
        ] {
            needs.during(phase, &placement.computed(module), bytes);
        }
        needs.always(&placement.processor(), self.pixels.saturating_add(self.overhead), 0);
        needs.by_device(&placement)
    }
}

/// The weights that a job needs.
fn weights(facts: &ModelFacts, job: &Job) -> Vec<PartMemory> {
    let needed = |share: Share| match share {
        Share::Always => true,
        Share::Encoder => job.encodes,
        Share::Eye => job.references > 0.0,
    };
    let mut all = BTreeMap::<Component, Bytes>::new();
    for ((component, share), bytes) in &facts.weights {
        let unused = *component == Component::ControlNet && !job.controlled;
        if needed(*share) && !unused {
            let sum = all.entry(*component).or_default();
            sum.own = sum.own.saturating_add(bytes.own);
            sum.mapped = sum.mapped.saturating_add(bytes.mapped);
        }
    }
    let mut parts: Vec<_> = all
        .into_iter()
        .map(|(component, Bytes { own, mapped })| PartMemory { component, allocated: own, mapped })
        .collect();
    if job.loras > 0 {
        parts.push(PartMemory { component: Component::Lora, allocated: job.loras, mapped: 0 });
    }
    parts
}

fn facts(config: &ModelConfig) -> Result<ModelFacts> {
    ModelFacts::of(&with_convolutions(config, &[]))?.ok_or_else(|| Error::Unsupported {
        what: format!("an estimate for {}", main_file(config).display()),
        reason: "its headers tell of no diffusion model; pickle checkpoints are not read"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TextEncoder;

    const MIB: u64 = 1 << 20;

    /// 100 MiB of text encoder, 1000 of diffusion model, 200 of VAE.
    fn estimate() -> MemoryEstimate {
        let part =
            |component, megabytes| PartMemory { component, allocated: megabytes * MIB, mapped: 0 };
        MemoryEstimate {
            architecture: Architecture::Sd1,
            weights: vec![
                part(Component::TextEncoder(TextEncoder::ClipL), 100),
                part(Component::DiffusionModel, 1000),
                part(Component::Vae, 200),
            ],
            text_encoding: 10 * MIB,
            vae_encode: 0,
            sampling: 300 * MIB,
            control_net: 50 * MIB,
            vae_decode: 500 * MIB,
            pixels: 3 * MIB,
            overhead: 2 * MIB,
            is_rough: false,
        }
    }

    /// Megabytes by device.
    fn placed(config: &ModelConfig, loaded: &[(Component, u64)]) -> Vec<(String, u64)> {
        let devices = [Device::cpu(), Device::cuda()];
        let loaded = loaded.iter().map(|(part, megabytes)| (*part, megabytes * MIB)).collect();
        let needs = estimate().still_by_device(config, &devices, &loaded);
        needs.into_iter().map(|need| (need.device, need.bytes / MIB)).collect()
    }

    fn cpu_and_gpu(cpu: u64, gpu: u64) -> Vec<(String, u64)> {
        vec![("CPU".to_owned(), cpu), ("CUDA0".to_owned(), gpu)]
    }

    #[test]
    fn the_peak_is_the_weights_and_the_largest_phase() {
        assert_eq!(estimate().compute(), 500 * MIB);
        assert_eq!(estimate().peak(), (1300 + 500 + 5) * MIB);
    }

    #[test]
    fn each_device_needs_what_is_placed_on_it() {
        let config = || ModelConfig::new("m");
        let cpu = placed(&config().backend("cpu"), &[]);
        assert_eq!(cpu, [("CPU".to_owned(), 1805)]);
        assert_eq!(placed(&config(), &[]), cpu_and_gpu(5, 1800));
        // Sampling is the largest phase of the card then, and decoding that of the processor.
        let split = config().backend("cuda0,te=cpu,vae=cpu");
        assert_eq!(placed(&split, &[]), cpu_and_gpu(5 + 300 + 500, 1000 + 350));
        // Kept in main memory, and brought in by phase.
        let offloaded = config().params_backend("cpu");
        assert_eq!(placed(&offloaded, &[]), cpu_and_gpu(5 + 1300, 1000 + 350));
        let from_disk = config().backend("cpu").params_backend("disk");
        assert_eq!(placed(&from_disk, &[]), [("CPU".to_owned(), 5 + 1000 + 350)]);
    }

    #[test]
    fn what_is_loaded_is_not_needed_again() {
        let config = ModelConfig::new("m").backend("cpu");
        let text = Component::TextEncoder(TextEncoder::ClipL);
        let loaded = [(Component::DiffusionModel, 1000), (text, 9999)];
        assert_eq!(placed(&config, &loaded), [("CPU".to_owned(), 5 + 200 + 500)]);
        // What is read for each picture is not there.
        let from_disk = config.params_backend("disk");
        assert_eq!(placed(&from_disk, &loaded), [("CPU".to_owned(), 5 + 1000 + 350)]);
    }
}
