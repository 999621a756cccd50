//! What a measurement holds for.

use super::candidates::Cores;
use crate::{
    Architecture, Component, Device, DeviceKind, Engine, ModelConfig, ModelFile, Result,
    json::object,
    memory::{PartDevice, PartDevices},
};

/// What a measurement holds for: a machine, an engine, a kind of model, and a size of picture. Settings
/// are used where all of it is the same.
///
/// - The machine: its processor, cores, and the devices that compute. Neither its name nor its memory:
///   a container that is made anew is the same machine, one that may use fewer cores is not.
/// - The engine: another version, or one that was built for other instructions, has other kernels.
/// - The model: its family, how many weights it has and of which type. Not its file: fine-tunes of one
///   model take the same time, and files are moved. What is of no known family goes by file name and
///   length.
/// - The size: attention takes the square of a picture's area and convolutions the area, so the size
///   decides which of them is worth speeding up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// The processor, in the engine's words.
    pub processor: String,
    /// Its cores, as the engine counts them.
    pub cores: u32,
    /// As many threads as the process may run at once.
    pub logical_cores: u32,
    /// What computes the text encoder: `processor`, or the name and description of a card.
    pub text_encoder_device: String,
    /// What computes the diffusion model, likewise.
    pub diffusion_device: String,
    /// What computes the VAE, likewise.
    pub vae_device: String,
    /// The crate's version, the engine's commit, and what it was built for.
    pub engine: String,
    /// The family of the diffusion model, as [`Architecture`](crate::Architecture) displays it.
    pub architecture: String,
    /// The type that most bytes of the diffusion model have, after conversion, and the rules for
    /// single tensors.
    pub weight_type: String,
    /// The whole part of the binary logarithm of the number of the diffusion model's weights: a model
    /// of another class has twice as many, or half.
    pub size_class: u32,
    /// What decodes: `vae` or `taesd`.
    pub decoder: String,
    /// The side of a square with the picture's area, rounded to a power of two: 512 for 512×768.
    pub side: u32,
}

macro_rules! subject {
    ($($field:ident)*) => {
        object! {
            Subject = Subject::default(), required $($field)*;
            $($field;)*
        }

        impl Subject {
            /// The fields in which two differ.
            pub fn differences(&self, other: &Self) -> Vec<&'static str> {
                let all = [$((stringify!($field), self.$field == other.$field)),*];
                all.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
            }
        }
    };
}

subject! {
    processor cores logical_cores text_encoder_device diffusion_device vae_device engine architecture
    weight_type size_class decoder side
}

impl Subject {
    /// What a measurement here would hold for. Reads the header of the model's file.
    ///
    /// # Errors
    /// Those of [`ModelFile::open`], and [`Error::Engine`](crate::Error::Engine) if the engine cannot
    /// tell its devices.
    pub fn of(engine: &Engine, config: &ModelConfig, size: (u32, u32)) -> Result<Self> {
        let devices = engine.devices()?;
        let cores = Cores::here(engine);
        let parts = PartDevices::of(config, &devices);
        let device = |part: &PartDevice| {
            let device = devices.iter().find(|device| device.name == part.name);
            match device.map(|device| device.description.as_str()) {
                _ if part.on_processor => "processor".to_owned(),
                Some(description) => format!("{}: {description}", part.name),
                None => part.name.clone(),
            }
        };
        let model = ModelKind::of(engine, config)?;
        let tiny = config.taesd.is_some() && !config.taesd_preview_only;
        Ok(Self {
            processor: processor(&devices),
            cores: cores.physical,
            logical_cores: cores.logical,
            text_encoder_device: device(&parts.text_encoder),
            diffusion_device: device(&parts.diffusion),
            vae_device: device(&parts.vae),
            engine: build(engine),
            architecture: model.architecture,
            weight_type: model.weight_type,
            size_class: model.size_class,
            decoder: if tiny { "taesd" } else { "vae" }.to_owned(),
            side: side(size),
        })
    }

    /// The family, if it cannot be measured: it makes videos, or draws nothing but what it is shown, and
    /// a measurement has a prompt alone.
    pub(super) fn unmeasurable(&self) -> Option<Architecture> {
        use Architecture::{
            Flex2, FluxFill, Pid, Sd1Inpaint, Sd1Pix2Pix, Sd2Inpaint, SdxlInpaint, SdxlPix2Pix,
        };
        let inpaints = [Sd1Inpaint, Sd2Inpaint, SdxlInpaint, FluxFill, Flex2];
        let edits = [Sd1Pix2Pix, SdxlPix2Pix, Pid];
        Architecture::labelled(&self.architecture).filter(|family| {
            family.is_video_model() || inpaints.contains(family) || edits.contains(family)
        })
    }
}

impl Cores {
    pub(super) fn here(engine: &Engine) -> Self {
        let logical = std::thread::available_parallelism().map_or(1, |count| count.get());
        Self {
            physical: engine.physical_cores(),
            logical: u32::try_from(logical).unwrap_or(u32::MAX),
        }
    }
}

fn processor(devices: &[Device]) -> String {
    let cpu = devices.iter().find(|device| device.kind == DeviceKind::Cpu);
    let description = cpu.map(|device| device.description.trim()).unwrap_or_default();
    if !description.is_empty() && description != "CPU" {
        return description.to_owned();
    }
    // What Linux on ARM tells of itself; the engine looks for another line there.
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let known = arm_processor(&told);
    if known.is_empty() { std::env::consts::ARCH.to_owned() } else { known }
}

/// The implementers and parts of the kinds of core that there are, from `/proc/cpuinfo` on ARM: empty elsewhere.
fn arm_processor(told: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for line in told.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let known = ["CPU implementer", "CPU variant", "CPU part", "CPU revision"];
        if known.contains(&name.trim()) {
            words.push(value.trim());
        }
    }
    let mut kinds: Vec<_> = words.chunks(4).map(|kind| kind.join(" ")).collect();
    kinds.sort();
    kinds.dedup();
    kinds.join(", ")
}

/// The version, commit and instruction sets, on one line.
fn build(engine: &Engine) -> String {
    let built_for = engine.system_info();
    let words = built_for.trim().trim_start_matches("System Info:").split_whitespace();
    let words: Vec<_> = words.filter(|word| *word != "|").collect();
    format!("sdcpp {}, {}, {}", env!("CARGO_PKG_VERSION"), engine.commit(), words.join(" "))
}

/// The nearest power of two to the side of a square with this area.
fn side((width, height): (u32, u32)) -> u32 {
    let area = u64::from(width.max(1)) * u64::from(height.max(1));
    // Half the logarithm of the area is that of the side.
    let exponent = ((area as f64).log2() / 2.0).round();
    1 << (exponent as u32).min(31)
}

/// What of a model counts.
struct ModelKind {
    architecture: String,
    weight_type: String,
    size_class: u32,
}

impl ModelKind {
    fn of(engine: &Engine, config: &ModelConfig) -> Result<Self> {
        let mut kind = match config.diffusion_file() {
            Some(path) if !engine.mock => Self::of_file(&ModelFile::open(path)?),
            _ => Self {
                architecture: "mock".to_owned(),
                weight_type: "none".to_owned(),
                size_class: 0,
            },
        };
        if let Some(weight_type) = config.weight_type {
            kind.weight_type = weight_type.name().to_owned();
        }
        if let Some(rules) = &config.tensor_type_rules {
            kind.weight_type = format!("{}, {rules}", kind.weight_type);
        }
        Ok(kind)
    }

    fn of_file(file: &ModelFile) -> Self {
        let diffusion =
            file.components().into_iter().find(|size| size.component == Component::DiffusionModel);
        let parameters = diffusion.map_or(0, |size| size.parameters);
        let mut types = std::collections::BTreeMap::new();
        let weights = file.tensors().filter(|t| file.component_of(t) == Component::DiffusionModel);
        for tensor in weights {
            *types.entry(tensor.tensor_type().to_string()).or_insert(0_u64) += tensor.bytes();
        }
        let most = types.into_iter().max_by_key(|(_, bytes)| *bytes);
        let architecture = if file.architecture().has_diffusion_model() {
            file.architecture().to_string()
        } else {
            let name = file.path().file_name().unwrap_or_default().to_string_lossy();
            format!("{name}, {} bytes", file.bytes())
        };
        Self {
            architecture,
            weight_type: most.map_or_else(|| "unknown".to_owned(), |(name, _)| name),
            size_class: parameters.checked_ilog2().unwrap_or(0),
        }
    }
}

/// Whether the diffusion model is, or may be, a U-Net.
pub(super) fn may_have_unet(engine: &Engine, config: &ModelConfig) -> Result<bool> {
    let Some(path) = config.diffusion_file().filter(|_| !engine.mock) else { return Ok(true) };
    let architecture = ModelFile::open(path)?.architecture();
    Ok(architecture.is_unet() || !architecture.has_diffusion_model())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock;

    #[test]
    fn sizes_of_about_the_same_area_are_one() {
        for (size, expected) in [
            ((512, 512), 512),
            ((512, 768), 512),
            ((768, 768), 1024),
            ((1024, 1024), 1024),
            ((1344, 768), 1024),
            ((128, 128), 128),
            ((1, 1), 1),
            ((0, 0), 1),
            ((16_384, 16_384), 16_384),
            ((u32::MAX, u32::MAX), 1 << 31),
        ] {
            assert_eq!(side(size), expected, "{size:?}");
        }
    }

    #[test]
    fn arm_processors_are_told_apart() {
        let core = |part: &str| {
            format!(
                "processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU architecture: 8\n\
                 CPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 3\n\n"
            )
        };
        let pi4 = core("0xd08").repeat(4);
        assert_eq!(arm_processor(&pi4), "0x41 0x0 0xd08 3");
        assert_ne!(arm_processor(&core("0xd0b").repeat(4)), arm_processor(&pi4));
        let two_kinds = core("0xd0b") + &core("0xd08") + &core("0xd0b");
        assert_eq!(arm_processor(&two_kinds), "0x41 0x0 0xd08 3, 0x41 0x0 0xd0b 3");
        assert_eq!(arm_processor("processor\t: 0\nmodel name\t: another\n"), "");
        assert_eq!(arm_processor(""), "");
    }

    #[test]
    fn what_needs_more_than_a_prompt_is_not_measured() {
        let of = |architecture: &str| {
            Subject { architecture: architecture.to_owned(), ..Subject::default() }.unmeasurable()
        };
        for architecture in [
            Architecture::Sd1Inpaint,
            Architecture::SdxlPix2Pix,
            Architecture::FluxFill,
            Architecture::Pid,
            Architecture::WanT2v,
        ] {
            assert_eq!(of(&architecture.to_string()), Some(architecture));
        }
        for architecture in [Architecture::Sd1, Architecture::FluxDev, Architecture::QwenImage] {
            assert_eq!(of(&architecture.to_string()), None);
        }
        assert_eq!(of("any.gguf, 17 bytes"), None);
    }

    #[test]
    fn what_changes_the_times_changes_the_subject() {
        let engine = mock::engine();
        let of = |config: ModelConfig, size| Subject::of(&engine, &config, size).unwrap();
        let base = of(ModelConfig::new("m"), (512, 512));
        assert_eq!(base.differences(&of(ModelConfig::new("m"), (512, 640))), Vec::<&str>::new());
        let config = || ModelConfig::new("m");
        for (other, field) in [
            (of(config(), (128, 128)), "side"),
            (of(config().taesd("t"), (512, 512)), "decoder"),
            (of(config().weight_type(crate::WeightType::F16), (512, 512)), "weight_type"),
            (of(config().tensor_type_rules("x=f16"), (512, 512)), "weight_type"),
            (of(config().backend("cpu,vae=cuda0"), (512, 512)), "vae_device"),
        ] {
            assert_eq!(base.differences(&other), [field]);
        }
        // Another file of the same kind is the same.
        assert_eq!(of(ModelConfig::new("other"), (512, 512)), base);
        let preview = config().taesd("t").taesd_preview_only(true);
        assert_eq!(of(preview, (512, 512)), base);
    }
}
