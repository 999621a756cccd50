//! Checks that several structs share.

use crate::{Error, MAX_BATCH, MAX_SIDE, MAX_STEPS, Result};
use std::{fmt, ops::RangeInclusive};

/// The longest text handed to the engine. Its tokeniser recurses once per character, about 400 bytes
/// of stack each, and runs on a stack made for it (`STACK_BYTES` in `engine/call.rs`).
pub(crate) const MAX_TEXT_BYTES: usize = 32 * 1024;

pub(crate) fn range<T: PartialOrd + fmt::Display + fmt::Debug>(
    field: &'static str,
    value: T,
    allowed: RangeInclusive<T>,
) -> Result<()> {
    if allowed.contains(&value) {
        Ok(())
    } else {
        Err(Error::invalid(field, value, format!("{allowed:?}")))
    }
}

/// Noise levels in place of a scheduler's; an empty list is none.
pub(crate) fn sigmas(field: &'static str, sigmas: &[f32]) -> Result<()> {
    let invalid = |value: String| {
        Err(Error::invalid(
            field,
            value,
            "none, or two or more finite numbers from 0 up, each less than the one before",
        ))
    };
    if sigmas.len() == 1 || sigmas.len() > MAX_STEPS as usize + 1 {
        return invalid(format!("a list of {}", sigmas.len()));
    }
    if let Some(bad) = sigmas.iter().find(|s| !s.is_finite() || **s < 0.0) {
        return invalid(format!("a list with {bad}"));
    }
    if !sigmas.is_sorted_by(|a, b| a > b) {
        return invalid("a list that does not fall".to_owned());
    }
    Ok(())
}

/// More threads than four times the processors only wait for each other, and where the system refuses
/// to start one the engine's loader ends the process.
pub(crate) fn threads(threads: u32) -> Result<()> {
    let here = std::thread::available_parallelism().map_or(1, |n| n.get());
    let most = u32::try_from(here.saturating_mul(4)).unwrap_or(u32::MAX).clamp(16, 1024);
    range("threads", threads, 1..=most)
}

/// Seeds; the engine adds the picture's index to them.
pub(crate) const SEEDS: RangeInclusive<i64> = i64::MIN..=i64::MAX - MAX_BATCH as i64;

/// What pictures and videos have in common besides sampling.
pub(crate) fn clip_skip_and_seed(clip_skip: Option<u32>, seed: Option<i64>) -> Result<()> {
    if let Some(clip_skip) = clip_skip {
        range("clip_skip", clip_skip, 1..=12)?;
    }
    match seed {
        Some(seed) => range("seed", seed, SEEDS),
        None => Ok(()),
    }
}

/// A picture that the engine reads.
pub(crate) fn picture(field: &'static str, (width, height): (u32, u32)) -> Result<()> {
    if (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height) {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("{width}x{height}"),
        format!("1 to {MAX_SIDE} pixels a side"),
    ))
}

/// Text that goes to C: no NUL, and not so long that the engine's recursion overflows.
pub(crate) fn text(field: &'static str, text: &str) -> Result<()> {
    if let Some(at) = text.find('\0') {
        return Err(Error::invalid(
            field,
            format!("a text with a NUL character at byte {at}"),
            "text without NUL",
        ));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::invalid(field, text, format!("at most {MAX_TEXT_BYTES} bytes")));
    }
    Ok(())
}

/// A prompt: text whose attention weights, as in `(red:1.2)`, are numbers the engine can read.
pub(crate) fn prompt(field: &'static str, prompt: &str) -> Result<()> {
    text(field, prompt)?;
    let mut open = 0_usize;
    let mut rest = prompt;
    while let Some(c) = rest.chars().next() {
        let tail = rest.split_at(c.len_utf8()).1;
        rest = match c {
            // An escaped bracket is a letter; the engine takes the backslash and what follows.
            '\\' => tail.strip_prefix(['(', ')', '[', ']', '\\']).unwrap_or(tail),
            '(' => {
                open += 1;
                tail
            }
            ')' => {
                open = open.saturating_sub(1);
                tail
            }
            ':' => match weight(tail) {
                Some((number, after)) => {
                    if open > 0 {
                        check_weight(field, number)?;
                        open -= 1;
                    }
                    after
                }
                None => tail,
            },
            _ => tail,
        };
    }
    Ok(())
}

/// Splits `1.2)rest` into the weight and what follows the bracket; the engine's pattern is
/// `:([+-]?[.\d]+)\)`.
fn weight(text: &str) -> Option<(&str, &str)> {
    let end = text.find(')')?;
    let (number, rest) = text.split_at(end);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let fits = !digits.is_empty() && digits.chars().all(|c| c == '.' || c.is_ascii_digit());
    fits.then(|| (number, rest.split_at(1).1))
}

/// The engine reads the weight with `std::stof`, which throws on what is no number and on what an
/// f32 cannot hold. Weights beyond a thousand only make noise.
fn check_weight(field: &'static str, number: &str) -> Result<()> {
    const LARGEST: f64 = 1000.0;
    // `stof` stops at the second dot.
    let mut dots = 0;
    let readable: String = number
        .chars()
        .take_while(|c| {
            dots += usize::from(*c == '.');
            dots < 2
        })
        .collect();
    let value: f64 = readable.parse().unwrap_or(f64::NAN);
    let too_small = value != 0.0 && value.abs() < f64::from(f32::MIN_POSITIVE);
    if value.abs() <= LARGEST && !too_small {
        Ok(())
    } else {
        Err(Error::invalid(
            field,
            format!("a text with the attention weight `:{number})`"),
            format!("weights between -{LARGEST} and {LARGEST}, as in (word:1.2)"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_the_engine_cannot_read_are_refused() {
        let long = format!("(a:{})", "9".repeat(40));
        let tiny = format!("(a:0.{}1)", "0".repeat(60));
        for bad in ["(a:.)", "(a:+.)", "((a:1.5) b:-.)", &long, &tiny, "(a:1001)"] {
            assert!(prompt("prompt", bad).is_err(), "{bad}");
        }
        let fine = [
            "(a:1.2)",
            "(a:+1)",
            "(a:+)",
            "(a:.5)",
            "(a:5.)",
            "(a:1.2.3)",
            "a:.)",
            r"\(a:.)",
            "(a) b:.)",
            "(a:b)",
            "((((",
            "))))",
            "[a:.]",
            "(a:0)",
            "",
            "ratio 3:4",
            "(über:1.1) :-)",
        ];
        for good in fine {
            assert!(prompt("prompt", good).is_ok(), "{good}");
        }
    }

    #[test]
    fn texts_for_c_have_no_nul_and_a_limit() {
        assert!(text("prompt", "a\0b").unwrap_err().to_string().contains("byte 1"));
        assert!(text("prompt", &"x".repeat(MAX_TEXT_BYTES)).is_ok());
        assert!(text("prompt", &"x".repeat(100_000)).unwrap_err().to_string().contains("32768"));
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_or_refused_without_a_panic(s in "\\PC*") {
            let _ = prompt("prompt", &s);
        }

        #[test]
        fn anything_bracketed_is_judged(s in r"[(\[][a-z]{0,3}:[+-]?[.0-9]{0,50}[)\]]") {
            let _ = prompt("prompt", &s);
        }
    }
}
