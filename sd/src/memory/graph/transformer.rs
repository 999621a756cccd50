//! What the transformers have in common (`block.hpp`, `rope.hpp`, `flux.hpp`): modulation, rotary
//! positions, and the layers behind an attention.

use super::{
    Graph, Tensor,
    layers::{Heads, Ways},
};

/// Blocks of one kind that are worked out: the next ones need the same memory again.
pub(super) const ENOUGH: usize = 3;

/// The sizes of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Block {
    /// Width of a token.
    pub(crate) width: f64,
    /// Attention heads.
    pub(crate) heads: f64,
    /// Width between the two layers behind the attention.
    pub(crate) hidden: f64,
}

impl Block {
    /// Attention of so many tokens to themselves.
    pub(super) fn over(&self, tokens: f64) -> Heads {
        Heads { queries: tokens, keys: tokens, width: self.width, count: self.heads }
    }
}

/// The layers behind an attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mlp {
    /// Two, with an activation in place between them.
    Plain,
    /// The same, the second one scaled against overflow, which takes a copy.
    Scaled,
    /// Three without biases: two side by side, of which one gates the other.
    Gated,
    /// The same by ggml's gated activation, which makes a tensor of its own.
    Glu,
    /// Two, the first making both halves.
    Halves,
}

impl Graph {
    /// Scales and shifts normalised tokens (`modulate`).
    pub(super) fn modulated(&mut self, x: Tensor) -> Tensor {
        let scaled = self.by_element([x]);
        let x = self.by_element([x, scaled]);
        self.by_element([x])
    }

    /// A norm without weights.
    pub(super) fn bare_norm(&mut self, x: Tensor) -> Tensor {
        self.copy(x)
    }

    /// A linear layer without a bias.
    pub(super) fn bare_linear(&mut self, x: Tensor, tokens: f64, outputs: f64) -> Tensor {
        self.f32(tokens * outputs, [x])
    }

    /// Adds what a branch gave, scaled by a gate.
    pub(super) fn gated_sum(&mut self, x: Tensor, branch: Tensor) -> Tensor {
        let gated = self.by_element([branch]);
        self.by_element([x, gated])
    }

    /// Adds something of another shape to all tokens.
    pub(super) fn add_small(&mut self, x: Tensor, small: Tensor) -> Tensor {
        let part = self.part(small, 1.0);
        self.by_element([x, part])
    }

    /// The table that turns so many tokens with heads of this width.
    pub(super) fn positions(&mut self, tokens: f64, head: f64) -> Tensor {
        self.input(2.0 * tokens * head)
    }

    /// Turns tokens by their positions (`Rope::apply_rope`), for which they are copied by heads, and
    /// then by halves of pairs.
    fn turned(&mut self, x: Tensor, positions: Tensor) -> Tensor {
        let elements = self.elements(x);
        let x = self.copy(x);
        let x = self.copy(x);
        let [first, second] = [(); 2].map(|()| {
            let half = self.part(x, elements / 2.0);
            self.f32(elements, [half])
        });
        let positions = self.copy(positions);
        let [first, second] = [first, second].map(|half| {
            let part = self.part(positions, 1.0);
            self.by_element([half, part])
        });
        self.in_place_of([first, second])
    }

    /// Attention of turned queries and keys (`Rope::attention`).
    pub(super) fn turned_attention(
        &mut self,
        ways: Ways,
        heads: Heads,
        [q, k, v]: [Tensor; 3],
        positions: Tensor,
    ) -> Tensor {
        let q = self.turned(q, positions);
        let k = self.turned(k, positions);
        self.attention_of_heads(ways, heads, [q, k, v])
    }

    /// Queries, keys and values as parts of one layer's output; the first two are normalised, which
    /// gives them memory of their own.
    pub(super) fn projected(&mut self, all: Tensor, elements: f64) -> [Tensor; 3] {
        let [q, k, v] = [(); 3].map(|()| self.part(all, elements));
        let [q, k] = [q, k].map(|part| {
            let normed = self.f32(elements, [part]);
            self.by_element([normed])
        });
        [q, k, v]
    }

    /// The queries, keys and values of two streams, one behind the other.
    pub(super) fn joined(&mut self, a: [Tensor; 3], b: [Tensor; 3]) -> [Tensor; 3] {
        let [aq, ak, av] = a;
        let [bq, bk, bv] = b;
        [[aq, bq], [ak, bk], [av, bv]].map(|[a, b]| {
            let elements = self.elements(a) + self.elements(b);
            self.f32(elements, [a, b])
        })
    }

    /// The layer behind each attention, its gated sum, and the layers after it.
    pub(super) fn after_attention(
        &mut self,
        mut x: Tensor,
        outs: &[Tensor],
        tokens: f64,
        block: Block,
        mlp: Mlp,
    ) -> Tensor {
        for out in outs {
            let mut branch = self.linear(*out, tokens, block.width);
            if mlp == Mlp::Scaled {
                branch = self.by_element([branch]);
            }
            x = self.gated_sum(x, branch);
        }
        let normed = self.bare_norm(x);
        let normed = self.modulated(normed);
        let branch = self.mlp(normed, tokens, block, mlp);
        self.gated_sum(x, branch)
    }

    /// The layers behind an attention.
    pub(super) fn mlp(&mut self, x: Tensor, tokens: f64, block: Block, mlp: Mlp) -> Tensor {
        let Block { width, hidden, .. } = block;
        match mlp {
            Mlp::Plain => {
                let h = self.linear(x, tokens, hidden);
                self.linear(h, tokens, width)
            }
            Mlp::Scaled => {
                let h = self.linear(x, tokens, hidden);
                let h = self.by_element([h]);
                let out = self.linear(h, tokens, width);
                self.by_element([out])
            }
            Mlp::Gated => {
                let [gate, value] = [(); 2].map(|()| self.bare_linear(x, tokens, hidden));
                let gate = self.in_place(gate);
                let h = self.by_element([value, gate]);
                self.bare_linear(h, tokens, width)
            }
            Mlp::Glu => {
                let [gate, value] = [(); 2].map(|()| self.bare_linear(x, tokens, hidden));
                let h = self.f32(tokens * hidden, [gate, value]);
                self.bare_linear(h, tokens, width)
            }
            Mlp::Halves => {
                let both = self.bare_linear(x, tokens, 2.0 * hidden);
                let h = self.gated_halves(both, tokens * hidden);
                self.bare_linear(h, tokens, width)
            }
        }
    }

    /// One half of what a layer made gates the other.
    pub(super) fn gated_halves(&mut self, both: Tensor, elements: f64) -> Tensor {
        let [gate, value] = [(); 2].map(|()| self.part(both, elements));
        let gate = self.f32(elements, [gate]);
        let gate = self.in_place(gate);
        self.by_element([value, gate])
    }
}
