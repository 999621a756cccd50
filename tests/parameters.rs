//! Every field of the engine's parameter structs is mapped, or listed as left out with a reason:
//! `docs/parameters.md` against the bindings and the crate's own structs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Fields by struct, of all structs in a Rust file; only public fields.
fn structs(path: &Path) -> BTreeMap<String, Vec<String>> {
    let file = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    let fields = |fields: &syn::Fields| {
        let public = fields.iter().filter(|f| matches!(f.vis, syn::Visibility::Public(_)));
        public.filter_map(|f| Some(f.ident.as_ref()?.to_string())).collect()
    };
    file.items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Struct(item) => Some((item.ident.to_string(), fields(&item.fields))),
            _ => None,
        })
        .collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

struct Row {
    engine: String,
    rust: String,
    note: String,
}

/// The rows of the page: `struct.field`, the path in Rust, the note.
fn table() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/parameters.md");
    let mut current = String::new();
    let mut rows = Vec::new();
    for line in fs::read_to_string(page).unwrap().lines() {
        if let Some(name) = line.strip_prefix("## `") {
            current = name.trim_end_matches('`').to_owned();
        }
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        if let ["", field, rust, note, ""] = cells[..]
            && !field.starts_with("field")
            && !field.starts_with("---")
        {
            let engine = format!("{current}.{field}");
            rows.push(Row { engine, rust: rust.to_owned(), note: note.to_owned() });
        }
    }
    rows
}

/// Structs that a caller of the engine fills or reads.
const ENGINE: [&str; 14] = [
    "sd_ctx_params_t",
    "sd_embedding_t",
    "sd_img_gen_params_t",
    "sd_vid_gen_params_t",
    "sd_sample_params_t",
    "sd_guidance_params_t",
    "sd_slg_params_t",
    "sd_tiling_params_t",
    "sd_cache_params_t",
    "sd_hires_params_t",
    "sd_lora_t",
    "sd_pm_params_t",
    "sd_audio_t",
    "sd_image_t",
];

#[test]
fn every_field_of_the_engine_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bindings = structs(&root.join("sd-sys/src/bindings.rs"));
    let engine: BTreeSet<_> = ENGINE
        .iter()
        .flat_map(|name| {
            let fields = bindings.get(*name).unwrap_or_else(|| panic!("no {name} in the bindings"));
            fields.iter().map(move |field| format!("{name}.{field}"))
        })
        .collect();
    let listed: BTreeSet<_> = table().into_iter().map(|row| row.engine).collect();
    let missing: Vec<_> = engine.difference(&listed).collect();
    assert!(missing.is_empty(), "not in docs/parameters.md: {missing:?}");
    let gone: Vec<_> = listed.difference(&engine).collect();
    assert!(gone.is_empty(), "not in the engine any more: {gone:?}");
    // Nothing else that is a struct of parameters has come.
    let others: Vec<_> = bindings
        .keys()
        .filter(|name| name.starts_with("sd_") && name.ends_with("params_t"))
        .filter(|name| !ENGINE.contains(&name.as_str()))
        .collect();
    assert!(others.is_empty(), "structs that the table does not know: {others:?}");
}

#[test]
fn every_place_in_the_table_is_a_public_field() {
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sd/src"), &mut files);
    let public: BTreeSet<String> = files
        .iter()
        .flat_map(|path| structs(path))
        .flat_map(|(name, fields)| {
            fields.into_iter().map(move |field| format!("{name}::{field}")).collect::<Vec<_>>()
        })
        .collect();
    for row in table() {
        if row.rust == "—" {
            assert!(!row.note.is_empty(), "{} is left out without a reason", row.engine);
        } else {
            assert!(public.contains(&row.rust), "{}: no public field {}", row.engine, row.rust);
        }
    }
}
