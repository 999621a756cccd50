//! `sdcpp inpaint`

use super::{draw::DrawOptions, outpaint::colour};
use crate::{app::App, options::InitOptions, report::Report};
use clap::Args;
use sdcpp::{Error, ImageRequest, InpaintArea, InpaintFill, open_picture};
use std::path::PathBuf;

/// Repaint a part of a picture.
#[derive(Args, Debug)]
pub(crate) struct Inpaint {
    #[command(flatten)]
    pub(crate) init: InitOptions,
    #[command(flatten)]
    pub(crate) mask: MaskOptions,
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
}

/// What is repainted.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Mask")]
pub(crate) struct MaskOptions {
    /// What may change: white repaints, black keeps; of the size of the picture
    #[arg(long, value_name = "FILE")]
    mask: PathBuf,
    /// Repaint what is black, and keep what is white
    #[arg(long, visible_alias = "mask-invert")]
    invert_mask: bool,
    /// How softly the new fades into the old, in pixels, 0 to 64
    #[arg(long, default_value_t = 0, value_name = "PIXELS")]
    mask_blur: u32,
    /// Draw the surroundings of the mask only, at the full size of the model, and put them back
    #[arg(long)]
    only_masked: bool,
    /// Pixels around the mask that the model sees
    #[arg(long, requires = "only_masked", default_value_t = 32, value_name = "PIXELS")]
    only_masked_padding: u32,
    /// Put the old pixels back exactly where nothing is repainted
    #[arg(long)]
    keep_unmasked: bool,
    /// What the model starts from: original, surroundings, noise, or a colour as "#80a0ff"
    #[arg(long, default_value = "original", value_name = "FILL", value_parser = fill)]
    fill: InpaintFill,
}

fn fill(text: &str) -> Result<InpaintFill, String> {
    match text {
        "original" => Ok(InpaintFill::Original),
        "surroundings" => Ok(InpaintFill::Surroundings),
        "noise" => Ok(InpaintFill::Noise { seed: 0 }),
        _ => colour(text).map(InpaintFill::Color).ok_or_else(|| {
            "allowed: original, surroundings, noise, or a colour as #80a0ff".to_owned()
        }),
    }
}

impl MaskOptions {
    /// Sets the mask, with the request's seed for noise.
    fn apply(&self, request: ImageRequest) -> Result<ImageRequest, Error> {
        let fill = match (self.fill, request.seed.and_then(|seed| u64::try_from(seed).ok())) {
            (InpaintFill::Noise { .. }, Some(seed)) => InpaintFill::Noise { seed },
            (fill, _) => fill,
        };
        let mut inpaint = sdcpp::Inpaint::new()
            .invert(self.invert_mask)
            .mask_blur(self.mask_blur)
            .keep_unmasked(self.keep_unmasked)
            .fill(fill);
        if self.only_masked {
            inpaint.area = InpaintArea::OnlyMasked { padding: self.only_masked_padding };
        }
        Ok(request.mask(open_picture(&self.mask)?).inpaint(inpaint))
    }
}

impl Inpaint {
    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        self.draw.run(app, "inpaint", |request| self.change(request))
    }

    fn change(&self, request: ImageRequest) -> Result<ImageRequest, Error> {
        // Alone, the surroundings are drawn at the model's size, not at the picture's.
        let (width, height) = (request.width, request.height);
        let mut request = self.init.apply(request, &self.draw.picture)?;
        if self.mask.only_masked {
            (request.width, request.height) = (width, height);
        }
        self.mask.apply(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use image::GrayImage;

    fn request(more: &[&str]) -> ImageRequest {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.png");
        GrayImage::new(40, 30).save(&path).unwrap();
        let path = path.to_str().unwrap();
        let all = ["sdcpp", "inpaint", "-p", "x", "-i", path, "--mask", path];
        let Command::Inpaint(options) =
            Cli::try_parse_from(all.iter().chain(more)).unwrap().command
        else {
            unreachable!()
        };
        options.change(ImageRequest::new("x").size(64, 64).seed(7)).unwrap()
    }

    #[test]
    fn masks_are_set_with_their_options() {
        let plain = request(&[]);
        assert_eq!(plain.inpaint, sdcpp::Inpaint::new());
        assert_eq!((plain.width, plain.height), (40, 30));
        let all = request(&[
            "--invert-mask",
            "--mask-blur=4",
            "--only-masked",
            "--only-masked-padding=16",
            "--keep-unmasked",
            "--strength=0.5",
            "--fill=#80a0ff",
        ]);
        let expected = sdcpp::Inpaint::new()
            .invert(true)
            .mask_blur(4)
            .keep_unmasked(true)
            .fill(InpaintFill::Color([0x80, 0xa0, 0xff]))
            .area(InpaintArea::OnlyMasked { padding: 16 });
        assert_eq!((all.inpaint, all.denoising_strength), (expected, 0.5));
        assert_eq!((all.width, all.height), (64, 64));
    }
    #[test]
    fn fills_are_kinds_or_colours() {
        let noise = request(&["--fill=noise"]);
        assert_eq!(noise.inpaint.fill, InpaintFill::Noise { seed: 7 });
        assert_eq!(fill("surroundings"), Ok(InpaintFill::Surroundings));
        assert!(fill("blue").is_err() && fill("mirror").is_err());
    }
}
