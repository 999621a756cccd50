//! What a context is built from.

mod check;

use crate::{
    ModelFile,
    setters::setters,
    weights::{LoraApplyMode, Prediction, RngKind, VaeFormat, WeightType},
};
pub(crate) use check::check_type_rules;
use std::path::{Path, PathBuf};

/// A textual-inversion embedding, used by writing its name in a prompt. SD 1.x, 2.x and SDXL only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedding {
    /// The word that stands for it in prompts.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

/// The files of a model and how to hold it: what a [`Context`](crate::Context) is built from.
///
/// Either [`model`](Self::model) (everything in one file, or a diffusers folder) or
/// [`diffusion_model`](Self::diffusion_model) with its parts is needed. Every path is checked
/// before the engine is called. Fields may be set directly or by the methods of the same names;
/// [`embedding`](Self::embedding) adds to the list. Where a field names no default, paths and texts
/// are absent and switches are off.
///
/// ```
/// use sdcpp::{ModelConfig, WeightType};
///
/// let config = ModelConfig::new("sd15.safetensors").threads(4).weight_type(WeightType::Q8_0);
/// let flux = ModelConfig::from_parts("flux1-schnell-q4_0.gguf")
///     .clip_l("clip_l.safetensors")
///     .t5xxl("t5xxl-q8_0.gguf")
///     .vae("ae.safetensors");
/// # drop((config, flux));
/// ```
///
/// # Embeddings
/// A textual-inversion embedding is used by writing its name in the prompt:
///
/// ```
/// use sdcpp::{ImageRequest, ModelConfig};
///
/// let config = ModelConfig::new("sd15.safetensors").embedding("easynegative", "easynegative.safetensors");
/// let request = ImageRequest::new("a portrait").negative_prompt("easynegative, blurry");
/// # drop((config, request));
/// ```
///
/// # TAESD
/// In place of the VAE, or only for previews while the VAE decodes the picture:
///
/// ```
/// use sdcpp::{ModelConfig, PreviewKind, PreviewOptions, Watch};
///
/// let fast = ModelConfig::new("sd15.safetensors").taesd("taesd.safetensors");
/// let exact = fast.clone().taesd_preview_only(true);
/// let watch = Watch::new().on_preview(PreviewOptions::new(PreviewKind::Taesd), |preview| {
///     println!("step {}: {} pixels wide", preview.step, preview.frames[0].width());
/// });
/// # drop((fast, exact, watch));
/// ```
///
/// # Memory and devices
/// Types by tensor name, here the VAE in `f16` and the diffusion model in `q8_0`; the diffusion
/// model on the GPU, the other parts on the CPU, and all weights in main memory until they are used:
///
/// ```
/// use sdcpp::ModelConfig;
///
/// let config = ModelConfig::from_parts("flux1-dev.safetensors")
///     .clip_l("clip_l.safetensors")
///     .t5xxl("t5xxl_fp16.safetensors")
///     .vae("ae.safetensors")
///     .tensor_type_rules(r"^first_stage_model\.=f16,model\.diffusion_model\.=q8_0")
///     .backend("cuda0,te=cpu,vae=cpu")
///     .params_backend("cpu");
/// // No more than 6 GiB of device memory, each layer brought in ahead of its use.
/// let small = config.clone().max_vram(6.0).stream_layers(true);
/// // All that is free less 1 GiB.
/// let shared = config.clone().max_vram(-1.0);
/// # drop((config, small, shared));
/// ```
///
/// # Pictures whose edges join
/// For textures and panoramas; a property of the model, as it is loaded:
///
/// ```
/// use sdcpp::ModelConfig;
///
/// let texture = ModelConfig::new("sd15.safetensors").circular_x(true).circular_y(true);
/// let panorama = ModelConfig::new("sd15.safetensors").circular_x(true);
/// # drop((texture, panorama));
/// ```
///
/// # Pickle checkpoints
/// Refused unless their origin is trusted; [`Convert`](crate::Convert) makes safe files of them:
///
/// ```
/// let config = sdcpp::ModelConfig::new("old.ckpt").trust_pickle(true);
/// # drop(config);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelConfig {
    /// A file with everything in it, or a folder in diffusers layout.
    pub model: Option<PathBuf>,
    /// The diffusion model alone.
    pub diffusion_model: Option<PathBuf>,
    /// The second diffusion model of Wan 2.2, for high noise.
    pub high_noise_diffusion_model: Option<PathBuf>,
    /// A second diffusion model for the negative prompt, where a family has one.
    pub uncond_diffusion_model: Option<PathBuf>,
    /// The CLIP-L text encoder.
    pub clip_l: Option<PathBuf>,
    /// The CLIP-G text encoder.
    pub clip_g: Option<PathBuf>,
    /// The CLIP image encoder.
    pub clip_vision: Option<PathBuf>,
    /// The T5-XXL text encoder.
    pub t5xxl: Option<PathBuf>,
    /// The language model of families that use one as text encoder (Qwen-Image, Z-Image…).
    pub llm: Option<PathBuf>,
    /// The language model's vision part.
    pub llm_vision: Option<PathBuf>,
    /// LTX's embeddings connectors.
    pub embeddings_connectors: Option<PathBuf>,
    /// The VAE; the one in the model file otherwise.
    pub vae: Option<PathBuf>,
    /// The audio VAE of video models with sound.
    pub audio_vae: Option<PathBuf>,
    /// A TAESD decoder: faster and smaller than the VAE, a little less detail. Decodes the picture
    /// unless [`taesd_preview_only`](Self::taesd_preview_only).
    pub taesd: Option<PathBuf>,
    /// A ControlNet.
    pub control_net: Option<PathBuf>,
    /// A PhotoMaker identity model.
    pub photo_maker: Option<PathBuf>,
    /// Textual-inversion embeddings. Default: none.
    pub embeddings: Vec<Embedding>,
    /// The folder that `<lora:name:multiplier>` in prompts is looked up in, as
    /// [`LoraFolder`](crate::LoraFolder) does. Without it such a tag is an error.
    pub lora_folder: Option<PathBuf>,

    /// CPU threads, 1 to four times the logical processors (16 at least). Default: the physical cores;
    /// in a [`Pool`](crate::Pool) on the CPU, those divided by its size.
    pub threads: Option<u32>,
    /// Converts the weights at loading. Default: as in the file.
    pub weight_type: Option<WeightType>,
    /// Types by tensor name: `pattern=type,…` with the engine's (ECMAScript) regular expressions, as
    /// in `^first_stage_model\.=f16,^model\.diffusion_model\.=q8_0`. The names are the engine's, whatever
    /// the file calls them: the VAE's begin with `first_stage_model.`, the diffusion model's with
    /// `model.diffusion_model.`, the text encoders' with `cond_stage_model.` (SD 1.x to SDXL) or
    /// `text_encoders.`. The first pattern found in a name counts; patterns are at most 1 KiB long,
    /// without `,` and `=`. Biases, norms' scales and embeddings keep their types.
    pub tensor_type_rules: Option<String>,
    /// Which random numbers noise is drawn from. Default: [`RngKind::Cuda`].
    pub rng: RngKind,
    /// Random numbers of the samplers that add noise. Default: as [`rng`](Self::rng).
    pub sampler_rng: Option<RngKind>,
    /// What the model predicts. Default: told from the file.
    pub prediction: Option<Prediction>,
    /// How LoRA weights are brought in. Default: [`LoraApplyMode::Auto`].
    pub lora_apply_mode: LoraApplyMode,
    /// Maps the weights from the file instead of reading them: contexts of one file share them.
    /// Only tensors whose type is not converted are mapped. The file must not change meanwhile.
    /// Default: on in a [`Pool`](crate::Pool) on the CPU, else off.
    pub mmap: Option<bool>,
    /// Flash attention in all parts: less memory; faster on GPUs, slower on most CPUs.
    pub flash_attention: bool,
    /// Flash attention in the diffusion model only.
    pub diffusion_flash_attention: bool,
    /// Direct convolution in the diffusion model and its ControlNet, in place of a matrix of all
    /// patches (im2col): less memory. The engine has it for U-Nets alone. Default: where the diffusion
    /// model is computed on the processor, which is faster so too.
    pub diffusion_conv_direct: Option<bool>,
    /// Direct convolution in the VAE, likewise. Default: where the VAE is computed on the processor.
    pub vae_conv_direct: Option<bool>,
    /// Uses the TAESD for previews only, and the VAE for the picture. Needs a
    /// [`taesd`](Self::taesd).
    pub taesd_preview_only: bool,
    /// Pictures whose left and right edges join.
    pub circular_x: bool,
    /// Pictures whose top and bottom edges join.
    pub circular_y: bool,
    /// Scales SDXL's VAE convolutions against overflow in f16 (black pictures).
    pub force_sdxl_vae_conv_scale: bool,
    /// Chroma: masks padding tokens in the transformer. Default: on.
    pub chroma_use_dit_mask: bool,
    /// Chroma: masks padding tokens in T5. Default: off.
    pub chroma_use_t5_mask: bool,
    /// Chroma: how many padding tokens stay unmasked, 0 to 512. Default 1.
    pub chroma_t5_mask_pad: u32,
    /// Qwen-Image-Edit 2511: a zero timestep for the reference pictures.
    pub qwen_image_zero_cond_t: bool,
    /// Latent format of the VAE file. Default: told from the model.
    pub vae_format: Option<VaeFormat>,
    /// Device memory to use, in GiB; the rest of the weights are brought in as needed. Any finite
    /// number; 0: no limit; negative: what is free less that much. Default 0.
    pub max_vram: f32,
    /// Streams layers ahead of their use; needs [`max_vram`](Self::max_vram).
    pub stream_layers: bool,
    /// Devices to compute on: `cpu`, `cuda0`, or by part as in `vulkan0,te=cpu,vae=cpu`. The parts
    /// are `diffusion`, `te`, `clip_vision`, `vae`, `control_net`, `photo_maker` and `upscaler`.
    /// Default: the engine's choice. [`Engine::devices`](crate::Engine::devices) lists the names.
    pub backend: Option<String>,
    /// Devices to keep weights on, in the same form; also `disk`. Default: where they are used.
    pub params_backend: Option<String>,
    /// Refuses with [`Error::InsufficientMemory`](crate::Error::InsufficientMemory), before loading
    /// and before drawing, what by [estimate](crate::MemoryEstimate) needs over a third more memory
    /// than there is, swap included. Default: on.
    pub memory_check: bool,
    /// Allows pickle checkpoints (`.ckpt`, `.pt`). A hostile one can crash the process: the engine
    /// reads them without checking.
    pub trust_pickle: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            model: None,
            diffusion_model: None,
            high_noise_diffusion_model: None,
            uncond_diffusion_model: None,
            clip_l: None,
            clip_g: None,
            clip_vision: None,
            t5xxl: None,
            llm: None,
            llm_vision: None,
            embeddings_connectors: None,
            vae: None,
            audio_vae: None,
            taesd: None,
            control_net: None,
            photo_maker: None,
            embeddings: Vec::new(),
            lora_folder: None,
            threads: None,
            weight_type: None,
            tensor_type_rules: None,
            rng: RngKind::Cuda,
            sampler_rng: None,
            prediction: None,
            lora_apply_mode: LoraApplyMode::Auto,
            mmap: None,
            flash_attention: false,
            diffusion_flash_attention: false,
            diffusion_conv_direct: None,
            vae_conv_direct: None,
            taesd_preview_only: false,
            circular_x: false,
            circular_y: false,
            force_sdxl_vae_conv_scale: false,
            chroma_use_dit_mask: true,
            chroma_use_t5_mask: false,
            chroma_t5_mask_pad: 1,
            qwen_image_zero_cond_t: false,
            vae_format: None,
            max_vram: 0.0,
            stream_layers: false,
            backend: None,
            params_backend: None,
            memory_check: true,
            trust_pickle: false,
        }
    }
}

setters! {
    ModelConfig {
        path model;
        path diffusion_model;
        path high_noise_diffusion_model;
        path uncond_diffusion_model;
        path clip_l;
        path clip_g;
        path clip_vision;
        path t5xxl;
        path llm;
        path llm_vision;
        path embeddings_connectors;
        path vae;
        path audio_vae;
        path taesd;
        path control_net;
        path photo_maker;
        path lora_folder;
        text tensor_type_rules;
        text backend;
        text params_backend;
        some threads: u32;
        some weight_type: WeightType;
        some sampler_rng: RngKind;
        some prediction: Prediction;
        some vae_format: VaeFormat;
        some mmap: bool;
        some diffusion_conv_direct: bool;
        some vae_conv_direct: bool;
        into embeddings: Vec<Embedding>;
        plain rng: RngKind;
        plain lora_apply_mode: LoraApplyMode;
        plain flash_attention: bool;
        plain diffusion_flash_attention: bool;
        plain taesd_preview_only: bool;
        plain max_vram: f32;
        plain stream_layers: bool;
        plain circular_x: bool;
        plain circular_y: bool;
        plain force_sdxl_vae_conv_scale: bool;
        plain chroma_use_dit_mask: bool;
        plain chroma_use_t5_mask: bool;
        plain chroma_t5_mask_pad: u32;
        plain qwen_image_zero_cond_t: bool;
        plain memory_check: bool;
        plain trust_pickle: bool;
    }
}

impl ModelConfig {
    /// A model in one file, or a folder in diffusers layout.
    pub fn new(model: impl Into<PathBuf>) -> Self {
        Self { model: Some(model.into()), ..Self::default() }
    }

    /// A model whose diffusion model is a file of its own; set its text encoders and VAE too.
    pub fn from_parts(diffusion_model: impl Into<PathBuf>) -> Self {
        Self { diffusion_model: Some(diffusion_model.into()), ..Self::default() }
    }

    /// A model by its file: as [`new`](Self::new), or as [`from_parts`](Self::from_parts) where the
    /// file is a diffusion model alone. Reads its header; a file that cannot be read is taken for a
    /// whole model, and opening it says what is wrong.
    pub fn for_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match ModelFile::open(&path) {
            Ok(file) if file.config_field() == Some("diffusion_model") => Self::from_parts(path),
            _ => Self::new(path),
        }
    }

    /// Adds a textual-inversion embedding.
    #[must_use]
    pub fn embedding(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.embeddings.push(Embedding { name: name.into(), path: path.into() });
        self
    }

    /// Whether weights are mapped.
    pub(crate) fn maps(&self) -> bool {
        self.mmap.unwrap_or(false)
    }

    /// The file that names the model: the whole one, or the diffusion model.
    pub fn main_file(&self) -> Option<&Path> {
        self.model.as_deref().or(self.diffusion_model.as_deref())
    }

    /// The file whose diffusion model draws: of its own, or in the whole model. Beside
    /// [`diffusion_model`](Self::diffusion_model) a `model` is there for what else it holds.
    ///
    /// ```
    /// # use sdcpp::ModelConfig;
    /// # use std::path::Path;
    /// let mut config = ModelConfig::new("encoders.gguf");
    /// assert_eq!(config.diffusion_file(), Some(Path::new("encoders.gguf")));
    /// config.diffusion_model = Some("unet.gguf".into());
    /// assert_eq!(config.diffusion_file(), Some(Path::new("unet.gguf")));
    /// assert_eq!(config.main_file(), Some(Path::new("encoders.gguf")));
    /// ```
    pub fn diffusion_file(&self) -> Option<&Path> {
        self.diffusion_model.as_deref().or(self.model.as_deref())
    }
}
