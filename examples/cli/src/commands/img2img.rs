//! `sdcpp img2img`

use super::draw::DrawOptions;
use crate::{app::App, options::InitOptions, report::Report};
use clap::Args;
use sdcpp::Error;

/// Draw pictures from a picture and words.
#[derive(Args, Debug)]
pub(crate) struct Img2img {
    #[command(flatten)]
    pub(crate) init: InitOptions,
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
}

impl Img2img {
    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        self.draw.run(app, "img2img", |request| self.init.apply(request, &self.draw.picture))
    }
}
