//! A second pass at a larger size.

use crate::values::{List, invalid};
use clap::Args;
use sdcpp::{Error, HiresFix, HiresUpscaler};
use std::path::PathBuf;

/// A second pass at a larger size.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Hires fix")]
pub(crate) struct HiresOptions {
    /// Draw a second pass at a larger size
    #[arg(long)]
    hires: bool,
    /// How the first pass is enlarged: "Latent" and its kinds, "Lanczos", "Nearest", or a model's
    /// name in --hires-upscalers-dir [default: Latent]
    #[arg(long, requires = "hires", value_name = "NAME")]
    hires_upscaler: Option<String>,
    /// Folder of upscaler models
    #[arg(long, requires = "hires", alias = "upscaler-model-dir", value_name = "FOLDER")]
    hires_upscalers_dir: Option<PathBuf>,
    /// Upscaler model, in place of a name and a folder
    #[arg(long, requires = "hires", conflicts_with = "hires_upscaler", value_name = "FILE")]
    hires_model: Option<PathBuf>,
    /// Factor on width and height [default: 2]
    #[arg(long, requires = "hires", value_name = "FACTOR")]
    hires_scale: Option<f32>,
    /// Width of the second pass, with --hires-height
    #[arg(long, requires = "hires", value_name = "PIXELS")]
    hires_width: Option<u32>,
    /// Height of the second pass, with --hires-width
    #[arg(long, requires = "hires", value_name = "PIXELS")]
    hires_height: Option<u32>,
    /// Steps of the second pass; 0: as the first
    #[arg(long, requires = "hires", value_name = "N")]
    hires_steps: Option<u32>,
    /// How much the second pass may change, 0.01 to 1 [default: 0.7]
    #[arg(long, requires = "hires", visible_alias = "hires-strength", value_name = "STRENGTH")]
    hires_denoising_strength: Option<f32>,
    /// Side of the upscaler model's tiles [default: 128]
    #[arg(long, requires = "hires", value_name = "PIXELS")]
    hires_upscale_tile_size: Option<u32>,
    /// Noise levels of the second pass
    #[arg(long, requires = "hires", value_name = "LIST")]
    hires_sigmas: Option<List<f32>>,
}

impl HiresOptions {
    /// Sets the second pass, if one is asked for.
    pub(crate) fn apply(&self, target: &mut Option<HiresFix>) -> Result<(), Error> {
        if !self.hires {
            return Ok(());
        }
        let mut hires = target.take().unwrap_or_default();
        self.set_upscaler(&mut hires)?;
        hires.scale = self.hires_scale.unwrap_or(hires.scale);
        hires.steps = self.hires_steps.or(hires.steps).filter(|steps| *steps > 0);
        hires.denoising_strength =
            self.hires_denoising_strength.unwrap_or(hires.denoising_strength);
        hires.tile_size = self.hires_upscale_tile_size.unwrap_or(hires.tile_size);
        if let Some(List(sigmas)) = &self.hires_sigmas {
            hires.custom_sigmas.clone_from(sigmas);
        }
        match (self.hires_width.filter(|w| *w > 0), self.hires_height.filter(|h| *h > 0)) {
            (Some(width), Some(height)) => hires.target_size = Some((width, height)),
            (None, None) => {}
            _ => return Err(invalid("hires-width", "one of two", "both, or neither")),
        }
        *target = Some(hires);
        Ok(())
    }

    fn set_upscaler(&self, hires: &mut HiresFix) -> Result<(), Error> {
        if let Some(path) = &self.hires_model {
            (hires.upscaler, hires.model) = (HiresUpscaler::Model, Some(path.clone()));
        }
        let Some(name) = &self.hires_upscaler else { return Ok(()) };
        if let Ok(upscaler) = name.parse::<HiresUpscaler>()
            && upscaler != HiresUpscaler::Model
        {
            hires.upscaler = upscaler;
            return Ok(());
        }
        let folder = self.hires_upscalers_dir.as_deref();
        let found = ["", ".safetensors", ".gguf", ".pth"].iter().find_map(|extension| {
            let file = PathBuf::from(format!("{name}{extension}"));
            let path = folder.map_or(file.clone(), |folder| folder.join(file));
            path.is_file().then_some(path)
        });
        let Some(path) = found else {
            let names: Vec<_> = HiresUpscaler::ALL.iter().map(|u| u.name()).collect();
            return Err(invalid(
                "hires-upscaler",
                name,
                format!("{}, or a model in --hires-upscalers-dir", names.join(", ")),
            ));
        };
        (hires.upscaler, hires.model) = (HiresUpscaler::Model, Some(path));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hires(options: &HiresOptions) -> Result<HiresFix, Error> {
        let mut target = None;
        options.apply(&mut target).map(|()| target.unwrap())
    }

    #[test]
    fn a_name_is_a_kind_or_a_model_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("4x.gguf");
        std::fs::write(&model, "").unwrap();
        let mut options = HiresOptions {
            hires: true,
            hires_upscaler: Some("lanczos".into()),
            hires_upscalers_dir: Some(folder.path().to_owned()),
            ..HiresOptions::default()
        };
        assert_eq!(hires(&options).unwrap().upscaler, HiresUpscaler::Lanczos);
        options.hires_upscaler = Some("4x".into());
        assert_eq!(hires(&options).unwrap().model, Some(model));
        options.hires_upscaler = Some("none such".into());
        assert!(hires(&options).unwrap_err().to_string().contains("Latent (bicubic)"));
    }

    #[test]
    fn sizes_come_in_pairs_and_zero_is_not_set() {
        let new = || HiresOptions { hires: true, ..HiresOptions::default() };
        let size = |w, h| HiresOptions { hires_width: w, hires_height: h, ..new() };
        assert_eq!(hires(&size(Some(8), Some(9))).unwrap().target_size, Some((8, 9)));
        assert_eq!(hires(&size(Some(0), Some(0))).unwrap().target_size, None);
        assert!(hires(&size(Some(8), None)).is_err());
        let steps = HiresOptions { hires_steps: Some(0), ..new() };
        assert_eq!(hires(&steps).unwrap().steps, None);
    }
}
