//! Small changes to an input, for the short run in CI; libFuzzer makes its own.

use fastrand::Rng;

/// Numbers that length fields and loops fall over.
const NUMBERS: &[u64] = &[0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// One to eight changes: bits flipped, bytes replaced, numbers overwritten, parts cut out, repeated,
/// or taken from `other`.
pub fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.usize(1..=8) {
        let at = rng.usize(0..=bytes.len());
        let end = at + rng.usize(0..=(bytes.len() - at).min(64));
        match rng.u8(0..7) {
            0 => change(&mut bytes, at, |byte| byte ^ (1 << rng.u8(0..8))),
            1 => change(&mut bytes, at, |_| rng.u8(..)),
            2 => {
                let number = NUMBERS.get(rng.usize(..NUMBERS.len())).copied().unwrap_or_default();
                let width = [1, 2, 4, 8].get(rng.usize(..4)).copied().unwrap_or(8);
                for (place, byte) in bytes.iter_mut().skip(at).zip(number.to_le_bytes()).take(width)
                {
                    *place = byte;
                }
            }
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            5 => {
                let part: Vec<u8> = bytes.iter().skip(at).take(end - at).copied().collect();
                bytes.splice(at..at, part);
            }
            _ => {
                let from = rng.usize(0..=other.len());
                let part: Vec<u8> =
                    other.iter().skip(from).take(rng.usize(0..64)).copied().collect();
                bytes.splice(at..end, part);
            }
        }
    }
    bytes
}

fn change(bytes: &mut [u8], at: usize, to: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = to(*byte);
    }
}
