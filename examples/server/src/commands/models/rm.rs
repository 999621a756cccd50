//! `models rm`.

use super::{file_called, list_files};
use crate::hub::{Folder, HubError, bytes};
use clap::Args;

/// Removes files, their records and what is not whole of them.
#[derive(Debug, Args)]
pub struct Rm {
    /// Files of the folder
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

impl Rm {
    pub(crate) fn run(&self, folder: &Folder) -> Result<bool, HubError> {
        let files = list_files(folder)?;
        // All names are looked up before the first file goes.
        let named: Result<Vec<_>, _> =
            self.names.iter().map(|name| file_called(name, &files)).collect();
        for name in named? {
            match folder.remove(&name)? {
                Some(freed) => println!("{name}: removed, {} ({freed} bytes) freed", bytes(freed)),
                None => println!("{name}: was removed meanwhile"),
            }
        }
        Ok(true)
    }
}
