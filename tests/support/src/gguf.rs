//! The GGUF container, version 3.

use crate::quantize::WeightType;
use crate::tensor::{Init, Layout, Tensor};
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
    let mut end = 0;
    let header = header(layout, weight_type, |tensor| {
        let start = end;
        end += padded(weight_type.for_tensor(tensor).bytes(tensor.elements()));
        start
    });
    out.write_all(&header)?;
    pad(out, header.len())?;
    let mut values = Values::new(seed);
    for tensor in layout.tensors() {
        write_values(out, &mut values, tensor, weight_type.for_tensor(tensor))?;
    }
    Ok(())
}

/// Writes a model in which all tensors of one stored type, one way of choosing values and one
/// deviation (to the next power of two) share their data.
///
/// The engine's own reader of GGUF accepts that; ggml's, which it tries first, does not and
/// says so in the log. Mapped into memory, such a model takes no more than its file.
pub(crate) fn write_aliased(
    out: &mut impl Write,
    layout: &Layout,
    weight_type: WeightType,
    seed: u64,
) -> io::Result<()> {
    let mut pools: Vec<Pool> = Vec::new();
    for tensor in layout.tensors() {
        let pool = Pool::for_tensor(tensor, weight_type);
        match pools.iter_mut().find(|p| p.shares_with(&pool)) {
            Some(found) => found.elements = found.elements.max(pool.elements),
            None => pools.push(pool),
        }
    }
    let header = header(layout, weight_type, |tensor| {
        let wanted = Pool::for_tensor(tensor, weight_type);
        let before = pools.iter().take_while(|p| !p.shares_with(&wanted));
        before.map(|p| padded(p.stored.bytes(p.elements))).sum()
    });
    out.write_all(&header)?;
    pad(out, header.len())?;
    let mut values = Values::new(seed);
    for (number, pool) in pools.iter().enumerate() {
        let shared = Tensor {
            name: format!("shared.{number}"),
            shape: vec![pool.elements],
            init: pool.init,
            gain: 2_f32.powi(pool.exponent),
            keep_f32: false,
        };
        write_values(out, &mut values, &shared, pool.stored)?;
    }
    Ok(())
}

/// Data which several tensors share.
struct Pool {
    stored: WeightType,
    init: Init,
    /// The deviation of random values is two to the power of this.
    exponent: i32,
    /// The number of values of the largest of the tensors.
    elements: usize,
}

impl Pool {
    fn for_tensor(tensor: &Tensor, weight_type: WeightType) -> Self {
        let exponent = match tensor.init {
            Init::Normal => tensor.deviation().log2().round() as i32,
            Init::Ones | Init::Zeros => 0,
        };
        Self {
            stored: weight_type.for_tensor(tensor),
            init: tensor.init,
            exponent,
            elements: tensor.elements(),
        }
    }

    fn shares_with(&self, other: &Self) -> bool {
        self.stored == other.stored && self.init == other.init && self.exponent == other.exponent
    }
}

/// Writes the values of a tensor in the type `stored`, and the padding behind them.
fn write_values(
    out: &mut impl Write,
    values: &mut Values,
    tensor: &Tensor,
    stored: WeightType,
) -> io::Result<()> {
    let mut encoded = Vec::new();
    values.for_each_chunk(tensor, |chunk| {
        encoded.clear();
        stored.encode(chunk, &mut encoded);
        out.write_all(&encoded)
    })?;
    pad(out, stored.bytes(tensor.elements()))
}

/// Everything before the padding in front of the first tensor's data; `place` says where in the
/// data a tensor starts.
fn header(
    layout: &Layout,
    weight_type: WeightType,
    mut place: impl FnMut(&Tensor) -> usize,
) -> Vec<u8> {
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
    for tensor in layout.tensors() {
        header.string(&tensor.name);
        header.u32(tensor.shape.len() as u32);
        // ggml counts the contiguous dimension first.
        for &dimension in tensor.shape.iter().rev() {
            header.u64(dimension);
        }
        header.u32(weight_type.for_tensor(tensor).ggml_id());
        header.u64(place(tensor));
    }
    header.0
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT as usize)
}

fn pad(out: &mut impl Write, written: usize) -> io::Result<()> {
    let missing = padded(written) - written;
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

    #[test]
    fn aliased_tensors_of_a_kind_start_at_one_place() {
        let mut layout = sample();
        layout.linear("wider", 64, 5);
        let mut bytes = Vec::new();
        write_aliased(&mut bytes, &layout, WeightType::Q8_0, 1).unwrap();
        let mut reader = Reader { bytes: &bytes, at: 0 };
        reader.take(4);
        assert_eq!((reader.u32(), reader.u64(), reader.u64()), (3, 8, 2));
        for _ in 0..2 {
            reader.string();
            if reader.u32() == STRING {
                reader.string().len()
            } else {
                reader.u32() as usize
            };
        }
        let mut offsets = std::collections::HashMap::new();
        for _ in 0..8 {
            let name = reader.string().to_owned();
            for _ in 0..reader.u32() {
                reader.u64();
            }
            reader.u32();
            offsets.insert(name, reader.u64());
        }
        assert_eq!(offsets["linear.weight"], offsets["wider.weight"]);
        assert_eq!(offsets["linear.bias"], offsets["norm.bias"]);
        assert_ne!(offsets["norm.weight"], offsets["norm.bias"]);
        assert_ne!(offsets["conv.weight"], offsets["linear.weight"]);
        // Weights of five rows, zeros, the convolution, ones.
        let data = [5 * 68, 7 * 4, 135 * 2, 7 * 4].into_iter().map(padded).sum::<usize>();
        assert_eq!(bytes.len(), padded(reader.at) + data);
    }
}
