//! Log lines, to a callback of the caller.

use crate::{
    error::{self, Failure, Result},
    gate::{Gate, HeldUp},
    handle::lock,
    watch::User,
};
use std::{
    ffi::{c_char, c_void},
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

/// No lines.
pub const SDCPP_LOG_OFF: i32 = 0;
/// Failures.
pub const SDCPP_LOG_ERROR: i32 = 1;
/// And what is worth a look.
pub const SDCPP_LOG_WARN: i32 = 2;
/// And what is being done.
pub const SDCPP_LOG_INFO: i32 = 3;
/// And details, prompts included.
pub const SDCPP_LOG_DEBUG: i32 = 4;
/// And everything else.
pub const SDCPP_LOG_TRACE: i32 = 5;

/// Gets one line: one of the `SDCPP_LOG_` levels; where it comes from, as in `sdcpp::engine`; and the
/// line in UTF-8, without a line end. Both texts are valid during the callback.
#[allow(non_camel_case_types, reason = "its name in C")]
pub type sdcpp_on_log = Option<
    unsafe extern "C" fn(user: *mut c_void, level: i32, target: *const c_char, line: *const c_char),
>;

/// Where lines go.
struct Sink {
    callback: unsafe extern "C" fn(*mut c_void, i32, *const c_char, *const c_char),
    user: User,
    gate: Gate,
}

/// Up to which level lines are wanted.
static LEVEL: AtomicI32 = AtomicI32::new(SDCPP_LOG_OFF);
static SINK: Mutex<Option<Arc<Sink>>> = Mutex::new(None);

/// Sends the log lines of this library, of the engine and of worker processes to `callback`, up to
/// `level`, in place of an earlier callback. With `SDCPP_LOG_OFF` or a NULL callback they go nowhere,
/// as at first. When it has returned, the earlier callback is called no more.
///
/// The callback is called on any thread, also on several at once, and must return by itself. Lines
/// that come of what it does itself are left out. It cannot wait for a pool or shut one down, which
/// may be waiting for it, nor need the engine while that is being chosen: `SDCPP_BUSY`.
///
/// Errors: `SDCPP_INVALID_PARAMETER`; `SDCPP_BUSY` in the callback itself; `SDCPP_UNSUPPORTED` in a
/// program in Rust that has set up `tracing` already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_set_log(
    level: i32,
    callback: sdcpp_on_log,
    user: *mut c_void,
) -> i32 {
    error::call(|| {
        if !(SDCPP_LOG_OFF..=SDCPP_LOG_TRACE).contains(&level) {
            return Err(Failure::invalid("level", level, "0 (off) to 5 (trace)"));
        }
        let sink = callback.filter(|_| level > SDCPP_LOG_OFF).map(|callback| {
            let gate = Gate::holding_up(HeldUp::AnyPool);
            Arc::new(Sink { callback, user: User::new(user), gate })
        });
        if sink.is_some() {
            subscribe()?;
        }
        let mut place = lock(&SINK);
        if place.as_ref().is_some_and(|sink| sink.gate.depth() > 0) {
            return Err(Failure::busy("the log callback would wait for itself", "return first"));
        }
        LEVEL.store(if sink.is_some() { level } else { SDCPP_LOG_OFF }, Ordering::Relaxed);
        let before = std::mem::replace(&mut *place, sink);
        // Without the lock: callbacks may log.
        drop(place);
        if let Some(before) = before {
            before.gate.close();
        }
        Ok(())
    })
}

/// Has `tracing` tell this library, for good: its subscriber can be set once.
fn subscribe() -> Result<()> {
    static DONE: Mutex<bool> = Mutex::new(false);
    let mut done = lock(&DONE);
    if !*done {
        tracing::subscriber::set_global_default(Lines).map_err(|_| sdcpp::Error::Unsupported {
            what: "a log callback".to_owned(),
            reason: "this program has set a global tracing subscriber".to_owned(),
        })?;
        *done = true;
    }
    Ok(())
}

fn number(level: Level) -> i32 {
    match level {
        Level::ERROR => SDCPP_LOG_ERROR,
        Level::WARN => SDCPP_LOG_WARN,
        Level::INFO => SDCPP_LOG_INFO,
        Level::DEBUG => SDCPP_LOG_DEBUG,
        Level::TRACE => SDCPP_LOG_TRACE,
    }
}

/// Hands each line to the sink.
struct Lines;

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The level changes.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("sdcpp")
            && number(*metadata.level()) <= LEVEL.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some(sink) = lock(&SINK).clone() else { return };
        if sink.gate.depth() > 0 {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let (target, text) = (error::text(metadata.target()), error::text(&line.text));
        let level = number(*metadata.level());
        // SAFETY: a callback of the caller, with what it asked for and texts that live until it
        // returns.
        sink.gate.pass(|| unsafe {
            (sink.callback)(sink.user.pointer(), level, target.as_ptr(), text.as_ptr());
        });
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
