//! `sdcpp outpaint`

use super::draw::DrawOptions;
use crate::{app::App, options::InitOptions, report::Report};
use clap::Args;
use sdcpp::Error;

/// Continue a picture beyond its borders.
#[derive(Args, Debug)]
pub(crate) struct Outpaint {
    #[command(flatten)]
    pub(crate) init: InitOptions,
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
}

impl Outpaint {
    pub(crate) fn run(&self, _app: &App) -> Result<Report, Error> {
        Err(Error::Unsupported { what: "outpainting".into(), reason: "not yet".into() })
    }
}
