//! LoRAs: small changes to a model's weights, by request.

use crate::{Error, Result, setters::setters, validate};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The most LoRAs in one request.
pub(crate) const MOST_LORAS: usize = 64;

/// A LoRA file and how strongly it counts.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct Lora {
    /// The file, safetensors or GGUF.
    pub path: PathBuf,
    /// Factor on its change, −100 to 100. Default 1; at 0 it is left out.
    pub multiplier: f32,
    /// Whether it is for the high-noise model of Wan 2.2. Default: for the other.
    pub high_noise: bool,
}

impl Lora {
    /// The LoRA in this file, at a multiplier of 1.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), multiplier: 1.0, high_noise: false }
    }

    pub(crate) fn check_all(loras: &[Self]) -> Result<()> {
        if loras.len() > MOST_LORAS {
            return Err(Error::invalid(
                "loras",
                format!("a list of {}", loras.len()),
                format!("at most {MOST_LORAS}"),
            ));
        }
        loras.iter().try_for_each(|lora| {
            validate::range("loras.multiplier", lora.multiplier, -100.0..=100.0)
        })
    }
}

setters! {
    Lora {
        plain multiplier: f32;
        plain high_noise: bool;
    }
}

/// The LoRA files of a folder and the folders in it, by name: what `<lora:name:multiplier>` in
/// prompts is looked up in. [`ModelConfig::lora_folder`](crate::ModelConfig::lora_folder) does this
/// for every request.
///
/// A file's name is its path in the folder without extension, as in `styles/ink`, or only its last
/// part where that is clear. A name never leads outside the folder.
///
/// ```no_run
/// # fn main() -> sdcpp::Result<()> {
/// let folder = sdcpp::LoraFolder::open("loras")?;
/// let (prompt, loras) = folder.resolve("a cat, <lora:ink:0.8>")?;
/// assert_eq!(prompt, "a cat, ");
/// assert_eq!(loras[0].multiplier, 0.8);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoraFolder {
    path: PathBuf,
    files: BTreeMap<String, PathBuf>,
}

const EXTENSIONS: [&str; 2] = ["safetensors", "gguf"];
/// Folders within folders that are looked into.
const DEEPEST: usize = 8;
/// The most files that are listed.
const MOST_FILES: usize = 100_000;

impl LoraFolder {
    /// Lists the files now; those that come later are not seen.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] or [`Error::FileUnreadable`] if it is no folder that can be listed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let mut files = BTreeMap::new();
        list(&path, "", DEEPEST, &mut files)
            .map_err(|source| Error::file("lora_folder", &path, source))?;
        Ok(Self { path, files })
    }

    /// Names and files, in the order of the names.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.files.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }

    /// Takes the `<lora:…>` tags out of a prompt, and looks their files up.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] for a name that is not there, or not clear, and for a multiplier
    /// that is no number.
    pub fn resolve(&self, prompt: &str) -> Result<(String, Vec<Lora>)> {
        let mut loras = Vec::new();
        let mut text = String::with_capacity(prompt.len());
        for part in parts(prompt) {
            match part {
                Part::Text(words) => text.push_str(words),
                Part::Tag(tag) => {
                    let (name, multiplier, high_noise) = read_tag(tag)?;
                    let path = self.find(name)?.to_owned();
                    loras.push(Lora { path, multiplier, high_noise });
                }
            }
        }
        Ok((text, loras))
    }

    fn find(&self, name: &str) -> Result<&Path> {
        let known = name.trim();
        if let Some(path) = self.files.get(known) {
            return Ok(path);
        }
        let wanted = stem(known).to_lowercase();
        let mut found = self.files.iter().filter(|(file, _)| {
            let file = stem(file).to_lowercase();
            file == wanted || file.rsplit('/').next() == Some(&wanted)
        });
        match (found.next(), found.next()) {
            (Some((_, path)), None) => Ok(path),
            (Some((first, _)), Some((second, _))) => Err(Error::invalid(
                "prompt",
                format!("a text with <lora:{name}:…>, which may be {first} or {second}"),
                "the LoRA's whole name",
            )),
            _ => Err(Error::invalid(
                "prompt",
                format!("a text with the unknown <lora:{name}:…>"),
                self.describe(),
            )),
        }
    }

    fn describe(&self) -> String {
        const SHOWN: usize = 20;
        let names: Vec<_> = self.files.keys().take(SHOWN).map(String::as_str).collect();
        let more = if self.files.len() > SHOWN { ", …" } else { "" };
        match names.as_slice() {
            [] => format!("no LoRA, for there is none in {}", self.path.display()),
            names => format!("one of {}{more} in {}", names.join(", "), self.path.display()),
        }
    }
}

/// A name without its extension.
fn stem(name: &str) -> &str {
    EXTENSIONS
        .iter()
        .find_map(|extension| name.strip_suffix(extension)?.strip_suffix('.'))
        .unwrap_or(name)
}

fn list(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A name that is no Unicode cannot be written in a prompt.
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        if name.starts_with('.') || files.len() >= MOST_FILES {
            continue;
        }
        if path.is_dir() {
            if depth > 0 {
                // A folder in it that cannot be listed hides only its own files.
                if let Err(error) = list(&path, &format!("{prefix}{name}/"), depth - 1, files) {
                    tracing::warn!(folder = %path.display(), %error, "LoRAs not listed");
                }
            }
            continue;
        }
        if stem(name) == name {
            continue;
        }
        // Two files of one name are told apart by their extensions.
        let short = format!("{prefix}{}", stem(name));
        let whole = |path: &Path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            format!("{prefix}{name}")
        };
        match files.remove(&short) {
            Some(other) => files.extend([(whole(&other), other), (whole(&path), path)]),
            None => {
                files.insert(short, path);
            }
        }
    }
    Ok(())
}

/// Whether a prompt has a tag that wants a folder.
pub(crate) fn has_tag(prompt: &str) -> bool {
    parts(prompt).any(|part| matches!(part, Part::Tag(_)))
}

/// A tag would only be words there.
pub(crate) fn check_negative(prompt: &str) -> Result<()> {
    if has_tag(prompt) {
        return Err(Error::invalid(
            "negative_prompt",
            format!("{prompt:?}"),
            "<lora:…> tags in the prompt only; a negative multiplier takes away",
        ));
    }
    Ok(())
}

/// The request's prompt and LoRAs with the tags of the prompt brought in.
pub(crate) fn resolve<'a>(
    prompt: &'a str,
    loras: &'a [Lora],
    folder: Option<&Path>,
) -> Result<(Cow<'a, str>, Cow<'a, [Lora]>)> {
    if !has_tag(prompt) {
        return Ok((prompt.into(), loras.into()));
    }
    let Some(folder) = folder else {
        return Err(Error::invalid(
            "prompt",
            format!("{prompt:?}"),
            "<lora:…> tags only with a lora_folder to look them up in, or LoRA files in `loras`",
        ));
    };
    let (prompt, tagged) = LoraFolder::open(folder)?.resolve(prompt)?;
    let all: Vec<_> = loras.iter().cloned().chain(tagged).collect();
    Lora::check_all(&all)?;
    Ok((prompt.into(), all.into()))
}

enum Part<'a> {
    Text(&'a str),
    /// What stands between `<lora:` and `>`.
    Tag(&'a str),
}

fn parts(prompt: &str) -> impl Iterator<Item = Part<'_>> {
    const OPEN: &str = "<lora:";
    let mut rest = prompt;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((tag, after)) = rest.strip_prefix(OPEN).and_then(|tail| tail.split_once('>')) {
            rest = after;
            return Some(Part::Tag(tag));
        }
        // What only begins like a tag is text.
        let from = usize::from(rest.starts_with(OPEN));
        let end =
            rest.get(from..).and_then(|tail| tail.find(OPEN)).map_or(rest.len(), |at| at + from);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Part::Text(text))
    })
}

/// `name`, `name:0.8` or `|high_noise|name:0.8`.
fn read_tag(tag: &str) -> Result<(&str, f32, bool)> {
    let (high_noise, tag) = match tag.strip_prefix("|high_noise|") {
        Some(rest) => (true, rest),
        None => (false, tag),
    };
    let Some((name, number)) = tag.rsplit_once(':') else { return Ok((tag, 1.0, high_noise)) };
    let multiplier = number.trim().parse::<f32>().ok().filter(|m| m.is_finite());
    match multiplier {
        Some(multiplier) => Ok((name, multiplier, high_noise)),
        None => Err(Error::invalid(
            "prompt",
            format!("a text with <lora:{tag}>"),
            "a number after the last colon, as in <lora:name:0.8>",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder() -> (tempfile::TempDir, LoraFolder) {
        let place = tempfile::tempdir().unwrap();
        for file in ["ink.safetensors", "styles/Pastel.gguf", "styles/ink2.safetensors", "a.txt"] {
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        fs::create_dir_all(place.path().join("other")).unwrap();
        fs::write(place.path().join("other/ink2.gguf"), b"x").unwrap();
        let folder = LoraFolder::open(place.path()).unwrap();
        (place, folder)
    }

    #[test]
    fn tags_are_taken_out_and_looked_up() {
        let (place, folder) = folder();
        let names: Vec<_> = folder.files().map(|(name, _)| name).collect();
        assert_eq!(names, ["ink", "other/ink2", "styles/Pastel", "styles/ink2"]);
        let (prompt, loras) = folder
            .resolve("a <lora:ink:-0.5>cat <lora:pastel> and <lora:|high_noise|styles/ink2:2> dog")
            .unwrap();
        assert_eq!(prompt, "a cat  and  dog");
        assert_eq!(loras[0], Lora::new(place.path().join("ink.safetensors")).multiplier(-0.5));
        assert_eq!(loras[1].path, place.path().join("styles/Pastel.gguf"));
        assert!(loras[2].high_noise && loras[2].multiplier == 2.0);
    }

    #[test]
    fn files_of_one_name_are_told_apart() {
        let place = tempfile::tempdir().unwrap();
        for file in ["ink.gguf", "ink.safetensors"] {
            fs::write(place.path().join(file), b"x").unwrap();
        }
        let folder = LoraFolder::open(place.path()).unwrap();
        let error = folder.resolve("<lora:ink:1>").unwrap_err().to_string();
        assert!(error.contains("may be ink.gguf or ink.safetensors"), "{error}");
        let (_, loras) = folder.resolve("<lora:ink.gguf:1>").unwrap();
        assert_eq!(loras[0].path, place.path().join("ink.gguf"));
    }

    #[test]
    fn mistakes_are_named() {
        let (_place, folder) = folder();
        for (prompt, part) in [
            ("<lora:none:1>", "unknown <lora:none:…>; allowed: one of ink, other/ink2"),
            ("<lora:ink2:1>", "may be other/ink2 or styles/ink2"),
            ("<lora:ink:strong>", "a number after the last colon"),
            ("<lora:ink:inf>", "a number after the last colon"),
            ("<lora:../../etc/passwd:1>", "unknown"),
        ] {
            let error = folder.resolve(prompt).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(matches!(LoraFolder::open("/no/such"), Err(Error::FileNotFound { .. })));
        let error = resolve("a <lora:x:1>", &[], None).unwrap_err().to_string();
        assert!(error.contains("lora_folder"), "{error}");
        assert!(Lora::check_all(&[Lora::new("x").multiplier(f32::NAN)]).is_err());
        assert!(Lora::check_all(&vec![Lora::new("x"); 65]).is_err());
    }

    #[test]
    fn what_is_no_tag_stays() {
        for text in ["a <lora", "<lora:unclosed", "a < b > c", "<lora:<lora:"] {
            assert!(!has_tag(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_tags_is_lost(words in proptest::collection::vec("[a-z <>:]{0,6}|<lora:ink:1>|<lora:", 0..6)) {
            let prompt = words.concat();
            let kept: String = parts(&prompt).map(|part| match part {
                Part::Text(text) => text.to_owned(),
                Part::Tag(tag) => format!("<lora:{tag}>"),
            }).collect();
            prop_assert_eq!(kept, prompt);
        }
    }
}
