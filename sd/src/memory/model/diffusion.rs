//! The sizes of a diffusion model, by its family and the shapes of its tensors.

use super::{
    super::graph::{
        Graph,
        joint::{Flux, QwenImage, Sd3, Tokens},
        layers::Ways,
        single::{SingleStream, Wan},
        transformer::{Block, Mlp},
        unet::{UNet, UNetHeads, UNetInput},
    },
    tensors::Tensors,
};
use crate::{Architecture, Component};

/// The diffusion model of a family.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Diffusion {
    UNet(UNet, f64),
    Flux(Flux),
    Sd3(Sd3),
    QwenImage(QwenImage),
    Wan(Wan),
    Single(SingleStream),
    /// A family whose blocks were not looked at: as one stream, with the sizes of most matrices.
    Other(SingleStream, Looks),
}

/// What the one stream has tokens of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    /// Patches of 16×16 pixels, and the prompt.
    Both,
    /// Patches of 32×32 pixels; the prompt is looked at besides (LTX-2).
    Video,
}

/// What a diffusion model is evaluated on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluation {
    /// Pixels of the picture, or of a frame.
    pub(crate) pixels: f64,
    /// Latent frames; 1 for a picture.
    pub(crate) frames: f64,
    /// Pixels of all references together.
    pub(crate) references: f64,
    /// Tokens of the prompt, as the diffusion model sees them.
    pub(crate) tokens: f64,
    /// Whether a ControlNet's outputs are added.
    pub(crate) controlled: bool,
}

const MODEL: Component = Component::DiffusionModel;

impl Diffusion {
    pub(super) fn of(architecture: Architecture, tensors: &Tensors<'_>) -> Self {
        let known = match architecture {
            a if a.is_unet() => unet(a, tensors),
            a if a.is_wan() => wan(a, tensors).map(Self::Wan),
            a if a.is_flux()
                || matches!(
                    a,
                    Architecture::Flux2 | Architecture::Flux2Klein | Architecture::LongCat
                ) =>
            {
                flux(a, tensors).map(Self::Flux)
            }
            Architecture::Sd3 => sd3(tensors).map(Self::Sd3),
            Architecture::QwenImage => qwen_image(tensors).map(Self::QwenImage),
            Architecture::ZImage => z_image(tensors).map(Self::Single),
            Architecture::ErnieImage => ernie_image(tensors).map(Self::Single),
            _ => None,
        };
        known.unwrap_or_else(|| {
            let video = architecture == Architecture::Ltx2;
            let looks = if video { Looks::Video } else { Looks::Both };
            Self::Other(by_most_matrices(tensors), looks)
        })
    }

    /// The graph of one evaluation.
    pub(crate) fn graph(&self, ways: Ways, on: Evaluation) -> Graph {
        let Evaluation { pixels, frames, references, tokens, controlled } = on;
        let tokens_of = |pixels: f64| pixels / 256.0;
        let both = Tokens { picture: tokens_of(pixels + references), text: tokens };
        match self {
            Self::UNet(unet, width) => unet.graph(ways, unet_input(on, *width, controlled)),
            Self::Flux(flux) => flux.graph(ways, both),
            Self::Sd3(sd3) => sd3.graph(ways, both),
            Self::QwenImage(qwen) => qwen.graph(ways, both),
            Self::Wan(wan) => wan.graph(ways, pixels / wan.pixels_of_token() * frames, tokens),
            Self::Single(single) => {
                // Padded to whole groups of 32.
                let padded = |tokens: f64| (tokens / 32.0).ceil() * 32.0;
                let picture = tokens_of(pixels + references);
                match single.fused {
                    true => single.graph(ways, padded(picture) + padded(tokens)),
                    false => single.graph(ways, picture + tokens),
                }
            }
            Self::Other(single, Looks::Both) => {
                single.graph(ways, tokens_of(pixels * frames + references) + tokens)
            }
            Self::Other(single, Looks::Video) => single.graph(ways, pixels * frames / 1024.0),
        }
    }

    /// Whether its blocks were not looked at.
    pub(crate) fn is_rough(&self) -> bool {
        matches!(self, Self::Other(..))
    }

    /// The graph of a ControlNet for it; none for transformers, which have none.
    pub(crate) fn control_graph(&self, ways: Ways, on: Evaluation) -> Option<Graph> {
        match self {
            Self::UNet(unet, width) => {
                Some(unet.control_graph(ways, unet_input(on, *width, false), on.pixels))
            }
            _ => None,
        }
    }
}

fn unet_input(on: Evaluation, token_width: f64, controlled: bool) -> UNetInput {
    UNetInput { area: on.pixels / 64.0, tokens: on.tokens, token_width, controlled }
}

fn unet(architecture: Architecture, tensors: &Tensors<'_>) -> Option<Diffusion> {
    use Architecture as A;
    let first = |index| {
        ["input_blocks.0.0.weight", "conv_in.weight"]
            .iter()
            .find_map(|name| tensors.dimension(MODEL, name, index))
    };
    let sdxl = architecture.is_sdxl();
    let tiny = matches!(architecture, A::Sd1Tiny | A::Sd2Tiny | A::Sdxs512 | A::Sdxs09);
    let (depths, middle): (&[usize], _) = match architecture {
        A::SdxlVega => (&[0, 1, 2], Some(0)),
        A::SdxlSsd1b => (&[0, 2, 4], Some(0)),
        _ if sdxl => (&[0, 2, 10], Some(10)),
        A::Sdxs512 => (&[0, 1, 1], None),
        _ if tiny => (&[1, 1, 1], None),
        _ => (&[1, 1, 1, 0], Some(1)),
    };
    let flat = tensors.dimension(MODEL, "proj_in.weight", 2).is_none();
    let unet = UNet {
        width: first(0)?,
        inputs: first(1)?,
        multiples: if sdxl || tiny { &[1.0, 2.0, 4.0] } else { &[1.0, 2.0, 4.0, 4.0] },
        blocks: if tiny { 1 } else { 2 },
        depths,
        middle,
        heads: match architecture {
            A::Sdxs09 => UNetHeads::Sdxs09,
            a if a.is_sd1() => UNetHeads::Count(8.0),
            _ => UNetHeads::Width(64.0),
        },
        linear: flat,
    };
    let token_width = match architecture {
        _ if sdxl => 2048.0,
        a if a.is_sd2() => 1024.0,
        _ => 768.0,
    };
    Some(Diffusion::UNet(unet, token_width))
}

fn flux(architecture: Architecture, tensors: &Tensors<'_>) -> Option<Flux> {
    use Architecture as A;
    let dimension = |end: &str, index| tensors.dimension(MODEL, end, index);
    let width = dimension("txt_in.weight", 0)?;
    let head = dimension("img_attn.norm.key_norm.scale", 0)
        .or_else(|| dimension("norm.key_norm.scale", 0))
        .unwrap_or(128.0);
    let second = matches!(architecture, A::Flux2 | A::Flux2Klein);
    let ovis = architecture == A::OvisImage;
    let hidden = dimension("double_blocks.0.img_mlp.0.weight", 0)
        .map(|made| if second { made / 2.0 } else { made })
        .or_else(|| dimension("double_blocks.0.img_mlp.gate_proj.weight", 0))
        .unwrap_or(4.0 * width);
    let inputs = match architecture {
        A::FluxFill => 384.0,
        A::FluxControl => 128.0,
        A::Flex2 => 196.0,
        A::ChromaRadiance => 768.0,
        _ if second => 128.0,
        _ => 64.0,
    };
    Some(Flux {
        block: Block { width, heads: (width / head).max(1.0), hidden },
        double: tensors.blocks(MODEL, "double_blocks."),
        single: tensors.blocks(MODEL, "single_blocks."),
        mlp: if second {
            Mlp::Halves
        } else if ovis {
            Mlp::Gated
        } else {
            Mlp::Plain
        },
        gated: second || ovis,
        inputs: [inputs, dimension("txt_in.weight", 1)?],
        distilled: dimension("distilled_guidance_layer.in_proj.weight", 0),
        pixel: (architecture == A::ChromaRadiance).then_some(64.0),
    })
}

fn sd3(tensors: &Tensors<'_>) -> Option<Sd3> {
    let dimension = |end: &str, index| tensors.dimension(MODEL, end, index);
    let width = dimension("x_embedder.proj.weight", 0)?;
    let depth = tensors.blocks(MODEL, "joint_blocks.");
    Some(Sd3 {
        block: Block { width, heads: (depth as f64).max(1.0), hidden: 4.0 * width },
        depth,
        twice: tensors.blocks_with(MODEL, "joint_blocks.", ".x_block.attn2."),
        normed: tensors.has(MODEL, ".attn.ln_q."),
        context: dimension("context_embedder.weight", 1)?,
        table: dimension("pos_embed", 1).map_or(192.0, f64::sqrt),
    })
}

fn qwen_image(tensors: &Tensors<'_>) -> Option<QwenImage> {
    let width = tensors.dimension(MODEL, "img_in.weight", 0)?;
    Some(QwenImage {
        block: Block { width, heads: width / 128.0, hidden: 4.0 * width },
        depth: tensors.blocks(MODEL, "transformer_blocks."),
        context: tensors.dimension(MODEL, "txt_in.weight", 1)?,
    })
}

fn z_image(tensors: &Tensors<'_>) -> Option<SingleStream> {
    let dimension = |end: &str, index| tensors.dimension(MODEL, end, index);
    let width = dimension("cap_embedder.1.weight", 0)?;
    let head = dimension("layers.0.attention.q_norm.weight", 0).unwrap_or(128.0);
    let made = dimension("layers.0.attention.qkv.weight", 0).unwrap_or(3.0 * width);
    Some(SingleStream {
        block: Block {
            width,
            heads: (width / head).max(1.0),
            hidden: dimension("layers.0.feed_forward.w1.weight", 0)?,
        },
        keys: (made - width) / 2.0,
        depth: tensors.blocks(MODEL, "layers."),
        fused: true,
    })
}

fn ernie_image(tensors: &Tensors<'_>) -> Option<SingleStream> {
    let width = tensors.dimension(MODEL, "x_embedder.proj.weight", 0)?;
    let hidden = tensors.dimension(MODEL, "layers.0.mlp.gate_proj.weight", 0)?;
    Some(SingleStream {
        block: Block { width, heads: (width / 128.0).max(1.0), hidden },
        keys: width,
        depth: tensors.blocks(MODEL, "layers."),
        fused: false,
    })
}

fn wan(architecture: Architecture, tensors: &Tensors<'_>) -> Option<Wan> {
    let width = tensors.dimension(MODEL, "patch_embedding.bias", 0)?;
    let second = architecture == Architecture::Wan22Ti2v;
    let sees = tensors.has(MODEL, "img_emb.");
    let channels = match architecture {
        _ if second => 48.0,
        Architecture::WanT2v | Architecture::WanVace => 16.0,
        _ => 36.0,
    };
    Some(Wan {
        block: Block {
            width,
            heads: (width / 128.0).max(1.0),
            hidden: tensors.dimension(MODEL, "blocks.0.ffn.0.weight", 0)?,
        },
        channels,
        latent: if second { 48.0 } else { 16.0 },
        depth: tensors.blocks(MODEL, "blocks."),
        vace: tensors.blocks(MODEL, "vace_blocks."),
        sees,
    })
}

fn by_most_matrices(tensors: &Tensors<'_>) -> SingleStream {
    let (width, hidden) = tensors.widths(MODEL).unwrap_or((3072.0, 12288.0));
    SingleStream {
        block: Block {
            width,
            heads: (width / 128.0).max(1.0),
            // Layers that make modulations are wider, and have one token.
            hidden: hidden.min(4.0 * width),
        },
        keys: width,
        depth: 2,
        fused: true,
    }
}
