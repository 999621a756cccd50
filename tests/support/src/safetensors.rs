//! The safetensors container, and its form in which all tensors share their data.

use crate::quantize::{WeightType, f8_e4m3};
use crate::tensor::{Init, Layout, Tensor};
use crate::values::Values;
use serde_json::{Map, json};
use std::io::{self, Write};
use std::ops::Range;

/// The type of all tensors of a safetensors file or a pickle checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
}

impl FloatType {
    /// The name of the type in lower case.
    pub fn name(self) -> &'static str {
        self.encoding().name()
    }

    pub(crate) fn encoding(self) -> WeightType {
        match self {
            Self::F32 => WeightType::F32,
            Self::F16 => WeightType::F16,
        }
    }
}

/// Writes a model, tensor by tensor.
pub(crate) fn write(
    out: &mut impl Write,
    layout: &Layout,
    float_type: FloatType,
    seed: u64,
) -> io::Result<()> {
    let encoding = float_type.encoding();
    let mut end = 0;
    write_header(out, layout, &encoding.name().to_uppercase(), 8, |tensor| {
        let start = end;
        end += encoding.bytes(tensor.elements());
        start..end
    })?;
    let mut values = Values::new(seed);
    let mut encoded = Vec::new();
    for tensor in layout.tensors() {
        values.for_each_chunk(tensor, |chunk| {
            encoded.clear();
            encoding.encode(chunk, &mut encoded);
            out.write_all(&encoded)
        })?;
    }
    Ok(())
}

/// Writes a model whose tensors share one buffer of random f8_e4m3 values of the given
/// deviation, one of ones (whatever their gain) and one of zeros, each as long as the longest
/// tensor needs it.
///
/// The engine accepts overlapping tensors; other readers do not.
pub(crate) fn write_aliased(
    out: &mut impl Write,
    layout: &Layout,
    deviation: f32,
    seed: u64,
) -> io::Result<()> {
    let longest = |init| {
        let tensors = layout.tensors().iter().filter(|t| t.init == init);
        tensors.map(Tensor::elements).max().unwrap_or(0)
    };
    let (random, ones) = (longest(Init::Normal), longest(Init::Ones));
    write_header(out, layout, "F8_E4M3", 8, |tensor| {
        let start = match tensor.init {
            Init::Normal => 0,
            Init::Ones => random,
            Init::Zeros => random + ones,
        };
        start..start + tensor.elements()
    })?;
    let mut shared = Layout::default();
    let shared = shared.random("random", &[random]).scaled_by(deviation);
    let mut values = Values::new(seed);
    let mut encoded = Vec::new();
    values.for_each_chunk(shared, |chunk| {
        encoded.clear();
        encoded.extend(chunk.iter().map(|&x| f8_e4m3(x)));
        out.write_all(&encoded)
    })?;
    out.write_all(&vec![f8_e4m3(1.0); ones])?;
    out.write_all(&vec![f8_e4m3(0.0); longest(Init::Zeros)])
}

/// Writes the header; `extent` says which bytes of the data belong to a tensor, and the data will
/// start at a multiple of `alignment`, itself a multiple of 8.
pub(crate) fn write_header(
    out: &mut impl Write,
    layout: &Layout,
    dtype: &str,
    alignment: usize,
    mut extent: impl FnMut(&Tensor) -> Range<usize>,
) -> io::Result<()> {
    let mut entries = Map::new();
    for tensor in layout.tensors() {
        let Range { start, end } = extent(tensor);
        let entry = json!({
            "dtype": dtype,
            "shape": tensor.shape,
            "data_offsets": [start, end],
        });
        entries.insert(tensor.name.clone(), entry);
    }
    let mut header = serde_json::to_vec(&entries)?;
    let aligned = (header.len() + 8).next_multiple_of(alignment) - 8;
    header.resize(aligned, b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn sample() -> Layout {
        let mut layout = Layout::default();
        layout.linear("linear", 6, 5);
        layout.conv("conv", 3, 4, 3);
        layout.norm("norm", 7);
        layout
    }

    fn header(bytes: &[u8]) -> (Value, &[u8]) {
        let (len, rest) = bytes.split_at(8);
        let len = u64::from_le_bytes(len.try_into().unwrap()) as usize;
        let (header, data) = rest.split_at(len);
        assert!(len.is_multiple_of(8));
        (serde_json::from_slice(header).unwrap(), data)
    }

    fn extent(entry: &Value) -> Range<usize> {
        let offset = |i: usize| entry["data_offsets"][i].as_u64().unwrap() as usize;
        offset(0)..offset(1)
    }

    #[test]
    fn extents_tile_the_data() {
        for (float_type, dtype, size) in [(FloatType::F16, "F16", 2), (FloatType::F32, "F32", 4)] {
            let mut bytes = Vec::new();
            write(&mut bytes, &sample(), float_type, 1).unwrap();
            let (header, data) = header(&bytes);
            let mut end = 0;
            for tensor in sample().tensors() {
                let entry = &header[&tensor.name];
                assert_eq!(entry["dtype"], dtype);
                assert_eq!(entry["shape"], json!(tensor.shape));
                let extent = extent(entry);
                assert_eq!(extent.start, end);
                end = extent.end;
                assert_eq!(extent.len(), tensor.elements() * size);
            }
            assert_eq!(data.len(), end);
            assert_eq!(header.as_object().unwrap().len(), 6);
        }
    }

    #[test]
    fn aliased_extents_lie_within_the_shared_buffers() {
        let mut bytes = Vec::new();
        write_aliased(&mut bytes, &sample(), 0.05, 1).unwrap();
        let (header, data) = header(&bytes);
        assert_eq!(data.len(), 108 + 7 + 7);
        for tensor in sample().tensors() {
            let extent = extent(&header[&tensor.name]);
            assert_eq!(extent.len(), tensor.elements());
            let data = &data[extent];
            match tensor.init {
                Init::Normal => assert!(data.iter().any(|&x| x != data[0])),
                Init::Ones => assert!(data.iter().all(|&x| x == 0x38)),
                Init::Zeros => assert!(data.iter().all(|&x| x == 0)),
            }
        }
    }
}
