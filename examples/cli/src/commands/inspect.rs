//! `sdcpp inspect`

use crate::report::Report;
use clap::Args;
use sdcpp::Error;
use std::path::PathBuf;

/// Say what a model file is.
#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// Model file, or diffusers folder
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<Report, Error> {
        let _ = &self.files;
        Err(Error::Unsupported { what: "inspecting".into(), reason: "not yet".into() })
    }
}
