//! The GGUF header: counts, metadata, tensor list, then the tensors' bytes at aligned offsets.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
//!
//! The engine has two readers. ggml's own is strict. What that refuses (more than four dimensions, long
//! names) goes to a loose one, which misreads lists in the metadata and checks little. So a file must
//! either keep ggml's rules, or be one that the loose reader reads as it is meant; in both cases all
//! tensors must lie within the file.

use super::{Contents, Fault, product};
use std::{
    collections::HashSet,
    fs::File,
    io::{BufReader, Read, Seek},
};

/// Longest name or key this reader takes.
const MAX_NAME: u64 = 65_535;
/// Longest key the loose reader takes.
const MAX_LOOSE_KEY: usize = 4096;
/// ggml's limit, with room for the closing NUL; the engine sets it.
const GGML_MAX_NAME: usize = 128;
const GGML_MAX_DIMENSIONS: usize = 4;
/// The loose reader folds what is over four into the last; no model has more than five.
const MAX_DIMENSIONS: u32 = 8;
const DEFAULT_ALIGNMENT: u64 = 32;

/// Reads little-endian values, never more than the file has.
struct Reader {
    file: BufReader<File>,
    length: u64,
    /// The first of ggml's rules that the file breaks.
    not_strict: Option<String>,
    /// The first thing that the loose reader would misread.
    not_loose: Option<String>,
}

struct Tensor {
    name: String,
    dimensions: usize,
    is_f32: bool,
    offset: u64,
    size: u64,
}

pub(super) fn check(mut file: File, length: u64) -> Result<Contents, Fault> {
    file.rewind()?;
    let mut reader =
        Reader { file: BufReader::new(file), length, not_strict: None, not_loose: None };
    reader.skip(4)?;
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(Fault::Damaged(format!("it is GGUF of version {version}, not 2 or 3")));
    }
    let tensors = reader.u64()?;
    let entries = reader.u64()?;
    // The smallest tensor entry has 24 bytes and the smallest metadata entry 13, so that a lie about
    // the counts is found before a long loop.
    let least = tensors.saturating_mul(24).saturating_add(entries.saturating_mul(13));
    if tensors == 0 || least > length {
        return Err(Fault::Damaged(format!(
            "its header claims {tensors} tensors and {entries} metadata entries in {length} bytes"
        )));
    }
    let mut alignment = DEFAULT_ALIGNMENT;
    let mut keys = HashSet::new();
    for _ in 0..entries {
        let key = reader.string()?;
        let kind = reader.u32()?;
        if key.len() > MAX_LOOSE_KEY {
            reader.not_loose.get_or_insert(format!("a key has {} bytes", key.len()));
        }
        if !keys.insert(key.clone()) {
            let key = String::from_utf8_lossy(&key);
            reader.not_strict.get_or_insert(format!("the key {key:?} comes twice"));
        }
        if key == b"general.alignment" && kind == 4 {
            alignment = u64::from(reader.u32()?);
            if !alignment.is_power_of_two() {
                return Err(Fault::Damaged(format!("its alignment is {alignment}")));
            }
        } else if key == b"general.alignment" {
            return Err(Fault::Damaged(format!("its alignment is of type {kind}")));
        } else {
            reader.skip_value(kind, 0)?;
        }
    }
    let mut list = Vec::new();
    for _ in 0..tensors {
        list.push(reader.tensor()?);
    }
    let data_start = reader.position()?.next_multiple_of(alignment);
    let data = length.saturating_sub(data_start);
    let mut contents = Contents::default();
    let mut names = HashSet::new();
    let mut expected = 0_u64;
    for Tensor { name, dimensions, is_f32, offset, size } in &list {
        if offset.checked_add(*size).is_none_or(|end| end > data) {
            return Err(Fault::Damaged(format!(
                "tensor {name:?} of {size} bytes lies at {offset}, and the file has {data} bytes of data"
            )));
        }
        contents.add(*dimensions, *is_f32, *size);
        let broken = if !names.insert(name) {
            "comes twice"
        } else if name.len() >= GGML_MAX_NAME {
            "has a long name"
        } else if *dimensions > GGML_MAX_DIMENSIONS {
            "has more than four dimensions"
        } else if *offset != expected {
            "does not follow the one before it"
        } else {
            expected = (offset + size).next_multiple_of(alignment);
            continue;
        };
        reader.not_strict.get_or_insert(format!("tensor {name:?} {broken}"));
    }
    match (reader.not_strict, reader.not_loose) {
        (Some(strict), Some(loose)) => {
            Err(Fault::Damaged(format!("{strict}, and {loose}: the engine would misread it")))
        }
        _ => Ok(contents),
    }
}

impl Reader {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn position(&mut self) -> Result<u64, Fault> {
        Ok(self.file.stream_position()?)
    }

    fn skip(&mut self, count: u64) -> Result<(), Fault> {
        let position = self.position()?;
        let fits = position.checked_add(count).is_some_and(|end| end <= self.length);
        match i64::try_from(count) {
            Ok(count) if fits => Ok(self.file.seek_relative(count)?),
            _ => Err(Fault::Damaged("the file ends within its header".to_owned())),
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let length = self.u64()?;
        if length > MAX_NAME {
            return Err(Fault::Damaged(format!("it has a name of {length} bytes")));
        }
        let mut text = Vec::new();
        self.file.by_ref().take(length).read_to_end(&mut text)?;
        if text.len() as u64 == length {
            Ok(text)
        } else {
            Err(Fault::Damaged("the file ends within its header".to_owned()))
        }
    }

    fn skip_value(&mut self, kind: u32, depth: u32) -> Result<(), Fault> {
        match (kind, value_size(kind)) {
            (_, Some(size)) => self.skip(size),
            (8, _) => {
                let length = self.u64()?;
                self.skip(length)
            }
            (9, _) if depth == 0 => {
                self.not_loose.get_or_insert("its metadata has lists".to_owned());
                let element = self.u32()?;
                let count = self.u64()?;
                match value_size(element) {
                    Some(size) => {
                        let size = size.checked_mul(count).ok_or_else(|| {
                            Fault::Damaged(format!("it has a list of {count} elements"))
                        })?;
                        self.skip(size)
                    }
                    None => (0..count).try_for_each(|_| self.skip_value(element, depth + 1)),
                }
            }
            _ => Err(Fault::Damaged(format!("it has metadata of the unknown type {kind}"))),
        }
    }

    fn tensor(&mut self) -> Result<Tensor, Fault> {
        let name = String::from_utf8_lossy(&self.string()?).into_owned();
        let count = self.u32()?;
        if count == 0 || count > MAX_DIMENSIONS {
            return Err(Fault::Damaged(format!("tensor {name:?} has {count} dimensions")));
        }
        let mut dimensions = Vec::new();
        for _ in 0..count {
            dimensions.push(self.u64()?);
        }
        let kind = self.u32()?;
        let offset = self.u64()?;
        let (block, bytes) = block_of(kind).ok_or_else(|| {
            Fault::Damaged(format!("tensor {name:?} has the unknown type {kind}"))
        })?;
        let row = dimensions.first().copied().unwrap_or(0);
        let size = product(&dimensions)
            .filter(|n| *n > 0 && *n <= i64::MAX as u64 && row % block == 0)
            .and_then(|n| (n / block).checked_mul(bytes));
        match size {
            Some(size) => {
                let dimensions = dimensions.len();
                Ok(Tensor { name, dimensions, is_f32: kind == 0, offset, size })
            }
            None => Err(Fault::Damaged(format!(
                "tensor {name:?} has the impossible shape {dimensions:?} for type {kind}"
            ))),
        }
    }
}

/// Bytes of a metadata value of fixed size.
fn value_size(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// Weights and bytes of one block of a ggml type: sizes of the `block_*` structs of ggml-common.h.
fn block_of(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (1, 4),      // f32
        1 => (1, 2),      // f16
        2 => (32, 18),    // q4_0
        3 => (32, 20),    // q4_1
        6 => (32, 22),    // q5_0
        7 => (32, 24),    // q5_1
        8 => (32, 34),    // q8_0
        9 => (32, 36),    // q8_1
        10 => (256, 84),  // q2_K
        11 => (256, 110), // q3_K
        12 => (256, 144), // q4_K
        13 => (256, 176), // q5_K
        14 => (256, 210), // q6_K
        15 => (256, 292), // q8_K
        16 => (256, 66),  // iq2_xxs
        17 => (256, 74),  // iq2_xs
        18 => (256, 98),  // iq3_xxs
        19 => (256, 50),  // iq1_s
        20 => (32, 18),   // iq4_nl
        21 => (256, 110), // iq3_s
        22 => (256, 82),  // iq2_s
        23 => (256, 136), // iq4_xs
        24 => (1, 1),     // i8
        25 => (1, 2),     // i16
        26 => (1, 4),     // i32
        27 => (1, 8),     // i64
        28 => (1, 8),     // f64
        29 => (256, 56),  // iq1_m
        30 => (1, 2),     // bf16
        34 => (256, 54),  // tq1_0
        35 => (256, 66),  // tq2_0
        39 => (32, 17),   // mxfp4
        40 => (64, 36),   // nvfp4
        41 => (128, 18),  // q1_0
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn string(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    /// One f32 tensor of 4×2 after some metadata of every shape.
    pub(in crate::model_file) fn valid() -> Vec<u8> {
        file(&[4, 2], 0, 0, 32)
    }

    fn file(dimensions: &[u64], kind: u32, offset: u64, data: usize) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend(1_u64.to_le_bytes());
        out.extend(3_u64.to_le_bytes());
        string(&mut out, "general.alignment");
        out.extend(4_u32.to_le_bytes());
        out.extend(64_u32.to_le_bytes());
        string(&mut out, "general.name");
        out.extend(8_u32.to_le_bytes());
        string(&mut out, "test");
        string(&mut out, "words");
        out.extend(9_u32.to_le_bytes());
        out.extend(8_u32.to_le_bytes());
        out.extend(2_u64.to_le_bytes());
        string(&mut out, "a");
        string(&mut out, "bc");
        string(&mut out, "weight");
        out.extend((dimensions.len() as u32).to_le_bytes());
        dimensions.iter().for_each(|d| out.extend(d.to_le_bytes()));
        out.extend(kind.to_le_bytes());
        out.extend(offset.to_le_bytes());
        out.resize(out.len().next_multiple_of(64) + data, 0);
        out
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
        let mut counts = valid();
        counts[8..16].fill(0xff);
        let mut version = valid();
        version[4] = 9;
        let cases = [
            (checked(&file(&[4, 2], 0, 0, 31)), "31 bytes of data"),
            (checked(&file(&[4, 2], 0, u64::MAX, 32)), "lies at 18446744073709551615"),
            (checked(&file(&[u64::MAX, 2], 0, 0, 32)), "impossible shape"),
            (checked(&file(&[4, 2], 2, 0, 32)), "impossible shape"),
            (checked(&file(&[4, 2], 99, 0, 32)), "unknown type 99"),
            (checked(&file(&[4, 0], 0, 0, 32)), "impossible shape"),
            (checked(&file(&[1; 9], 0, 0, 32)), "9 dimensions"),
            // Only the loose reader takes these, and it misreads the list in the metadata.
            (
                checked(&file(&[1; 5], 0, 0, 32)),
                "more than four dimensions, and its metadata has lists",
            ),
            (checked(&file(&[4], 0, 16, 32)), "does not follow the one before it"),
            (checked(&counts), "claims 18446744073709551615 tensors"),
            (checked(&version), "version 9"),
        ];
        for (result, part) in cases {
            let text = result.unwrap_err();
            assert!(text.contains(part), "{text:?} should say {part:?}");
        }
    }
}
