//! Names of result files: one for each picture.

use crate::values::invalid;
use sdcpp::Error;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Gives each picture its file.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pattern: PathBuf,
    begin: Option<u32>,
}

/// A piece of a file name.
enum Piece<'a> {
    Text(&'a str),
    /// `%d` or `%03d`, with its width.
    Number(usize),
    Index,
    Seed,
}

impl Names {
    /// By the option's value; `extensions` are allowed.
    pub(crate) fn new(
        pattern: &Path,
        begin: Option<u32>,
        extensions: &[&str],
    ) -> Result<Self, Error> {
        let known = pattern
            .extension()
            .is_some_and(|e| extensions.iter().any(|known| e.eq_ignore_ascii_case(known)));
        if !known {
            let allowed = extensions.iter().map(|e| format!(".{e}")).collect::<Vec<_>>();
            let allowed = format!("a name that ends in {}", allowed.join(" or "));
            return Err(invalid("output", pattern.display(), allowed));
        }
        Ok(Self { pattern: pattern.to_owned(), begin })
    }

    /// Makes sure that there is a folder to write to, before hours of drawing.
    pub(crate) fn prepare_folder(&self) -> Result<(), Error> {
        match self.pattern.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                fs::create_dir_all(folder).map_err(|source| Error::Io {
                    doing: format!("create the folder {}", folder.display()),
                    source,
                })
            }
            _ => Ok(()),
        }
    }

    /// The file of the picture at `index`, from 0.
    pub(crate) fn file(&self, index: usize, seed: i64) -> PathBuf {
        let name = self.pattern.file_name().unwrap_or_default().to_string_lossy();
        let pieces = pieces(&name);
        let numbered = pieces.iter().any(|piece| matches!(piece, Piece::Number(_)));
        let named = pieces.iter().any(|piece| !matches!(piece, Piece::Text(_)));
        let number = |begin: u32| u64::from(self.begin.unwrap_or(begin)) + index as u64;
        if !named {
            return match index {
                0 => self.pattern.with_file_name(joined(&pieces, 0, seed)),
                _ => self.numbered(&joined(&pieces, 0, seed), number(1)),
            };
        }
        let number = number(u32::from(!numbered));
        self.pattern.with_file_name(joined(&pieces, number, seed))
    }

    /// `out.png` as `out_2.png`.
    fn numbered(&self, name: &str, number: u64) -> PathBuf {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        self.pattern.with_file_name(format!("{stem}_{number}.{extension}"))
    }
}

fn joined(pieces: &[Piece<'_>], number: u64, seed: i64) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Number(width) => format!("{number:0width$}"),
            Piece::Index => number.to_string(),
            Piece::Seed => seed.to_string(),
        })
        .collect()
}

fn pieces(name: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let special = special(rest);
        let (piece, length) = match special {
            Some(found) => found,
            None => {
                let from = rest.chars().next().map_or(1, char::len_utf8);
                let end = rest
                    .get(from..)
                    .and_then(|tail| tail.find(['%', '{']))
                    .map_or(rest.len(), |at| at + from);
                (Piece::Text(rest.get(..end).unwrap_or(rest)), end)
            }
        };
        pieces.push(piece);
        rest = rest.get(length..).unwrap_or_default();
    }
    pieces
}

/// What stands for something at the start of `text`, and its length.
fn special(text: &str) -> Option<(Piece<'_>, usize)> {
    for (word, piece) in
        [("{seed}", Piece::Seed), ("{index}", Piece::Index), ("%%", Piece::Text("%"))]
    {
        if text.starts_with(word) {
            return Some((piece, word.len()));
        }
    }
    let digits = text.strip_prefix('%')?;
    let (width, _) = digits.split_once('d')?;
    // As upstream: at most three digits.
    let valid = width.len() <= 3 && width.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| (Piece::Number(width.parse().unwrap_or(0)), width.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(pattern: &str, begin: Option<u32>, index: usize) -> String {
        let names = Names::new(Path::new(pattern), begin, &["png"]).unwrap();
        names.file(index, 42).to_str().unwrap().to_owned()
    }

    #[test]
    fn numbers_as_upstream_gives_them() {
        for (pattern, begin, index, expected) in [
            ("out.png", None, 0, "out.png"),
            ("a/out.png", None, 1, "a/out_2.png"),
            ("out.png", Some(10), 2, "out_12.png"),
            ("out_%03d.png", None, 0, "out_000.png"),
            ("out_%03d.png", Some(7), 1, "out_008.png"),
            ("%d-{seed}.png", None, 3, "3-42.png"),
            ("{seed}.png", None, 1, "42.png"),
            ("{index}.png", None, 1, "2.png"),
            ("100%%.png", None, 0, "100%.png"),
            ("100%.png", None, 0, "100%.png"),
            ("grün_%2d.png", None, 5, "grün_05.png"),
        ] {
            assert_eq!(name(pattern, begin, index), expected, "{pattern}");
        }
    }

    #[test]
    fn other_formats_are_refused() {
        for pattern in ["out.bmp", "out", "png"] {
            let error = Names::new(Path::new(pattern), None, &["png", "jpg"]).unwrap_err();
            assert!(error.to_string().ends_with("ends in .png or .jpg"), "{error}");
        }
    }
}
