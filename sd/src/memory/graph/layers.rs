//! The layers that the engine's models are made of (`ggml_extend.hpp`, `block.hpp`).

use super::{Graph, Tensor};

/// How convolutions and attention are computed, by the model's configuration.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ways {
    /// Convolution without a matrix of all its windows.
    pub(crate) direct: bool,
    /// Attention without the matrix of all queries by all keys.
    pub(crate) flash: bool,
}

/// The sizes of an attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// Tokens that look.
    pub(crate) queries: f64,
    /// Tokens that are looked at.
    pub(crate) keys: f64,
    /// The width of all heads together.
    pub(crate) width: f64,
    /// How many heads.
    pub(crate) count: f64,
}

impl Graph {
    /// A linear layer with a bias, which is added in place.
    pub(crate) fn linear(&mut self, x: Tensor, tokens: f64, outputs: f64) -> Tensor {
        let product = self.f32(tokens * outputs, [x]);
        self.in_place(product)
    }

    /// A convolution of `taps` places (9 for 3×3) into `area` pixels, with a bias.
    pub(crate) fn conv(
        &mut self,
        ways: Ways,
        x: Tensor,
        taps: f64,
        area: f64,
        [inputs, outputs]: [f64; 2],
    ) -> Tensor {
        let out = self.conv_without_bias(ways, x, taps, area, [inputs, outputs]);
        self.in_place(out)
    }

    /// The same without a bias.
    pub(crate) fn conv_without_bias(
        &mut self,
        ways: Ways,
        x: Tensor,
        taps: f64,
        area: f64,
        [inputs, outputs]: [f64; 2],
    ) -> Tensor {
        if ways.direct {
            return self.f32(area * outputs, [x]);
        }
        // Every window as a row, in the type that weights of convolutions have; then pixels by
        // channels, which are put in the other order.
        let windows = self.f16(area * taps * inputs, [x]);
        let product = self.f32(area * outputs, [windows]);
        self.copy(product)
    }

    /// A norm other than RMS, with weights that are multiplied in place.
    pub(crate) fn norm(&mut self, x: Tensor) -> Tensor {
        let normed = self.copy(x);
        self.in_place(normed)
    }

    /// An RMS norm with weights.
    pub(crate) fn rms_norm(&mut self, x: Tensor) -> Tensor {
        let normed = self.by_element([x]);
        self.in_place(normed)
    }

    /// Attention from the projections of its tokens (`ggml_ext_attention_ext`).
    pub(crate) fn attention(&mut self, ways: Ways, heads: Heads, [q, k, v]: [Tensor; 3]) -> Tensor {
        let (q, k) = (self.copy(q), self.copy(k));
        self.attention_of_heads(ways, heads, [q, k, v])
    }

    /// The same where queries and keys lie by heads already.
    pub(crate) fn attention_of_heads(
        &mut self,
        ways: Ways,
        Heads { queries, keys, width, count }: Heads,
        [q, k, v]: [Tensor; 3],
    ) -> Tensor {
        if ways.flash {
            let k = self.f16(keys * width, [k]);
            let v = self.copy(v);
            let v = self.f16(keys * width, [v]);
            return self.f32(queries * width, [q, k, v]);
        }
        let v = self.copy(v);
        let scores = self.f32(queries * keys * count, [k, q]);
        let scores = self.in_place(scores);
        let mixed = self.f32(queries * width, [v, scores]);
        self.copy(mixed)
    }
}
