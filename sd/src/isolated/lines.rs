//! The last lines of a worker, for the error when it crashes.

use crate::{engine::escape, sync::Lock};
use serde::{Deserialize, Deserializer};
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read},
    sync::Arc,
};

/// How many lines of each source are kept.
pub(super) const KEPT: usize = 40;

/// How many characters of a line are kept.
pub(super) const LONGEST: usize = 500;

/// The last lines, however many a worker writes. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Lock<Kept>>);

/// Apart, so that much of one does not push out the other.
#[derive(Debug, Default)]
struct Kept {
    errors: Ring,
    written: Ring,
}

#[derive(Debug, Default)]
struct Ring(VecDeque<String>);

impl Ring {
    fn push(&mut self, line: &str) {
        let line = printable(line.trim_end(), LONGEST);
        if line.is_empty() {
            return;
        }
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }
}

impl Lines {
    /// An ERROR line of the worker's log.
    pub(super) fn error(&self, text: &str) {
        self.0.lock().errors.push(text);
    }

    fn written(&self, bytes: &[u8]) {
        self.0.lock().written.push(&String::from_utf8_lossy(bytes));
    }

    /// The errors, and behind them what was written.
    pub(super) fn last(&self) -> Vec<String> {
        let Kept { errors, written } = &*self.0.lock();
        errors.0.iter().chain(&written.0).cloned().collect()
    }

    /// Who else has a clone, as the thread that reads has one.
    #[cfg(test)]
    pub(super) fn readers(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// Reads lines until the worker's end, and keeps no more of an endless one than its beginning.
    pub(super) fn read(&self, mut from: impl Read) {
        const MOST_BYTES: usize = 4 * LONGEST;
        let (mut line, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            let count = match from.read(&mut chunk) {
                Ok(count @ 1..) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
            };
            for byte in chunk.iter().take(count) {
                if *byte == b'\n' {
                    self.written(&line);
                    line.clear();
                } else if line.len() < MOST_BYTES {
                    line.push(*byte);
                }
            }
        }
        self.written(&line);
    }
}

/// At most so many characters, with control characters escaped: what a worker writes must not forge
/// lines of the host's log or steer its terminal.
pub(super) fn printable(text: &str, most: usize) -> String {
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    let (kept, rest) = text.split_at(end);
    let mut shown = escape(kept);
    if !rest.is_empty() {
        shown.push('…');
    }
    shown
}

/// The most characters of a text in an error or a warning.
const LONGEST_TEXT: usize = 4096;

/// The most lines of a report in an error.
const MOST_LINES: usize = 256;

/// A worker's text in an error or a warning, as it may be shown. For serde.
pub(super) fn shown<'de, D: Deserializer<'de>, T: From<String>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from).map(|text| printable(&text, LONGEST_TEXT).into())
}

/// [`shown`] for a text that may be missing.
pub(super) fn shown_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(|text| printable(&text, LONGEST_TEXT)))
}

/// [`shown`] for lines. One that has line ends within it is several.
pub(super) fn shown_lines<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let lines = Vec::<String>::deserialize(from)?;
    let single = lines.iter().flat_map(|line| line.split('\n'));
    Ok(single.take(MOST_LINES).map(|line| printable(line, LONGEST_TEXT)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_and_their_beginnings_are_kept() {
        let lines = Lines::default();
        let mut text = "x".repeat(1 << 20).into_bytes();
        text.extend(b"\n\n\x1b[2Jsteered\r\n\xff\n");
        lines.read(text.as_slice());
        let last = lines.last();
        assert_eq!(last.len(), 3);
        assert_eq!(last[0].chars().count(), LONGEST + 1);
        assert_eq!(last[1..], ["\\u{1b}[2Jsteered", "\u{fffd}"]);
        for number in 0..1000 {
            lines.read(format!("{number}\n").as_bytes());
        }
        let last = lines.last();
        assert_eq!((last.len(), last[0].as_str(), last[KEPT - 1].as_str()), (KEPT, "960", "999"));
        lines.error("not fine");
        assert_eq!((lines.last().len(), lines.last()[0].as_str()), (KEPT + 1, "not fine"));
    }

    #[test]
    fn a_read_that_a_signal_breaks_off_is_tried_again() {
        struct Broken(u8);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Err(ErrorKind::Interrupted.into()),
                    2 => b"line".as_slice().read(buffer),
                    _ => Ok(0),
                }
            }
        }
        let lines = Lines::default();
        lines.read(Broken(0));
        assert_eq!(lines.last(), ["line"]);
    }
}
