//! What a model consists of: tensors, and the builder which lists them.

use std::fmt::Display;

/// How the values of a tensor are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Normally distributed, with a deviation that keeps activations in range.
    Normal,
    /// All ones (weights of normalisations), or all the same value: the gain.
    Ones,
    /// All zeros (biases).
    Zeros,
}

/// One tensor of a model, without its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The full name, as the engine looks it up.
    pub name: String,
    /// The shape in PyTorch order: the last dimension is contiguous.
    pub shape: Vec<usize>,
    /// How the values are chosen.
    pub init: Init,
    /// Factor on the usual deviation of random values, and on ones.
    pub gain: f32,
    /// The engine keeps this tensor in f32, so it is stored that way.
    pub keep_f32: bool,
}

impl Tensor {
    /// Sets the factor on the usual deviation of the random values, or on the ones.
    pub fn scaled_by(&mut self, gain: f32) -> &mut Self {
        self.gain = gain;
        self
    }

    /// Marks the tensor as one which is stored in f32 whatever the model's type.
    pub fn kept_in_f32(&mut self) -> &mut Self {
        self.keep_f32 = true;
        self
    }

    /// The number of values.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The length of a contiguous row.
    pub fn row_len(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The factor which takes unit normals to this tensor's values: `gain / √fan_in`.
    pub fn deviation(&self) -> f32 {
        let fan_in: usize = self.shape.iter().skip(1).product();
        self.gain / (fan_in as f32).sqrt()
    }
}

/// The ordered tensors of a model, with builder methods for the usual layers.
///
/// A method which adds a layer returns the layer's weight, to be adjusted further.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    prefix: String,
    tensors: Vec<Tensor>,
}

impl Layout {
    /// The tensors in the order they were added.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The number of values of all tensors together.
    pub fn parameters(&self) -> usize {
        self.tensors.iter().map(Tensor::elements).sum()
    }

    /// Adds what `build` adds, with `name` and a dot in front of all names.
    pub fn scope(&mut self, name: impl Display, build: impl FnOnce(&mut Self)) {
        let outer = self.prefix.len();
        self.prefix += &format!("{name}.");
        build(self);
        self.prefix.truncate(outer);
    }

    /// Adds a tensor of random values under exactly this name.
    pub fn random(&mut self, name: impl Display, shape: &[usize]) -> &mut Tensor {
        let index = self.push(name, shape, Init::Normal);
        self.pushed(index)
    }

    /// Adds a tensor of ones under exactly this name.
    pub fn ones(&mut self, name: impl Display, shape: &[usize]) -> &mut Tensor {
        let index = self.push(name, shape, Init::Ones);
        self.pushed(index)
    }

    /// Adds a fully connected layer.
    pub fn linear(&mut self, name: impl Display, inputs: usize, outputs: usize) -> &mut Tensor {
        self.layer(name, &[outputs, inputs], Init::Normal, Some(outputs))
    }

    /// Adds a fully connected layer without bias.
    pub fn linear_no_bias(
        &mut self,
        name: impl Display,
        inputs: usize,
        outputs: usize,
    ) -> &mut Tensor {
        self.layer(name, &[outputs, inputs], Init::Normal, None)
    }

    /// Adds a convolution with a square kernel.
    pub fn conv(
        &mut self,
        name: impl Display,
        inputs: usize,
        outputs: usize,
        kernel: usize,
    ) -> &mut Tensor {
        let shape = [outputs, inputs, kernel, kernel];
        self.layer(name, &shape, Init::Normal, Some(outputs))
    }

    /// Adds a convolution with a square kernel and without bias.
    pub fn conv_no_bias(
        &mut self,
        name: impl Display,
        inputs: usize,
        outputs: usize,
        kernel: usize,
    ) -> &mut Tensor {
        let shape = [outputs, inputs, kernel, kernel];
        self.layer(name, &shape, Init::Normal, None)
    }

    /// Adds a convolution over time and a square. Its shape has four dimensions, the first of
    /// which counts outputs and inputs together: GGUF has no five, and the engine folds them so.
    pub fn conv3d(
        &mut self,
        name: impl Display,
        inputs: usize,
        outputs: usize,
        kernel: (usize, usize),
    ) -> &mut Tensor {
        let (time, side) = kernel;
        let shape = [outputs * inputs, time, side, side];
        let weight = self.layer(name, &shape, Init::Normal, Some(outputs));
        // The fan-in is that of the unfolded shape.
        weight.scaled_by((inputs as f32).sqrt().recip())
    }

    /// Adds a normalisation with weight and bias.
    pub fn norm(&mut self, name: impl Display, width: usize) -> &mut Tensor {
        self.layer(name, &[width], Init::Ones, Some(width))
    }

    /// Adds a normalisation without bias.
    pub fn norm_no_bias(&mut self, name: impl Display, width: usize) -> &mut Tensor {
        self.layer(name, &[width], Init::Ones, None)
    }

    fn layer(
        &mut self,
        name: impl Display,
        shape: &[usize],
        init: Init,
        bias: Option<usize>,
    ) -> &mut Tensor {
        let weight = self.push(format_args!("{name}.weight"), shape, init);
        if let Some(len) = bias {
            self.push(format_args!("{name}.bias"), &[len], Init::Zeros);
        }
        self.pushed(weight)
    }

    /// Appends a tensor and returns its index.
    fn push(&mut self, name: impl Display, shape: &[usize], init: Init) -> usize {
        self.tensors.push(Tensor {
            name: format!("{}{name}", self.prefix),
            shape: shape.to_vec(),
            init,
            gain: 1.0,
            keep_f32: false,
        });
        self.tensors.len() - 1
    }

    #[expect(clippy::indexing_slicing, reason = "the index comes from `push`")]
    fn pushed(&mut self, index: usize) -> &mut Tensor {
        &mut self.tensors[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_carry_their_scope_and_bias() {
        let mut layout = Layout::default();
        layout.scope("a", |l| {
            l.scope(0, |l| {
                l.conv("in", 4, 8, 3).scaled_by(0.5);
            });
            l.norm_no_bias("norm", 8);
        });
        layout.linear("out", 8, 2).kept_in_f32();
        let names: Vec<_> = layout.tensors().iter().map(|t| t.name.as_str()).collect();
        assert_eq!(
            names,
            ["a.0.in.weight", "a.0.in.bias", "a.norm.weight", "out.weight", "out.bias"]
        );
        assert_eq!(layout.parameters(), 8 * 4 * 9 + 8 + 8 + 16 + 2);
        assert_eq!(layout.tensors()[0].deviation(), 0.5 / 6.0);
        assert!(layout.tensors()[3].keep_f32 && !layout.tensors()[4].keep_f32);
    }
}
