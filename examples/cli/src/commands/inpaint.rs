//! `sdcpp inpaint`

use super::draw::DrawOptions;
use crate::{app::App, options::InitOptions, report::Report};
use clap::Args;
use sdcpp::{Error, open_picture};
use std::path::PathBuf;

/// Repaint a part of a picture.
#[derive(Args, Debug)]
pub(crate) struct Inpaint {
    #[command(flatten)]
    pub(crate) init: InitOptions,
    /// What may change: white repaints, black keeps; of the size of the picture
    #[arg(long, value_name = "FILE", help_heading = "Input picture")]
    pub(crate) mask: PathBuf,
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
}

impl Inpaint {
    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        self.draw.run(app, "inpaint", |request| {
            let request = self.init.apply(request, &self.draw.picture)?;
            Ok(request.mask(open_picture(&self.mask)?))
        })
    }
}
