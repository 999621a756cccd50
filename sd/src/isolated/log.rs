//! The worker's log lines: forwarded there, and given to `tracing` again here.

use super::{lines::printable, outbox::Outbox};
use std::{
    fmt::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

/// The most characters of a line.
const LONGEST: usize = 4096;

pub(super) const ERROR: u8 = 1;
pub(super) const WARN: u8 = 2;

/// A level in messages: 1 is ERROR, 5 is TRACE; 0 is none.
fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => WARN,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// Up to which level the host wants lines of the engine, on this thread.
pub(super) fn wanted() -> u8 {
    macro_rules! highest {
        ($($level:ident)*) => {{
            $(if tracing::enabled!(target: "sdcpp::engine", Level::$level) {
                return number(Level::$level);
            })*
            0
        }};
    }
    highest!(TRACE DEBUG INFO WARN ERROR)
}

/// Gives a line to the host's `tracing`. Its targets are constants: a line that is not the engine's
/// has its own target as a field.
pub(super) fn emit(level: u8, target: &str, text: &str) {
    let text = printable(text, LONGEST);
    macro_rules! emit {
        ($level:ident) => {
            match target {
                "sdcpp::engine" => tracing::event!(target: "sdcpp::engine", Level::$level, "{text}"),
                _ => tracing::event!(
                    target: "sdcpp::worker",
                    Level::$level,
                    from = printable(target, 100),
                    "{text}"
                ),
            }
        };
    }
    match level {
        ERROR => emit!(ERROR),
        WARN => emit!(WARN),
        3 => emit!(INFO),
        4 => emit!(DEBUG),
        _ => emit!(TRACE),
    }
}

/// The worker's subscriber: hands each line that the host wants to the outbox.
pub(super) struct Forward {
    pub(super) outbox: Arc<Outbox>,
    pub(super) level: Arc<AtomicU8>,
}

impl Subscriber for Forward {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The level changes from one operation to the next.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // ERROR lines are in the report of a crash, wanted or not.
        let level = self.level.load(Ordering::Relaxed).max(ERROR);
        metadata.is_event()
            && metadata.target().starts_with("sdcpp")
            && number(*metadata.level()) <= level
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let text = printable(&line.text, LONGEST);
        self.outbox.log(number(*metadata.level()), metadata.target().to_owned(), text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message of an event, and its fields behind it.
#[derive(Default)]
struct Line {
    text: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => {
                let fields = std::mem::take(&mut self.text);
                write!(self.text, "{value:?}{fields}")
            }
            name => write!(self.text, " {name}={value:?}"),
        };
        // Only a field that cannot be shown fails; the line goes on without it.
        if written.is_err() {
            self.text.push('?');
        }
    }
}
