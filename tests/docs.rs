//! The pages of `docs/` lead somewhere: their links, pictures and snippets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The most bytes of a picture in the documentation.
const MOST_BYTES: u64 = 60 * 1024;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|e| e == "md"));
    pages.chain([root().join("README.md")]).collect()
}

/// The targets of links and pictures.
fn links(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)).collect()
}

/// What a heading is called in a link, as GitHub does it.
fn anchors(text: &str) -> Vec<String> {
    let mut in_code = false;
    let headings = text.lines().filter(move |line| {
        in_code ^= line.starts_with("```");
        !in_code && line.starts_with('#')
    });
    headings
        .map(|line| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).into_iter().filter(|link| !link.starts_with("http")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let anchors = anchors(&fs::read_to_string(&target).unwrap());
                assert!(anchors.iter().any(|a| a == anchor), "{}: {link}", page.display());
            }
        }
    }
}

#[test]
fn every_page_is_compiled_and_listed() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    for page in pages() {
        let name = page.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&page).unwrap();
        let included = library.contains(&format!("/{name}\")"));
        assert!(included || !text.contains("```rust"), "src/lib.rs does not include {name}");
        assert!(
            name == "README.md" || index.contains(&format!("({name})")),
            "{name} is not listed"
        );
    }
}

#[test]
fn pictures_are_small_and_shown() {
    let all: String = pages().iter().map(|page| fs::read_to_string(page).unwrap()).collect();
    for picture in fs::read_dir(root().join("docs/images")).unwrap() {
        let picture = picture.unwrap();
        let name = picture.file_name().into_string().unwrap();
        let bytes = picture.metadata().unwrap().len();
        assert!(bytes <= MOST_BYTES, "{name} has {bytes} bytes");
        assert!(all.contains(&format!("images/{name})")), "{name} is shown nowhere");
    }
}
