//! The families of models the engine knows, and the parts that come as files of their own.

use std::fmt;

/// Which text encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "isolated", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum TextEncoder {
    /// CLIP ViT-L/14, 768 wide: SD 1.x, SDXL, SD3, FLUX.
    ClipL,
    /// OpenCLIP ViT-H/14, 1024 wide: SD 2.x.
    ClipH,
    /// OpenCLIP ViT-bigG/14, 1280 wide: SDXL, SD3.
    ClipG,
    /// CLIP's image encoder: Wan 2.1 with a first frame.
    ClipVision,
    /// T5 v1.1 XXL: SD3, FLUX, Chroma.
    T5Xxl,
    /// The multilingual T5 XXL: Wan.
    Umt5Xxl,
    /// Qwen2.5-VL: Qwen-Image, LongCat.
    Qwen25Vl,
    /// Qwen3: Z-Image, FLUX.2 Klein, Ovis, Anima.
    Qwen3,
    /// Qwen3-VL: Ideogram 4.
    Qwen3Vl,
    /// Mistral Small 3.2: FLUX.2.
    MistralSmall,
    /// Ministral 3 3B: ERNIE-Image.
    Ministral3,
    /// Gemma 2 2B: PiD.
    Gemma2,
    /// Gemma 3 12B: LTX-2.
    Gemma3,
    /// gpt-oss 20B: Lens.
    GptOss,
    /// A language model that none of the families uses.
    OtherLlm,
    /// A language model's vision part.
    LlmVision,
}

impl TextEncoder {
    /// Its name, as in `T5-XXL`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ClipL => "CLIP-L",
            Self::ClipH => "OpenCLIP-H",
            Self::ClipG => "CLIP-G",
            Self::ClipVision => "CLIP vision",
            Self::T5Xxl => "T5-XXL",
            Self::Umt5Xxl => "umT5-XXL",
            Self::Qwen25Vl => "Qwen2.5-VL",
            Self::Qwen3 => "Qwen3",
            Self::Qwen3Vl => "Qwen3-VL",
            Self::MistralSmall => "Mistral Small 3.2",
            Self::Ministral3 => "Ministral 3",
            Self::Gemma2 => "Gemma 2",
            Self::Gemma3 => "Gemma 3",
            Self::GptOss => "gpt-oss",
            Self::OtherLlm => "unknown language model",
            Self::LlmVision => "language model's vision part",
        }
    }

    /// Whether it is a language model, given as [`ModelConfig::llm`](crate::ModelConfig::llm).
    pub const fn is_llm(self) -> bool {
        matches!(
            self,
            Self::Qwen25Vl
                | Self::Qwen3
                | Self::Qwen3Vl
                | Self::MistralSmall
                | Self::Ministral3
                | Self::Gemma2
                | Self::Gemma3
                | Self::GptOss
                | Self::OtherLlm
        )
    }
}

impl fmt::Display for TextEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// Which VAE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "isolated", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum VaeKind {
    /// 4 latent channels: SD 1.x, 2.x and XL.
    Channels4,
    /// 16 latent channels: SD3, FLUX, Z-Image.
    Channels16,
    /// 32 latent channels: FLUX.2.
    Channels32,
    /// Wan 2.1's video VAE: Wan, Qwen-Image, Anima.
    Wan,
    /// Wan 2.2's video VAE of 48 channels: Wan 2.2 TI2V.
    Wan22,
    /// LTX-2's video VAE.
    Ltx,
}

impl VaeKind {
    /// Its name, as in `16-channel`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Channels4 => "4-channel",
            Self::Channels16 => "16-channel",
            Self::Channels32 => "32-channel",
            Self::Wan => "Wan 2.1",
            Self::Wan22 => "Wan 2.2",
            Self::Ltx => "LTX-2",
        }
    }
}

impl fmt::Display for VaeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

macro_rules! architectures {
    ($($(#[$doc:meta])* $variant:ident = $label:literal,)*) => {
        /// What a model file holds, told by the names and shapes of its tensors as the engine does.
        ///
        /// ```
        /// use sdcpp::Architecture;
        ///
        /// assert_eq!(Architecture::FluxDev.to_string(), "FLUX.1 dev");
        /// assert!(Architecture::Wan22Ti2v.is_video_model());
        /// assert!(Architecture::Svd.unsupported().is_some());
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "isolated", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum Architecture {
            $($(#[$doc])* $variant,)*
            /// A text encoder alone.
            TextEncoder(TextEncoder),
            /// A VAE alone.
            Vae(VaeKind),
        }

        impl Architecture {
            /// All but text encoders and VAEs.
            const MODELS: &[Self] = &[$(Self::$variant),*];

            /// Its name, as in `SDXL` or `VAE`.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                    Self::TextEncoder(_) => "text encoder",
                    Self::Vae(_) => "VAE",
                }
            }
        }
    };
}

architectures! {
    /// Stable Diffusion 1.x.
    Sd1 = "SD 1.x",
    /// SD 1.x for inpainting: nine input channels.
    Sd1Inpaint = "SD 1.x inpainting",
    /// SD 1.x that follows instructions: eight input channels.
    Sd1Pix2Pix = "SD 1.x instruct-pix2pix",
    /// SD 1.x with a smaller U-Net.
    Sd1Tiny = "SD 1.x tiny U-Net",
    /// Stable Diffusion 2.x.
    Sd2 = "SD 2.x",
    /// SD 2.x for inpainting.
    Sd2Inpaint = "SD 2.x inpainting",
    /// SD 2.x with a smaller U-Net.
    Sd2Tiny = "SD 2.x tiny U-Net",
    /// SDXS-512-DreamShaper, one step.
    Sdxs512 = "SDXS-512",
    /// SDXS-512-0.9, one step.
    Sdxs09 = "SDXS-512-0.9",
    /// Stable Diffusion XL.
    Sdxl = "SDXL",
    /// SDXL for inpainting.
    SdxlInpaint = "SDXL inpainting",
    /// SDXL that follows instructions.
    SdxlPix2Pix = "SDXL instruct-pix2pix",
    /// Segmind's Vega, a smaller SDXL.
    SdxlVega = "Segmind Vega",
    /// SSD-1B, a smaller SDXL.
    SdxlSsd1b = "SSD-1B",
    /// SDXL's refiner.
    SdxlRefiner = "SDXL refiner",
    /// Stable Video Diffusion.
    Svd = "Stable Video Diffusion",
    /// Stable Diffusion 3 and 3.5.
    Sd3 = "SD 3.x",
    /// FLUX.1 dev, with a guidance input; Kontext and Krea are of the same form.
    FluxDev = "FLUX.1 dev",
    /// FLUX.1 schnell, without a guidance input.
    FluxSchnell = "FLUX.1 schnell",
    /// FLUX.1 Fill, for inpainting.
    FluxFill = "FLUX.1 Fill",
    /// FLUX.1 Canny and Depth.
    FluxControl = "FLUX.1 Control",
    /// Flex.2.
    Flex2 = "Flex.2",
    /// Chroma.
    Chroma = "Chroma",
    /// Chroma Radiance, which draws pixels.
    ChromaRadiance = "Chroma Radiance",
    /// FLUX.2 dev.
    Flux2 = "FLUX.2 dev",
    /// FLUX.2 Klein.
    Flux2Klein = "FLUX.2 Klein",
    /// Wan 2.1 and 2.2, video from text.
    WanT2v = "Wan 2.x T2V",
    /// Wan 2.1, video from a picture.
    Wan21I2v = "Wan 2.1 I2V",
    /// Wan 2.1, video from its first and last frame.
    Wan21Flf2v = "Wan 2.1 FLF2V",
    /// Wan VACE, video from text with references.
    WanVace = "Wan VACE",
    /// Wan 2.2, video from a picture.
    Wan22I2v = "Wan 2.2 I2V",
    /// Wan 2.2 5B, video from text or a picture.
    Wan22Ti2v = "Wan 2.2 TI2V",
    /// LTX-2, video with sound.
    Ltx2 = "LTX-2",
    /// Qwen-Image and Qwen-Image-Edit.
    QwenImage = "Qwen-Image",
    /// Anima.
    Anima = "Anima",
    /// Z-Image.
    ZImage = "Z-Image",
    /// Ovis-Image.
    OvisImage = "Ovis-Image",
    /// ERNIE-Image.
    ErnieImage = "ERNIE-Image",
    /// LongCat-Image.
    LongCat = "LongCat-Image",
    /// HiDream-O1, which draws pixels and has its language model built in.
    HiDreamO1 = "HiDream-O1",
    /// Lens.
    Lens = "Lens",
    /// PiD.
    Pid = "PiD",
    /// Ideogram 4.
    Ideogram4 = "Ideogram 4",
    /// A TAESD, the small picture autoencoder.
    Taesd = "TAESD",
    /// A TAEHV, the small video autoencoder.
    Taehv = "TAEHV",
    /// LTX-2's audio VAE and vocoder.
    AudioVae = "audio VAE",
    /// LTX-2's embeddings connectors.
    LtxConnectors = "LTX-2 embeddings connectors",
    /// LTX-2's latent upscaler.
    LtxUpscaler = "LTX-2 latent upscaler",
    /// A ControlNet.
    ControlNet = "ControlNet",
    /// A ControlNet in diffusers layout.
    ControlNetDiffusers = "ControlNet (diffusers)",
    /// A LoRA, LoHa or LoKr.
    Lora = "LoRA",
    /// A textual-inversion embedding.
    Embedding = "embedding",
    /// An ESRGAN upscaler.
    Upscaler = "ESRGAN upscaler",
    /// A PhotoMaker identity model.
    PhotoMaker = "PhotoMaker",
    /// None of these; [`ModelFile::reason`](crate::ModelFile::reason) says why.
    Unknown = "unknown",
}

impl Architecture {
    /// The one of this [`label`](Self::label); text encoders and VAEs are not told by theirs.
    pub(crate) fn labelled(label: &str) -> Option<Self> {
        Self::MODELS.iter().copied().find(|model| model.label() == label)
    }

    /// Whether it is SD 1.x, in any of its forms.
    pub const fn is_sd1(self) -> bool {
        use Architecture::{Sd1, Sd1Inpaint, Sd1Pix2Pix, Sd1Tiny, Sdxs512};
        matches!(self, Sd1 | Sd1Inpaint | Sd1Pix2Pix | Sd1Tiny | Sdxs512)
    }

    /// Whether it is SD 2.x, in any of its forms.
    pub const fn is_sd2(self) -> bool {
        matches!(self, Self::Sd2 | Self::Sd2Inpaint | Self::Sd2Tiny | Self::Sdxs09)
    }

    /// Whether it is SDXL, in any of its forms but the refiner.
    pub const fn is_sdxl(self) -> bool {
        use Architecture::{Sdxl, SdxlInpaint, SdxlPix2Pix, SdxlSsd1b, SdxlVega};
        matches!(self, Sdxl | SdxlInpaint | SdxlPix2Pix | SdxlVega | SdxlSsd1b)
    }

    /// Whether its diffusion model is a U-Net: SD 1.x, 2.x, SDXL, SVD.
    pub const fn is_unet(self) -> bool {
        self.is_sd1()
            || self.is_sd2()
            || self.is_sdxl()
            || matches!(self, Self::Svd | Self::SdxlRefiner)
    }

    /// Whether it is FLUX.1 or one of those built on it.
    pub const fn is_flux(self) -> bool {
        use Architecture::{
            Chroma, ChromaRadiance, Flex2, FluxControl, FluxDev, FluxFill, FluxSchnell, OvisImage,
        };
        matches!(
            self,
            FluxDev
                | FluxSchnell
                | FluxFill
                | FluxControl
                | Flex2
                | Chroma
                | ChromaRadiance
                | OvisImage
        )
    }

    /// Whether the engine uses a tiny autoencoder that is in the model file itself; that of others
    /// it wants named as `taesd`, which may be the same file.
    pub(crate) const fn uses_built_in_taesd(self) -> bool {
        matches!(self, Self::Sdxs512 | Self::Sdxs09)
    }

    /// Whether it is Wan.
    pub const fn is_wan(self) -> bool {
        use Architecture::{Wan21Flf2v, Wan21I2v, Wan22I2v, Wan22Ti2v, WanT2v, WanVace};
        matches!(self, WanT2v | Wan21I2v | Wan21Flf2v | WanVace | Wan22I2v | Wan22Ti2v)
    }

    /// Whether it has a diffusion model that makes videos.
    pub const fn is_video_model(self) -> bool {
        self.is_wan() || matches!(self, Self::Svd | Self::Ltx2)
    }

    /// Whether it has a diffusion model that makes pictures.
    pub const fn is_image_model(self) -> bool {
        self.has_diffusion_model() && !self.is_video_model()
    }

    /// Whether it has a diffusion model, so that the file is no mere part.
    pub const fn has_diffusion_model(self) -> bool {
        use Architecture as A;
        !matches!(
            self,
            A::TextEncoder(_)
                | A::Vae(_)
                | A::Taesd
                | A::Taehv
                | A::AudioVae
                | A::LtxConnectors
                | A::LtxUpscaler
                | A::ControlNet
                | A::ControlNetDiffusers
                | A::Lora
                | A::Embedding
                | A::Upscaler
                | A::PhotoMaker
                | A::Unknown
        )
    }

    /// Why the engine cannot use it, if that is so.
    pub const fn unsupported(self) -> Option<&'static str> {
        Some(match self {
            Self::SdxlRefiner => "the engine does not know the SDXL refiner",
            Self::Svd => {
                "the engine knows the family, has no text encoder for it, and crashes when it is \
                 opened"
            }
            Self::ControlNetDiffusers => {
                "the engine does not convert ControlNets of diffusers layout"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextEncoder(encoder) => f.pad(&match encoder {
                TextEncoder::ClipVision => "CLIP vision encoder".to_owned(),
                TextEncoder::LlmVision | TextEncoder::OtherLlm => encoder.label().to_owned(),
                other => format!("{other} text encoder"),
            }),
            Self::Vae(kind) => f.pad(&format!("VAE, {kind}")),
            other => f.pad(other.label()),
        }
    }
}
