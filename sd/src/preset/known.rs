//! Models that are known by name: `known.json`.

use super::Preset;
use crate::{Architecture, Error, Result};
use once_cell::sync::Lazy;
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;

/// A model that is known by name: what suits it, and where a hub has its files.
///
/// ```
/// let turbo = sdcpp::KnownModel::named("sdxl-turbo")?.ok_or("none of this name")?;
/// assert_eq!(turbo.preset.steps, Some(4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KnownModel {
    /// Its short name, as `sdxl-turbo`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What its main file is.
    #[serde(deserialize_with = "labelled")]
    pub architecture: Architecture,
    /// The families whose [settings](Preset::of) are this model's; none if another of its family
    /// comes first.
    #[serde(default, deserialize_with = "all_labelled")]
    pub suits: Vec<Architecture>,
    /// Sizes, steps and the like; no files.
    #[serde(rename = "settings")]
    pub preset: Preset,
    /// Where its files are, by the field of [`ModelConfig`](crate::ModelConfig) that takes each; empty
    /// where no place is known. The places were written down from documentation, and not tried.
    #[serde(default)]
    pub files: BTreeMap<String, HubFile>,
}

/// A file on a hub of models.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HubFile {
    /// The repository, as `owner/name`.
    pub repo: String,
    /// The file's path in the repository.
    pub path: String,
    /// What it is called on this machine; else the last part of its path.
    pub name: Option<String>,
}

impl HubFile {
    /// What it is called on this machine.
    pub fn local_name(&self) -> &str {
        let last = self.path.rsplit('/').next().unwrap_or(&self.path);
        self.name.as_deref().unwrap_or(last)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "note")]
    _note: String,
    models: Vec<KnownModel>,
}

static TABLE: Lazy<Result<Table, String>> = Lazy::new(|| {
    serde_json::from_str(include_str!("known.json")).map_err(|error| error.to_string())
});

impl KnownModel {
    /// All of them.
    ///
    /// # Errors
    /// The crate's own table is wrong, which its tests rule out.
    pub fn all() -> Result<&'static [Self]> {
        match &*TABLE {
            Ok(table) => Ok(&table.models),
            Err(error) => Err(Error::invalid("known.json", error, "a table that can be read")),
        }
    }

    /// The one of this name.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn named(name: &str) -> Result<Option<&'static Self>> {
        Ok(Self::all()?.iter().find(|known| known.name == name))
    }

    /// The file that names the model: the whole one, or the diffusion model; none where no place is
    /// known.
    pub fn main_file(&self) -> Option<&HubFile> {
        self.files.get("model").or_else(|| self.files.get("diffusion_model"))
    }

    /// The preset to keep [beside](Preset::path_beside) the main file: the settings, and the names of
    /// the other files, which are to be in the same folder.
    pub fn preset_beside(&self) -> Preset {
        let mut preset = self.preset.clone();
        for (field, file) in &self.files {
            if let Some(part) = preset.part_mut(field) {
                *part = Some(file.local_name().into());
            }
        }
        preset
    }
}

fn find<E: de::Error>(label: &str) -> Result<Architecture, E> {
    Architecture::labelled(label).ok_or_else(|| E::custom(format!("no architecture is {label:?}")))
}

fn labelled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Architecture, D::Error> {
    find(&String::deserialize(deserializer)?)
}

fn all_labelled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Architecture>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|label| find(label)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImageRequest, model_file::required_fields};
    use std::collections::{HashMap, HashSet};

    #[test]
    fn every_entry_is_right() {
        let all = KnownModel::all().unwrap();
        let mut names = HashSet::new();
        let mut suited = HashSet::new();
        for known in all {
            let name = &known.name;
            assert!(names.insert(name), "{name} twice");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b"0123456789.-".contains(&b)));
            assert!(known.architecture.has_diffusion_model(), "{name}");
            assert_eq!(known.architecture.unsupported(), None, "{name}");
            for family in &known.suits {
                assert!(suited.insert(family), "{family} has two settings");
                assert_eq!(family.is_video_model(), known.architecture.is_video_model(), "{name}");
            }
            let mut request = ImageRequest::new("x");
            known.preset.apply_to_request(&mut request);
            request.check().unwrap();
            let set = [known.preset.width, known.preset.height, known.preset.steps];
            assert!(set.iter().all(Option::is_some) && known.preset.cfg_scale.is_some(), "{name}");
            assert!(
                request.width.is_multiple_of(32) && request.height.is_multiple_of(32),
                "{name}"
            );
        }
        assert!(KnownModel::named("none such").unwrap().is_none());
    }

    /// The files of a model are places that exist, with all parts that its family needs, in names that
    /// do not collide.
    #[test]
    fn the_files_make_a_whole_model() {
        let mut local = HashMap::new();
        for known in KnownModel::all().unwrap().iter().filter(|known| !known.files.is_empty()) {
            let name = &known.name;
            let main = known.main_file().unwrap_or_else(|| panic!("{name} has no main file"));
            let mut preset = known.preset_beside();
            for (field, file) in &known.files {
                let is_main = file == main;
                assert!(is_main || preset.part_mut(field).is_some_and(|f| f.is_some()), "{field}");
                assert_eq!(file.repo.split('/').count(), 2, "{name}: {}", file.repo);
                let ending = file.local_name().rsplit('.').next().unwrap();
                assert!(["gguf", "safetensors"].contains(&ending), "{name}: {}", file.path);
                // The decoder of FLUX.1 is the same in both of its repositories.
                let place = (file.repo.replace("FLUX.1-schnell", "FLUX.1-dev"), &file.path);
                let other = local.insert(file.local_name(), place.clone()).unwrap_or(place.clone());
                assert_eq!(other, place, "{} is of two places", file.local_name());
            }
            if known.files.contains_key("diffusion_model") {
                for field in required_fields(known.architecture) {
                    assert!(known.files.contains_key(field), "{name} lacks its {field}");
                }
            }
        }
    }
}
