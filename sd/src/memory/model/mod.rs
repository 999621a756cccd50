//! What the files of a configuration tell about memory: read once, from their headers.

mod diffusion;
mod loaded;
mod tensors;
mod text;
mod vae;

pub(crate) use diffusion::{Diffusion, Evaluation};
pub(crate) use text::TextEncoders;
pub(crate) use vae::{Decoder, Frames};

use super::graph::layers::Ways;
use crate::{Architecture, Component, ModelConfig, ModelFile, ModelFormat, Result};
use loaded::Conversion;
use std::collections::BTreeMap;
use tensors::Tensors;

/// A part of the weights, which comes into memory as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Share {
    /// What every picture needs.
    Always,
    /// The VAE's encoder, for pictures to start from and references.
    Encoder,
    /// A language model's eye, for references.
    Eye,
}

/// The bytes of a part's weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    /// In memory of their own.
    pub(crate) own: u64,
    /// In pages of the mapped file, which the system can drop and read again.
    pub(crate) mapped: u64,
}

/// What the files of a model tell about memory.
#[derive(Debug, Clone)]
pub(crate) struct ModelFacts {
    pub(crate) architecture: Architecture,
    /// Its weights, once loaded.
    pub(crate) weights: BTreeMap<(Component, Share), Bytes>,
    pub(crate) diffusion: Diffusion,
    pub(crate) decoder: Decoder,
    pub(crate) text: TextEncoders,
    /// Whether there is a ControlNet.
    pub(crate) control: bool,
    /// How convolutions and attention are computed in the diffusion model.
    pub(crate) diffusion_ways: Ways,
    /// The same in the VAE.
    pub(crate) vae_ways: Ways,
}

impl ModelFacts {
    /// Reads the headers of all files; none if one of them is a pickle checkpoint, or there is no
    /// diffusion model in them.
    pub(crate) fn of(config: &ModelConfig) -> Result<Option<Self>> {
        let mut files = Vec::new();
        for (role, path) in config.files() {
            // Embeddings are a few vectors.
            if role != "embeddings" {
                let file = ModelFile::open_as(role, path)?;
                if file.format() == ModelFormat::Pickle {
                    return Ok(None);
                }
                files.push((role, file));
            }
        }
        let family = |wanted: &str| {
            let file = files.iter().find(|(role, _)| *role == wanted).map(|(_, file)| file)?;
            Some(file.architecture()).filter(|a| a.has_diffusion_model())
        };
        let Some(architecture) = family("diffusion_model").or_else(|| family("model")) else {
            return Ok(None);
        };
        let tensors = Tensors::new(config, &files, architecture);
        let conversion = Conversion::of(config);
        let mut weights = BTreeMap::<_, Bytes>::new();
        for tensor in tensors.iter() {
            let bytes = weights.entry((tensor.component, tensor.share())).or_default();
            let (loaded, as_in_file) = conversion.loaded(tensor);
            let target =
                if as_in_file && config.maps() { &mut bytes.mapped } else { &mut bytes.own };
            *target = target.saturating_add(loaded);
        }
        let flash = config.flash_attention;
        Ok(Some(Self {
            architecture,
            weights,
            diffusion: Diffusion::of(architecture, &tensors),
            decoder: Decoder::of(architecture, config, &tensors),
            text: TextEncoders::of(architecture, &tensors),
            control: config.control_net.is_some(),
            diffusion_ways: Ways {
                // The engine sets it for U-Nets alone.
                direct: config.diffusion_conv_direct == Some(true) && architecture.is_unet(),
                flash: flash || config.diffusion_flash_attention,
            },
            vae_ways: Ways { direct: config.vae_conv_direct == Some(true), flash },
        }))
    }
}

#[cfg(test)]
mod tests;
