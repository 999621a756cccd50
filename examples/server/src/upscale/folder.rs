//! The folder of ESRGAN models, which are chosen by name.

use crate::error::ApiError;
use sdcpp::{Architecture, ModelFile};
use std::path::{Path, PathBuf};

/// The endings of files that are read without trust.
const ENDINGS: [&str; 2] = ["gguf", "safetensors"];

/// An ESRGAN model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Esrgan {
    /// The name of its file without the ending; with it, where two are the same.
    pub(crate) name: String,
    /// Where it is; clients are not told.
    pub(crate) path: PathBuf,
    /// How many times as wide and high its pictures are.
    pub(crate) factor: u32,
}

/// A folder of them; none has no models.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folder(Option<PathBuf>);

impl Folder {
    /// A folder that is named.
    ///
    /// # Errors
    /// There is no such folder.
    pub(crate) fn new(folder: Option<PathBuf>) -> Result<Self, ApiError> {
        match folder {
            Some(folder) if !folder.is_dir() => {
                Err(ApiError::invalid("upscalers", folder.display(), "a folder that exists"))
            }
            folder => Ok(Self(folder)),
        }
    }

    /// The models there are now, by name. Reads the headers of the files.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn list(&self) -> Result<Vec<Esrgan>, ApiError> {
        let Some(folder) = &self.0 else { return Ok(Vec::new()) };
        let unreadable = |error: std::io::Error| {
            ApiError::internal(format!("the upscalers folder cannot be read: {error}"))
        };
        let mut models = Vec::new();
        for entry in folder.read_dir().map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if let Some(factor) = factor(&path) {
                models.push(Esrgan { name: text(path.file_stem()), path, factor });
            }
        }
        models.sort_by(|a, b| a.path.cmp(&b.path));
        let stems: Vec<_> = models.iter().map(|model| model.name.clone()).collect();
        for model in &mut models {
            if stems.iter().filter(|stem| **stem == model.name).count() > 1 {
                model.name = text(model.path.file_name());
            }
        }
        Ok(models)
    }

    /// The model of this name, with or without the file's ending; none if there is none. A path is no
    /// name.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub(crate) fn find(&self, name: &str) -> Result<Option<Esrgan>, ApiError> {
        let called = |model: &Esrgan| model.name == name || text(model.path.file_name()) == name;
        Ok(self.list()?.into_iter().find(called))
    }
}

fn text(name: Option<&std::ffi::OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// That of an ESRGAN file, as the engine tells it: by how often the picture is doubled.
fn factor(path: &Path) -> Option<u32> {
    let ending = path.extension()?.to_str()?;
    if !ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)) || !path.is_file() {
        return None;
    }
    let file = match ModelFile::open(path) {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!("{error}");
            return None;
        }
    };
    if file.architecture() != Architecture::Upscaler {
        return None;
    }
    let has = |name| file.tensor(name).is_some();
    Some(match (has("conv_first.weight"), has("conv_up1.weight"), has("conv_up2.weight")) {
        (_, _, true) => 4,
        (_, true, false) => 2,
        (true, false, false) => 1,
        // Files of the first ESRGAN have other names, and all enlarge by 4.
        (false, false, false) => 4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sdcpp_test_support::{Format, WeightType, esrgan};

    #[test]
    fn models_are_found_by_name_and_never_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let put = |scale, name: &str| {
            let file = esrgan(scale, Format::Gguf(WeightType::F16)).unwrap();
            std::fs::copy(file, folder.path().join(name)).unwrap();
        };
        for (scale, name) in [(4, "large.gguf"), (2, "small.gguf"), (1, "same.gguf")] {
            put(scale, name);
        }
        let file = esrgan(2, Format::Safetensors(sdcpp_test_support::FloatType::F16)).unwrap();
        std::fs::copy(file, folder.path().join("small.safetensors")).unwrap();
        std::fs::write(folder.path().join("broken.gguf"), "no model").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no model").unwrap();
        let models = Folder::new(Some(folder.path().into())).unwrap();
        let listed: Vec<_> =
            models.list().unwrap().into_iter().map(|model| (model.name, model.factor)).collect();
        let expected = [("large", 4), ("same", 1), ("small.gguf", 2), ("small.safetensors", 2)];
        assert_eq!(listed, expected.map(|(name, factor)| (name.to_owned(), factor)));
        for name in ["large", "large.gguf"] {
            assert_eq!(models.find(name).unwrap().unwrap().factor, 4);
        }
        let path = folder.path().join("large.gguf");
        for name in [path.to_str().unwrap(), "../large", "", "broken", "small"] {
            assert_eq!(models.find(name).unwrap(), None, "{name}");
        }
        assert!(Folder::default().list().unwrap().is_empty());
        let nowhere = Folder::new(Some("/no/such/folder".into())).unwrap_err();
        assert!(nowhere.message.starts_with("upscalers is /no/such/folder"));
    }
}
