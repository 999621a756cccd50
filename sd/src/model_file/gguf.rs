//! The GGUF header: counts, metadata, tensor list, then the tensors' bytes at aligned offsets.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
//!
//! The engine has two readers. ggml's own is strict. What that refuses (more than four dimensions, long
//! names) goes to a loose one, which misreads lists in the metadata and checks little. So a file must
//! either keep ggml's rules, or be one that the loose reader reads as it is meant; in both cases all
//! tensors must lie within the file.

use super::{
    Fault,
    header::{Header, MAX_DIMENSIONS, MAX_TENSORS, ModelFormat},
    metadata::{KEPT, MAX_TEXT, MetadataValue},
    tensor::{TensorInfo, TensorType, product},
};
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
const DEFAULT_ALIGNMENT: u64 = 32;
/// A language model's tokeniser takes some ten MB.
const MAX_HEADER: u64 = 100_000_000;
/// Files have some dozens of metadata entries.
const MAX_ENTRIES: u64 = 1 << 16;

/// Reads little-endian values, never more than the file has.
struct Reader {
    file: BufReader<File>,
    position: u64,
    /// Where the header must have ended.
    end: u64,
    /// The first of ggml's rules that the file breaks.
    not_strict: Option<String>,
    /// The first thing that the loose reader would misread.
    not_loose: Option<String>,
}

pub(super) fn read(mut file: File, length: u64) -> Result<Header, Fault> {
    file.rewind()?;
    let mut reader = Reader {
        file: BufReader::new(file),
        position: 0,
        end: length.min(MAX_HEADER),
        not_strict: None,
        not_loose: None,
    };
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
    if tensors == 0 || least > length || tensors > MAX_TENSORS || entries > MAX_ENTRIES {
        return Err(Fault::Damaged(format!(
            "its header claims {tensors} tensors and {entries} metadata entries in {length} bytes"
        )));
    }
    let mut alignment = DEFAULT_ALIGNMENT;
    let mut keys = HashSet::new();
    let mut metadata = Vec::new();
    for _ in 0..entries {
        let key = reader.string()?;
        let kind = reader.u32()?;
        if key.len() > MAX_LOOSE_KEY {
            reader.not_loose.get_or_insert(format!("a key has {} bytes", key.len()));
        }
        let key = String::from_utf8_lossy(&key).into_owned();
        if key == "general.alignment" && kind != 4 {
            return Err(Fault::Damaged(format!("its alignment is of type {kind}")));
        }
        let value = reader.value(kind, 0)?;
        if key == "general.alignment" {
            alignment = match value {
                MetadataValue::Unsigned(value) if value.is_power_of_two() => value,
                other => return Err(Fault::Damaged(format!("its alignment is {other}"))),
            };
        }
        if !keys.insert(key.clone()) {
            reader.not_strict.get_or_insert(format!("the key {key:?} comes twice"));
        }
        metadata.push((key, value));
    }
    let mut list = Vec::new();
    for _ in 0..tensors {
        list.push(reader.tensor()?);
    }
    let data_start = reader.position.next_multiple_of(alignment);
    let data = length.saturating_sub(data_start);
    let mut names = HashSet::new();
    let mut expected = 0_u64;
    for TensorInfo { name, shape, offset, bytes, .. } in &list {
        if offset.checked_add(*bytes).is_none_or(|end| end > data) {
            return Err(Fault::Damaged(format!(
                "tensor {name:?} of {bytes} bytes lies at {offset}, and the file has {data} bytes of data"
            )));
        }
        let broken = if !names.insert(name) {
            "comes twice"
        } else if name.len() >= GGML_MAX_NAME {
            "has a long name"
        } else if shape.len() > GGML_MAX_DIMENSIONS {
            "has more than four dimensions"
        } else if *offset != expected {
            "does not follow the one before it"
        } else {
            expected = (offset + bytes).next_multiple_of(alignment);
            continue;
        };
        reader.not_strict.get_or_insert(format!("tensor {name:?} {broken}"));
    }
    drop(names);
    if let (Some(strict), Some(loose)) = (reader.not_strict, reader.not_loose) {
        return Err(Fault::Damaged(format!("{strict}, and {loose}: the engine would misread it")));
    }
    for tensor in &mut list {
        tensor.offset = tensor.offset.saturating_add(data_start);
    }
    Ok(Header::new(ModelFormat::Gguf { version }, list, metadata))
}

impl Reader {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.advance(N as u64)?;
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

    /// Counts bytes that are about to be read or skipped.
    fn advance(&mut self, count: u64) -> Result<(), Fault> {
        match self.position.checked_add(count).filter(|position| *position <= self.end) {
            Some(position) => {
                self.position = position;
                Ok(())
            }
            None if self.end == MAX_HEADER => {
                Err(Fault::Damaged(format!("its header has more than {MAX_HEADER} bytes")))
            }
            None => Err(Fault::Damaged("the file ends within its header".to_owned())),
        }
    }

    fn skip(&mut self, count: u64) -> Result<(), Fault> {
        self.advance(count)?;
        match i64::try_from(count) {
            Ok(count) => Ok(self.file.seek_relative(count)?),
            Err(_) => Err(Fault::Damaged("the file ends within its header".to_owned())),
        }
    }

    fn take(&mut self, length: u64) -> Result<Vec<u8>, Fault> {
        self.advance(length)?;
        let mut text = Vec::new();
        self.file.by_ref().take(length).read_to_end(&mut text)?;
        if text.len() as u64 == length {
            Ok(text)
        } else {
            Err(Fault::Damaged("the file ends within its header".to_owned()))
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let length = self.u64()?;
        if length > MAX_NAME {
            return Err(Fault::Damaged(format!("it has a name of {length} bytes")));
        }
        self.take(length)
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<MetadataValue, Fault> {
        use MetadataValue::{Bool, Float, Integer, Unsigned};
        Ok(match kind {
            0 => Unsigned(u64::from(u8::from_le_bytes(self.bytes()?))),
            1 => Integer(i64::from(i8::from_le_bytes(self.bytes()?))),
            2 => Unsigned(u64::from(u16::from_le_bytes(self.bytes()?))),
            3 => Integer(i64::from(i16::from_le_bytes(self.bytes()?))),
            4 => Unsigned(u64::from(self.u32()?)),
            5 => Integer(i64::from(i32::from_le_bytes(self.bytes()?))),
            6 => Float(f64::from(f32::from_le_bytes(self.bytes()?))),
            7 => Bool(self.bytes::<1>()? != [0]),
            8 => {
                let length = self.u64()?;
                let kept = self.take(length.min(MAX_TEXT))?;
                self.skip(length - kept.len() as u64)?;
                MetadataValue::text(String::from_utf8_lossy(&kept).into_owned())
            }
            9 if depth == 0 => self.list()?,
            10 => Unsigned(self.u64()?),
            11 => Integer(i64::from_le_bytes(self.bytes()?)),
            12 => Float(f64::from_le_bytes(self.bytes()?)),
            _ => {
                return Err(Fault::Damaged(format!("it has metadata of the unknown type {kind}")));
            }
        })
    }

    fn list(&mut self) -> Result<MetadataValue, Fault> {
        self.not_loose.get_or_insert("its metadata has lists".to_owned());
        let element = self.u32()?;
        let length = self.u64()?;
        let mut first = Vec::new();
        for _ in 0..length.min(KEPT as u64) {
            first.push(self.value(element, 1)?);
        }
        let rest = length.saturating_sub(KEPT as u64);
        match value_size(element) {
            Some(size) => self
                .skip(size.checked_mul(rest).ok_or_else(|| {
                    Fault::Damaged(format!("it has a list of {length} elements"))
                })?)?,
            None => {
                for _ in 0..rest {
                    let length = self.u64()?;
                    self.skip(length)?;
                }
            }
        }
        Ok(MetadataValue::List { length, first })
    }

    fn tensor(&mut self) -> Result<TensorInfo, Fault> {
        let name = String::from_utf8_lossy(&self.string()?).into_owned();
        let count = self.u32()?;
        if count == 0 || count as usize > MAX_DIMENSIONS {
            return Err(Fault::Damaged(format!("tensor {name:?} has {count} dimensions")));
        }
        let mut shape = Vec::new();
        for _ in 0..count {
            shape.push(self.u64()?);
        }
        let number = self.u32()?;
        let offset = self.u64()?;
        let kind = TensorType::from_ggml(number).ok_or_else(|| {
            Fault::Damaged(format!("tensor {name:?} has the unknown type {number}"))
        })?;
        let row = shape.first().copied().unwrap_or(0);
        let bytes = product(&shape)
            .filter(|n| *n > 0 && *n <= i64::MAX as u64)
            .and_then(|n| kind.bytes_of_rows(n, row));
        match bytes {
            Some(bytes) => {
                // The file has the innermost first.
                shape.reverse();
                Ok(TensorInfo { name, shape, kind, offset, bytes, file: 0 })
            }
            None => Err(Fault::Damaged(format!(
                "tensor {name:?} has the impossible shape {shape:?} for type {number}"
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
        crate::model_file::tests::checked(bytes, read)
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
