//! Textual inversions: vectors which stand for a word of the prompt.

use crate::clip::TextEncoders;
use crate::tensor::Layout;
use std::io;

/// A textual inversion for the text encoders of a family.
///
/// Write it in f32: the engine takes the values of any other type for f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Embedding {
    /// The text encoders. That of SDXL has one tensor for each of its two.
    pub encoders: TextEncoders,
    /// The number of vectors: tokens of the prompt which the word takes.
    pub vectors: usize,
}

impl Default for Embedding {
    fn default() -> Self {
        Self { encoders: TextEncoders::Sd1, vectors: 2 }
    }
}

impl Embedding {
    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let Self { encoders, vectors } = *self;
        if vectors == 0 {
            return Err(crate::invalid("an embedding needs a vector"));
        }
        let mut layout = Layout::default();
        if encoders == TextEncoders::Sdxl {
            let first = TextEncoders::Sd1.width();
            layout.random("clip_l", &[vectors, first]);
            layout.random("clip_g", &[vectors, encoders.width() - first]);
        } else {
            layout.random("emb_params", &[vectors, encoders.width()]);
        }
        Ok(layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_as_many_vectors_as_asked_for() {
        let layout = Embedding { vectors: 3, ..Embedding::default() }.layout().unwrap();
        assert_eq!(layout.tensors()[0].shape, [3, 768]);
        assert!(Embedding { vectors: 0, ..Embedding::default() }.layout().is_err());
    }
}
