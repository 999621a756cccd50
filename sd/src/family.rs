//! What a family of models can do, by the engine's name for it.

use std::fmt;

/// A model family as the engine named it when it opened the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    name: String,
    /// Whether the diffusion model is a transformer; a UNet otherwise.
    pub(crate) transformer: bool,
}

impl Family {
    pub(crate) fn new(name: Option<String>, transformer: bool) -> Self {
        Self { name: name.unwrap_or_else(|| "unknown".to_owned()), transformer }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Align Your Steps has noise levels for these families, and for a video model.
    pub(crate) fn has_ays(&self) -> bool {
        self.name.starts_with("SD 1.x") || self.is_sdxl()
    }

    pub(crate) fn is_sdxl(&self) -> bool {
        self.name.starts_with("SDXL")
    }

    /// Whether the model gets mask and masked picture as further channels.
    pub(crate) fn is_inpaint(&self) -> bool {
        self.name.ends_with("Inpaint") || matches!(self.name.as_str(), "Flux Fill" | "Flex.2")
    }

    /// Whether the model gets its reference picture as further channels.
    pub(crate) fn is_unet_edit(&self) -> bool {
        self.name.ends_with("Instruct-Pix2Pix") || self.name == "Instruct-Pix2Pix"
    }

    /// Whether the model gets a control picture as further channels.
    pub(crate) fn is_control(&self) -> bool {
        matches!(self.name.as_str(), "Flux Control" | "Flex.2")
    }

    /// Whether reference pictures change what it draws. The engine ignores them otherwise; with
    /// Z-Image it reads out of bounds and then counts tokens wrongly, and with FLUX Fill it fails
    /// an assertion, at the pin.
    pub(crate) fn takes_references(&self) -> bool {
        self.is_unet_edit()
            || matches!(
                self.name.as_str(),
                "Flux"
                    | "Flux.2"
                    | "Flux.2 klein"
                    | "Qwen Image"
                    | "Longcat-Image"
                    | "Ovis Image"
                    | "HiDream O1"
                    | "PiD"
            )
    }

    /// What the engine rounds sizes up to a multiple of, where that is known.
    pub(crate) fn multiple(&self) -> u32 {
        match self.name.as_str() {
            _ if !self.transformer => 64,
            "Wan 2.2 TI2V" | "LTXAV" => 32,
            "Flux.2" | "Flux.2 klein" | "Ernie Image" | "Lens" | "Ideogram 4" | "Wan 2.x"
            | "Wan 2.2 I2V" => 16,
            "Chroma Radiance" | "HiDream O1" | "PiD" => 1,
            _ => 8,
        }
    }

    /// What the engine rounds the sides of resized references to.
    pub(crate) fn reference_factor(&self) -> u32 {
        if self.name == "Qwen Image" { 32 } else { 16 }
    }

    /// Whether the engine leaves layers out when asked to; it evaluates the others once more for
    /// nothing.
    pub(crate) fn takes_skip_layers(&self) -> bool {
        matches!(
            self.name.as_str(),
            "SD3.x"
                | "Flux"
                | "Flux Fill"
                | "Flux Control"
                | "Flex.2"
                | "Chroma Radiance"
                | "Ovis Image"
                | "Flux.2"
                | "Flux.2 klein"
                | "Longcat-Image"
        )
    }

    /// Whether it draws nothing without one.
    pub(crate) fn needs_reference(&self) -> bool {
        self.name == "PiD"
    }

    /// Whether the tiny autoencoder, which is one for videos here, takes no pictures: the engine
    /// fails an assertion.
    pub(crate) fn taesd_only_decodes(&self) -> bool {
        self.name == "Qwen Image"
    }

    pub(crate) fn is_ltx(&self) -> bool {
        self.name == "LTXAV"
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_by_the_engines_names() {
        let family = |name: &str| Family::new(Some(name.to_owned()), false);
        assert!(family("SD 1.x Inpaint").is_inpaint() && family("Flux Fill").is_inpaint());
        assert!(!family("SDXL").is_inpaint() && family("SDXL (SSD1B)").is_sdxl());
        assert!(family("SDXL Instruct-Pix2Pix").is_unet_edit());
        assert!(family("Flux.2 klein").takes_references() && !family("SD3.x").takes_references());
        assert_eq!(Family::new(None, true).name(), "unknown");
    }
}
