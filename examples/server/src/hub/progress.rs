//! How far a download is, on stderr: one line that changes on a terminal, else a line now and then.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// How often it is told on a terminal, and elsewhere.
const OFTEN: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_secs(15);

/// Tells how far a download is.
pub(crate) struct Progress {
    name: String,
    size: u64,
    /// Bytes that were there before.
    first: u64,
    begun: Instant,
    told: Instant,
    terminal: bool,
}

impl Progress {
    pub(crate) fn begin(name: &str, size: u64, first: u64) -> Self {
        let now = Instant::now();
        let from = match first {
            0 => String::new(),
            first => format!(", {} of them are there", bytes(first)),
        };
        eprintln!("{name}: {}{from}", bytes(size));
        let terminal = io::stderr().is_terminal();
        Self { name: name.to_owned(), size, first, begun: now, told: now, terminal }
    }

    /// So many bytes are there now.
    pub(crate) fn at(&mut self, done: u64) {
        if self.told.elapsed() >= if self.terminal { OFTEN } else { SELDOM } {
            self.told = Instant::now();
            let line = self.line(done);
            // Nobody may read it.
            let _ignored = match self.terminal {
                true => write!(io::stderr(), "\r{line}\x1b[K"),
                false => writeln!(io::stderr(), "{line}"),
            };
        }
    }

    /// Leaves the line that changes, for one that stays.
    pub(crate) fn leave(&mut self) {
        if self.terminal && self.told != self.begun {
            let _ignored = writeln!(io::stderr());
            self.told = self.begun;
        }
    }

    fn line(&self, done: u64) -> String {
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let speed = done.saturating_sub(self.first) as f64 / seconds;
        let percent = 100.0 * done as f64 / self.size.max(1) as f64;
        let left = self.size.saturating_sub(done) as f64 / speed.max(1.0);
        let left = humantime::format_duration(Duration::from_secs(left.min(1e9) as u64));
        format!("{}: {percent:.1} %, {}/s, {left} left", self.name, bytes(speed as u64))
    }
}

/// A number of bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_how_far_it_is() {
        let mut progress = Progress::begin("a.gguf", 2_000_000_000, 1_000_000_000);
        progress.begun -= Duration::from_secs(10);
        assert_eq!(progress.line(1_500_000_000), "a.gguf: 75.0 %, 50.0 MB/s, 10s left");
        assert!(Progress::begin("b", 0, 0).line(0).starts_with("b: 0.0 %"));
    }
}
