//! Transformers with a stream for the picture and one for the text, which meet in attention: FLUX and
//! those built on it (`flux.hpp`), SD3 (`mmdit.hpp`), Qwen-Image (`qwen_image.hpp`).

use super::{
    Graph, Tensor,
    layers::Ways,
    transformer::{Block, ENOUGH, Mlp},
};

/// Tokens of both streams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) picture: f64,
    pub(crate) text: f64,
}

impl Tokens {
    fn all(self) -> f64 {
        self.picture + self.text
    }
}

/// FLUX, or one built on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Flux {
    pub(crate) block: Block,
    /// Blocks with two streams.
    pub(crate) double: usize,
    /// Blocks with one.
    pub(crate) single: usize,
    /// The layers behind the attention of blocks with two streams.
    pub(crate) mlp: Mlp,
    /// Whether those of blocks with one stream are gated.
    pub(crate) gated: bool,
    /// Numbers of a picture's token, and of a text's.
    pub(crate) inputs: [f64; 2],
    /// Width of the network that makes Chroma's modulations.
    pub(crate) distilled: Option<f64>,
    /// Width of a pixel in the decoder that Chroma Radiance has in place of a VAE.
    pub(crate) pixel: Option<f64>,
}

impl Flux {
    /// The graph of one evaluation.
    pub(crate) fn graph(&self, ways: Ways, tokens: Tokens) -> Graph {
        let Block { width, heads, .. } = self.block;
        let mut graph = Graph::default();
        let g = &mut graph;
        let picture = g.input(tokens.picture * self.inputs[0]);
        let text = g.input(tokens.text * self.inputs[1]);
        let positions = g.positions(tokens.all(), width / heads);
        let modulations = self.distilled.map(|hidden| distilled(g, hidden, width));
        let patches = g.copy(picture);
        let patches = g.copy(patches);
        let mut img = g.linear(patches, tokens.picture, width);
        let mut txt = g.linear(text, tokens.text, width);
        if let Some(modulations) = modulations {
            // Read by every block, from the first on.
            img = g.add_small(img, modulations);
        }
        for _ in 0..self.double.min(ENOUGH) {
            [img, txt] = self.double(g, ways, tokens, [img, txt], positions);
        }
        let mut x = g.f32(tokens.all() * width, [txt, img]);
        for _ in 0..self.single.min(ENOUGH) {
            x = self.single(g, ways, tokens.all(), x, positions);
        }
        if let Some(modulations) = modulations {
            x = g.add_small(x, modulations);
        }
        let out = g.part(x, tokens.picture * width);
        let out = match self.pixel {
            Some(pixel) => nerf(g, ways, out, tokens.picture, pixel),
            None => {
                let out = g.bare_norm(out);
                let out = g.modulated(out);
                let out = g.linear(out, tokens.picture, self.inputs[0]);
                let out = g.copy(out);
                g.copy(out)
            }
        };
        g.output(out);
        graph
    }

    fn double(
        &self,
        g: &mut Graph,
        ways: Ways,
        tokens: Tokens,
        [img, txt]: [Tensor; 2],
        positions: Tensor,
    ) -> [Tensor; 2] {
        let width = self.block.width;
        let img_qkv = modulated_projections(g, img, tokens.picture, width);
        let txt_qkv = modulated_projections(g, txt, tokens.text, width);
        let joined = g.joined(txt_qkv, img_qkv);
        let out = g.turned_attention(ways, self.block.over(tokens.all()), joined, positions);
        let img_out = g.part(out, tokens.picture * width);
        let img = g.after_attention(img, &[img_out], tokens.picture, self.block, self.mlp);
        let txt_out = g.part(out, tokens.text * width);
        let txt = g.after_attention(txt, &[txt_out], tokens.text, self.block, self.mlp);
        [img, txt]
    }

    fn single(
        &self,
        g: &mut Graph,
        ways: Ways,
        tokens: f64,
        x: Tensor,
        positions: Tensor,
    ) -> Tensor {
        let Block { width, hidden, .. } = self.block;
        let behind = if self.gated { 2.0 * hidden } else { hidden };
        let normed = g.bare_norm(x);
        let normed = g.modulated(normed);
        let all = g.linear(normed, tokens, 3.0 * width + behind);
        let projected = g.projected(all, tokens * width);
        let out = g.turned_attention(ways, self.block.over(tokens), projected, positions);
        let part = g.part(all, tokens * behind);
        let h = if self.gated {
            g.gated_halves(part, tokens * hidden)
        } else {
            g.f32(tokens * hidden, [part])
        };
        let both = g.f32(tokens * (width + hidden), [out, h]);
        let out = g.linear(both, tokens, width);
        g.gated_sum(x, out)
    }
}

/// Queries, keys and values of a stream, by one layer.
fn modulated_projections(g: &mut Graph, x: Tensor, tokens: f64, width: f64) -> [Tensor; 3] {
    let x = g.bare_norm(x);
    let x = g.modulated(x);
    let all = g.linear(x, tokens, 3.0 * width);
    g.projected(all, tokens * width)
}

/// The network that makes all modulations of Chroma at once.
fn distilled(g: &mut Graph, hidden: f64, width: f64) -> Tensor {
    const MODULATIONS: f64 = 344.0;
    let input = g.input(MODULATIONS * 64.0);
    let input = g.copy(input);
    let mut x = g.linear(input, MODULATIONS, hidden);
    for _ in 0..ENOUGH {
        let normed = g.copy(x);
        let h = g.linear(normed, MODULATIONS, hidden);
        let h = g.linear(h, MODULATIONS, hidden);
        x = g.in_place_of([x, h]);
    }
    g.linear(x, MODULATIONS, width)
}

/// The decoder of Chroma Radiance: for each patch of 16×16 pixels a network of its own.
fn nerf(g: &mut Graph, ways: Ways, x: Tensor, patches: f64, pixel: f64) -> Tensor {
    const PIXELS: f64 = 256.0;
    const RATIO: f64 = 4.0;
    /// A pixel's colour and the waves that tell its place.
    const FEATURES: f64 = 67.0;
    let all = patches * PIXELS * pixel;
    let size = patches * RATIO * pixel * pixel;
    let picture = g.input(patches * PIXELS * 3.0);
    let features = g.f32(patches * PIXELS * FEATURES, [picture]);
    let mut out = g.f32(all, [features]);
    for _ in 0..ENOUGH {
        let parameters = g.linear(x, patches, 3.0 * RATIO * pixel * pixel);
        // Cut out, then transposed, then normalised.
        let [gate, value, last] = [(); 3].map(|()| {
            let part = g.part(parameters, size);
            let part = g.f32(size, [part]);
            let part = g.copy(part);
            g.copy(part)
        });
        let normed = g.copy(out);
        let gates = g.f32(RATIO * all, [gate, normed]);
        let gates = g.in_place(gates);
        let values = g.f32(RATIO * all, [value, normed]);
        let h = g.in_place_of([gates, values]);
        let h = g.f32(all, [last, h]);
        out = g.in_place_of([h, out]);
    }
    let out = g.copy(out);
    let out = g.copy(out);
    g.conv(ways, out, 9.0, patches * PIXELS, [pixel, 3.0])
}

/// SD3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sd3 {
    pub(crate) block: Block,
    /// Blocks.
    pub(crate) depth: usize,
    /// Blocks whose picture stream has an attention of its own besides.
    pub(crate) twice: usize,
    /// Whether queries and keys are normalised.
    pub(crate) normed: bool,
    /// Numbers of a text's token.
    pub(crate) context: f64,
    /// Positions of a side in the table of positions.
    pub(crate) table: f64,
}

impl Sd3 {
    /// The graph of one evaluation.
    pub(crate) fn graph(&self, ways: Ways, tokens: Tokens) -> Graph {
        let width = self.block.width;
        let mut graph = Graph::default();
        let g = &mut graph;
        let picture = g.input(tokens.picture * 64.0);
        let text = g.input(tokens.text * self.context);
        let mut img = g.conv(ways, picture, 4.0, tokens.picture, [16.0, width]);
        img = g.copy(img);
        // The rows of the table of positions that are needed, and of these the columns.
        let rows = g.f32(self.table * tokens.picture.sqrt() * width, []);
        let table = g.f32(tokens.picture * width, [rows]);
        img = g.by_element([img, table]);
        let mut txt = g.linear(text, tokens.text, width);
        for block in 0..self.depth.min(ENOUGH) {
            [img, txt] = self.joint(g, ways, tokens, [img, txt], block < self.twice);
        }
        let out = g.bare_norm(img);
        let out = g.modulated(out);
        let out = g.linear(out, tokens.picture, 64.0);
        let out = g.copy(out);
        let out = g.copy(out);
        g.output(out);
        graph
    }

    fn joint(
        &self,
        g: &mut Graph,
        ways: Ways,
        tokens: Tokens,
        [img, txt]: [Tensor; 2],
        twice: bool,
    ) -> [Tensor; 2] {
        let width = self.block.width;
        let txt_normed = g.bare_norm(txt);
        let txt_qkv = self.projections(g, txt_normed, tokens.text);
        let img_normed = g.bare_norm(img);
        let img_qkv = self.projections(g, img_normed, tokens.picture);
        let joined = g.joined(txt_qkv, img_qkv);
        let out = g.attention(ways, self.block.over(tokens.all()), joined);
        let txt_out = g.part(out, tokens.text * width);
        let txt = g.after_attention(txt, &[txt_out], tokens.text, self.block, Mlp::Plain);
        let mut outs = vec![g.part(out, tokens.picture * width)];
        if twice {
            let own = self.projections(g, img_normed, tokens.picture);
            outs.push(g.attention(ways, self.block.over(tokens.picture), own));
        }
        let img = g.after_attention(img, &outs, tokens.picture, self.block, Mlp::Plain);
        [img, txt]
    }

    fn projections(&self, g: &mut Graph, x: Tensor, tokens: f64) -> [Tensor; 3] {
        let elements = tokens * self.block.width;
        let x = g.modulated(x);
        let all = g.linear(x, tokens, 3.0 * self.block.width);
        let all = g.copy(all);
        if self.normed {
            g.projected(all, elements)
        } else {
            [(); 3].map(|()| g.part(all, elements))
        }
    }
}

/// Qwen-Image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QwenImage {
    pub(crate) block: Block,
    /// Blocks.
    pub(crate) depth: usize,
    /// Numbers of a text's token.
    pub(crate) context: f64,
}

impl QwenImage {
    /// The graph of one evaluation.
    pub(crate) fn graph(&self, ways: Ways, tokens: Tokens) -> Graph {
        const INPUTS: f64 = 64.0;
        let width = self.block.width;
        let mut graph = Graph::default();
        let g = &mut graph;
        let picture = g.input(tokens.picture * INPUTS);
        let text = g.input(tokens.text * self.context);
        let positions = g.positions(tokens.all(), width / self.block.heads);
        let patches = g.copy(picture);
        let patches = g.copy(patches);
        let mut img = g.linear(patches, tokens.picture, width);
        let normed = g.copy(text);
        let mut txt = g.linear(normed, tokens.text, width);
        for _ in 0..self.depth.min(ENOUGH) {
            let img_normed = g.bare_norm(img);
            let img_normed = g.modulated(img_normed);
            let txt_normed = g.bare_norm(txt);
            let txt_normed = g.modulated(txt_normed);
            let img_qkv = Self::projections(g, img_normed, tokens.picture * width);
            let txt_qkv = Self::projections(g, txt_normed, tokens.text * width);
            let joined = g.joined(txt_qkv, img_qkv);
            let out = g.turned_attention(ways, self.block.over(tokens.all()), joined, positions);
            let img_out = g.part(out, tokens.picture * width);
            let img_out = g.f32(tokens.picture * width, [img_out]);
            img = g.after_attention(img, &[img_out], tokens.picture, self.block, Mlp::Scaled);
            let txt_out = g.part(out, tokens.text * width);
            let txt_out = g.f32(tokens.text * width, [txt_out]);
            txt = g.after_attention(txt, &[txt_out], tokens.text, self.block, Mlp::Scaled);
        }
        let out = g.bare_norm(img);
        let out = g.modulated(out);
        let out = g.linear(out, tokens.picture, INPUTS);
        let out = g.copy(out);
        let out = g.copy(out);
        g.output(out);
        graph
    }

    /// By three layers with biases; queries and keys are normalised.
    fn projections(g: &mut Graph, x: Tensor, elements: f64) -> [Tensor; 3] {
        let [q, k, v] = [(); 3].map(|()| g.linear(x, 1.0, elements));
        [g.rms_norm(q), g.rms_norm(k), v]
    }
}
