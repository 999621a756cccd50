//! The last lines of a worker, for the error when it crashes.

use std::{
    collections::VecDeque,
    io::Read,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many lines are kept.
pub(super) const KEPT: usize = 40;

/// How many characters of a line are kept.
pub(super) const LONGEST: usize = 500;

/// The last lines, however many a worker writes. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Mutex<VecDeque<String>>>);

impl Lines {
    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, line: &str) {
        let line = printable(line.trim_end(), LONGEST);
        if line.is_empty() {
            return;
        }
        let mut lines = self.lines();
        if lines.len() >= KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn last(&self) -> Vec<String> {
        self.lines().iter().cloned().collect()
    }

    /// Reads lines until the worker's end, and keeps no more of an endless one than its beginning.
    pub(super) fn read(&self, mut from: impl Read) {
        const MOST_BYTES: usize = 4 * LONGEST;
        let (mut line, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            for byte in chunk.iter().take(count) {
                if *byte == b'\n' {
                    self.push(&String::from_utf8_lossy(&line));
                    line.clear();
                } else if line.len() < MOST_BYTES {
                    line.push(*byte);
                }
            }
        }
        self.push(&String::from_utf8_lossy(&line));
    }
}

/// At most so many characters, with control characters escaped: what a worker writes must not forge
/// lines of the host's log or steer its terminal.
pub(super) fn printable(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        if c.is_control() && c != '\t' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
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
            lines.push(&number.to_string());
        }
        let last = lines.last();
        assert_eq!((last.len(), last[0].as_str(), last[KEPT - 1].as_str()), (KEPT, "960", "999"));
    }
}
