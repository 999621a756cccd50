//! `sdcpp-server models`: the models of the folder.

mod list;
mod pull;
mod rm;
mod verify;

use crate::{
    hub::{Folder, HubError},
    options::Options,
};
use clap::Subcommand;
use std::path::PathBuf;

/// What to do with the models of the folder.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// What is in the folder, and what can be pulled by name
    List(list::List),
    /// Download a model: by its short name, or files of a repository
    Pull(pull::PullModels),
    /// Hash files again, and compare them with what was pulled
    Verify(verify::Verify),
    /// Remove files, their records and what is not whole of them
    Rm(rm::Rm),
}

impl ModelsCommand {
    pub(crate) fn run(&self, options: &Options) -> Result<bool, HubError> {
        let folder = || -> Result<PathBuf, HubError> {
            options.models.clone().ok_or_else(|| {
                HubError::new("no models folder is named")
                    .advise("name it by --models FOLDER or MODEL_CACHE_DIR")
            })
        };
        match self {
            Self::List(list) if list.is_of_presets() => list.presets(),
            Self::List(list) => list.folder(&Folder::open(folder()?)?),
            Self::Pull(pull) => pull.run(folder()?),
            Self::Verify(verify) => verify.run(&Folder::open(folder()?)?),
            Self::Rm(rm) => rm.run(&Folder::open(folder()?)?),
        }
    }
}

/// The files of models in the folder, those that are not whole, and those that are gone and have a
/// record.
fn list_files(folder: &Folder) -> Result<Vec<String>, HubError> {
    let mut files = folder.recorded()?;
    files.extend(folder.unfinished()?);
    files.extend(folder.models()?);
    files.sort();
    files.dedup();
    Ok(files)
}

/// The name of a file in the folder, which may be told without its ending.
fn file_called(name: &str, files: &[String]) -> Result<String, HubError> {
    if let Some(file) = files.iter().find(|file| *file == name) {
        return Ok(file.clone());
    }
    let stem = |file: &str| file.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    let called: Vec<_> = files.iter().filter(|file| stem(file).as_deref() == Some(name)).collect();
    match called.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(HubError::new(format!("there is no file {name} in the folder"))
            .advise("`models list` tells the names; a path is no name")),
        several => {
            let several: Vec<_> = several.iter().map(|file| file.as_str()).collect();
            Err(HubError::new(format!("{name} may be {}", several.join(" or "))))
        }
    }
}
