//! Safetensors whose tensors share their data, in the type the engine computes with.
//!
//! Some families have fixed sizes: billions of parameters. Where the engine maps a file into
//! memory it uses the weights where they lie, so when many tensors share the same bytes, they
//! share memory too, and nothing is read when the model is loaded. Only the computation remains,
//! which for a picture of few tokens is a matter of seconds.

use crate::quantize::WeightType;
use crate::safetensors::write_header;
use crate::tensor::{Init, Layout, Tensor};
use crate::values::{Values, hash};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Bytes of a value.
const SIZE: usize = 2;
/// Values to a cache line: every tensor starts at a multiple.
const LINE: usize = 32;
/// Lines by which a tensor may start later than another, so that few of them are the same.
const STARTS: usize = 2048;

/// Where the values of a kind lie, in values.
#[derive(Clone, Copy, Default)]
struct Region {
    start: usize,
    longest: usize,
}

/// What a tensor shares with others: the way its values are chosen, and the binary logarithm of
/// their size, for random ones rounded to an even number. There are few of those, and within a
/// factor of two the deviation does not matter to a model with normalisations.
fn kind(tensor: &Tensor) -> (u8, i32) {
    match tensor.init {
        Init::Normal => (0, (tensor.deviation().log2() / 2.0).round() as i32 * 2),
        Init::Ones => (1, tensor.gain.log2().round() as i32),
        Init::Zeros => (2, 0),
    }
}

fn regions(layout: &Layout) -> BTreeMap<(u8, i32), Region> {
    let mut regions = BTreeMap::<_, Region>::new();
    for tensor in layout.tensors() {
        let region = regions.entry(kind(tensor)).or_default();
        region.longest = region.longest.max(tensor.elements());
    }
    let mut start = 0;
    for region in regions.values_mut() {
        region.start = start;
        start += region.longest.next_multiple_of(LINE) + STARTS * LINE;
    }
    regions
}

/// Writes a model whose tensors lie in common regions of f16 values, one for each [`kind`].
pub(crate) fn write(out: &mut impl Write, layout: &Layout, seed: u64) -> io::Result<()> {
    let regions = regions(layout);
    write_header(out, layout, "F16", LINE * SIZE, |tensor| {
        let region = regions.get(&kind(tensor)).copied().unwrap_or_default();
        let line = hash(tensor.name.as_bytes()) as usize % STARTS;
        let start = (region.start + line * LINE) * SIZE;
        start..start + tensor.elements() * SIZE
    })?;
    let mut values = Values::new(seed);
    let mut encoded = Vec::new();
    for ((init, deviation), region) in regions {
        let mut shared = Layout::default();
        let len = region.longest.next_multiple_of(LINE) + STARTS * LINE;
        let shared = shared.random(format_args!("random{deviation}"), &[len]);
        shared.init = match init {
            0 => Init::Normal,
            1 => Init::Ones,
            _ => Init::Zeros,
        };
        shared.scaled_by(2.0_f32.powi(deviation));
        values.for_each_chunk(shared, |chunk| {
            encoded.clear();
            WeightType::F16.encode(chunk, &mut encoded);
            out.write_all(&encoded)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use serde_json::Value;

    #[test]
    fn tensors_lie_within_values_of_their_kind() {
        let mut layout = Layout::default();
        layout.linear("wide", 64, 3000);
        layout.linear("other", 64, 2000);
        layout.linear("narrow", 2000, 5);
        layout.norm("norm", 70);
        let mut bytes = Vec::new();
        write(&mut bytes, &layout, 1).unwrap();

        let (len, rest) = bytes.split_at(8);
        let len = u64::from_le_bytes(len.try_into().unwrap()) as usize;
        let (header, data) = rest.split_at(len);
        assert!((len + 8).is_multiple_of(64));
        let header: Value = serde_json::from_slice(header).unwrap();
        let tensor = |name: &str| -> Vec<f32> {
            let offset = |i: usize| header[name]["data_offsets"][i].as_u64().unwrap() as usize;
            assert!(offset(0).is_multiple_of(64), "{name}");
            let values = data[offset(0)..offset(1)].chunks(2);
            values.map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
        };
        for (name, deviation) in
            [("wide", 1.0 / 16.0), ("other", 1.0 / 16.0), ("narrow", 1.0 / 64.0)]
        {
            let values = tensor(&format!("{name}.weight"));
            let square = values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32;
            assert!((square.sqrt() / deviation - 1.0).abs() < 0.1, "{name}: {square}");
            assert!(tensor(&format!("{name}.bias")).iter().all(|&x| x == 0.0));
        }
        assert_ne!(tensor("wide.weight")[..640], tensor("other.weight")[..640]);
        assert!(tensor("norm.weight").iter().all(|&x| x == 1.0));
    }
}
