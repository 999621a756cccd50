//! `sdcpp edit`

use super::draw::DrawOptions;
use crate::{app::App, report::Report};
use clap::Args;
use sdcpp::Error;

/// Edit pictures by words, with a model that takes references.
#[derive(Args, Debug)]
#[command(mut_arg("ref_image", |argument| argument.required(true)))]
pub(crate) struct Edit {
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
}

impl Edit {
    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        self.draw.run(app, "edit", Ok)
    }
}
