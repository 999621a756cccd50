//! The text encoders: CLIP (`clip.hpp`), T5 (`t5.hpp`), language models (`llm.hpp`); and CLIP's
//! picture encoder.

use super::{
    Graph, Tensor,
    layers::{Heads, Ways},
    transformer::{Block, ENOUGH, Mlp},
};

/// CLIP, of words or of pictures.
pub(crate) fn clip(ways: Ways, block: Block, depth: usize, tokens: f64) -> Graph {
    let Block { width, .. } = block;
    let mut graph = Graph::default();
    let g = &mut graph;
    let mask = g.input(tokens * tokens);
    let mut x = g.f32(tokens * width, []);
    for _ in 0..depth.min(ENOUGH) {
        let normed = g.norm(x);
        let qkv = [(); 3].map(|()| g.linear(normed, tokens, width));
        let h = g.attention(ways, block.over(tokens), qkv);
        let h = g.linear(h, tokens, width);
        x = g.by_element([x, h]);
        let normed = g.norm(x);
        let h = g.mlp(normed, tokens, block, Mlp::Plain);
        x = g.by_element([x, h]);
    }
    let out = g.norm(x);
    let out = g.add_small(out, mask);
    g.output(out);
    graph
}

/// T5.
pub(crate) fn t5(ways: Ways, block: Block, depth: usize, tokens: f64) -> Graph {
    let Block { width, heads, .. } = block;
    let mut graph = Graph::default();
    let g = &mut graph;
    let mut x = g.f32(tokens * width, []);
    // A bias for each head and each two tokens; of umT5 in each layer.
    let bias = g.f32(tokens * tokens * heads, []);
    let bias = g.copy(bias);
    for _ in 0..depth.min(ENOUGH) {
        let normed = g.rms_norm(x);
        let qkv = [(); 3].map(|()| g.bare_linear(normed, tokens, width));
        let h = g.attention(ways, block.over(tokens), qkv);
        let h = g.bare_linear(h, tokens, width);
        let h = g.add_small(h, bias);
        x = g.in_place_of([h, x]);
        let normed = g.rms_norm(x);
        let h = g.mlp(normed, tokens, block, Mlp::Gated);
        x = g.in_place_of([h, x]);
    }
    g.output(x);
    graph
}

/// A language model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Llm {
    pub(crate) block: Block,
    /// Width of the heads of queries together, and of keys.
    pub(crate) heads: [f64; 2],
    /// Blocks.
    pub(crate) depth: usize,
    /// Which of the layers' outputs are kept, and put side by side.
    pub(crate) kept: Kept,
}

/// Outputs of layers that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The last one.
    Last,
    /// So many of them.
    Some(usize),
    /// What goes into the first, and all that comes out.
    All,
}

impl Llm {
    /// The graph for so many tokens.
    pub(crate) fn graph(&self, tokens: f64) -> Graph {
        // Flash attention is not used here.
        let ways = Ways::default();
        let Block { width, heads, .. } = self.block;
        let [queries, keys] = self.heads;
        let mut graph = Graph::default();
        let g = &mut graph;
        let mask = g.input(tokens * tokens);
        let mut x = g.f32(tokens * width, []);
        let mut kept: Vec<Tensor> = Vec::new();
        let (depth, most) = match self.kept {
            Kept::Last => (self.depth.min(ENOUGH), 0),
            Kept::Some(count) => (self.depth.min(count.max(ENOUGH)), count),
            Kept::All => (self.depth, self.depth),
        };
        if self.kept == Kept::All {
            kept.push(x);
        }
        for _ in 0..depth {
            let normed = g.rms_norm(x);
            let q = g.bare_linear(normed, tokens, queries);
            let q = g.by_element([q]);
            let q = g.copy(q);
            let [k, v] = [(); 2].map(|()| g.bare_linear(normed, tokens, keys));
            let k = g.by_element([k]);
            let k = g.copy(k);
            let all = Heads { queries: tokens, keys: tokens, width: queries, count: heads };
            let h = g.attention_of_heads(ways, all, [q, k, v]);
            let h = g.bare_linear(h, tokens, width);
            x = g.in_place_of([h, x]);
            let normed = g.rms_norm(x);
            let h = g.mlp(normed, tokens, self.block, Mlp::Gated);
            x = g.in_place_of([h, x]);
            if self.kept != Kept::Last {
                x = g.copy(x);
            }
            if kept.len() < most {
                kept.push(x);
            }
        }
        if self.kept != Kept::Some(kept.len()) {
            let last = g.rms_norm(x);
            kept.push(last);
        }
        let mut kept = kept.into_iter();
        let mut out = kept.next().unwrap_or(x);
        for (count, state) in (2..).zip(kept) {
            out = g.f32(f64::from(count) * tokens * width, [out, state]);
        }
        let out = g.add_small(out, mask);
        g.output(out);
        graph
    }
}
