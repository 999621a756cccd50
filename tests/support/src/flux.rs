//! FLUX and the families built like it.

use crate::tensor::Layout;
use std::io;

/// Values per attention head, fixed by the RoPE axes.
const HEAD: usize = 128;
/// Width of the embedding of a timestep.
const TIME: usize = 256;
/// Width of the pooled prompt of CLIP-L.
const POOLED: usize = 768;
/// Width of the text encoder T5.
const T5: usize = 4096;
/// Single blocks by which the engine knows FLUX.2 from FLUX.2 klein.
const FLUX2_BLOCKS: usize = 48;
/// Inner width of Chroma's approximation of the modulations, and its layers: fixed.
const APPROXIMATOR: (usize, usize) = (5120, 5);

/// Which of the families built like FLUX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FluxKind {
    /// FLUX.1 and FLUX.1 Kontext, which are the same model to the engine.
    Flux,
    /// FLUX.1 Fill: repaints what a mask shows.
    Fill,
    /// FLUX.1 Canny and Depth: a control picture in further input channels.
    Control,
    /// Flex.2: a mask and a control picture.
    Flex2,
    /// Chroma: without CLIP-L, the modulations approximated by a network of fixed size.
    Chroma,
    /// Chroma Radiance: draws pixels, without an autoencoder.
    ChromaRadiance,
    /// Ovis-Image, with a Qwen3 text encoder of this width.
    Ovis {
        /// Width of the text encoder.
        text: usize,
    },
    /// LongCat-Image, with the Qwen2.5-VL text encoder of Qwen-Image.
    LongCat,
    /// FLUX.2, with a Mistral text encoder of this width, of which it takes three layers. The
    /// engine knows it from klein by having 48 single blocks.
    Flux2 {
        /// Width of the text encoder.
        text: usize,
    },
    /// FLUX.2 klein, with a Qwen3 text encoder of this width, of which it takes three layers.
    Flux2Klein {
        /// Width of the text encoder.
        text: usize,
    },
}

/// The sizes of a FLUX model without text encoders; the engine infers all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flux {
    /// Which family.
    pub kind: FluxKind,
    /// Width of the transformer, a multiple of 128.
    pub hidden: usize,
    /// Blocks which treat text and picture apart.
    pub double_blocks: usize,
    /// Blocks which treat text and picture as one.
    pub single_blocks: usize,
    /// Whether the model takes the distilled guidance (FLUX.1 dev does, schnell does not).
    pub guidance: bool,
}

impl Default for Flux {
    fn default() -> Self {
        Self::of(FluxKind::Flux)
    }
}

impl Flux {
    /// The smallest model of a family.
    pub fn of(kind: FluxKind) -> Self {
        let flux2 = matches!(kind, FluxKind::Flux2 { .. });
        let flux1 =
            matches!(kind, FluxKind::Flux | FluxKind::Fill | FluxKind::Control | FluxKind::Flex2);
        let single_blocks = if flux2 { FLUX2_BLOCKS } else { 1 };
        Self { kind, hidden: 256, double_blocks: 1, single_blocks, guidance: flux1 || flux2 }
    }

    pub(crate) fn stem(&self) -> String {
        let Self { kind, hidden, double_blocks, single_blocks, guidance } = self;
        let kind = match kind {
            FluxKind::Flux => "flux".to_owned(),
            FluxKind::Fill => "flux-fill".to_owned(),
            FluxKind::Control => "flux-control".to_owned(),
            FluxKind::Flex2 => "flex2".to_owned(),
            FluxKind::Chroma => "chroma".to_owned(),
            FluxKind::ChromaRadiance => "chroma-radiance".to_owned(),
            FluxKind::Ovis { text } => format!("ovis-te{text}"),
            FluxKind::LongCat => "longcat".to_owned(),
            FluxKind::Flux2 { text } => format!("flux2-te{text}"),
            FluxKind::Flux2Klein { text } => format!("flux2-klein-te{text}"),
        };
        let guidance = if *guidance { "-guidance" } else { "" };
        format!("{kind}-{hidden}x{double_blocks}x{single_blocks}{guidance}")
    }

    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let Self { hidden, double_blocks, single_blocks, .. } = *self;
        if hidden == 0 || !hidden.is_multiple_of(HEAD) {
            return Err(crate::invalid(format!("hidden {hidden} is not a multiple of {HEAD}")));
        }
        // Without a double block the engine does not know the family.
        if double_blocks == 0 || single_blocks == 0 {
            return Err(crate::invalid("a FLUX model needs blocks of both kinds"));
        }
        let large = matches!(self.kind, FluxKind::Flux2 { .. });
        if self.is_flux2() && large != (single_blocks >= FLUX2_BLOCKS) {
            return Err(crate::invalid("FLUX.2 has 48 single blocks at least, klein has fewer"));
        }
        let mut layout = Layout::default();
        layout.scope("model.diffusion_model", |l| self.transformer(l));
        Ok(layout)
    }

    fn is_chroma(&self) -> bool {
        matches!(self.kind, FluxKind::Chroma | FluxKind::ChromaRadiance)
    }

    fn is_flux2(&self) -> bool {
        matches!(self.kind, FluxKind::Flux2 { .. } | FluxKind::Flux2Klein { .. })
    }

    /// Whether each block has modulations of its own.
    fn has_modulations(&self) -> bool {
        !self.is_chroma() && !self.is_flux2()
    }

    fn has_gated_mlp(&self) -> bool {
        matches!(self.kind, FluxKind::Ovis { .. })
    }

    /// Width of the text encoder's output.
    fn context(&self) -> usize {
        match self.kind {
            FluxKind::Ovis { text } => text,
            FluxKind::LongCat => crate::llm::QWEN2_5_VL_WIDTH,
            FluxKind::Flux2 { text } | FluxKind::Flux2Klein { text } => 3 * text,
            _ => T5,
        }
    }

    fn linear(&self, l: &mut Layout, name: &str, inputs: usize, outputs: usize) {
        if self.is_flux2() {
            l.linear_no_bias(name, inputs, outputs);
        } else {
            l.linear(name, inputs, outputs);
        }
    }

    fn transformer(&self, l: &mut Layout) {
        let hidden = self.hidden;
        match self.kind {
            FluxKind::ChromaRadiance => {
                l.conv("img_in_patch", 3, hidden, 16);
            }
            kind => {
                let channels = match kind {
                    FluxKind::Fill => 384,
                    FluxKind::Control => 128,
                    FluxKind::Flux2 { .. } | FluxKind::Flux2Klein { .. } => 128,
                    FluxKind::Flex2 => 196,
                    _ => 64,
                };
                self.linear(l, "img_in", channels, hidden);
            }
        }
        self.linear(l, "txt_in", self.context(), hidden);
        if self.is_chroma() {
            l.scope("distilled_guidance_layer", |l| approximator(l, hidden));
        } else {
            self.embedder(l, "time_in", TIME);
            if self.guidance {
                self.embedder(l, "guidance_in", TIME);
            }
        }
        match self.kind {
            FluxKind::Flux | FluxKind::Fill | FluxKind::Control | FluxKind::Flex2 => {
                self.embedder(l, "vector_in", POOLED);
            }
            FluxKind::Ovis { text } => {
                l.ones("txt_norm.scale", &[text]);
            }
            FluxKind::Flux2 { .. } | FluxKind::Flux2Klein { .. } => {
                self.linear(l, "double_stream_modulation_img.lin", hidden, 6 * hidden);
                self.linear(l, "double_stream_modulation_txt.lin", hidden, 6 * hidden);
                self.linear(l, "single_stream_modulation.lin", hidden, 3 * hidden);
            }
            _ => {}
        }
        for i in 0..self.double_blocks {
            l.scope(format_args!("double_blocks.{i}"), |l| {
                self.stream(l, "img");
                self.stream(l, "txt");
            });
        }
        for i in 0..self.single_blocks {
            l.scope(format_args!("single_blocks.{i}"), |l| self.single_block(l));
        }
        if self.kind == FluxKind::ChromaRadiance {
            radiance(l, hidden);
        } else {
            let channels = if self.is_flux2() { 128 } else { 64 };
            self.linear(l, "final_layer.linear", hidden, channels);
            if !self.is_chroma() {
                self.linear(l, "final_layer.adaLN_modulation.1", hidden, 2 * hidden);
            }
        }
    }

    fn embedder(&self, l: &mut Layout, name: &str, inputs: usize) {
        l.scope(name, |l| {
            self.linear(l, "in_layer", inputs, self.hidden);
            self.linear(l, "out_layer", self.hidden, self.hidden);
        });
    }

    /// Inner width of the feed-forward layers.
    fn inner(&self) -> usize {
        self.hidden * if self.is_flux2() { 3 } else { 4 }
    }

    /// Half of a double block: what concerns the picture, or the text.
    fn stream(&self, l: &mut Layout, name: &str) {
        let (hidden, inner) = (self.hidden, self.inner());
        if self.has_modulations() {
            l.linear(format_args!("{name}_mod.lin"), hidden, 6 * hidden);
        }
        l.scope(format_args!("{name}_attn"), |l| {
            self.linear(l, "qkv", hidden, 3 * hidden);
            self.linear(l, "proj", hidden, hidden);
            qk_norm(l);
        });
        l.scope(format_args!("{name}_mlp"), |l| {
            if self.has_gated_mlp() {
                l.linear("gate_proj", hidden, inner);
                l.linear("up_proj", hidden, inner);
                l.linear("down_proj", inner, hidden);
            } else {
                let gates = if self.is_flux2() { 2 } else { 1 };
                self.linear(l, "0", hidden, inner * gates);
                self.linear(l, "2", inner, hidden);
            }
        });
    }

    fn single_block(&self, l: &mut Layout) {
        let (hidden, inner) = (self.hidden, self.inner());
        let gates = if self.is_flux2() || self.has_gated_mlp() { 2 } else { 1 };
        self.linear(l, "linear1", hidden, 3 * hidden + inner * gates);
        self.linear(l, "linear2", hidden + inner, hidden);
        qk_norm(l);
        if self.has_modulations() {
            l.linear("modulation.lin", hidden, 3 * hidden);
        }
    }
}

fn qk_norm(l: &mut Layout) {
    l.ones("norm.query_norm.scale", &[HEAD]);
    l.ones("norm.key_norm.scale", &[HEAD]);
}

/// Chroma's network which computes all modulations.
fn approximator(l: &mut Layout, hidden: usize) {
    let (inner, layers) = APPROXIMATOR;
    l.linear("in_proj", 64, inner);
    for i in 0..layers {
        l.ones(format_args!("norms.{i}.scale"), &[inner]);
        l.linear(format_args!("layers.{i}.in_layer"), inner, inner);
        l.linear(format_args!("layers.{i}.out_layer"), inner, inner);
    }
    l.linear("out_proj", inner, hidden);
}

/// The part of Chroma Radiance which turns features into pixels: sizes fixed.
fn radiance(l: &mut Layout, hidden: usize) {
    let (width, ratio) = (64, 4);
    l.linear("nerf_image_embedder.embedder.0", 3 + 64, width);
    for i in 0..4 {
        l.linear(
            format_args!("nerf_blocks.{i}.param_generator"),
            hidden,
            3 * width * width * ratio,
        );
        l.ones(format_args!("nerf_blocks.{i}.norm.scale"), &[width]);
    }
    l.ones("nerf_final_layer_conv.norm.scale", &[width]);
    l.conv("nerf_final_layer_conv.conv", width, 3, 3).scaled_by(0.5);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_sizes_the_engine_does_not_load() {
        let sizes = |hidden, double_blocks| Flux { hidden, double_blocks, ..Flux::default() };
        assert!(sizes(128, 1).layout().is_ok());
        for (hidden, double_blocks) in [(0, 1), (192, 1), (256, 0)] {
            assert!(sizes(hidden, double_blocks).layout().is_err(), "{hidden}");
        }
    }

    #[test]
    fn families_differ_in_their_tensors() {
        let has = |kind, name: &str| {
            let layout = Flux::of(kind).layout().unwrap();
            let full = format!("model.diffusion_model.{name}");
            layout.tensors().iter().find(|t| t.name == full).map(|t| t.shape.clone())
        };
        assert_eq!(has(FluxKind::Flux, "img_in.weight"), Some(vec![256, 64]));
        assert_eq!(has(FluxKind::Fill, "img_in.weight"), Some(vec![256, 384]));
        assert_eq!(has(FluxKind::Flux, "guidance_in.in_layer.weight"), Some(vec![256, 256]));
        assert_eq!(has(FluxKind::Chroma, "guidance_in.in_layer.weight"), None);
        assert_eq!(has(FluxKind::Chroma, "double_blocks.0.img_mod.lin.weight"), None);
        let klein = FluxKind::Flux2Klein { text: 32 };
        assert_eq!(has(klein, "txt_in.weight"), Some(vec![256, 96]));
        assert_eq!(has(klein, "txt_in.bias"), None);
        assert_eq!(has(FluxKind::LongCat, "txt_in.weight"), Some(vec![256, 3584]));
    }
}
