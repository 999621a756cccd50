//! The safetensors header: 8 bytes of length, JSON, then the tensors' bytes.
//!
//! The format: <https://github.com/huggingface/safetensors#format>. The crate of that name refuses
//! files whose tensors overlap, which the engine reads, so the extents are checked here.

use super::{Contents, Fault, product};
use std::{
    fs::File,
    io::{Read, Seek},
};

/// As the reference implementation limits it.
const MAX_HEADER: u64 = 100_000_000;

pub(super) fn check(mut file: File, length: u64) -> Result<Contents, Fault> {
    file.rewind()?;
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    let data = length.saturating_sub(8);
    if size > data || size > MAX_HEADER {
        return Err(Fault::Damaged(format!(
            "its header claims {size} bytes, and the file has {data} after the length"
        )));
    }
    let mut header = Vec::new();
    file.take(size).read_to_end(&mut header)?;
    let header: serde_json::Value = serde_json::from_slice(&header)
        .map_err(|e| Fault::Damaged(format!("its header is no JSON: {e}")))?;
    let tensors = header
        .as_object()
        .ok_or_else(|| Fault::Damaged("its header is no JSON object".to_owned()))?;
    let data = data - size;
    let mut contents = Contents::default();
    for (name, tensor) in tensors.iter().filter(|(name, _)| *name != "__metadata__") {
        check_tensor(tensor, data, &mut contents)
            .map_err(|reason| Fault::Damaged(format!("tensor {name:?} {reason}")))?;
    }
    if contents.bytes > 0 {
        Ok(contents)
    } else {
        Err(Fault::Damaged("it has no tensors".to_owned()))
    }
}

fn check_tensor(
    tensor: &serde_json::Value,
    data: u64,
    contents: &mut Contents,
) -> Result<(), String> {
    let numbers = |key: &str| -> Option<Vec<u64>> {
        tensor.get(key)?.as_array()?.iter().map(serde_json::Value::as_u64).collect()
    };
    let dtype = tensor.get("dtype").and_then(|d| d.as_str()).ok_or("has no dtype")?;
    let bits = bits_of(dtype).ok_or_else(|| format!("has the unknown dtype {dtype:?}"))?;
    let shape = numbers("shape").ok_or("has no shape")?;
    // The engine divides by dimensions.
    if shape.contains(&0) {
        return Err(format!("has the empty shape {shape:?}"));
    }
    let offsets = numbers("data_offsets");
    let Some([start, end]) = offsets.as_deref() else {
        return Err("has no data_offsets".to_owned());
    };
    if start > end || *end > data {
        return Err(format!("lies at {start}..{end}, and the file has {data} bytes of data"));
    }
    let needed = product(&shape).and_then(|n| n.checked_mul(bits)).map(|b| b.div_ceil(8));
    if needed != Some(end - start) {
        return Err(format!("of shape {shape:?} and type {dtype} has {} bytes", end - start));
    }
    contents.add(shape.len(), dtype == "F32", end - start);
    Ok(())
}

fn bits_of(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "I64" | "U64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::model_file) fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    pub(in crate::model_file) fn valid() -> Vec<u8> {
        file(
            r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}}"#,
            16,
        )
    }

    fn checked(bytes: &[u8]) -> Result<(), String> {
        crate::model_file::tests::checked(bytes, check)
    }

    #[test]
    fn a_whole_file_passes() {
        assert_eq!(checked(&valid()), Ok(()));
    }

    #[test]
    fn lies_are_found() {
        let tensor = |t: &str, data| checked(&file(&format!("{{\"a\":{t}}}"), data)).unwrap_err();
        let cases = [
            (tensor(r#"{"dtype":"F32","shape":[4],"data_offsets":[0,16]}"#, 8), "8 bytes of data"),
            (tensor(r#"{"dtype":"F32","shape":[4],"data_offsets":[16,0]}"#, 16), "lies at 16..0"),
            (tensor(r#"{"dtype":"F32","shape":[9],"data_offsets":[0,16]}"#, 16), "has 16 bytes"),
            (tensor(r#"{"dtype":"F32","shape":[4,0],"data_offsets":[0,0]}"#, 16), "empty shape"),
            (tensor(r#"{"dtype":"F99","shape":[4],"data_offsets":[0,16]}"#, 16), "unknown dtype"),
            (tensor(r#"{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}"#, 16), "no shape"),
            (tensor(r#"{"dtype":"F32","shape":[4],"data_offsets":[0]}"#, 16), "no data_offsets"),
            (
                tensor(
                    r#"{"dtype":"F32","shape":[4294967296,4294967296,16],"data_offsets":[0,16]}"#,
                    16,
                ),
                "has 16 bytes",
            ),
            (checked(&file("{}", 8)).unwrap_err(), "no tensors"),
            (checked(&file("[]", 8)).unwrap_err(), "no JSON object"),
            (checked(&file("{\"a", 8)).unwrap_err(), "no JSON"),
            (checked(&[255; 16]).unwrap_err(), "header claims"),
        ];
        for (text, part) in cases {
            assert!(text.contains(part), "{text:?} should say {part:?}");
        }
    }
}
