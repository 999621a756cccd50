//! Which family a diffusion model is of: the engine's rules at this pin, and where they need a text
//! encoder that is not in the file, the shapes.

use super::{
    architecture::Architecture::{self, *},
    tensor::TensorInfo,
};

/// What the engine puts before the names of a file given as `diffusion_model`.
pub(super) const PREFIX: &str = "model.diffusion_model.";

/// A family, and how it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) architecture: Architecture,
    /// The names lack [`PREFIX`], so that the file must be given as `diffusion_model`.
    pub(super) bare: bool,
    /// The engine cannot tell this family from this file alone.
    pub(super) untold: bool,
}

/// The family, if there is a diffusion model in the file.
pub(super) fn family(tensors: &[TensorInfo]) -> Option<Family> {
    let raw = Signs::of(tensors, "");
    if let Some(architecture) = raw.family() {
        return Some(Family { architecture, bare: false, untold: false });
    }
    let prefixed = Signs::of(tensors, PREFIX);
    if let Some(architecture) = prefixed.family() {
        return Some(Family { architecture, bare: true, untold: false });
    }
    let (signs, bare) = if raw.unet { (&raw, false) } else { (&prefixed, true) };
    let architecture = signs.family_by_shape()?;
    Some(Family { architecture, bare, untold: true })
}

/// What the engine looks for, and the shapes that tell families it does not tell apart.
#[derive(Default)]
struct Signs {
    told: Option<(u8, Architecture)>,
    flux: bool,
    flux2: bool,
    single_block_47: bool,
    wan: bool,
    patch_embedding: u64,
    image_embedding: bool,
    frame_embedding: bool,
    vace: bool,
    unet: bool,
    two_encoders: bool,
    middle_block_1: bool,
    output_block_311: bool,
    output_block_71: bool,
    attention_1024: bool,
    token_width: u64,
    input: Option<[u64; 3]>,
    context_width: u64,
    guidance: bool,
    chroma: bool,
    cross_width: u64,
}

/// Names that tell a family by themselves, the ones that go first above the others.
const TELLING: &[(&str, Architecture)] = &[
    ("model.diffusion_model.net.lq_proj.latent_proj.0.weight", Pid),
    ("embed_image_indicator.weight", Ideogram4),
    ("model.diffusion_model.nerf_final_layer_conv.", ChromaRadiance),
    ("model.diffusion_model.joint_blocks.", Sd3),
    ("model.diffusion_model.transformer_blocks.0.img_mod.1.weight", QwenImage),
    ("llm_adapter.blocks.0.cross_attn.q_proj.weight", Anima),
    ("model.diffusion_model.double_blocks.0.img_mlp.gate_proj.weight", OvisImage),
    ("model.diffusion_model.cap_embedder.0.weight", ZImage),
    ("model.diffusion_model.layers.0.adaLN_sa_ln.weight", ErnieImage),
    ("model.diffusion_model.adaln_single.emb.timestep_embedder.linear_1.bias", Ltx2),
    ("model.diffusion_model.input_blocks.8.0.time_mixer.mix_factor", Svd),
];

/// Names of the token embedding of the first text encoder.
const TOKENS: &[&str] = &[
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
    "cond_stage_model.model.token_embedding.weight",
    "text_model.embeddings.token_embedding.weight",
    "te.text_model.embeddings.token_embedding.weight",
    "conditioner.embedders.0.model.token_embedding.weight",
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight",
];

impl Signs {
    fn of(tensors: &[TensorInfo], prefix: &str) -> Self {
        let mut signs = Self::default();
        let has = |name: &str| {
            let full = |t: &TensorInfo| match t.name.strip_prefix(prefix) {
                Some(_) => t.name == name,
                None => name.strip_prefix(prefix) == Some(t.name.as_str()),
            };
            tensors.iter().any(full)
        };
        let mut hidream = false;
        let mut lens = false;
        let mut buffer = String::new();
        for tensor in tensors {
            let name = if tensor.name.starts_with(prefix) {
                tensor.name.as_str()
            } else {
                buffer.clear();
                buffer.push_str(prefix);
                buffer.push_str(&tensor.name);
                buffer.as_str()
            };
            hidream |= name.contains("model.x_embedder.proj1.weight");
            lens |= name
                .contains("model.diffusion_model.transformer_blocks.0.attn.norm_added_q.weight");
            signs.note(name, tensor);
        }
        if hidream && has("model.language_model.layers.0.self_attn.q_proj.weight") {
            signs.tell(0, HiDreamO1);
        }
        if lens && has("model.diffusion_model.transformer_blocks.0.img_mlp.w1.weight") {
            signs.tell(0, Lens);
        }
        signs
    }

    fn tell(&mut self, rank: u8, architecture: Architecture) {
        if self.told.is_none_or(|(before, _)| rank < before) {
            self.told = Some((rank, architecture));
        }
    }

    fn note(&mut self, name: &str, tensor: &TensorInfo) {
        for (rank, (part, architecture)) in (1..).zip(TELLING) {
            if name.contains(part) {
                self.tell(rank, *architecture);
            }
        }
        let in_model = |part: &str| {
            name.find(PREFIX).is_some_and(|at| {
                name.get(at + PREFIX.len()..).is_some_and(|rest| rest.starts_with(part))
            })
        };
        // A U-Net of diffusers layout, within its folder or alone.
        let in_unet = |part: &str| {
            in_model(part) || name.strip_prefix("unet.").is_some_and(|rest| rest.starts_with(part))
        };
        self.flux |= in_model("double_blocks.") || in_model("single_transformer_blocks.");
        self.flux2 |= in_model("double_stream_modulation_img.lin.weight");
        self.single_block_47 |= name.contains("single_blocks.47.linear1.weight");
        self.wan |= in_model("blocks.0.cross_attn.norm_k.weight");
        if in_model("patch_embedding.weight") {
            self.patch_embedding = tensor.inner(3);
        }
        self.image_embedding |= in_model("img_emb");
        self.frame_embedding |= in_model("img_emb.emb_pos");
        self.vace |= in_model("vace_blocks.");
        self.unet |= in_model("input_blocks.") || name.contains("unet.down_blocks.");
        self.two_encoders |= name.contains("conditioner.embedders.1")
            || name.contains("cond_stage_model.1")
            || name.contains("te.1");
        self.middle_block_1 |= in_model("middle_block.1.") || in_unet("mid_block.resnets.1.");
        self.output_block_311 |= in_model("output_blocks.3.1.transformer_blocks.1")
            || in_unet("up_blocks.1.attentions.0.transformer_blocks.1");
        self.output_block_71 |=
            in_model("output_blocks.7.1") || in_unet("up_blocks.2.attentions.1");
        self.attention_1024 |= in_model("output_blocks.7.1.transformer_blocks.0.attn1.to_k.weight")
            && tensor.inner(0) == 1024;
        if TOKENS.contains(&name) {
            self.token_width = tensor.inner(0);
        }
        if matches!(
            name,
            "model.diffusion_model.input_blocks.0.0.weight"
                | "model.diffusion_model.img_in.weight"
                | "unet.conv_in.weight"
                | "model.diffusion_model.conv_in.weight"
        ) {
            self.input = Some([tensor.inner(0), tensor.inner(1), tensor.inner(2)]);
        }
        if matches!(
            name,
            "model.diffusion_model.txt_in.weight" | "model.diffusion_model.context_embedder.weight"
        ) {
            self.context_width = tensor.inner(0);
        }
        self.guidance |= in_model("guidance_in.in_layer.weight")
            || in_model("time_text_embed.guidance_embedder.linear_1.weight");
        self.chroma |= name.contains("distilled_guidance_layer.in_proj.weight");
        if name.ends_with("attn2.to_k.weight") && self.cross_width == 0 {
            self.cross_width = tensor.inner(0);
        }
    }

    /// The engine's order of decisions.
    fn family(&self) -> Option<Architecture> {
        if let Some((_, architecture)) = self.told {
            return Some(architecture);
        }
        if self.wan {
            return Some(self.wan_family());
        }
        if self.unet && self.two_encoders {
            return Some(self.sdxl_family());
        }
        if self.flux2 {
            return Some(if self.single_block_47 { Flux2 } else { Flux2Klein });
        }
        if self.flux {
            return Some(self.flux_family());
        }
        match self.token_width {
            768 if self.unet => Some(self.sd1_family()),
            1024 if self.unet => Some(self.sd2_family()),
            1280 if self.unet => Some(SdxlRefiner),
            _ => None,
        }
    }

    fn wan_family(&self) -> Architecture {
        match self.patch_embedding {
            184_320 if !self.image_embedding => Wan22I2v,
            147_456 if !self.image_embedding => Wan22Ti2v,
            _ if self.vace => WanVace,
            _ if self.frame_embedding => Wan21Flf2v,
            _ if self.image_embedding => Wan21I2v,
            _ => WanT2v,
        }
    }

    fn flux_family(&self) -> Architecture {
        if self.context_width == 3584 {
            return LongCat;
        }
        match self.input {
            Some([384, ..]) => FluxFill,
            Some([128, ..]) => FluxControl,
            Some([196, ..]) => Flex2,
            _ if self.chroma => Chroma,
            _ if self.guidance => FluxDev,
            _ => FluxSchnell,
        }
    }

    fn channels(&self) -> u64 {
        self.input.map_or(0, |[_, _, channels]| channels)
    }

    fn sdxl_family(&self) -> Architecture {
        match self.channels() {
            9 => SdxlInpaint,
            8 => SdxlPix2Pix,
            _ if self.middle_block_1 => Sdxl,
            _ if self.output_block_311 => SdxlSsd1b,
            _ => SdxlVega,
        }
    }

    fn sd1_family(&self) -> Architecture {
        match self.channels() {
            9 => Sd1Inpaint,
            8 => Sd1Pix2Pix,
            _ if self.middle_block_1 => Sd1,
            _ if self.output_block_71 => Sd1Tiny,
            _ => Sdxs512,
        }
    }

    fn sd2_family(&self) -> Architecture {
        match self.channels() {
            9 => Sd2Inpaint,
            _ if self.middle_block_1 => Sd2,
            _ if self.attention_1024 => Sdxs09,
            _ => Sd2Tiny,
        }
    }

    /// A U-Net whose text encoder is elsewhere.
    fn family_by_shape(&self) -> Option<Architecture> {
        match self.cross_width {
            768 if self.input.is_some() => Some(self.sd1_family()),
            1024 if self.input.is_some() => Some(self.sd2_family()),
            2048 if self.input.is_some() => Some(self.sdxl_family()),
            1280 if self.input.is_some() => Some(SdxlRefiner),
            _ => None,
        }
    }
}
