//! The file of measured settings.

use super::{Subject, TunedSettings};
use crate::{Error, Result, json::object, whole_file};
use serde_json::{Value, json};
use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// What errors about it are about.
const ROLE: &str = "tuned";
/// The form that is written and read. Another one has another number.
const VERSION: u64 = 1;

/// The settings that were measured for one [`Subject`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TunedEntry {
    /// What they hold for.
    pub subject: Subject,
    /// The settings.
    pub settings: TunedSettings,
    /// How many microseconds a picture of the measurement took by the defaults.
    pub default_micros: u64,
    /// How many by these settings; none if they are the defaults, or if they were not measured together:
    /// there was no time, or some are of an earlier measurement.
    pub tuned_micros: Option<u64>,
}

object! {
    TunedEntry = TunedEntry::default(), required subject settings default_micros;
    subject;
    settings;
    default_micros;
    tuned_micros;
}

impl TunedEntry {
    /// The time by the defaults over that by the settings, where both were measured.
    pub fn gain(&self) -> Option<f64> {
        let tuned = self.tuned_micros.filter(|micros| *micros > 0)?;
        let time = |micros| Duration::from_micros(micros).as_secs_f64();
        Some(time(self.default_micros) / time(tuned))
    }
}

/// A file of measured settings: one entry for each [`Subject`].
///
/// It is JSON, with a version, and may be read, edited and removed:
///
/// ```json
/// { "version": 1, "entries": [ { "subject": { … }, "settings": { "threads": 4 }, "default_micros": 2100000 } ] }
/// ```
///
/// A file that cannot be used is an error that names it: [`Error::FileUnreadable`], or
/// [`Error::InvalidParameter`] for what is no such file or is one of another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunedFile {
    path: PathBuf,
    entries: Vec<TunedEntry>,
}

/// Where measured settings are kept: the file that `SDCPP_TUNED` names, else `sdcpp/tuned.json` in the
/// user's folder of configurations (`~/.config`, `~/Library/Application Support`, `%APPDATA%`).
///
/// # Errors
/// [`Error::InvalidParameter`] if the variable is not set and the user has no such folder.
pub fn default_path() -> Result<PathBuf> {
    path_by(env::var_os("SDCPP_TUNED"), dirs::config_dir())
}

fn path_by(variable: Option<OsString>, folder: Option<PathBuf>) -> Result<PathBuf> {
    variable
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(folder?.join("sdcpp").join("tuned.json")))
        .ok_or_else(|| {
            let allowed = "a file for measured settings: this user has no folder of configurations";
            Error::invalid("SDCPP_TUNED", "not set", allowed)
        })
}

impl TunedFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::FileNotFound`], and if it cannot be used those that the type names.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self { entries: parse(&text, &path)?, path }),
            Err(source) => Err(Error::file(ROLE, path, source)),
        }
    }

    /// Reads a file, which has no entries if it does not exist.
    ///
    /// # Errors
    /// It cannot be used, as the type says.
    pub fn open_or_new(path: impl Into<PathBuf>) -> Result<Self> {
        match Self::open(path) {
            Err(Error::FileNotFound { path, .. }) => Ok(Self { path, entries: Vec::new() }),
            other => other,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its entries, in the order in which they were measured.
    pub fn entries(&self) -> &[TunedEntry] {
        &self.entries
    }

    /// The entry for this subject.
    pub fn find(&self, subject: &Subject) -> Option<&TunedEntry> {
        self.entries.iter().find(|entry| entry.subject == *subject)
    }

    /// Adds an entry, in place of another for the same subject.
    pub fn put(&mut self, entry: TunedEntry) {
        self.entries.retain(|other| other.subject != entry.subject);
        self.entries.push(entry);
    }

    /// The same without the threads that were measured: for who decides on them otherwise, as where
    /// several pictures at once share the processor out.
    #[must_use]
    pub fn without_threads(mut self) -> Self {
        for entry in &mut self.entries {
            if entry.settings.threads.take().is_some() {
                // That time was by these threads.
                entry.tuned_micros = None;
            }
        }
        self
    }

    /// Writes it, as a whole or not at all. Makes its folder if there is none, and leaves a link to it a link.
    ///
    /// Two programs that write a file in the same moment know nothing of each other: what the later one
    /// writes is there.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn save(&self) -> Result<()> {
        let document = json!({ "version": VERSION, "entries": self.entries });
        let contents = format!("{document:#}\n");
        replace(&self.target(), contents.as_bytes()).map_err(|source| self.unwritable(source))
    }

    /// Whether it could be written, for who is about to spend minutes on it. A file that there is gets the
    /// contents that it has, as saving writes them: a folder that anybody may write to need not let others'
    /// files be replaced, nor a container a file that is mounted into it. Otherwise nothing stays: a file is
    /// made in its folder, or in the nearest one that there is, and removed at once.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn check_writable(&self) -> Result<()> {
        let target = self.target();
        if target.is_file() {
            let replaced = fs::read(&target).and_then(|contents| replace(&target, &contents));
            return replaced.map_err(|source| self.unwritable(source));
        }
        // A link that leads nowhere is there too, and nothing can be made in it.
        let nearest = self
            .path
            .ancestors()
            .skip(1)
            .find(|folder| folder.as_os_str().is_empty() || folder.symlink_metadata().is_ok())
            .unwrap_or(Path::new(""));
        let made = whole_file::beside(&nearest.join("tuned.json"), ".json");
        made.map(drop).map_err(|source| self.unwritable(source))
    }

    /// Where a link leads, if it is one.
    fn target(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    fn unwritable(&self, source: io::Error) -> Error {
        Error::io(format!("write {}", self.path.display()), source)
    }
}

/// Writes the file as a whole or not at all. Makes its folder if there is none.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut file = whole_file::beside(path, ".json")?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.into_temp_path().persist(path).map_err(|error| error.error)
}

fn parse(text: &str, path: &Path) -> Result<Vec<TunedEntry>> {
    let unusable = |what: String| Error::InvalidParameter {
        field: ROLE.into(),
        value: format!("{what}, in {}", path.display()),
        allowed: "a file that `sdcpp tune` wrote; remove it, and measure again".to_owned(),
    };
    let garbage = |error: serde_json::Error| unusable(format!("no usable JSON ({error})"));
    let mut document: Value = serde_json::from_str(text).map_err(garbage)?;
    match document.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => {
            return Err(unusable(format!("of version {other}, and this is {VERSION}")));
        }
        None => return Err(unusable("a text without a version".to_owned())),
    }
    let entries = document.get_mut("entries").map(Value::take).unwrap_or_default();
    serde_json::from_value(entries).map_err(garbage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, option, prelude::*};

    fn entry(architecture: &str, threads: u32) -> TunedEntry {
        TunedEntry {
            subject: Subject { architecture: architecture.to_owned(), ..Subject::default() },
            settings: TunedSettings { threads: Some(threads), ..TunedSettings::default() },
            default_micros: 2_000_000,
            tuned_micros: Some(1_000_000),
        }
    }

    fn in_folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("tuned.json");
        (folder, path)
    }

    #[test]
    fn tuning_again_replaces_the_entry() {
        let (folder, path) = in_folder();
        for (architecture, threads) in [("a", 4), ("b", 2), ("a", 3)] {
            let mut file = TunedFile::open_or_new(&path).unwrap();
            file.put(entry(architecture, threads));
            file.save().unwrap();
        }
        let file = TunedFile::open(&path).unwrap();
        assert_eq!(file.entries(), [entry("b", 2), entry("a", 3)]);
        let subject = entry("a", 0).subject;
        assert_eq!(file.find(&subject), Some(&entry("a", 3)));
        assert_eq!(file.find(&Subject::default()), None);
        assert_eq!(entry("a", 1).gain(), Some(2.0));
        // Nothing else is left in the folder.
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_an_error_that_names_the_file() {
        let (_folder, path) = in_folder();
        let missing = TunedFile::open(&path).unwrap_err();
        assert!(matches!(&missing, Error::FileNotFound { role, .. } if role == "tuned"));
        assert_eq!(TunedFile::open_or_new(&path).unwrap().entries(), []);
        fs::create_dir_all(&path).unwrap();
        assert!(matches!(TunedFile::open(&path).unwrap_err(), Error::FileUnreadable { .. }));
        fs::remove_dir(&path).unwrap();
        for (text, part) in [
            ("", "no usable JSON (EOF"),
            ("\u{1}", "no usable JSON"),
            ("[]", "a text without a version"),
            (r#"{"version":"1"}"#, "a text without a version"),
            (r#"{"version":2,"entries":"of a later version"}"#, "of version 2, and this is 1"),
            (r#"{"version":1}"#, "no usable JSON (invalid type: null"),
            (r#"{"version":1,"entries":[{}]}"#, "the key `subject` is missing"),
            (
                r#"{"version":1,"entries":[{"subject":{}}]}"#,
                "`subject`: the key `processor` is missing",
            ),
            (r#"{"version":1,"entries":[{"settings":{"thread":1}}]}"#, "unknown key `thread`"),
        ] {
            fs::write(&path, text).unwrap();
            for error in [TunedFile::open(&path), TunedFile::open_or_new(&path)] {
                let error = error.unwrap_err();
                assert!(matches!(error, Error::InvalidParameter { .. }), "{error:?}");
                let error = error.to_string();
                assert!(error.contains(part) && error.contains("tuned.json"), "{error}");
                assert!(error.ends_with("remove it, and measure again"), "{error}");
            }
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(TunedFile::open(&path).unwrap_err(), Error::FileUnreadable { .. }));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "not a folder").unwrap();
        let below = TunedFile::open_or_new(folder.path().join("tuned.json")).unwrap();
        let below = TunedFile { path: file.join("tuned.json"), ..below };
        for error in [below.check_writable(), below.save()] {
            assert!(matches!(error.unwrap_err(), Error::Io { .. }));
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
    }

    #[test]
    fn that_it_can_be_written_is_seen_without_writing_it() {
        let (folder, path) = in_folder();
        TunedFile::open_or_new(&path).unwrap().check_writable().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nor is its folder made");
        fs::create_dir(folder.path().join("new")).unwrap();
        fs::write(&path, "of another").unwrap();
        let there = TunedFile { path: path.clone(), entries: Vec::new() };
        there.check_writable().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "of another");
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
    }

    /// As of somebody whose settings lie in a folder of their own.
    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let (folder, path) = in_folder();
        let (real, link) = (folder.path().join("real.json"), folder.path().join("link.json"));
        let mut file = TunedFile::open_or_new(&real).unwrap();
        file.save().unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        file = TunedFile::open(&link).unwrap();
        file.put(entry("a", 4));
        file.check_writable().unwrap();
        assert_eq!(TunedFile::open(&real).unwrap().entries(), []);
        file.save().unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(TunedFile::open(&real).unwrap().entries(), [entry("a", 4)]);
        assert!(!path.exists());
    }

    #[test]
    fn without_threads_the_rest_stays() {
        let mut with_flash = entry("b", 2);
        with_flash.settings.diffusion_flash_attention = true;
        let mut no_threads = entry("c", 1);
        no_threads.settings = TunedSettings { vae_conv_direct: true, ..TunedSettings::default() };
        let entries = vec![entry("a", 4), with_flash, no_threads.clone()];
        let file = TunedFile { path: PathBuf::new(), entries }.without_threads();
        let all: Vec<_> =
            file.entries().iter().map(|e| (e.settings.to_string(), e.tuned_micros)).collect();
        assert_eq!(all[0], ("the defaults".to_owned(), None));
        assert_eq!(all[1], ("diffusion_flash_attention on".to_owned(), None));
        assert_eq!(file.entries()[2], no_threads);
    }

    #[test]
    fn the_variable_ranks_before_the_users_folder() {
        let folder = || Some(PathBuf::from("config"));
        let by = |variable: Option<&str>, folder| path_by(variable.map(OsString::from), folder);
        assert_eq!(by(Some("mine.json"), folder()).unwrap(), Path::new("mine.json"));
        let usual = Path::new("config").join("sdcpp").join("tuned.json");
        assert_eq!(by(None, folder()).unwrap(), usual);
        assert_eq!(by(Some(""), folder()).unwrap(), usual);
        assert!(by(None, None).unwrap_err().to_string().starts_with("SDCPP_TUNED is not set"));
    }

    prop_compose! {
        fn entries()(
            text in "\\PC{0,12}",
            numbers in any::<[u32; 4]>(),
            threads in option::of(any::<u32>()),
            switches in any::<(bool, bool, bool)>(),
            default_micros in any::<u64>(),
            tuned_micros in option::of(any::<u64>()),
        ) -> TunedEntry {
            TunedEntry {
                subject: Subject {
                    processor: text.clone(),
                    engine: text,
                    cores: numbers[0],
                    logical_cores: numbers[1],
                    size_class: numbers[2],
                    side: numbers[3],
                    ..Subject::default()
                },
                settings: TunedSettings {
                    threads,
                    diffusion_flash_attention: switches.0,
                    diffusion_conv_direct: switches.1,
                    vae_conv_direct: switches.2,
                },
                default_micros,
                tuned_micros,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in vec(entries(), 0..4)) {
            let (_folder, path) = in_folder();
            let mut file = TunedFile::open_or_new(&path).unwrap();
            for entry in &entries {
                file.put(entry.clone());
            }
            file.save().unwrap();
            prop_assert_eq!(TunedFile::open(&path).unwrap(), file);
        }

        #[test]
        fn any_text_is_a_file_or_an_error(text in "\\PC*", entry in "[{}\\[\\]\":,a-z_0-9]{0,30}") {
            let path = Path::new("tuned.json");
            let _ = parse(&text, path);
            let _ = parse(&format!("{{\"version\":1,\"entries\":[{entry}]}}"), path);
        }
    }
}
