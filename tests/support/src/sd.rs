//! Stable Diffusion 1, 2 and XL: which files there are, and which parts they hold.

use crate::clip::TextEncoders;
use crate::tensor::Layout;
use crate::unet::{self, Form, LATENT};
use crate::{tae, vae};
use std::io;

/// The families of models around a UNet that the engine tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UNetFamily {
    /// Stable Diffusion 1.
    Sd1,
    /// Its form for inpainting, which is also given the mask and the picture behind it.
    Sd1Inpaint,
    /// `InstructPix2Pix`, which is also given a reference picture.
    Sd1Pix2Pix,
    /// The small form of Stable Diffusion 1, as in BK-SDM-tiny.
    Sd1Tiny,
    /// SDXS-512, made from Stable Diffusion 1. It draws with a TAESD whatever the configuration.
    Sdxs512,
    /// Stable Diffusion 2.
    Sd2,
    /// Its form for inpainting.
    Sd2Inpaint,
    /// The small form of Stable Diffusion 2.
    Sd2Tiny,
    /// SDXS 0.9, made from Stable Diffusion 2. It draws with a TAESD whatever the configuration.
    Sdxs09,
    /// SDXL.
    Sdxl,
    /// Its form for inpainting.
    SdxlInpaint,
    /// Its form after the manner of `InstructPix2Pix`.
    SdxlPix2Pix,
    /// Segmind's smaller SDXL.
    Ssd1b,
    /// Segmind's smallest SDXL.
    Vega,
}

impl UNetFamily {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Sd1,
        Self::Sd1Inpaint,
        Self::Sd1Pix2Pix,
        Self::Sd1Tiny,
        Self::Sdxs512,
        Self::Sd2,
        Self::Sd2Inpaint,
        Self::Sd2Tiny,
        Self::Sdxs09,
        Self::Sdxl,
        Self::SdxlInpaint,
        Self::SdxlPix2Pix,
        Self::Ssd1b,
        Self::Vega,
    ];

    /// What the engine calls the family.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sd1 => "SD 1.x",
            Self::Sd1Inpaint => "SD 1.x Inpaint",
            Self::Sd1Pix2Pix => "Instruct-Pix2Pix",
            Self::Sd1Tiny => "SD 1.x Tiny UNet",
            Self::Sdxs512 => "SDXS (512-DS)",
            Self::Sd2 => "SD 2.x",
            Self::Sd2Inpaint => "SD 2.x Inpaint",
            Self::Sd2Tiny => "SD 2.x Tiny UNet",
            Self::Sdxs09 => "SDXS (09)",
            Self::Sdxl => "SDXL",
            Self::SdxlInpaint => "SDXL Inpaint",
            Self::SdxlPix2Pix => "SDXL Instruct-Pix2Pix",
            Self::Ssd1b => "SDXL (SSD1B)",
            Self::Vega => "SDXL (Vega)",
        }
    }

    /// The text encoders it is used with.
    pub fn text_encoders(self) -> TextEncoders {
        match self {
            Self::Sd1 | Self::Sd1Inpaint | Self::Sd1Pix2Pix | Self::Sd1Tiny | Self::Sdxs512 => {
                TextEncoders::Sd1
            }
            Self::Sd2 | Self::Sd2Inpaint | Self::Sd2Tiny | Self::Sdxs09 => TextEncoders::Sd2,
            Self::Sdxl | Self::SdxlInpaint | Self::SdxlPix2Pix | Self::Ssd1b | Self::Vega => {
                TextEncoders::Sdxl
            }
        }
    }

    /// The smallest width the engine runs: it divides attention into heads of a fixed width or
    /// number, and tells SDXS 0.9 by the real width.
    pub fn smallest_width(self) -> usize {
        if self == Self::Sdxs09 { 320 } else { self.form().multiple }
    }

    /// Whether it is for inpainting.
    pub fn is_inpaint(self) -> bool {
        matches!(self, Self::Sd1Inpaint | Self::Sd2Inpaint | Self::SdxlInpaint)
    }

    /// Whether it follows an instruction on a reference picture.
    pub fn is_pix2pix(self) -> bool {
        matches!(self, Self::Sd1Pix2Pix | Self::SdxlPix2Pix)
    }

    /// Part of file names.
    pub(crate) fn stem(self) -> &'static str {
        match self {
            Self::Sd1 => "sd1",
            Self::Sd1Inpaint => "sd1-inpaint",
            Self::Sd1Pix2Pix => "sd1-pix2pix",
            Self::Sd1Tiny => "sd1-tiny",
            Self::Sdxs512 => "sdxs512",
            Self::Sd2 => "sd2",
            Self::Sd2Inpaint => "sd2-inpaint",
            Self::Sd2Tiny => "sd2-tiny",
            Self::Sdxs09 => "sdxs09",
            Self::Sdxl => "sdxl",
            Self::SdxlInpaint => "sdxl-inpaint",
            Self::SdxlPix2Pix => "sdxl-pix2pix",
            Self::Ssd1b => "ssd1b",
            Self::Vega => "vega",
        }
    }

    fn form(self) -> Form {
        match self {
            Self::Sd1 | Self::Sd1Inpaint | Self::Sd1Pix2Pix => unet::SD1,
            Self::Sd1Tiny => unet::SD1_TINY,
            Self::Sdxs512 => unet::SDXS_512,
            Self::Sd2 | Self::Sd2Inpaint => unet::SD2,
            Self::Sd2Tiny => unet::SD2_TINY,
            Self::Sdxs09 => unet::SDXS_09,
            Self::Sdxl | Self::SdxlInpaint | Self::SdxlPix2Pix => unet::SDXL,
            Self::Ssd1b => unet::SSD1B,
            Self::Vega => unet::VEGA,
        }
    }

    /// Channels of the UNet's input, by which the engine knows the forms for editing.
    fn inputs(self) -> usize {
        if self.is_inpaint() {
            2 * LATENT + 1
        } else if self.is_pix2pix() {
            2 * LATENT
        } else {
            LATENT
        }
    }
}

/// A UNet alone.
///
/// Give it as the diffusion model, and the [`TextEncoders`] of its family as the model: the
/// engine finds out the family from both together. It cannot do so while it looks for the
/// places of separate `clip_l` and `clip_g` files, so those do not work with a UNet alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UNet {
    /// The family.
    pub family: UNetFamily,
    /// Channels of the first level.
    pub width: usize,
}

impl UNet {
    /// The smallest one of a family.
    pub fn smallest(family: UNetFamily) -> Self {
        Self { family, width: family.smallest_width() }
    }

    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let Self { family, width } = *self;
        if family == UNetFamily::Sdxs09 && width != family.smallest_width() {
            return Err(crate::invalid(format!("SDXS 0.9 has the width 320, not {width}")));
        }
        unet::layout(&family.form(), width, family.inputs())
    }
}

/// A Stable Diffusion 1 checkpoint: UNet, CLIP-L at full size and perhaps the autoencoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sd1 {
    /// Channels of the UNet's first level, a multiple of 32; the real model has 320.
    pub width: usize,
    /// Whether the file holds the autoencoder (84 M parameters); without it, give a TAESD.
    pub vae: bool,
}

impl Default for Sd1 {
    fn default() -> Self {
        Self { width: 32, vae: false }
    }
}

impl Sd1 {
    pub(crate) fn layout(&self) -> io::Result<Layout> {
        let mut layout = unet::layout(&unet::SD1, self.width, LATENT)?;
        TextEncoders::Sd1.add_to(&mut layout);
        if self.vae {
            layout.scope("first_stage_model", |l| vae::autoencoder(l, vae::WIDTH));
        }
        Ok(layout)
    }
}

/// The layout of an SDXS-512 checkpoint: tiny UNet, CLIP-L and a built-in TAESD.
pub(crate) fn sdxs_layout(width: usize) -> io::Result<Layout> {
    let mut layout = unet::layout(&unet::SDXS_512, width, LATENT)?;
    TextEncoders::Sd1.add_to(&mut layout);
    layout.scope("vae", |l| tae::autoencoder(l, LATENT));
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(layout: Layout) -> (usize, usize) {
        (layout.tensors().len(), layout.parameters())
    }

    #[test]
    fn has_the_tensors_of_the_reference_generator() {
        let sd1 = |width, vae| counts(Sd1 { width, vae }.layout().unwrap());
        assert_eq!(sd1(32, false), (882, 133_422_948));
        assert_eq!(sd1(320, true), (1130, 1_066_235_307));
        assert_eq!(counts(sdxs_layout(32).unwrap()), (610, 129_478_251));
    }

    #[test]
    fn every_family_has_a_smallest_form_and_a_name_of_its_own() {
        let mut names: Vec<_> = UNetFamily::ALL.map(|f| (f.name(), f.stem())).to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), UNetFamily::ALL.len());
        for family in UNetFamily::ALL {
            let layout = UNet::smallest(family).layout().unwrap();
            let first =
                layout.tensors().iter().find(|t| t.name.ends_with("input_blocks.0.0.weight"));
            assert_eq!(first.unwrap().shape[1], family.inputs(), "{family:?}");
        }
        assert!(UNet { family: UNetFamily::Sdxs09, width: 64 }.layout().is_err());
    }
}
