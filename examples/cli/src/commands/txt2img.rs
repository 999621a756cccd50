//! `sdcpp txt2img`

use super::draw::DrawOptions;
use crate::{app::App, report::Report};
use clap::Args;
use sdcpp::Error;

/// Draw pictures from words.
#[derive(Args, Debug)]
pub(crate) struct Txt2img {
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
}

impl Txt2img {
    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        self.draw.run(app, "txt2img", Ok)
    }
}
