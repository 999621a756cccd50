//! Weight types: ggml's block formats and eight-bit floats.

use crate::tensor::Tensor;
use half::f16;

/// Values in a block of the quantised types, but for [`WeightType::Q1_0`].
const BLOCK: usize = 32;
/// Values in a block of [`WeightType::Q1_0`].
const SIGN_BLOCK: usize = 128;

/// The type in which the weights of a GGUF file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WeightType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Blocks of 32 eight-bit integers with a common factor.
    Q8_0,
    /// Blocks of 32 four-bit integers with a common factor.
    Q4_0,
    /// Blocks of 128 signs with a common magnitude.
    Q1_0,
}

impl WeightType {
    /// The type in which `tensor` is stored in a model of this type: what has one dimension
    /// and what the engine keeps in f32 stays f32, and rows which do not fill blocks (those of
    /// all convolutions) become f16.
    pub fn for_tensor(self, tensor: &Tensor) -> Self {
        if tensor.shape.len() == 1 || tensor.keep_f32 {
            Self::F32
        } else if !tensor.row_len().is_multiple_of(self.block()) {
            Self::F16
        } else {
            self
        }
    }

    /// The number of the type in ggml.
    pub fn ggml_id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 8,
            Self::Q1_0 => 41,
        }
    }

    /// The name of the type in ggml.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Q1_0 => "q1_0",
        }
    }

    /// The number of bytes which `elements` values take; whole blocks are assumed.
    pub fn bytes(self, elements: usize) -> usize {
        match self {
            Self::F32 => elements * 4,
            Self::F16 => elements * 2,
            Self::Q8_0 => elements / BLOCK * (2 + BLOCK),
            Self::Q4_0 => elements / BLOCK * (2 + BLOCK / 2),
            Self::Q1_0 => elements / SIGN_BLOCK * (2 + SIGN_BLOCK / 8),
        }
    }

    /// Appends the encoding of `values`; those after the last whole block are left out.
    pub fn encode(self, values: &[f32], out: &mut Vec<u8>) {
        match self {
            Self::F32 => out.extend(values.iter().flat_map(|x| x.to_le_bytes())),
            Self::F16 => out.extend(values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes())),
            Self::Q8_0 => values.as_chunks().0.iter().for_each(|b| q8_0(b, out)),
            Self::Q4_0 => values.as_chunks().0.iter().for_each(|b| q4_0(b, out)),
            Self::Q1_0 => values.as_chunks().0.iter().for_each(|b| q1_0(b, out)),
        }
    }

    /// The number of values which are encoded together.
    fn block(self) -> usize {
        match self {
            Self::F32 | Self::F16 => 1,
            Self::Q8_0 | Self::Q4_0 => BLOCK,
            Self::Q1_0 => SIGN_BLOCK,
        }
    }
}

fn inverse(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { 1.0 / x }
}

/// The factor in f16, then the integers: `x ≈ factor · q`, `q` from -127 to 127.
fn q8_0(block: &[f32; BLOCK], out: &mut Vec<u8>) {
    let largest = block.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let factor = largest / 127.0;
    let inverse = inverse(factor);
    out.extend(f16::from_f32(factor).to_le_bytes());
    out.extend(block.map(|x| ((x * inverse).round() as i8).cast_unsigned()));
}

/// The factor in f16, then the integers, of which byte `i` holds number `i` in its lower half
/// and number `i + 16` in its upper one: `x ≈ factor · (q - 8)`, `q` from 0 to 15. The value
/// of largest magnitude becomes `q = 0`, so the factor has the opposite sign.
fn q4_0(block: &[f32; BLOCK], out: &mut Vec<u8>) {
    let largest = block.iter().fold(0.0_f32, |m, &x| if x.abs() > m.abs() { x } else { m });
    let factor = largest / -8.0;
    let inverse = inverse(factor);
    let code = |x: f32| ((x * inverse + 8.5) as u8).min(15);
    out.extend(f16::from_f32(factor).to_le_bytes());
    let (lower, upper) = block.split_at(BLOCK / 2);
    out.extend(lower.iter().zip(upper).map(|(&a, &b)| code(a) | code(b) << 4));
}

/// The mean magnitude in f16, then the signs, the first value's in the lowest bit: 1 is positive.
fn q1_0(block: &[f32; SIGN_BLOCK], out: &mut Vec<u8>) {
    let sum: f32 = block.iter().map(|x| x.abs()).sum();
    out.extend(f16::from_f32(sum / SIGN_BLOCK as f32).to_le_bytes());
    let (bytes, _) = block.as_chunks::<8>();
    out.extend(
        bytes
            .iter()
            .map(|values| values.iter().rev().fold(0, |byte, &x| byte << 1 | u8::from(x >= 0.0))),
    );
}

/// The nearest f8_e4m3 (a sign, four bits of exponent with bias 7, three of mantissa; no
/// infinities), at most the largest finite one.
pub(crate) fn f8_e4m3(x: f32) -> u8 {
    let sign = ((x.to_bits() >> 24) & 0x80) as u8;
    let magnitude = x.abs().min(448.0);
    // Below the smallest normal exponent all values have the same spacing.
    let exponent = ((magnitude.to_bits() >> 23) as i32 - 127).max(-6);
    let spacing = 2.0_f32.powi(exponent - 3);
    let mantissa = (magnitude / spacing).round_ties_even() as i32;
    // The implicit bit of the mantissa, 8, carries into the exponent's field.
    sign | (((exponent + 6) << 3) + mantissa) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Layout;

    fn samples() -> Vec<f32> {
        (0..640).map(|i| ((i as f32 * 0.37).sin() + (i as f32 * 1.7).cos()) * 0.1).collect()
    }

    fn largest(block: &[f32]) -> f32 {
        block.iter().fold(0.0, |m, x| m.max(x.abs()))
    }

    fn factor(block: &[u8]) -> f32 {
        f16::from_le_bytes([block[0], block[1]]).to_f32()
    }

    #[test]
    fn q8_0_is_within_half_a_step() {
        let values = samples();
        let mut bytes = Vec::new();
        WeightType::Q8_0.encode(&values, &mut bytes);
        assert_eq!(bytes.len(), WeightType::Q8_0.bytes(values.len()));
        for (block, encoded) in values.chunks(32).zip(bytes.chunks(34)) {
            let bound = largest(block) * (0.5 / 127.0 + 1e-3);
            for (x, &q) in block.iter().zip(&encoded[2..]) {
                let error = (x - factor(encoded) * f32::from(q.cast_signed())).abs();
                assert!(error <= bound, "{x}: {error} > {bound}");
            }
        }
    }

    #[test]
    fn q4_0_is_within_a_step() {
        let values = samples();
        let mut bytes = Vec::new();
        WeightType::Q4_0.encode(&values, &mut bytes);
        assert_eq!(bytes.len(), WeightType::Q4_0.bytes(values.len()));
        for (block, encoded) in values.chunks(32).zip(bytes.chunks(18)) {
            // Half a step, but a whole one at the end of the range which stops at 7.
            let bound = largest(block) * (1.0 / 8.0 + 1e-3);
            for (i, x) in block.iter().enumerate() {
                let q = (encoded[2 + i % 16] >> (i / 16 * 4)) & 15;
                let error = (x - factor(encoded) * (f32::from(q) - 8.0)).abs();
                assert!(error <= bound, "{x}: {error} > {bound}");
            }
        }
    }

    #[test]
    fn q1_0_keeps_signs_and_the_mean_magnitude() {
        let values = samples();
        let mut bytes = Vec::new();
        WeightType::Q1_0.encode(&values, &mut bytes);
        assert_eq!(bytes.len(), WeightType::Q1_0.bytes(values.len()));
        for (block, encoded) in values.chunks(128).zip(bytes.chunks(18)) {
            let mean = block.iter().map(|x| x.abs()).sum::<f32>() / 128.0;
            assert!((factor(encoded) - mean).abs() < 1e-3 * mean);
            for (i, x) in block.iter().enumerate() {
                assert_eq!(encoded[2 + i / 8] >> (i % 8) & 1 == 1, *x >= 0.0);
            }
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        for weight_type in [WeightType::Q8_0, WeightType::Q4_0, WeightType::Q1_0] {
            let mut bytes = Vec::new();
            weight_type.encode(&[0.0; 128], &mut bytes);
            assert_eq!(factor(&bytes), 0.0);
        }
    }

    #[test]
    fn f8_rounds_to_the_nearest() {
        let decode = |code: u8| {
            let (exponent, mantissa) = (i32::from(code >> 3 & 15), f32::from(code & 7));
            let magnitude = match exponent {
                0 => mantissa * 2.0_f32.powi(-9),
                _ => (1.0 + mantissa / 8.0) * 2.0_f32.powi(exponent - 7),
            };
            if code < 128 { magnitude } else { -magnitude }
        };
        for code in (0..=0x7e).chain(0x80..=0xfe) {
            assert_eq!(f8_e4m3(decode(code)), code);
        }
        for x in samples() {
            let code = f8_e4m3(x);
            let error = (decode(code) - x).abs();
            for other in [code.wrapping_sub(1), code + 1] {
                assert!(error <= (decode(other) - x).abs(), "{x}");
            }
        }
        assert_eq!(f8_e4m3(1e9), 0x7e);
    }

    #[test]
    fn tensors_which_do_not_fit_blocks_are_floats() {
        let mut layout = Layout::default();
        layout.linear("fits", 64, 8);
        layout.conv_no_bias("conv", 64, 8, 3);
        layout.linear_no_bias("kept", 64, 8).kept_in_f32();
        let types: Vec<_> =
            layout.tensors().iter().map(|t| WeightType::Q4_0.for_tensor(t)).collect();
        use WeightType::*;
        assert_eq!(types, [Q4_0, F32, F16, F32]);
    }
}
