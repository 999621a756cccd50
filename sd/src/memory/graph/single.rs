//! Transformers with one stream for everything: Z-Image (`z_image.hpp`), ERNIE-Image
//! (`ernie_image.hpp`), Wan (`wan.hpp`), and those of which only the sizes are looked at.

use super::{
    Graph, Tensor,
    layers::{Heads, Ways},
    transformer::{Block, ENOUGH, Mlp},
};

/// One stream of picture and text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SingleStream {
    pub(crate) block: Block,
    /// Width of the heads of keys and values together; fewer than of queries in some models.
    pub(crate) keys: f64,
    /// Blocks.
    pub(crate) depth: usize,
    /// Whether one layer makes queries, keys and values.
    pub(crate) fused: bool,
}

impl SingleStream {
    /// The graph of one evaluation for so many tokens.
    pub(crate) fn graph(&self, ways: Ways, tokens: f64) -> Graph {
        let Block { width, heads, .. } = self.block;
        let mut graph = Graph::default();
        let g = &mut graph;
        let input = g.input(tokens * 64.0);
        let positions = g.positions(tokens, width / heads);
        let mut x = g.linear(input, tokens, width);
        for _ in 0..self.depth.min(ENOUGH) {
            x = self.apply(g, ways, x, tokens, positions);
        }
        let out = g.bare_norm(x);
        let out = g.modulated(out);
        let out = g.linear(out, tokens, 64.0);
        g.output(out);
        graph
    }

    fn apply(
        &self,
        g: &mut Graph,
        ways: Ways,
        x: Tensor,
        tokens: f64,
        positions: Tensor,
    ) -> Tensor {
        let width = self.block.width;
        let normed = g.rms_norm(x);
        let normed = g.modulated(normed);
        let [queries, keys] = [tokens * width, tokens * self.keys];
        let (qkv, mlp) = if self.fused {
            let all = g.bare_linear(normed, tokens, width + 2.0 * self.keys);
            let [q, k, v] = [queries, keys, keys].map(|elements| g.part(all, elements));
            ([g.f32(queries, [q]), g.f32(keys, [k]), v], Mlp::Glu)
        } else {
            ([queries, keys, keys].map(|elements| g.f32(elements, [normed])), Mlp::Gated)
        };
        let out = g.turned_attention(ways, self.block.over(tokens), qkv, positions);
        let branch = g.bare_linear(out, tokens, width);
        let x = g.gated_sum(x, branch);
        let normed = g.rms_norm(x);
        let normed = g.modulated(normed);
        let branch = g.mlp(normed, tokens, self.block, mlp);
        g.gated_sum(x, branch)
    }
}

/// Wan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wan {
    pub(crate) block: Block,
    /// Channels of the latent video that it sees.
    pub(crate) channels: f64,
    /// Channels of the latent video that it makes.
    pub(crate) latent: f64,
    /// Blocks.
    pub(crate) depth: usize,
    /// Blocks that follow a control video (VACE).
    pub(crate) vace: usize,
    /// Whether it sees a picture's description by CLIP.
    pub(crate) sees: bool,
}

impl Wan {
    /// Pixels of the video to a token of a latent frame.
    pub(crate) fn pixels_of_token(&self) -> f64 {
        // Four latent pixels, each of 8×8 or 16×16.
        if self.latent > 16.0 { 1024.0 } else { 256.0 }
    }

    /// The graph of one evaluation for so many tokens of video, and of text.
    pub(crate) fn graph(&self, ways: Ways, tokens: f64, words: f64) -> Graph {
        const TEXT_WIDTH: f64 = 4096.0;
        const PICTURE: f64 = 257.0;
        /// Pixels of a token.
        const PATCH: f64 = 4.0;
        let Block { width, heads, .. } = self.block;
        let mut graph = Graph::default();
        let g = &mut graph;
        let video = g.input(tokens * PATCH * self.channels);
        let text = g.input(words * TEXT_WIDTH);
        let positions = g.positions(tokens, width / heads);
        let control = (self.vace > 0).then(|| g.input(tokens * PATCH * 96.0)).map(|control| {
            let control = g.conv(ways_of_3d(), control, PATCH, tokens, [96.0, width]);
            g.copy(control)
        });
        let x = g.conv(ways_of_3d(), video, PATCH, tokens, [self.channels, width]);
        let mut x = g.copy(x);
        let first = x;
        let mut c = control;
        let context = g.linear(text, words, width);
        let context = g.by_element([context]);
        let mut context = g.linear(context, words, width);
        if self.sees {
            let picture = g.input(PICTURE * 1280.0);
            let picture = g.linear(picture, PICTURE, width);
            let picture = g.norm(picture);
            context = g.f32((words + PICTURE) * width, [picture, context]);
        }
        for block in 0..self.depth.min(ENOUGH) {
            x = self.apply(g, ways, x, [tokens, words], [positions, context]);
            if let Some(before) = c.filter(|_| block < self.vace) {
                let mut after = before;
                if block == 0 {
                    after = g.linear(after, tokens, width);
                    after = g.by_element([after, first]);
                }
                after = self.apply(g, ways, after, [tokens, words], [positions, context]);
                let skip = g.linear(after, tokens, width);
                let skip = g.by_element([skip]);
                x = g.by_element([x, skip]);
                c = Some(after);
            }
        }
        let out = g.bare_norm(x);
        let out = g.modulated(out);
        let out = g.linear(out, tokens, PATCH * self.latent);
        let out = g.copy(out);
        let out = g.copy(out);
        g.output(out);
        graph
    }

    fn apply(
        &self,
        g: &mut Graph,
        ways: Ways,
        x: Tensor,
        [tokens, words]: [f64; 2],
        [positions, context]: [Tensor; 2],
    ) -> Tensor {
        let Block { width, heads, .. } = self.block;
        let y = g.bare_norm(x);
        let y = g.modulated(y);
        let [q, k, v] = [(); 3].map(|()| g.linear(y, tokens, width));
        let qkv = [g.rms_norm(q), g.rms_norm(k), v];
        let y = g.turned_attention(ways, self.block.over(tokens), qkv, positions);
        let y = g.linear(y, tokens, width);
        let x = g.gated_sum(x, y);
        let normed = g.norm(x);
        let q = g.linear(normed, tokens, width);
        let q = g.rms_norm(q);
        let [k, v] = [(); 2].map(|()| g.linear(context, words, width));
        let k = g.rms_norm(k);
        let cross = Heads { queries: tokens, keys: words, width, count: heads };
        let y = g.attention(ways, cross, [q, k, v]);
        let y = g.linear(y, tokens, width);
        let x = g.by_element([x, y]);
        let y = g.bare_norm(x);
        let y = g.modulated(y);
        let y = g.mlp(y, tokens, self.block, Mlp::Plain);
        g.gated_sum(x, y)
    }
}

/// Convolutions over time are never direct.
fn ways_of_3d() -> Ways {
    Ways::default()
}
