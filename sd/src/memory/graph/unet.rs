//! The U-Nets of SD 1.x, 2.x and SDXL, and ControlNets (`unet.hpp`, `control.hpp`).

use super::{
    Graph, Tensor,
    layers::{Heads, Ways},
};

/// The sizes of a U-Net.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UNet {
    /// Channels of the first level.
    pub(crate) width: f64,
    /// Channels of the input.
    pub(crate) inputs: f64,
    /// Channels of each level, in multiples of `width`.
    pub(crate) multiples: &'static [f64],
    /// Blocks to a level.
    pub(crate) blocks: usize,
    /// Transformer blocks in each attention layer of a level; 0 for levels without.
    pub(crate) depths: &'static [usize],
    /// Transformer blocks in the middle; none for a U-Net that has no middle.
    pub(crate) middle: Option<usize>,
    /// Attention heads: a number, or the width of each.
    pub(crate) heads: UNetHeads,
    /// Whether the layers around attention are linear, not convolutions.
    pub(crate) linear: bool,
}

/// How channels are divided into heads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum UNetHeads {
    Count(f64),
    Width(f64),
    /// One head on the first level, others by 64.
    Sdxs09,
}

/// What it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UNetInput {
    /// Pixels of the latent picture.
    pub(crate) area: f64,
    /// Tokens of the prompt.
    pub(crate) tokens: f64,
    /// Width of a token.
    pub(crate) token_width: f64,
    /// Whether a ControlNet's outputs are added.
    pub(crate) controlled: bool,
}

struct Builder<'a> {
    graph: Graph,
    unet: &'a UNet,
    ways: Ways,
    input: UNetInput,
    context: Tensor,
}

impl UNet {
    /// The graph of one evaluation.
    pub(crate) fn graph(&self, ways: Ways, input: UNetInput) -> Graph {
        let mut graph = Graph::default();
        let latent = graph.input(input.area * self.inputs);
        let context = graph.input(input.tokens * input.token_width);
        let mut builder = Builder { graph, unet: self, ways, input, context };
        let (x, skips) = builder.down(latent, None);
        let out = builder.up(x, skips);
        builder.graph.output(out);
        builder.graph
    }

    /// The graph of a ControlNet of these sizes, which sees a picture of `pixels`.
    pub(crate) fn control_graph(&self, ways: Ways, input: UNetInput, pixels: f64) -> Graph {
        let mut graph = Graph::default();
        let latent = graph.input(input.area * self.inputs);
        let context = graph.input(input.tokens * input.token_width);
        let mut hint = graph.input(pixels * 3.0);
        // Sizes and channels of the layers that bring the picture to the latent's size.
        let layers = [
            (1.0, 3.0, 16.0),
            (1.0, 16.0, 16.0),
            (4.0, 16.0, 32.0),
            (4.0, 32.0, 32.0),
            (16.0, 32.0, 96.0),
            (16.0, 96.0, 96.0),
            (64.0, 96.0, 256.0),
            (64.0, 256.0, self.width),
        ];
        for (smaller, inputs, outputs) in layers {
            hint = graph.conv(ways, hint, 9.0, pixels / smaller, [inputs, outputs]);
        }
        let mut builder = Builder { graph, unet: self, ways, input, context };
        let (x, skips) = builder.down(latent, Some(hint));
        for (skip, area, width) in skips.into_iter().chain([x]) {
            let out = builder.graph.conv(ways, skip, 1.0, area, [width, width]);
            builder.graph.output(out);
        }
        builder.graph
    }

    fn depth(&self, level: usize) -> usize {
        self.depths.get(level).copied().unwrap_or(0)
    }
}

/// A picture of some channels: the tensor, its pixels, its channels.
type Features = (Tensor, f64, f64);

impl Builder<'_> {
    /// The half that goes down, and the middle; with what is kept for the other half.
    fn down(&mut self, latent: Tensor, hint: Option<Tensor>) -> (Features, Vec<Features>) {
        let unet = self.unet;
        let (mut area, mut width) = (self.input.area, unet.width);
        let mut x = self.graph.conv(self.ways, latent, 9.0, area, [unet.inputs, width]);
        if let Some(hint) = hint {
            x = self.graph.by_element([x, hint]);
        }
        let mut skips = vec![(x, area, width)];
        for (level, multiple) in unet.multiples.iter().enumerate() {
            for _ in 0..unet.blocks {
                x = self.residual(x, area, [width, unet.width * multiple]);
                width = unet.width * multiple;
                x = self.transformer(x, area, width, unet.depth(level));
                skips.push((x, area, width));
            }
            if level + 1 < unet.multiples.len() {
                area /= 4.0;
                x = self.graph.conv(self.ways, x, 9.0, area, [width, width]);
                skips.push((x, area, width));
            }
        }
        if let Some(depth) = unet.middle {
            x = self.residual(x, area, [width, width]);
            if depth > 0 {
                x = self.transformer(x, area, width, depth);
                x = self.residual(x, area, [width, width]);
            }
        }
        ((x, area, width), skips)
    }

    fn up(&mut self, (mut x, mut area, mut width): Features, mut skips: Vec<Features>) -> Tensor {
        let unet = self.unet;
        if self.input.controlled {
            x = self.with_control(x, area, width);
        }
        for (level, multiple) in unet.multiples.iter().enumerate().rev() {
            for block in 0..=unet.blocks {
                if let Some((mut skip, skip_area, skip_width)) = skips.pop() {
                    if self.input.controlled {
                        skip = self.with_control(skip, skip_area, skip_width);
                    }
                    x = self.graph.f32(area * (width + skip_width), [x, skip]);
                    width += skip_width;
                }
                x = self.residual(x, area, [width, unet.width * multiple]);
                width = unet.width * multiple;
                x = self.transformer(x, area, width, unet.depth(level));
                if level > 0 && block == unet.blocks {
                    area *= 4.0;
                    x = self.graph.f32(area * width, [x]);
                    x = self.graph.conv(self.ways, x, 9.0, area, [width, width]);
                }
            }
        }
        let x = self.graph.norm(x);
        self.graph.conv(self.ways, x, 9.0, area, [width, 4.0])
    }

    /// Adds what the ControlNet made for this place.
    fn with_control(&mut self, x: Tensor, area: f64, width: f64) -> Tensor {
        let control = self.graph.input(area * width);
        let control = self.graph.by_element([control]);
        self.graph.by_element([x, control])
    }

    fn residual(&mut self, x: Tensor, area: f64, [inputs, outputs]: [f64; 2]) -> Tensor {
        let (graph, ways) = (&mut self.graph, self.ways);
        let mut h = graph.norm(x);
        h = graph.conv(ways, h, 9.0, area, [inputs, outputs]);
        // The time is added.
        h = graph.by_element([h]);
        h = graph.norm(h);
        h = graph.conv(ways, h, 9.0, area, [outputs, outputs]);
        let x =
            if inputs == outputs { x } else { graph.conv(ways, x, 1.0, area, [inputs, outputs]) };
        graph.by_element([h, x])
    }

    /// An attention layer (`SpatialTransformer`).
    fn transformer(&mut self, x: Tensor, tokens: f64, width: f64, depth: usize) -> Tensor {
        if depth == 0 {
            return x;
        }
        let linear = self.unet.linear;
        let mut h = self.graph.norm(x);
        if linear {
            h = self.graph.copy(h);
            h = self.graph.linear(h, tokens, width);
        } else {
            h = self.graph.conv(self.ways, h, 1.0, tokens, [width, width]);
            h = self.graph.copy(h);
        }
        for _ in 0..depth {
            h = self.transformer_block(h, tokens, width);
        }
        if linear {
            h = self.graph.linear(h, tokens, width);
            h = self.graph.copy(h);
        } else {
            h = self.graph.copy(h);
            h = self.graph.conv(self.ways, h, 1.0, tokens, [width, width]);
        }
        self.graph.by_element([h, x])
    }

    fn transformer_block(&mut self, x: Tensor, tokens: f64, width: f64) -> Tensor {
        let context = self.context;
        let normed = self.graph.norm(x);
        let own = self.attention(normed, normed, width, [tokens, tokens]);
        let x = self.graph.by_element([own, x]);
        let normed = self.graph.norm(x);
        let cross = self.attention(normed, context, width, [tokens, self.input.tokens]);
        let x = self.graph.by_element([cross, x]);
        let normed = self.graph.norm(x);
        // GEGLU: the layer makes values and gates.
        let both = self.graph.linear(normed, tokens, 8.0 * width);
        let value = self.graph.part(both, tokens * 4.0 * width);
        let gate = self.graph.part(both, tokens * 4.0 * width);
        let gate = self.graph.f32(tokens * 4.0 * width, [gate]);
        let gate = self.graph.in_place(gate);
        let gated = self.graph.by_element([value, gate]);
        let out = self.graph.linear(gated, tokens, width);
        self.graph.by_element([out, x])
    }

    fn attention(
        &mut self,
        x: Tensor,
        context: Tensor,
        width: f64,
        [queries, keys]: [f64; 2],
    ) -> Tensor {
        let count = match self.unet.heads {
            UNetHeads::Count(count) => count,
            UNetHeads::Width(each) => width / each,
            UNetHeads::Sdxs09 if width == 320.0 => 1.0,
            UNetHeads::Sdxs09 => width / 64.0,
        };
        let graph = &mut self.graph;
        let q = graph.f32(queries * width, [x]);
        let k = graph.f32(keys * width, [context]);
        let v = graph.f32(keys * width, [context]);
        let heads = Heads { queries, keys, width, count };
        let out = graph.attention(self.ways, heads, [q, k, v]);
        graph.linear(out, queries, width)
    }
}
