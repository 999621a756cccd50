//! The models folder: files under their names, and beside them, in `.pulled`, a record of each file that
//! was pulled, and what is not whole yet.

use super::{client::RemoteFile, error::HubError, name::check_name, part::Part};
use crate::hash::hash_file;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Where records and unfinished files are; no name of a model begins with a dot.
const HIDDEN: &str = ".pulled";

/// What a file was when it was pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) repo: String,
    pub(crate) revision: String,
    pub(crate) commit: String,
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    /// Whether the hub told the hash; else it is that of what came.
    pub(crate) sha256_told: bool,
}

impl Record {
    pub(crate) fn new(remote: &RemoteFile, sha256: String) -> Self {
        Self {
            repo: remote.repo.id.clone(),
            revision: remote.repo.revision.clone(),
            commit: remote.commit.clone(),
            path: remote.path.clone(),
            size: remote.size,
            sha256,
            sha256_told: remote.sha256.is_some(),
        }
    }
}

/// How a file is compared with its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    /// In words.
    Differs(String),
}

/// A folder of models.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

/// Nobody else pulls or removes the file meanwhile.
pub(crate) struct Lock(#[allow(dead_code, reason = "held, and released by being dropped")] File);

impl Folder {
    /// A folder that exists.
    pub(crate) fn open(path: impl Into<PathBuf>) -> Result<Self, HubError> {
        let path = path.into();
        match path.is_dir() {
            true => Ok(Self(path)),
            false => Err(HubError::new(format!("{} is no folder", path.display()))
                .advise("name it by --models or MODEL_CACHE_DIR")),
        }
    }

    /// A folder, which is made if it does not exist.
    pub(crate) fn create(path: impl Into<PathBuf>) -> Result<Self, HubError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(|error| {
            HubError::io(format!("the folder {} cannot be made", path.display()), &error)
        })?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the file of this name is, or would be.
    pub(crate) fn file(&self, name: &str) -> Result<PathBuf, HubError> {
        check_name(name)?;
        Ok(self.0.join(name))
    }

    /// The record of a file; none if it was not pulled.
    pub(crate) fn record(&self, name: &str) -> Result<Option<Record>, HubError> {
        check_name(name)?;
        read_whole(&self.hidden(name, "json"))
    }

    pub(crate) fn write_record(&self, name: &str, record: &Record) -> Result<(), HubError> {
        check_name(name)?;
        self.make_hidden()?;
        write_whole(&self.hidden(name, "json"), record)
    }

    /// What is there of a file that is not whole.
    pub(crate) fn part(
        &self,
        name: &str,
        remote: &RemoteFile,
        anew: bool,
    ) -> Result<Part, HubError> {
        check_name(name)?;
        self.make_hidden()?;
        Part::open(self.hidden(name, "part"), self.hidden(name, "part.json"), remote, anew)
    }

    /// Bytes of a file that is not whole; none if there is no such.
    pub(crate) fn part_length(&self, name: &str) -> Option<u64> {
        self.hidden(name, "part").metadata().ok().map(|metadata| metadata.len())
    }

    /// Keeps others from the file, who wait, or who must not wait.
    pub(crate) fn lock(&self, name: &str, wait: bool) -> Result<Lock, HubError> {
        check_name(name)?;
        self.make_hidden()?;
        let path = self.hidden(name, "lock");
        let failed = |error| HubError::io(format!("{} cannot be locked", path.display()), &error);
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) if wait => {
                eprintln!("{name}: waiting for another program that pulls it");
                file.lock().map_err(failed)?;
            }
            Err(fs::TryLockError::WouldBlock) => {
                return Err(HubError::new(format!("{name} is being pulled by another program")));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        Ok(Lock(file))
    }

    /// Names of files that have a record.
    pub(crate) fn recorded(&self) -> Result<Vec<String>, HubError> {
        self.names(".json", Some(".part.json"))
    }

    /// Names of files that are not whole.
    pub(crate) fn unfinished(&self) -> Result<Vec<String>, HubError> {
        self.names(".part", None)
    }

    /// Names of files that may be models.
    pub(crate) fn models(&self) -> Result<Vec<String>, HubError> {
        names_in(&self.0, |name| Some(name).filter(|name| check_name(name).is_ok()))
    }

    /// Hashes a file, and compares it with its record.
    pub(crate) fn verify(&self, name: &str, record: &Record) -> Result<Verdict, HubError> {
        let path = self.file(name)?;
        let (sha256, size) = match hash_file(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Verdict::Differs("the file is not there".to_owned()));
            }
            Err(error) => return Err(HubError::io(format!("{name} cannot be read"), &error)),
        };
        Ok(if size != record.size {
            Verdict::Differs(format!("it has {size} bytes, and {} were pulled", record.size))
        } else if sha256 != record.sha256 {
            Verdict::Differs(format!("its SHA-256 is {sha256}, and {} was pulled", record.sha256))
        } else {
            Verdict::Same
        })
    }

    /// Removes a file, its record and what is not whole of it; the bytes that were freed, or none if
    /// there was nothing.
    pub(crate) fn remove(&self, name: &str) -> Result<Option<u64>, HubError> {
        let file = self.file(name)?;
        let all = [file, self.hidden(name, "part"), self.hidden(name, "part.json")];
        let record = self.hidden(name, "json");
        if !all.iter().chain([&record]).any(|path| path.symlink_metadata().is_ok()) {
            return Ok(None);
        }
        let _lock = self.lock(name, false)?;
        let mut freed = 0;
        for path in all.iter().chain([&record]) {
            let length = path.symlink_metadata().map(|metadata| metadata.len());
            match fs::remove_file(path) {
                Ok(()) => freed += length.unwrap_or(0),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let what = format!("{} cannot be removed", path.display());
                    return Err(HubError::io(what, &error));
                }
            }
        }
        Ok(Some(freed))
    }

    fn hidden(&self, name: &str, ending: &str) -> PathBuf {
        self.0.join(HIDDEN).join(format!("{name}.{ending}"))
    }

    fn make_hidden(&self) -> Result<(), HubError> {
        let path = self.0.join(HIDDEN);
        fs::create_dir_all(&path)
            .map_err(|error| HubError::io(format!("{} cannot be made", path.display()), &error))
    }

    fn names(&self, ending: &str, but: Option<&str>) -> Result<Vec<String>, HubError> {
        names_in(&self.0.join(HIDDEN), |name| {
            let named = but.is_none_or(|but| !name.ends_with(but));
            name.strip_suffix(ending).filter(|name| named && check_name(name).is_ok())
        })
    }
}

/// What `of` makes of the names in a folder; none if there is no such folder.
fn names_in(
    folder: &Path,
    of: impl for<'a> Fn(&'a str) -> Option<&'a str>,
) -> Result<Vec<String>, HubError> {
    let failed =
        |error: io::Error| HubError::io(format!("{} cannot be read", folder.display()), &error);
    let entries = match folder.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.path().is_file() {
            names.extend(of(&entry.file_name().to_string_lossy()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}

/// Writes a value as JSON: whole, or not at all.
pub(crate) fn write_whole(path: &Path, value: &impl Serialize) -> Result<(), HubError> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| HubError::io(format!("{} cannot be written", path.display()), &error))
}

fn read_whole<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, HubError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes
            .map_err(|error| HubError::io(format!("{} cannot be read", path.display()), &error))?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        HubError::new(format!("{} is damaged: {error}", path.display()))
            .advise("remove it; the next pull writes it anew")
    })
}
