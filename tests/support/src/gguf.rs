//! The GGUF container, version 3.

use crate::quantize::WeightType;
use crate::tensor::Layout;
use crate::values::Values;
use std::io::{self, Write};

const VERSION: u32 = 3;
/// Every tensor's data starts at a multiple of this.
const ALIGNMENT: u32 = 32;
/// The numbers of the types of metadata used here.
const UINT32: u32 = 4;
const STRING: u32 = 8;

/// Writes a model, tensor by tensor, with the weights in `weight_type` where that fits.
pub(crate) fn write(
    out: &mut impl Write,
    layout: &Layout,
    weight_type: WeightType,
    seed: u64,
) -> io::Result<()> {
    let header = header(layout, weight_type);
    out.write_all(&header)?;
    pad(out, header.len())?;
    let mut values = Values::new(seed);
    let mut encoded = Vec::new();
    for tensor in layout.tensors() {
        let stored = weight_type.for_tensor(tensor);
        values.for_each_chunk(tensor, |chunk| {
            encoded.clear();
            stored.encode(chunk, &mut encoded);
            out.write_all(&encoded)
        })?;
        pad(out, stored.bytes(tensor.elements()))?;
    }
    Ok(())
}

/// Everything before the padding in front of the first tensor's data.
fn header(layout: &Layout, weight_type: WeightType) -> Vec<u8> {
    let mut header = Header(b"GGUF".to_vec());
    header.u32(VERSION);
    header.u64(layout.tensors().len());
    header.u64(2);
    header.string("general.architecture");
    header.u32(STRING);
    header.string("tiny-test-model");
    header.string("general.alignment");
    header.u32(UINT32);
    header.u32(ALIGNMENT);
    let mut offset = 0;
    for tensor in layout.tensors() {
        let stored = weight_type.for_tensor(tensor);
        header.string(&tensor.name);
        header.u32(tensor.shape.len() as u32);
        // ggml counts the contiguous dimension first.
        for &dimension in tensor.shape.iter().rev() {
            header.u64(dimension);
        }
        header.u32(stored.ggml_id());
        header.u64(offset);
        offset += stored.bytes(tensor.elements()).next_multiple_of(ALIGNMENT as usize);
    }
    header.0
}

fn pad(out: &mut impl Write, written: usize) -> io::Result<()> {
    let missing = written.next_multiple_of(ALIGNMENT as usize) - written;
    out.write_all(&vec![0; missing])
}

struct Header(Vec<u8>);

impl Header {
    fn u32(&mut self, x: u32) {
        self.0.extend(x.to_le_bytes());
    }

    fn u64(&mut self, x: usize) {
        self.0.extend((x as u64).to_le_bytes());
    }

    fn string(&mut self, x: &str) {
        self.u64(x.len());
        self.0.extend(x.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader which knows no more than the format's description.
    struct Reader<'a> {
        bytes: &'a [u8],
        at: usize,
    }

    impl<'a> Reader<'a> {
        fn take(&mut self, len: usize) -> &'a [u8] {
            self.at += len;
            &self.bytes[self.at - len..self.at]
        }
        fn u32(&mut self) -> u32 {
            u32::from_le_bytes(self.take(4).try_into().unwrap())
        }
        fn u64(&mut self) -> usize {
            u64::from_le_bytes(self.take(8).try_into().unwrap()) as usize
        }
        fn string(&mut self) -> &'a str {
            let len = self.u64();
            std::str::from_utf8(self.take(len)).unwrap()
        }
    }

    fn sample() -> Layout {
        let mut layout = Layout::default();
        layout.linear("linear", 64, 3);
        layout.conv("conv", 3, 5, 3);
        layout.norm("norm", 7);
        layout
    }

    #[test]
    fn reads_back() {
        let mut bytes = Vec::new();
        write(&mut bytes, &sample(), WeightType::Q8_0, 1).unwrap();
        let mut reader = Reader { bytes: &bytes, at: 0 };
        assert_eq!(reader.take(4), b"GGUF");
        assert_eq!((reader.u32(), reader.u64(), reader.u64()), (3, 6, 2));
        assert_eq!(reader.string(), "general.architecture");
        assert_eq!((reader.u32(), reader.string()), (8, "tiny-test-model"));
        assert_eq!(reader.string(), "general.alignment");
        assert_eq!((reader.u32(), reader.u32()), (4, 32));

        let mut end = 0;
        for (name, dimensions, type_id, size) in [
            ("linear.weight", vec![64, 3], 8, 3 * 68),
            ("linear.bias", vec![3], 0, 12),
            ("conv.weight", vec![3, 3, 3, 5], 1, 270),
            ("conv.bias", vec![5], 0, 20),
            ("norm.weight", vec![7], 0, 28),
            ("norm.bias", vec![7], 0, 28),
        ] {
            assert_eq!(reader.string(), name);
            assert_eq!(reader.u32() as usize, dimensions.len());
            assert!(dimensions.iter().all(|&d| reader.u64() == d), "{name}");
            assert_eq!(reader.u32(), type_id, "{name}");
            let offset = reader.u64();
            assert!(offset.is_multiple_of(32) && offset >= end, "{name}");
            end = offset + size;
        }
        let data = reader.at.next_multiple_of(32);
        assert_eq!(bytes.len(), data + end.next_multiple_of(32));
        let ones = &bytes[data + 576..][..28];
        assert_eq!(ones, 1.0_f32.to_le_bytes().repeat(7));
    }

    #[test]
    fn same_seed_same_bytes() {
        let written = |seed| {
            let mut bytes = Vec::new();
            write(&mut bytes, &sample(), WeightType::Q4_0, seed).unwrap();
            bytes
        };
        assert_eq!(written(1), written(1));
        assert_ne!(written(1), written(2));
    }
}
