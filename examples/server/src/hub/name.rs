//! What may be asked for, and what files may be called: names end up in addresses and in a folder.

use super::error::HubError;
use crate::model::ENDINGS;
use std::str::FromStr;

/// A repository, at a revision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Repo {
    /// As `owner/name`.
    pub(crate) id: String,
    /// A branch, a tag or a commit.
    pub(crate) revision: String,
}

impl FromStr for Repo {
    type Err = HubError;

    /// From `owner/name` or `owner/name@revision`.
    fn from_str(text: &str) -> Result<Self, HubError> {
        let (id, revision) = text.split_once('@').unwrap_or((text, "main"));
        let word = |word: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !word.is_empty() && word.len() <= 96 && !word.starts_with('.') && word.chars().all(fits)
        };
        let parts: Vec<_> = id.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| word(part)) || id.contains("..") {
            let allowed =
                "owner/name of letters, digits, `-`, `_` and `.`, and @revision behind it";
            return Err(HubError::invalid("the repository", text, allowed));
        }
        if revision.len() > 200 || revision.contains("..") || !revision.split('/').all(word) {
            let allowed = "a branch, a tag or a commit";
            return Err(HubError::invalid("the revision", revision, allowed));
        }
        Ok(Self { id: id.to_owned(), revision: revision.to_owned() })
    }
}

/// The parts of `owner/name[@revision]/path/of/file`; none if it does not have that form.
pub(crate) fn repo_and_file(text: &str) -> Option<(&str, &str)> {
    let slash = text.match_indices('/').nth(1)?.0;
    Some((text.get(..slash)?, text.get(slash + 1..)?))
}

/// A file's path in a repository.
pub(crate) fn check_path(path: &str) -> Result<(), HubError> {
    let part = |part: &str| {
        let bad = |c: char| c.is_control() || "\\:".contains(c);
        !part.is_empty() && part != "." && part != ".." && !part.contains(bad)
    };
    if path.len() > 500 || !path.split('/').all(part) {
        let allowed = "a path within the repository, without `..`, `\\` and `:`";
        return Err(HubError::invalid("the file", path, allowed));
    }
    check_ending(path)
}

/// What a file is called in the models folder: a name, and no path.
pub(crate) fn check_name(name: &str) -> Result<(), HubError> {
    let bad = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    if name.is_empty() || name.len() > 200 || name.starts_with('.') || name.contains(bad) {
        let allowed = "a name of up to 200 bytes, which is no path and begins with no `.`";
        return Err(HubError::invalid("the name", name, allowed));
    }
    check_ending(name)
}

fn check_ending(name: &str) -> Result<(), HubError> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)) {
        return Ok(());
    }
    let allowed = format!("names that end in .{}", ENDINGS.join(", ."));
    Err(HubError::invalid("the file", name, &allowed))
}

/// A path as it is written in an address.
pub(crate) fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    let write = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    path.bytes().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_owner_and_name() {
        let repo: Repo = "leejet/FLUX.1-dev-gguf@v1.0".parse().unwrap();
        assert_eq!((repo.id.as_str(), repo.revision.as_str()), ("leejet/FLUX.1-dev-gguf", "v1.0"));
        assert_eq!("a/b".parse::<Repo>().unwrap().revision, "main");
        assert_eq!("a/b@refs/pr/1".parse::<Repo>().unwrap().revision, "refs/pr/1");
        for bad in [
            "",
            "a",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "../b",
            "a/..",
            "a/b..c",
            "a/.b",
            "a/b@",
            "a/b@../x",
            "a/b@x/../y",
            "a b/c",
            "a/b?x",
            "a/b#x",
            "a/%2e",
            "http://a/b",
            "a/b@x y",
            "a\\b/c",
        ] {
            assert!(bad.parse::<Repo>().is_err(), "{bad}");
        }
    }

    #[test]
    fn files_stay_within_their_repository_and_the_folder() {
        for good in ["a.gguf", "x/y z/a.safetensors", "a.CKPT"] {
            check_path(good).unwrap();
        }
        for bad in [
            "",
            "a.txt",
            "gguf",
            "../a.gguf",
            "/a.gguf",
            "x//a.gguf",
            "x/../a.gguf",
            "./a.gguf",
            "a.gguf/",
            "c:\\a.gguf",
            "x\\a.gguf",
            "a\n.gguf",
            "a.gguf.exe",
        ] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        check_name("a b.gguf").unwrap();
        for bad in [".a.gguf", "x/a.gguf", "..", "a?.gguf", "", ".gguf", "a.json"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name(&format!("{}.gguf", "a".repeat(200))).is_err());
    }

    #[test]
    fn a_file_may_be_named_in_one_word() {
        assert_eq!(repo_and_file("a/b/c/d.gguf"), Some(("a/b", "c/d.gguf")));
        assert_eq!(repo_and_file("a/b@v1/d.gguf"), Some(("a/b@v1", "d.gguf")));
        assert_eq!(repo_and_file("a/b"), None);
    }

    #[test]
    fn addresses_have_no_signs_of_their_own() {
        assert_eq!(encoded("x y/ä#?%.gguf"), "x%20y/%C3%A4%23%3F%25.gguf");
    }
}
