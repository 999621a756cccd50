//! `models verify`.

use super::{file_called, list_files};
use crate::hub::{Folder, HubError, Verdict};
use clap::Args;
use sdcpp::ModelFile;

/// Hashes files again, and compares them with what was pulled.
#[derive(Debug, Args)]
pub struct Verify {
    /// Files of the folder; all of them if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Verify {
    /// Whether all files are as they should be.
    pub(crate) fn run(&self, folder: &Folder) -> Result<bool, HubError> {
        let files = list_files(folder)?;
        let named: Result<Vec<_>, _> =
            self.names.iter().map(|name| file_called(name, &files)).collect();
        let names = if self.names.is_empty() { files } else { named? };
        let mut good = true;
        for name in names {
            // A record that is damaged is told, and the next file is looked at.
            let (sound, what) = match verdict(folder, &name) {
                Ok(verdict) => verdict,
                Err(error) => (false, error.message),
            };
            println!("{name}: {what}");
            good &= sound;
        }
        Ok(good)
    }
}

/// Whether a file is as it should be, in words.
fn verdict(folder: &Folder, name: &str) -> Result<(bool, String), HubError> {
    if let Some(record) = folder.record(name)? {
        return Ok(match folder.verify(name, &record)? {
            Verdict::Same => (true, format!("as it was pulled, SHA-256 {}", record.sha256)),
            Verdict::Differs(how) => {
                (false, format!("{how}; pull it again with --force, from {}", record.repo))
            }
        });
    }
    Ok(match ModelFile::open(folder.file(name)?) {
        Ok(file) => {
            let what =
                format!("unrecorded, was not pulled; its header is sound: {}", file.architecture());
            (true, what)
        }
        Err(error) => (false, format!("unrecorded, was not pulled; {error}")),
    })
}
