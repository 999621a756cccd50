//! A LoRA for Stable Diffusion 1, as the training scripts of the Kohya family name its tensors.

use crate::clip::L_WIDTH;
use crate::tensor::Layout;
use std::io;

/// A LoRA for an [`Sd1`](crate::Sd1) of the same width: linear layers and convolutions of the
/// UNet, and the text encoder's first layer.
///
/// With another width it fits no such model, which the engine notices only while it draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sd1Lora {
    /// Channels of the UNet's first level.
    pub width: usize,
    /// Rank of the change.
    pub rank: usize,
}

impl Default for Sd1Lora {
    fn default() -> Self {
        Self { width: 32, rank: 4 }
    }
}

impl Sd1Lora {
    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let Self { width, rank } = *self;
        if width == 0 || rank == 0 {
            return Err(crate::invalid("a LoRA needs a width and a rank"));
        }
        let mut layout = Layout::default();
        let l = &mut layout;
        for attention in ["attn1_to_q", "attn1_to_out_0", "attn2_to_q"] {
            let name =
                format!("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_{attention}");
            linear(l, &name, width, width, rank);
        }
        for resnet in ["conv1", "conv2"] {
            let name = format!("lora_unet_down_blocks_0_resnets_0_{resnet}");
            l.scope(name, |l| {
                l.conv_no_bias("lora_down", width, rank, 3);
                l.conv_no_bias("lora_up", rank, width, 1);
                alpha(l);
            });
        }
        for (part, inputs, outputs) in [
            ("self_attn_q_proj", L_WIDTH, L_WIDTH),
            ("self_attn_v_proj", L_WIDTH, L_WIDTH),
            ("mlp_fc1", L_WIDTH, 4 * L_WIDTH),
        ] {
            let name = format!("lora_te_text_model_encoder_layers_0_{part}");
            linear(l, &name, inputs, outputs, rank);
        }
        Ok(layout)
    }
}

fn linear(l: &mut Layout, name: &str, inputs: usize, outputs: usize, rank: usize) {
    l.scope(name, |l| {
        l.linear_no_bias("lora_down", inputs, rank);
        l.linear_no_bias("lora_up", rank, outputs);
        alpha(l);
    });
}

/// Adds the number which, divided by the rank, is the factor on the change. One value of one
/// dimension is what both containers can hold.
fn alpha(l: &mut Layout) {
    l.ones("alpha", &[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_three_tensors_a_layer() {
        let layout = Sd1Lora::default().layout().unwrap();
        assert_eq!(layout.tensors().len(), 3 * 8);
        let of = |name: &str| layout.tensors().iter().find(|t| t.name == name).unwrap();
        let down = of("lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight");
        assert_eq!(down.shape, [4, 32, 3, 3]);
        assert_eq!(of("lora_te_text_model_encoder_layers_0_mlp_fc1.alpha").shape, [1]);
    }

    #[test]
    fn refuses_an_empty_change() {
        assert!(Sd1Lora { rank: 0, ..Sd1Lora::default() }.layout().is_err());
    }
}
