//! What a header tells, and headers that lie.

use super::*;
use crate::{Component, MetadataValue};

#[test]
fn a_safetensors_file_is_told() {
    let made = Made::new();
    let path = made.file_of(
        "m",
        "F16",
        &[("decoder.conv_in.weight", &[512, 4, 3, 3]), ("decoder.conv_in.bias", &[512])],
        Some(serde_json::json!({
            "modelspec.title": "a\nb", "odd": [1, [2, 3], "x"], "n": -1, "f": 0.5, "t": {"u": 1}
        })),
    );
    let file = ModelFile::open(&path).unwrap();
    assert_eq!(file.format(), ModelFormat::Safetensors);
    assert_eq!((file.path(), file.bytes()), (&*path, path.metadata().unwrap().len()));
    assert_eq!(file.parameters(), 512 * 36 + 512);
    assert_eq!(file.tensor_bytes(), 2 * file.parameters());
    assert_eq!(file.quantisation().unwrap().name(), "f16");
    let [size] = file.components()[..] else { panic!("{:?}", file.components()) };
    assert_eq!((size.component, size.tensors), (Component::Vae, 2));
    let tensor = file.tensor("decoder.conv_in.weight").unwrap();
    assert_eq!(tensor.shape(), [512, 4, 3, 3]);
    assert_eq!((tensor.bytes(), tensor.file()), (2 * 512 * 36, 0));
    assert_eq!(tensor.offset() + tensor.bytes(), file.bytes());
    assert!(file.tensor("x").is_none());
    assert_eq!(file.metadata_value("odd").unwrap().to_string(), "[1, [… 2 in all], x]");
    assert_eq!(file.metadata_value("n"), Some(&MetadataValue::Integer(-1)));
    assert_eq!(file.metadata_value("f"), Some(&MetadataValue::Float(0.5)));
    let text = file.to_string();
    assert!(text.contains("a b") && text.contains("VAE, 4-channel"), "{text}");
}

#[test]
fn a_gguf_file_is_told() {
    let made = Made::new();
    fs::write(made.path("m"), gguf::tests::valid()).unwrap();
    let file = ModelFile::open(made.path("m")).unwrap();
    assert_eq!(file.format().to_string(), "GGUF v3");
    let tensor = file.tensor("weight").unwrap();
    // ggml has the innermost first.
    assert_eq!(tensor.shape(), [2, 4]);
    assert_eq!(tensor.offset() + 32, file.bytes());
    let metadata: Vec<_> = file.metadata().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(metadata, ["general.alignment=64", "general.name=test", "words=[a, bc]"]);
    assert_eq!(file.metadata_value("general.name").unwrap().as_text(), Some("test"));
    assert!(file.reason().unwrap().contains("\"weight\""));
}

#[test]
fn hostile_safetensors_headers_are_refused_in_bounds() {
    let said = |header: &str| {
        let made = Made::new();
        fs::write(made.path("m"), safetensors::tests::file(header, 16)).unwrap();
        ModelFile::open(made.path("m")).map(|f| f.tensors().len()).map_err(|e| e.to_string())
    };
    let tensor = r#"{"dtype":"F32","shape":[4],"data_offsets":[0,16]}"#;
    for (header, part) in [
        (format!(r#"{{"a":{tensor},"a":{tensor}}}"#), "comes twice"),
        (format!(r#"{{"a":{}{}}}"#, "[".repeat(500), "]".repeat(500)), "has no dtype"),
        (format!(r#"{{"a":[{}0]}}"#, "0,".repeat(100_000)), "has no dtype"),
        (
            format!(
                r#"{{"a":{{"dtype":"F32","shape":[{}1],"data_offsets":[0,4]}}}}"#,
                "1,".repeat(9)
            ),
            "8 dimensions at most",
        ),
        (format!(r#"{{"a":{tensor}}} x"#), "no JSON"),
        (format!(r#"{{"a":{tensor}"#), "no JSON"),
        (r#"{"a":{"dtype":7,"shape":"x","data_offsets":{}}}"#.to_owned(), "has no dtype"),
        (r#"{"__metadata__":{}}"#.to_owned(), "no tensors"),
        (r#"{"a":null}"#.to_owned(), "has no dtype"),
        (r#"{"a":true,"b":1,"c":-1,"d":1.5,"e":"x"}"#.to_owned(), "has no dtype"),
    ] {
        let text = said(&header).unwrap_err();
        assert!(text.contains(part), "{text} should say {part}");
    }
    let many = (0..=header::MAX_TENSORS)
        .map(|i| format!(r#""{i}":{{"dtype":"U8","shape":[],"data_offsets":[0,1]}}"#))
        .collect::<Vec<_>>();
    assert!(said(&format!("{{{}}}", many.join(","))).unwrap_err().contains("more than 262144"));
    // Metadata of the wrong kind is no reason to refuse.
    assert_eq!(said(&format!(r#"{{"__metadata__":[1,2],"a":{tensor}}}"#)), Ok(1));
    assert_eq!(said(&format!(r#"{{"__metadata__":null,"a":{tensor}}}"#)), Ok(1));
}

#[test]
fn a_header_in_a_huge_hole_is_refused_soon() {
    let made = Made::new();
    // A list of 2^40 empty texts in a file that is larger than any header.
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.push(b'k');
    bytes.extend(9_u32.to_le_bytes());
    let list_at = bytes.len();
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend((1_u64 << 40).to_le_bytes());
    for element in [0_u32, 10] {
        bytes[list_at..list_at + 4].copy_from_slice(&element.to_le_bytes());
        fs::write(made.path("m"), &bytes).unwrap();
        File::options().write(true).open(made.path("m")).unwrap().set_len(1 << 27).unwrap();
        let text = ModelFile::open(made.path("m")).unwrap_err().to_string();
        assert!(text.contains("header has more than"), "{text}");
    }
}

/// Opening and checking agree: they are one reader.
fn agree(bytes: &[u8]) {
    let made = Made::new();
    fs::write(made.path("m"), bytes).unwrap();
    let opened = ModelFile::open(made.path("m"));
    let checked = check("model", &made.path("m"), Trust::Pickle);
    assert_eq!(opened.is_ok(), checked.is_ok(), "{opened:?} {checked:?}");
    if let Ok(file) = opened {
        let _ = (file.to_string(), file.missing_parts(), file.reason(), file.lora());
        let _ = (file.lora_fits(&file), file.control_net_fits(&file), file.embedding_fits(&file));
        assert!(file.tensors().all(|t| t.offset() + t.bytes() <= file.bytes()));
    }
}

proptest! {
    #[test]
    fn changed_gguf_is_survived(changes in proptest::collection::vec((0..gguf::tests::valid().len(), any::<u8>()), 1..6)) {
        let mut bytes = gguf::tests::valid();
        changes.iter().for_each(|(at, value)| bytes[*at] = *value);
        agree(&bytes);
    }

    #[test]
    fn changed_safetensors_is_survived(changes in proptest::collection::vec((8..safetensors::tests::valid().len(), any::<u8>()), 1..6)) {
        let mut bytes = safetensors::tests::valid();
        changes.iter().for_each(|(at, value)| bytes[*at] = *value);
        agree(&bytes);
    }

    #[test]
    fn any_names_and_shapes_are_survived(
        tensors in proptest::collection::btree_map(
            "(lora_unet_|model\\.diffusion_model\\.|unet\\.|te\\.|cond_stage_model\\.|)((down|up|input)_blocks[._][0-9]{1,12}[._](attentions|resnets)?[._]?[0-9]?|transformer_blocks[._][0-9ü]{1,3}|patch_embedding|attn)(\\.weight|\\.lora_up\\.weight|\\.lora_down\\.weight|\\.lokr_w1|\\.diff|\\.in_proj_weight|)",
            proptest::collection::vec(1_u64..9, 0..5),
            1..8,
        ),
    ) {
        let tensors: Vec<(&str, &[u64])> = tensors.iter().map(|(n, s)| (n.as_str(), &s[..])).collect();
        let path = Made::new();
        let path = path.file("m", &tensors);
        agree(&fs::read(path).unwrap_or_default());
        let file = seen(&tensors);
        let base = seen(&[("model.diffusion_model.input_blocks.0.0.weight", &[1, 4, 3, 3]), ("attn2.to_k.weight", &[1, 768])]);
        let _ = (file.lora_fits(&base), base.lora_fits(&file));
    }
}
