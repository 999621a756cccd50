//! Conversions write the tensors that the C API writes, and each of their options changes them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo_files, direct};
use sdcpp::{Convert, ModelFile, WeightType};
use std::{collections::BTreeMap, path::Path};

/// Names of tensors, with their types.
fn types(path: &Path) -> BTreeMap<String, String> {
    let file = ModelFile::open(path).unwrap();
    file.tensors().map(|t| (t.name().to_owned(), t.tensor_type().to_string())).collect()
}

/// Everything of a file but the order of its tensors, which the engine's threads leave to chance.
fn contents(path: &Path) -> BTreeMap<String, (String, Vec<u64>, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = ModelFile::open(path).unwrap();
    file.tensors()
        .map(|t| {
            let data = bytes[t.offset() as usize..][..t.bytes() as usize].to_vec();
            (t.name().to_owned(), (t.tensor_type().to_string(), t.shape().to_vec(), data))
        })
        .collect()
}

/// Writes the file, and compares it with the one of the C++ program.
fn write(name: &str, convert: &Convert) -> BTreeMap<String, String> {
    convert.run().unwrap_or_else(|e| panic!("{name}: {e}"));
    let direct = convert.output.with_file_name("direct.gguf");
    direct::convert(convert, &direct);
    let size = |path: &Path| path.metadata().unwrap().len();
    assert_eq!(size(&convert.output), size(&direct), "{name}: another size than by C++");
    let same = contents(&convert.output) == contents(&direct);
    assert!(same, "{name}: tensors differ from C++");
    types(&convert.output)
}

#[test]
fn each_option_of_a_conversion_changes_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (model, taesd) = demo_files();
    let to = |name: &str| Convert::new(&model, folder.path().join(name));
    let plain = write("nothing", &to("plain.gguf"));
    assert_eq!(plain, types(&model));

    let q4_0 = write("weight_type", &to("q4.gguf").weight_type(WeightType::Q4_0));
    assert_ne!(q4_0, plain);

    // Of the weights in one layer alone.
    let rules = "layers\\.0\\.=q4_0";
    let ruled = write("tensor_type_rules", &to("ruled.gguf").tensor_type_rules(rules));
    let changed: Vec<_> = plain.iter().filter(|(name, kind)| ruled[*name] != **kind).collect();
    assert!(!changed.is_empty(), "no tensor was changed");
    assert!(changed.iter().all(|(name, _)| name.contains("layers.0.")), "{changed:?}");
    assert!(changed.iter().all(|(name, _)| ruled[*name] == "q4_0"));

    let with_vae = write("vae", &to("vae.gguf").vae(&taesd));
    assert!(with_vae.len() > plain.len(), "the VAE adds nothing");
    let added = with_vae.keys().filter(|name| !plain.contains_key(*name));
    assert!(added.clone().count() >= types(&taesd).len());
    assert!(added.clone().all(|name| name.starts_with("vae.")), "{:?}", added.collect::<Vec<_>>());
}

/// The names of a model that the engine knows already stay; those of a VAE beside it do not.
#[test]
fn tensors_get_the_engines_names() {
    let folder = tempfile::tempdir().unwrap();
    let (model, taesd) = demo_files();
    let to = |name: &str| Convert::new(&model, folder.path().join(name)).vae(&taesd);
    let plain = write("as they are", &to("plain.gguf"));
    let renamed = write("convert_names", &to("renamed.gguf").convert_names(true));
    assert_eq!(plain.len(), renamed.len());
    assert_ne!(plain, renamed, "convert_names changes nothing");
}
