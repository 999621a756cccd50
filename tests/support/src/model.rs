//! A whole model: architecture, file format and seed.

use crate::quantize::WeightType;
use crate::safetensors::FloatType;
use crate::tensor::Layout;
use crate::{
    Embedding, ErnieImage, Flux, Llm, Ltx, PhotoMaker, QwenImage, Sd1, Sd1Lora, Sd3, TextEncoders,
    UNet, VideoLatent, Wan, ZImage, ZImageLora, cache, clip, clip_large, controlnet, esrgan, gguf,
    ltx, ltx_audio, mapped, pickle, safetensors, sd, tae, vae, wan_vae,
};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Part of the file names: raise it when the bytes of any model change.
const GENERATOR_VERSION: u32 = 1;

/// The models which can be generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Architecture {
    /// Z-Image with its text encoder.
    ZImage(ZImage),
    /// The tiny autoencoder.
    Tae {
        /// 4 for SD 1, SD 2 and SDXL; 16 for Z-Image, FLUX and SD 3; 32 for FLUX.2.
        latent_channels: usize,
    },
    /// Stable Diffusion 1.
    Sd1(Sd1),
    /// SDXS-512: a tiny UNet, CLIP-L and a built-in TAESD.
    Sdxs {
        /// Channels of the UNet's first level, a multiple of 32.
        width: usize,
    },
    /// A UNet alone.
    UNet(UNet),
    /// Text encoders alone.
    TextEncoders(TextEncoders),
    /// The autoencoder of Stable Diffusion 1, 2 and XL.
    Vae {
        /// Channels of the decoder's first level, a multiple of 32; the real one has 128, which
        /// the engine fixes for the encoder.
        decoder_width: usize,
    },
    /// A ControlNet for a Stable Diffusion 1 of the real width.
    ControlNet,
    /// A LoRA for Stable Diffusion 1.
    Sd1Lora(Sd1Lora),
    /// A textual inversion.
    Embedding(Embedding),
    /// PhotoMaker for SDXL.
    PhotoMaker {
        /// Which of its versions.
        version: PhotoMaker,
        /// Width of the SDXL UNet.
        unet_width: usize,
    },
    /// A RealESRGAN upscaler with one block.
    Esrgan {
        /// The factor: 1, 2 or 4.
        scale: usize,
    },
    /// A LoRA for Z-Image.
    ZImageLora(ZImageLora),
    /// FLUX, or a family built like it.
    Flux(Flux),
    /// Stable Diffusion 3.
    Sd3(Sd3),
    /// Wan.
    Wan(Wan),
    /// Qwen-Image.
    QwenImage(QwenImage),
    /// The tiny autoencoder of videos.
    VideoTae(VideoLatent),
    /// ERNIE-Image.
    ErnieImage(ErnieImage),
    /// LTX-2.
    Ltx(Ltx),
    /// The projection of LTX-2's prompts.
    LtxProjection,
    /// The audio autoencoder of LTX-2.
    LtxAudio,
    /// The autoencoder of Wan 2.1 and of Qwen-Image.
    WanVae,
    /// The text encoder CLIP-L in a file of its own.
    ClipL,
    /// The text encoder CLIP-G in a file of its own.
    ClipG,
    /// The picture encoder of CLIP.
    ClipVision,
    /// A language model in a file of its own.
    Llm(Llm),
}

/// How a model is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// GGUF with the weights in this type where that fits.
    Gguf(WeightType),
    /// The same with tensors which share their data: large layouts in a small file, and mapped
    /// into memory no more than that in memory. Only the engine reads it, with two lines of
    /// error in its log. A LoRA must not be merged into the mapped file, as it would be into all
    /// tensors at once.
    GgufAliased(WeightType),
    /// Safetensors with everything in this type.
    Safetensors(FloatType),
    /// Safetensors in f8_e4m3 whose tensors share their data: the largest layouts in a small
    /// file. Only the engine reads it.
    SafetensorsAliased,
    /// Safetensors in f16 whose tensors share their data, with different deviations. If the
    /// engine maps the file into memory, they share memory too.
    SafetensorsMapped,
    /// PyTorch's zip archive (`.ckpt`, `.pt`) with everything in this type, nested in a `state_dict`.
    Pickle(FloatType),
}

/// A model to be generated, with random weights which depend on the seed alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TinyModel {
    architecture: Architecture,
    format: Format,
    seed: u64,
}

impl TinyModel {
    /// A model with the seed 42.
    pub fn new(architecture: Architecture, format: Format) -> Self {
        Self { architecture, format, seed: 42 }
    }

    /// Chooses other weights.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The tensors of the model.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for sizes which the engine does not load.
    pub fn layout(&self) -> io::Result<Layout> {
        match &self.architecture {
            Architecture::ZImage(spec) => spec.layout(),
            Architecture::Tae { latent_channels } => tae::layout(*latent_channels),
            Architecture::Sd1(spec) => spec.layout(),
            Architecture::Sdxs { width } => sd::sdxs_layout(*width),
            Architecture::UNet(spec) => spec.layout(),
            Architecture::TextEncoders(encoders) => Ok(encoders.layout()),
            Architecture::Vae { decoder_width } => vae::layout(*decoder_width),
            Architecture::ControlNet => Ok(controlnet::layout()),
            Architecture::Sd1Lora(spec) => spec.layout(),
            Architecture::Embedding(spec) => spec.layout(),
            Architecture::PhotoMaker { version, unet_width } => Ok(version.layout(*unet_width)),
            Architecture::Esrgan { scale } => esrgan::layout(*scale),
            Architecture::ZImageLora(spec) => spec.layout(),
            Architecture::Flux(spec) => spec.layout(),
            Architecture::Sd3(spec) => spec.layout(),
            Architecture::Wan(model) => Ok(model.layout()),
            Architecture::QwenImage(spec) => spec.layout(),
            Architecture::VideoTae(latent) => Ok(latent.layout()),
            Architecture::ErnieImage(spec) => spec.layout(),
            Architecture::Ltx(spec) => spec.layout(),
            Architecture::LtxProjection => Ok(ltx::projection()),
            Architecture::LtxAudio => Ok(ltx_audio::layout()),
            Architecture::WanVae => Ok(wan_vae::layout()),
            Architecture::ClipL => Ok(clip::layout()),
            Architecture::ClipG => Ok(clip_large::text()),
            Architecture::ClipVision => Ok(clip_large::vision()),
            Architecture::Llm(model) => model.layout(),
        }
    }

    /// The name of the model's file in the cache; it says everything the content depends on.
    pub fn file_name(&self) -> String {
        let stem = match &self.architecture {
            Architecture::ZImage(ZImage { hidden, layers, te_dim, te_layers, with_tae }) => {
                let tae = if *with_tae { "-tae" } else { "" };
                format!("zimage-{hidden}x{layers}-te{te_dim}x{te_layers}{tae}")
            }
            Architecture::Tae { latent_channels } => format!("tae-{latent_channels}"),
            Architecture::Sd1(Sd1 { width, vae }) => {
                format!("sd1-{width}{}", if *vae { "-vae" } else { "" })
            }
            Architecture::Sdxs { width } => format!("sdxs-{width}"),
            Architecture::UNet(UNet { family, width }) => {
                format!("unet-{}-{width}", family.stem())
            }
            Architecture::TextEncoders(encoders) => encoders.name().to_owned(),
            Architecture::Vae { decoder_width } => format!("vae-{decoder_width}"),
            Architecture::ControlNet => "sd1-control".to_owned(),
            Architecture::Sd1Lora(Sd1Lora { width, rank }) => format!("sd1-lora-{width}-r{rank}"),
            Architecture::Embedding(Embedding { encoders, vectors }) => {
                format!("embedding-{}-{vectors}", encoders.name())
            }
            Architecture::PhotoMaker { version, unet_width } => {
                format!("{}-{unet_width}", version.name())
            }
            Architecture::Esrgan { scale } => format!("esrgan-{scale}x"),
            Architecture::ZImageLora(ZImageLora { hidden, layers, rank }) => {
                format!("zimage-lora-{hidden}x{layers}-r{rank}")
            }
            Architecture::Flux(spec) => spec.stem(),
            Architecture::Sd3(spec) => spec.stem(),
            Architecture::Wan(model) => model.stem(),
            Architecture::QwenImage(spec) => spec.stem(),
            Architecture::VideoTae(latent) => latent.stem().to_owned(),
            Architecture::ErnieImage(spec) => spec.stem(),
            Architecture::Ltx(spec) => spec.stem(),
            Architecture::LtxProjection => "ltx-projection".to_owned(),
            Architecture::LtxAudio => "ltx-audio".to_owned(),
            Architecture::WanVae => "wan-vae".to_owned(),
            Architecture::ClipL => "clip-l-alone".to_owned(),
            Architecture::ClipG => "clip-g-alone".to_owned(),
            Architecture::ClipVision => "clip-vision".to_owned(),
            Architecture::Llm(model) => model.stem(),
        };
        let (weights, extension) = match self.format {
            Format::Gguf(weight_type) => (weight_type.name().to_owned(), "gguf"),
            Format::GgufAliased(weight_type) => (format!("aliased-{}", weight_type.name()), "gguf"),
            Format::Safetensors(float_type) => (float_type.name().to_owned(), "safetensors"),
            Format::SafetensorsAliased => ("aliased".to_owned(), "safetensors"),
            Format::SafetensorsMapped => ("mapped".to_owned(), "safetensors"),
            Format::Pickle(float_type) => (float_type.name().to_owned(), "ckpt"),
        };
        let seed = self.seed;
        format!("{stem}-{weights}-s{seed}-v{GENERATOR_VERSION}.{extension}")
    }

    /// Writes the model; nothing but the tensor at hand is held in memory.
    ///
    /// # Errors
    ///
    /// Those of [`layout`](Self::layout) and of writing.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let layout = self.layout()?;
        match self.format {
            Format::Gguf(weight_type) => gguf::write(out, &layout, weight_type, self.seed),
            Format::GgufAliased(weight_type) => {
                gguf::write_aliased(out, &layout, weight_type, self.seed)
            }
            Format::Safetensors(float_type) => {
                safetensors::write(out, &layout, float_type, self.seed)
            }
            Format::SafetensorsAliased => {
                safetensors::write_aliased(out, &layout, self.shared_deviation(), self.seed)
            }
            Format::SafetensorsMapped => mapped::write(out, &layout, self.seed),
            Format::Pickle(float_type) => pickle::write(out, &layout, float_type, self.seed),
        }
    }

    /// Writes the model to a file of the caller's own, which it may damage afterwards.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write) and of creating the file.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 18, std::fs::File::create(path)?);
        self.write(&mut out)?;
        out.flush()
    }

    /// The model's file in the cache, generated if it is not there yet. It is shared by all
    /// tests: do not change it.
    ///
    /// # Errors
    ///
    /// Those of [`write_to`](Self::write_to).
    pub fn cached(&self) -> io::Result<PathBuf> {
        cache::file(&self.file_name(), |path| self.write_to(path))
    }

    /// The deviation of random weights which are the same for layers of all sizes.
    fn shared_deviation(&self) -> f32 {
        match self.architecture {
            Architecture::Sd1(_) | Architecture::Sdxs { .. } => 0.02,
            _ => 0.05,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_say_what_differs() {
        let lora = |rank| Architecture::ZImageLora(ZImageLora { rank, ..ZImageLora::default() });
        let q8_0 = Format::Gguf(WeightType::Q8_0);
        let models = [
            TinyModel::new(lora(4), q8_0),
            TinyModel::new(lora(8), q8_0),
            TinyModel::new(lora(4), q8_0).seed(1),
            TinyModel::new(lora(4), Format::Safetensors(FloatType::F16)),
            TinyModel::new(lora(4), Format::Pickle(FloatType::F16)),
            TinyModel::new(lora(4), Format::SafetensorsAliased),
            TinyModel::new(lora(4), Format::GgufAliased(WeightType::Q8_0)),
        ];
        let mut names: Vec<_> = models.iter().map(TinyModel::file_name).collect();
        assert_eq!(names[0], "zimage-lora-256x1-r4-q8_0-s42-v1.gguf");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), models.len());
    }

    /// The engine looks there for the version.
    #[test]
    fn the_name_of_a_photo_maker_says_its_version() {
        let name = |version| {
            let architecture = Architecture::PhotoMaker { version, unet_width: 32 };
            TinyModel::new(architecture, Format::GgufAliased(WeightType::Q4_0)).file_name()
        };
        assert!(!name(PhotoMaker::V1).contains("v2"));
        assert!(name(PhotoMaker::V2).contains("v2"));
    }

    #[test]
    fn same_spec_same_bytes() {
        let architecture = Architecture::ZImageLora(ZImageLora::default());
        for format in [
            Format::Gguf(WeightType::Q4_0),
            Format::Safetensors(FloatType::F16),
            Format::Pickle(FloatType::F16),
            Format::SafetensorsAliased,
            Format::GgufAliased(WeightType::Q4_0),
        ] {
            let written = |seed| {
                let mut bytes = Vec::new();
                let model = TinyModel::new(architecture.clone(), format).seed(seed);
                model.write(&mut bytes).unwrap();
                bytes
            };
            assert_eq!(written(1), written(1), "{format:?}");
            assert_ne!(written(1), written(2), "{format:?}");
        }
    }

    #[test]
    fn invalid_sizes_are_errors() {
        let model = TinyModel::new(Architecture::Sdxs { width: 33 }, Format::SafetensorsAliased);
        let error = model.cached().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
