//! The values of tensors: deterministic for a seed and a tensor's name.

use crate::tensor::{Init, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use std::io;

/// Values handed out at a time; a multiple of every quantisation block.
const CHUNK: usize = 4096;
/// The number of places in the block of normals where a chunk may start.
const STARTS: usize = 1 << 16;

/// The source of all values of a model.
///
/// Drawing a normal for each of the 123 million values of CLIP-L would take an unoptimised
/// build far too long. So one block of normals is drawn from the seed, and every chunk of a
/// tensor is a run of that block, whose start is a hash of the seed, the tensor's name and the
/// chunk's number. The values repeat within a tensor, but shifted against its rows.
pub(crate) struct Values {
    seed: u64,
    normals: Vec<f32>,
    scaled: Vec<f32>,
}

impl Values {
    /// Draws the block of normals.
    pub(crate) fn new(seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let normals = StandardNormal.sample_iter(rng).take(STARTS + CHUNK);
        Self { seed, normals: normals.collect(), scaled: Vec::with_capacity(CHUNK) }
    }

    /// Hands the values of `tensor` to `consume`, piece by piece.
    pub(crate) fn for_each_chunk(
        &mut self,
        tensor: &Tensor,
        mut consume: impl FnMut(&[f32]) -> io::Result<()>,
    ) -> io::Result<()> {
        let elements = tensor.elements();
        let key = hash(tensor.name.as_bytes());
        let deviation = tensor.deviation();
        for (number, at) in (0..elements).step_by(CHUNK).enumerate() {
            let len = CHUNK.min(elements - at);
            self.scaled.clear();
            match tensor.init {
                Init::Ones => self.scaled.resize(len, tensor.gain),
                Init::Zeros => self.scaled.resize(len, 0.0),
                Init::Normal => {
                    let start = mix(self.seed ^ key ^ mix(number as u64)) as usize % STARTS;
                    let run = self.normals.iter().skip(start).take(len);
                    self.scaled.extend(run.map(|x| x * deviation));
                }
            }
            consume(&self.scaled)?;
        }
        Ok(())
    }
}

/// FNV-1a.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of SplitMix64: spreads a change of any bit over all of them.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Layout;

    fn drawn(seed: u64, name: &str) -> Vec<f32> {
        let mut layout = Layout::default();
        layout.linear_no_bias(name, 100, 200);
        let mut all = Vec::new();
        let keep = |chunk: &[f32]| {
            all.extend_from_slice(chunk);
            Ok(())
        };
        Values::new(seed).for_each_chunk(&layout.tensors()[0], keep).unwrap();
        all
    }

    #[test]
    fn depend_on_seed_and_name_alone() {
        assert_eq!(drawn(1, "a"), drawn(1, "a"));
        assert_ne!(drawn(1, "a"), drawn(1, "b"));
        assert_ne!(drawn(1, "a"), drawn(2, "a"));
    }

    #[test]
    fn have_the_deviation_of_the_fan_in() {
        let values = drawn(1, "a");
        assert_eq!(values.len(), 20_000);
        let mean = values.iter().sum::<f32>() / 20_000.0;
        let square = values.iter().map(|x| x * x).sum::<f32>() / 20_000.0;
        assert!(mean.abs() < 0.005, "{mean}");
        assert!((square.sqrt() - 0.1).abs() < 0.005, "{square}");
    }

    #[test]
    fn rows_differ() {
        let values = drawn(1, "a");
        let mut rows: Vec<_> =
            values.chunks(100).map(|r| r.iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), 200);
    }
}
