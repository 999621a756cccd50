//! Pulls what is wanted: finds out what it is, whether it is there, and whether there is room for it.

use super::{
    client::{Hub, RemoteFile},
    download::download,
    error::{Backoff, HubError},
    folder::{Folder, Record, write_whole},
    name::{Repo, check_name, check_path, repo_and_file},
    progress::bytes,
};
use crate::hash::hash_file;
use sdcpp::{KnownModel, Preset};
use std::{collections::BTreeMap, path::Path};

/// A file that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) repo: Repo,
    pub(crate) path: String,
    /// What it is to be called in the folder.
    pub(crate) name: String,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// It was there, as it is on the hub.
    There,
    /// It is there now.
    Fetched,
}

impl Wanted {
    /// A file of a repository; the name is the last part of its path if none is given.
    pub(crate) fn new(repo: Repo, path: &str, name: Option<&str>) -> Result<Self, HubError> {
        check_path(path)?;
        let name = name.unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path));
        check_name(name)?;
        Ok(Self { repo, path: path.to_owned(), name: name.to_owned() })
    }

    /// A file in one word, as in `owner/name/path/of/file`; none if it does not have that form.
    pub(crate) fn in_one_word(text: &str) -> Result<Option<Self>, HubError> {
        let Some((repo, path)) = repo_and_file(text) else { return Ok(None) };
        Self::new(repo.parse()?, path, None).map(Some)
    }

    /// The files of a known model.
    pub(crate) fn of_known(known: &KnownModel) -> Result<Vec<Self>, HubError> {
        if known.files.is_empty() {
            let message = format!("no place is known that {} can be pulled from", known.title);
            return Err(HubError::new(message).advise("name it: models pull OWNER/NAME FILE"));
        }
        let file =
            |file: &sdcpp::HubFile| Self::new(file.repo.parse()?, &file.path, file.name.as_deref());
        known.files.values().map(file).collect()
    }
}

/// How to pull.
pub(crate) struct Pull<'a> {
    pub(crate) folder: &'a Folder,
    /// All of it again, whatever is there.
    pub(crate) force: bool,
    /// Asks nobody.
    pub(crate) offline: bool,
}

impl Pull<'_> {
    /// Gets all files into the folder, and tells of each what became of it.
    pub(crate) fn run(
        &self,
        wanted: &[Wanted],
        mut tell: impl FnMut(&Wanted, Pulled),
    ) -> Result<(), HubError> {
        if self.offline {
            self.check_there(wanted)?;
            wanted.iter().for_each(|wanted| tell(wanted, Pulled::There));
            return Ok(());
        }
        let hub = Hub::from_env()?;
        let remote = remote_files(&hub, wanted)?;
        self.check_room(wanted, &remote)?;
        for (wanted, remote) in wanted.iter().zip(&remote) {
            tell(wanted, self.one(&hub, &wanted.name, remote)?);
        }
        Ok(())
    }

    /// The files that a repository has and that may be pulled.
    pub(crate) fn choice(repo: &Repo) -> Result<Vec<RemoteFile>, HubError> {
        let hub = Hub::from_env()?;
        let files = Backoff::default().until(|| hub.files(repo))?;
        Ok(files.into_iter().filter(|file| check_path(&file.path).is_ok()).collect())
    }

    /// Writes the preset of a known model beside its main file, where there is none of the user's own.
    /// Whether it was written.
    pub(crate) fn write_preset(&self, known: &KnownModel) -> Result<bool, HubError> {
        let Some(main) = known.main_file() else { return Ok(false) };
        let path = Preset::path_beside(self.folder.file(main.local_name())?);
        if path.exists() && !self.force {
            return Ok(false);
        }
        write_whole(&path, &known.preset_beside())?;
        Ok(true)
    }

    fn one(&self, hub: &Hub, name: &str, remote: &RemoteFile) -> Result<Pulled, HubError> {
        let _lock = self.folder.lock(name, true)?;
        if !self.force && self.is_there(name, remote)? {
            return Ok(Pulled::There);
        }
        download(hub, self.folder, name, remote, self.force)?;
        Ok(Pulled::Fetched)
    }

    /// Whether the file is in the folder already. One of another content is replaced only if it came
    /// from the same place, unchanged: others are not ours to remove.
    fn is_there(&self, name: &str, remote: &RemoteFile) -> Result<bool, HubError> {
        let path = self.folder.file(name)?;
        if path.symlink_metadata().is_err() {
            return Ok(false);
        }
        let record = self.folder.record(name)?;
        let same_place =
            |record: &Record| (&record.repo, &record.path) == (&remote.repo.id, &remote.path);
        let told = |record: &Record| match &remote.sha256 {
            Some(sha256) => *sha256 == record.sha256,
            None => same_place(record) && record.commit == remote.commit,
        };
        if let Some(record) = record.as_ref().filter(|record| told(record)) {
            // The length is looked at each time; the hash is for `verify`.
            return Ok(length(&path) == Some(record.size) && record.size == remote.size);
        }
        if record.as_ref().is_some_and(same_place) {
            return Ok(false);
        }
        if let Some(sha256) = &remote.sha256
            && length(&path) == Some(remote.size)
        {
            let (found, _) = hash_file(&path)
                .map_err(|error| HubError::io(format!("{name} cannot be read"), &error))?;
            if found == *sha256 {
                self.folder.write_record(name, &Record::new(remote, found))?;
                return Ok(true);
            }
        }
        Err(HubError::new(format!(
            "there is another file called {name} in {}",
            self.folder.path().display()
        ))
        .advise("give this one another name with --as, or replace that one with --force"))
    }

    /// Without a network: what is missing, precisely.
    fn check_there(&self, wanted: &[Wanted]) -> Result<(), HubError> {
        let mut missing = Vec::new();
        for wanted in wanted {
            if !self.folder.file(&wanted.name)?.is_file() {
                let part = self.folder.part_length(&wanted.name);
                let part = part.map(|part| format!(", of which {} are there", bytes(part)));
                let Wanted { repo, path, name } = wanted;
                let part = part.unwrap_or_default();
                missing.push(format!("{name} ({path} of {}@{}{part})", repo.id, repo.revision));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(HubError::new(format!(
            "not in {}, and nothing is fetched offline: {}",
            self.folder.path().display(),
            missing.join(", ")
        ))
        .advise("pull without --offline and HF_HUB_OFFLINE, or copy the files there"))
    }

    /// Refuses before the first byte what the disk has no room for.
    fn check_room(&self, wanted: &[Wanted], remote: &[RemoteFile]) -> Result<(), HubError> {
        let mut needed = 0_u64;
        for (wanted, remote) in wanted.iter().zip(remote) {
            let there = match self.force {
                true => None,
                false => length(&self.folder.file(&wanted.name)?).filter(|it| *it == remote.size),
            };
            if there.is_none() {
                let part = self.folder.part_length(&wanted.name).unwrap_or(0);
                needed = needed.saturating_add(remote.size.saturating_sub(part));
            }
        }
        let folder = self.folder.path();
        let free = fs4::available_space(folder).map_err(|error| {
            HubError::io(format!("the free space of {} is not known", folder.display()), &error)
        })?;
        if needed <= free {
            return Ok(());
        }
        let (needed, free) = (bytes(needed), bytes(free));
        Err(HubError::new(format!(
            "{needed} are to come, and {} has room for {free}",
            folder.display()
        ))
        .advise("make room, as with `models rm`, or name another folder by --models"))
    }
}

/// What the hub says about the files; each repository is asked once.
fn remote_files(hub: &Hub, wanted: &[Wanted]) -> Result<Vec<RemoteFile>, HubError> {
    let mut repos = BTreeMap::new();
    for wanted in wanted {
        if !repos.contains_key(&wanted.repo) {
            let files = Backoff::default().until(|| hub.files(&wanted.repo))?;
            repos.insert(wanted.repo.clone(), files);
        }
    }
    let find = |wanted: &Wanted| {
        let files = repos.get(&wanted.repo).map(Vec::as_slice).unwrap_or_default();
        files.iter().find(|file| file.path == wanted.path).cloned().ok_or_else(|| {
            let Repo { id, revision } = &wanted.repo;
            let has = files.iter().map(|file| file.path.as_str());
            let has: Vec<_> = has.filter(|path| check_path(path).is_ok()).take(20).collect();
            HubError::new(format!("{id} has no file {} at {revision}", wanted.path))
                .advise(format!("it has: {}", has.join(", ")))
        })
    };
    wanted.iter().map(find).collect()
}

fn length(path: &Path) -> Option<u64> {
    path.metadata().ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len())
}
