//! The safetensors header: 8 bytes of length, JSON, then the tensors' bytes.
//!
//! The format: <https://github.com/huggingface/safetensors#format>. The crate of that name refuses
//! files whose tensors overlap, which the engine reads, so the extents are checked here.

use super::{
    Fault,
    header::{Header, MAX_DIMENSIONS, MAX_TENSORS, ModelFormat},
    metadata::MetadataValue,
    tensor::{TensorInfo, TensorType, product},
};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use std::{
    fmt,
    fs::File,
    io::{Read, Seek},
};

/// As the reference implementation limits it.
const MAX_HEADER: u64 = 100_000_000;

pub(super) fn read(mut file: File, length: u64) -> Result<Header, Fault> {
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
    let mut text = Vec::new();
    file.take(size).read_to_end(&mut text)?;
    let mut entries = Entries::default();
    let mut json = serde_json::Deserializer::from_slice(&text);
    (&mut entries)
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|e| Fault::Damaged(format!("its header is no JSON object of tensors: {e}")))?;
    drop(text);
    let data = data - size;
    let mut tensors = Vec::with_capacity(entries.tensors.len());
    for (name, entry) in entries.tensors {
        let tensor = entry
            .check(data)
            .map_err(|reason| Fault::Damaged(format!("tensor {name:?} {reason}")))?;
        tensors.push(TensorInfo { name, offset: tensor.offset + 8 + size, ..tensor });
    }
    if tensors.is_empty() {
        return Err(Fault::Damaged("it has no tensors".to_owned()));
    }
    let header = Header::new(ModelFormat::Safetensors, tensors, entries.metadata);
    match header.tensors.windows(2).find(|pair| matches!(pair, [a, b] if a.name == b.name)) {
        Some([twice, ..]) => Err(Fault::Damaged(format!("tensor {:?} comes twice", twice.name))),
        _ => Ok(header),
    }
}

/// The header's entries as they are read, so that nested or huge JSON is never held.
#[derive(Default)]
struct Entries {
    tensors: Vec<(String, Entry)>,
    metadata: Vec<(String, MetadataValue)>,
}

impl<'de> DeserializeSeed<'de> for &mut Entries {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Entries {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                self.metadata = map.next_value::<Metadata>()?.0;
                continue;
            }
            if self.tensors.len() as u64 >= MAX_TENSORS {
                return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
            }
            self.tensors.push((name, map.next_value()?));
        }
        Ok(())
    }
}

/// The metadata, if it is the table that it should be.
struct Metadata(Vec<(String, MetadataValue)>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        lenient(from, |key, value, all: &mut Vec<_>| {
            all.push((key, value));
        })
        .map(Self)
    }
}

/// One tensor's entry; what is missing or of another kind is none.
#[derive(Default)]
struct Entry {
    dtype: Option<String>,
    shape: Option<Vec<u64>>,
    offsets: Option<Vec<u64>>,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        lenient(from, |key, value: MetadataValue, entry: &mut Self| match key.as_str() {
            "dtype" => entry.dtype = value.as_text().map(str::to_owned),
            "shape" => entry.shape = numbers(value),
            "data_offsets" => entry.offsets = numbers(value),
            _ => {}
        })
    }
}

/// Reads a table with `take`, and anything else as an empty one.
fn lenient<'de, D, V, T>(from: D, take: impl FnMut(String, V, &mut T)) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
    T: Default,
{
    struct Table<V, T, F>(F, std::marker::PhantomData<(V, T)>);

    impl<'de, V, T, F> Visitor<'de> for Table<V, T, F>
    where
        V: Deserialize<'de>,
        T: Default,
        F: FnMut(String, V, &mut T),
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<T, A::Error> {
            let mut all = T::default();
            while let Some((key, value)) = map.next_entry()? {
                (self.0)(key, value, &mut all);
            }
            Ok(all)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(T::default())
        }

        fn visit_bool<E>(self, _: bool) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_u64<E>(self, _: u64) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_i64<E>(self, _: i64) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_f64<E>(self, _: f64) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_str<E>(self, _: &str) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_unit<E>(self) -> Result<T, E> {
            Ok(T::default())
        }
    }

    from.deserialize_any(Table(take, std::marker::PhantomData))
}

/// The numbers of a list, if there is nothing else in it.
fn numbers(value: MetadataValue) -> Option<Vec<u64>> {
    match value {
        MetadataValue::List { length, first } if length == first.len() as u64 => first
            .into_iter()
            .map(|value| match value {
                MetadataValue::Unsigned(number) => Some(number),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

impl Entry {
    fn check(self, data: u64) -> Result<TensorInfo, String> {
        let dtype = self.dtype.ok_or("has no dtype")?;
        let kind = TensorType::from_safetensors(&dtype)
            .ok_or_else(|| format!("has the unknown dtype {dtype:?}"))?;
        let shape = self
            .shape
            .ok_or_else(|| format!("has no shape of {MAX_DIMENSIONS} dimensions at most"))?;
        // The engine divides by dimensions.
        if shape.contains(&0) {
            return Err(format!("has the empty shape {shape:?}"));
        }
        let Some([start, end]) = self.offsets.as_deref() else {
            return Err("has no data_offsets".to_owned());
        };
        let (start, end) = (*start, *end);
        if start > end || end > data {
            return Err(format!("lies at {start}..{end}, and the file has {data} bytes of data"));
        }
        let bytes = end - start;
        if product(&shape).and_then(|n| kind.bytes_of(n)) != Some(bytes) {
            return Err(format!("of shape {shape:?} and type {dtype} has {bytes} bytes"));
        }
        Ok(TensorInfo { name: String::new(), shape, kind, offset: start, bytes, file: 0 })
    }
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
        crate::model_file::tests::checked(bytes, read)
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
