//! Low-rank adaptations.

use crate::tensor::Layout;
use crate::zimage::check_width;
use std::io;

/// A LoRA for a [`ZImage`](crate::ZImage) transformer of the same width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZImageLora {
    /// Width of the transformer.
    pub hidden: usize,
    /// How many of the transformer's main blocks are changed.
    pub layers: usize,
    /// Rank of the change.
    pub rank: usize,
}

impl Default for ZImageLora {
    fn default() -> Self {
        Self { hidden: 256, layers: 1, rank: 4 }
    }
}

impl ZImageLora {
    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let Self { hidden, layers, rank } = *self;
        check_width(hidden)?;
        if layers == 0 || rank == 0 {
            return Err(crate::invalid("a LoRA needs a layer and a rank"));
        }
        let mut layout = Layout::default();
        layout.scope("diffusion_model", |l| {
            for i in 0..layers {
                for (name, outputs) in [("qkv", 3 * hidden), ("out", hidden)] {
                    l.scope(format_args!("layers.{i}.attention.{name}"), |l| {
                        l.linear_no_bias("lora_A", hidden, rank);
                        l.linear_no_bias("lora_B", rank, outputs);
                    });
                }
            }
        });
        Ok(layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_tensors_of_the_reference_generator() {
        let layout = ZImageLora::default().layout().unwrap();
        assert_eq!((layout.tensors().len(), layout.parameters()), (4, 6144));
    }

    #[test]
    fn refuses_an_empty_change() {
        let spec = ZImageLora { rank: 0, ..ZImageLora::default() };
        assert!(spec.layout().is_err());
    }
}
