//! `vendor/fixes/`: what must be mended in the engine itself, as find-and-replace rules.

use crate::{fail::Fail, pin, vars};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Debug, Clone)]
pub(crate) struct Fix {
    pub(crate) name: String,
    file: PathBuf,
    edits: Vec<Edit>,
}

#[derive(Debug, Clone)]
struct Edit {
    find: String,
    replace: String,
}

/// All rules, in the order of their names.
pub(crate) fn read() -> Result<Vec<Fix>, Fail> {
    let folder = pin::vendor_folder().join("fixes");
    let entries = fs::read_dir(&folder).map_err(|e| Fail::io("read", &folder, &e))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| parse(path)).collect()
}

fn parse(path: &Path) -> Result<Fix, Fail> {
    let table = pin::parse(&pin::read_text(path)?, path)?;
    let field = |table: &toml::Table, name: &str| -> Result<String, Fail> {
        let text = table.get(name).and_then(|v| v.as_str()).filter(|v| !v.is_empty());
        text.map(str::to_owned).ok_or_else(|| {
            Fail::new(format!("{}: `{name}` must be a text and not empty", path.display()))
        })
    };
    let edit = |table: &toml::Table| -> Result<Edit, Fail> {
        Ok(Edit { find: field(table, "find")?, replace: field(table, "replace")? })
    };
    field(&table, "reason")?;
    // One edit on the top level, or several as `[[edit]]`.
    let edits = match table.get("edit").and_then(|v| v.as_array()) {
        Some(edits) => edits
            .iter()
            .map(|e| e.as_table().map_or_else(|| edit(&toml::Table::new()), &edit))
            .collect::<Result<_, _>>()?,
        None => vec![edit(&table)?],
    };
    Ok(Fix {
        name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        file: PathBuf::from(field(&table, "file")?),
        edits,
    })
}

/// Names the set, for the folder of the fixed copy.
pub(crate) fn fingerprint(fixes: &[Fix]) -> String {
    fixes.iter().map(|fix| format!("{fix:?}\n")).collect()
}

/// The files that have rules, each once.
pub(crate) fn files(fixes: &[Fix]) -> impl Iterator<Item = &Path> {
    fixes.iter().enumerate().filter_map(|(index, fix)| {
        let seen = fixes.iter().take(index).any(|earlier| earlier.file == fix.file);
        (!seen).then_some(fix.file.as_path())
    })
}

/// The text of `file` with its rules applied; each must match exactly once.
pub(crate) fn apply(fixes: &[Fix], file: &Path, text: &str) -> Result<String, Fail> {
    // A checkout on Windows may have CRLF line ends; rules are written with LF.
    let text = text.replace("\r\n", "\n");
    fixes.iter().filter(|fix| fix.file == file).try_fold(text, |text, fix| {
        fix.edits.iter().try_fold(text, |text, edit| match text.matches(&edit.find).count() {
            1 => Ok(text.replace(&edit.find, &edit.replace)),
            found => Err(no_match(fix, found)),
        })
    })
}

fn no_match(fix: &Fix, found: usize) -> Fail {
    let fail = Fail::new(format!(
        "fix `{}` matches {found} times in {}, and must match once",
        fix.name,
        fix.file.display()
    ))
    .advise("look at the file: upstream may have mended it or moved the place")
    .advise(format!("then change or delete vendor/fixes/{}.toml", fix.name));
    match vars::source_dir() {
        Ok(Some(_)) => fail.advise(format!("or build without it: SDCPP_SKIP_FIXES={}", fix.name)),
        _ => fail,
    }
}
