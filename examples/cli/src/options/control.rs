//! Pictures that lead the drawing: ControlNet, references, photographs of a person.

use super::image::open_folder;
use clap::Args;
use sdcpp::{Canny, Error, ImageRequest, PhotoMaker, canny, open_picture};
use std::path::PathBuf;

/// What a ControlNet follows.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "ControlNet")]
pub(crate) struct ControlOptions {
    /// Picture that the ControlNet follows
    #[arg(long, value_name = "FILE")]
    control_image: Option<PathBuf>,
    /// How strongly it counts, 0 to 10 [default: 0.9]
    #[arg(long, value_name = "STRENGTH")]
    control_strength: Option<f32>,
    /// Find the edges of the control picture first
    #[arg(long, requires = "control_image")]
    canny: bool,
}

impl ControlOptions {
    /// Sets what is given.
    pub(crate) fn apply(&self, mut request: ImageRequest) -> Result<ImageRequest, Error> {
        request.control_strength = self.control_strength.unwrap_or(request.control_strength);
        let Some(path) = &self.control_image else { return Ok(request) };
        let picture = open_picture(path)?;
        Ok(if self.canny {
            request.control_image(canny(picture, &Canny::default())?)
        } else {
            request.control_image(picture)
        })
    }
}

/// Pictures the model edits or takes things from.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Reference pictures")]
pub(crate) struct ReferenceOptions {
    /// Picture to edit or to take things from (FLUX Kontext, Qwen-Image-Edit…); may be repeated
    #[arg(short, long = "ref-image", value_name = "FILE")]
    pub(crate) ref_image: Vec<PathBuf>,
    /// Take references in their own size
    #[arg(long)]
    disable_auto_resize_ref_image: bool,
    /// Number references in their order
    #[arg(long)]
    increase_ref_index: bool,
}

impl ReferenceOptions {
    /// Sets what is given.
    pub(crate) fn apply(&self, mut request: ImageRequest) -> Result<ImageRequest, Error> {
        request.resize_references &= !self.disable_auto_resize_ref_image;
        request.increase_reference_index |= self.increase_ref_index;
        self.ref_image
            .iter()
            .try_fold(request, |request, path| Ok(request.reference_image(open_picture(path)?)))
    }
}

/// Photographs of a person to draw.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "PhotoMaker")]
pub(crate) struct PhotoMakerOptions {
    /// Folder of photographs of one person, with --photo-maker
    #[arg(long, value_name = "FOLDER")]
    pm_id_images_dir: Option<PathBuf>,
    /// Face embeddings, for version 2
    #[arg(long, requires = "pm_id_images_dir", value_name = "FILE")]
    pm_id_embed_path: Option<PathBuf>,
    /// Per cent of the steps before the likeness comes in [default: 20]
    #[arg(long, requires = "pm_id_images_dir", value_name = "PERCENT")]
    pm_style_strength: Option<f32>,
}

impl PhotoMakerOptions {
    /// Sets what is given.
    pub(crate) fn apply(&self, request: &mut ImageRequest) -> Result<(), Error> {
        let Some(folder) = &self.pm_id_images_dir else { return Ok(()) };
        let photographs: Vec<_> = open_folder("pm_id_images_dir", folder)?
            .into_iter()
            .filter(|path| is_picture(path))
            .map(open_picture)
            .collect::<Result<_, _>>()?;
        let mut photo_maker = PhotoMaker::new(photographs);
        photo_maker.id_embed.clone_from(&self.pm_id_embed_path);
        photo_maker.style_strength = self.pm_style_strength.unwrap_or(photo_maker.style_strength);
        request.photo_maker = Some(photo_maker);
        Ok(())
    }
}

/// Whether a file's name is that of a picture.
pub(crate) fn is_picture(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}
