//! The graphs that the engine computes, reduced to what decides about memory: how large each tensor
//! is and which others it is made of.
//!
//! ggml gives each tensor memory from the node that makes it to the last one that reads it, one part
//! of the buffer to many tensors in turn. [`Graph::buffer_size`] does the same with the same rules;
//! the other files of this folder write down the engine's models as its source builds them.

mod allocate;
pub(crate) mod autoencoder;
pub(crate) mod joint;
pub(crate) mod layers;
pub(crate) mod single;
pub(crate) mod text;
pub(crate) mod transformer;
pub(crate) mod unet;
pub(crate) mod video_autoencoder;

/// A tensor of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tensor(usize);

/// How a tensor comes to its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An input, there from the beginning.
    Input,
    /// It gets its own.
    New,
    /// It may be written over an operand that nobody else reads.
    InPlace,
    /// It lies in another's.
    View(Tensor),
}

#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    bytes: u64,
    sources: Vec<Tensor>,
}

/// Tensors and what they are made of. Sizes are numbers of elements, as floats: they are products of
/// numbers from files and requests, and must not overflow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    outputs: Vec<Tensor>,
}

const F32: f64 = 4.0;
const F16: f64 = 2.0;

impl Graph {
    fn add(&mut self, kind: Kind, bytes: f64, sources: &[Tensor]) -> Tensor {
        // Out of range it becomes the largest or zero, as `as` has it.
        let bytes = bytes as u64;
        self.nodes.push(Node { kind, bytes, sources: sources.to_vec() });
        Tensor(self.nodes.len() - 1)
    }

    fn bytes(&self, tensor: Tensor) -> f64 {
        self.nodes.get(tensor.0).map_or(0.0, |node| node.bytes as f64)
    }

    /// How many 32-bit floats it has room for.
    fn elements(&self, tensor: Tensor) -> f64 {
        self.bytes(tensor) / F32
    }

    /// An input of 32-bit floats.
    pub(crate) fn input(&mut self, elements: f64) -> Tensor {
        self.add(Kind::Input, elements * F32, &[])
    }

    /// 32-bit floats made of others.
    pub(crate) fn f32<const N: usize>(&mut self, elements: f64, sources: [Tensor; N]) -> Tensor {
        self.add(Kind::New, elements * F32, &sources)
    }

    /// 16-bit floats made of others.
    pub(crate) fn f16<const N: usize>(&mut self, elements: f64, sources: [Tensor; N]) -> Tensor {
        self.add(Kind::New, elements * F16, &sources)
    }

    /// A copy, as of a tensor whose dimensions were permuted.
    pub(crate) fn copy(&mut self, of: Tensor) -> Tensor {
        self.add(Kind::New, self.bytes(of), &[of])
    }

    /// An operation by element that ggml lets write over an operand of the same shape
    /// (`ggml_op_can_inplace`): sums, products, scaling, softmax, RMS norms, most activations. Where
    /// the engine asks for that itself (`ggml_…_inplace`) it is [`in_place`](Self::in_place).
    pub(crate) fn by_element<const N: usize>(&mut self, operands: [Tensor; N]) -> Tensor {
        let bytes = operands.iter().map(|t| self.bytes(*t)).fold(0.0, f64::max);
        self.add(Kind::InPlace, bytes, &operands)
    }

    /// What is written over its operand, whoever reads that; or the same memory by another shape.
    pub(crate) fn in_place(&mut self, of: Tensor) -> Tensor {
        self.in_place_of([of])
    }

    /// The same for several operands: over the first of them.
    pub(crate) fn in_place_of<const N: usize>(&mut self, operands: [Tensor; N]) -> Tensor {
        let Some(first) = operands.first() else { return self.input(0.0) };
        self.add(Kind::View(self.root(*first)), self.bytes(*first), &operands)
    }

    /// A part of the same memory.
    pub(crate) fn part(&mut self, of: Tensor, elements: f64) -> Tensor {
        self.add(Kind::View(self.root(of)), elements * F32, &[of])
    }

    /// Whose memory a tensor lies in.
    fn root(&self, tensor: Tensor) -> Tensor {
        match self.nodes.get(tensor.0).map(|node| node.kind) {
            Some(Kind::View(of)) => of,
            _ => tensor,
        }
    }

    /// The bytes of all that it is computed for.
    pub(crate) fn output_size(&self) -> u64 {
        self.outputs.iter().map(|tensor| self.bytes(*tensor)).sum::<f64>() as u64
    }

    /// What the graph is computed for. With several, in this order.
    pub(crate) fn output(&mut self, tensor: Tensor) {
        self.outputs.push(tensor);
    }
}

#[cfg(test)]
mod tests;
