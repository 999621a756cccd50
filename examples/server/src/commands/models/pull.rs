//! `models pull`.

use crate::hub::{Folder, HubError, Pull, Pulled, Repo, Wanted, is_offline};
use clap::Args;
use sdcpp::{KnownModel, Preset};
use std::path::PathBuf;

/// Downloads a model: by its short name, or files of a repository.
#[derive(Debug, Args)]
pub struct PullModels {
    /// A short name, as `models list --presets` tells them; or OWNER/NAME, with @REVISION behind it
    #[arg(value_name = "MODEL")]
    what: String,
    /// Files of the repository, with their folders there
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// What the one file is to be called in the folder
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Download all of it again, and replace what is there
    #[arg(long)]
    force: bool,
    /// Ask nobody, and say what is missing; HF_HUB_OFFLINE=1 does the same
    #[arg(long)]
    offline: bool,
}

impl PullModels {
    pub(crate) fn run(&self, folder: PathBuf) -> Result<bool, HubError> {
        let known = KnownModel::named(&self.what)?;
        let wanted = match known {
            Some(known) => self.of_known(known)?,
            None => self.of_repository()?,
        };
        let folder = Folder::create(folder)?;
        let offline = self.offline || is_offline();
        let pull = Pull { folder: &folder, force: self.force, offline };
        pull.run(&wanted, |wanted, pulled| {
            let what = if pulled == Pulled::Fetched { "pulled" } else { "there already" };
            println!("{}: {what}", wanted.name);
        })?;
        if let Some(known) = known
            && let Some(main) = known.main_file()
        {
            let preset = Preset::path_beside(main.local_name());
            let what = if pull.write_preset(known)? { "written" } else { "kept as it was" };
            println!("{}: {what}", preset.display());
        }
        Ok(true)
    }

    fn of_known(&self, known: &KnownModel) -> Result<Vec<Wanted>, HubError> {
        if !self.files.is_empty() || self.name.is_some() {
            let message = format!("{} is a short name, which has its own files", self.what);
            return Err(HubError::new(message).advise("leave out the files and --as"));
        }
        Wanted::of_known(known)
    }

    fn of_repository(&self) -> Result<Vec<Wanted>, HubError> {
        if !self.what.contains('/') {
            let names: Vec<_> =
                KnownModel::all()?.iter().map(|known| known.name.as_str()).collect();
            return Err(HubError::new(format!("no model has the short name {}", self.what))
                .advise(format!(
                    "name a repository, as OWNER/NAME, or one of {}",
                    names.join(", ")
                )));
        }
        if self.files.is_empty()
            && let Some(wanted) = Wanted::in_one_word(&self.what)?
        {
            let name = self.name.as_deref();
            return Ok(vec![Wanted::new(wanted.repo, &wanted.path, name)?]);
        }
        let repo: Repo = self.what.parse()?;
        if self.files.is_empty() {
            return Err(self.which_file(&repo));
        }
        if self.name.is_some() && self.files.len() > 1 {
            return Err(HubError::new("--as names one file, and several are asked for"));
        }
        let name = self.name.as_deref();
        self.files.iter().map(|file| Wanted::new(repo.clone(), file, name)).collect()
    }

    /// No file is named: the repository's own list helps.
    fn which_file(&self, repo: &Repo) -> HubError {
        let error = HubError::new(format!("no file of {} is named", repo.id));
        if self.offline || is_offline() {
            return error;
        }
        match Pull::choice(repo) {
            Ok(files) if files.is_empty() => error.advise("it has none that can be used"),
            Ok(files) => {
                let names: Vec<_> = files.iter().map(|file| file.path.as_str()).take(40).collect();
                error.advise(format!("it has: {}", names.join(", ")))
            }
            Err(why) => why,
        }
    }
}
