//! One call into the engine: its thread, its hooks, and how it ended.

use super::{
    images, log,
    report::{Ended, Report, Status},
};
use crate::{
    Error, Preview, PreviewKind, Progress, Result, Timings, Warning, Watch, stage::Stage,
    timings::Clock,
};
use sdcpp_sys::{Table, sd_image_t, sdcpp_hooks, sdcpp_progress, sdcpp_report};
use std::{
    any::Any,
    ffi::{c_char, c_void},
    ops::ControlFlow,
    panic::{self, AssertUnwindSafe},
    thread,
    time::Duration,
};

/// Stack of the threads that engine calls run on. The engine's prompt parser recurses through
/// `std::regex` once per character; 64 MiB carry four times the longest text that
/// [`validate`](crate::validate) lets through. Only touched pages cost memory.
pub(crate) const STACK_BYTES: usize = 64 << 20;

/// Why Rust asked the engine to stop.
#[derive(Debug)]
enum StopReason {
    Cancelled,
    Deadline(Duration),
    Panicked(String),
}

/// What the hooks of a running call work on.
struct Hooked<'a> {
    watch: Watch<'a>,
    clock: Clock,
    stop: Option<StopReason>,
    /// What the callback panicked with. It may be in any state now, and is not called again. The
    /// payload is dropped outside C++, for dropping it may panic too.
    panic: Option<Box<dyn Any + Send>>,
    lines: Lines,
}

/// Lines that matter after the call.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) warnings: Vec<Warning>,
    /// The model family, from the engine's "Version: …" line.
    pub(crate) family: Option<String>,
}

impl Lines {
    /// Keeps a warning. The engine's own words are bounded: a hostile file can make it warn about
    /// every tensor. Typed ones come at most a few times for each picture.
    fn warn(&mut self, warning: Warning) {
        const MOST: usize = 100;
        let of_engine = |warning: &Warning| matches!(warning, Warning::Engine(_));
        let full = || self.warnings.iter().filter(|w| of_engine(w)).count() >= MOST;
        if !of_engine(&warning) || !full() {
            self.warnings.push(warning);
        }
    }
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) ended: Ended,
    pub(crate) timings: Timings,
    pub(crate) lines: Lines,
    stop: Option<StopReason>,
}

impl Outcome {
    /// The error of a call that was stopped, if it was. A call that came to its end all the same is
    /// stopped too if `asked_is_enough`.
    pub(crate) fn stopped(&self, asked_is_enough: bool) -> Option<Error> {
        let stage = self.ended.stage;
        let left = self.status == Status::Stopped || asked_is_enough;
        match &self.stop {
            // A panic in the callback is reported even where the engine failed for another reason, or
            // came to its end, before it could be left.
            Some(StopReason::Panicked(message)) => {
                Some(Error::CallbackPanicked { message: message.clone() })
            }
            Some(StopReason::Deadline(limit)) if left => {
                Some(Error::DeadlineExceeded { stage, limit: *limit })
            }
            Some(StopReason::Cancelled) if left => Some(Error::Cancelled { stage }),
            _ if self.status == Status::Stopped => Some(Error::Cancelled { stage }),
            _ => None,
        }
    }
}

/// Runs `engine_call` on a thread with a large stack, watched by `watch`.
///
/// The call gets the hooks and the report to pass to the shim, and returns its status.
pub(crate) fn run(
    table: Table,
    watch: Watch<'_>,
    first: Stage,
    engine_call: impl FnOnce(*const sdcpp_hooks, *mut sdcpp_report) -> i32 + Send,
) -> Result<Outcome> {
    let mut report = Report::new(table);
    let mut hooked = Hooked {
        watch,
        clock: Clock::start(first),
        stop: None,
        panic: None,
        lines: Lines::default(),
    };
    let preview = hooked.watch.previews.as_ref().map(|p| p.options.clone());
    let status = {
        let slots = Slots { hooked: (&raw mut hooked).cast(), report: report.as_mut_ptr() };
        // Events of the engine's thread belong to the caller's subscriber and span.
        let subscriber = tracing::dispatcher::get_default(Clone::clone);
        let span = tracing::Span::current();
        let body = move || {
            let slots = slots;
            let hooks = sdcpp_hooks {
                user: slots.hooked,
                log: Some(on_log),
                progress: Some(on_progress),
                stop_wanted: Some(on_stop_wanted),
                preview_wanted: Some(on_preview_wanted),
                preview: if preview.is_some() { Some(on_preview) } else { None },
                preview_mode: preview.as_ref().map_or(0, |p| preview_mode(p.kind)),
                preview_denoised: preview.as_ref().map_or(0, |p| i32::from(!p.noisy)),
                preview_noisy: preview.as_ref().map_or(0, |p| i32::from(p.noisy)),
            };
            tracing::dispatcher::with_default(&subscriber, || {
                span.in_scope(|| engine_call(&hooks, slots.report))
            })
        };
        thread::scope(|scope| -> Result<i32> {
            let thread = thread::Builder::new()
                .name("sdcpp-engine".to_owned())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, body)
                .map_err(|e| Error::io("start the engine's thread", e))?;
            // The body does not panic: hooks catch, and the rest is a call into C.
            thread.join().map_err(|payload| Error::CallbackPanicked {
                message: panic_message(payload.as_ref()),
            })
        })?
    };
    // Loading cannot be left, and a token or limit may have come since the last event.
    if hooked.stop.is_none() {
        hooked.stop = hooked.asked_to_stop();
    }
    Ok(Outcome {
        status: Status::from_shim(status),
        ended: report.take(),
        timings: hooked.clock.finish(),
        lines: hooked.lines,
        stop: hooked.stop,
    })
}

/// Pointers that go to the engine's thread and come back when it is joined.
struct Slots {
    hooked: *mut c_void,
    report: *mut sdcpp_report,
}

// SAFETY: `run` does not touch what they point to until the thread has ended, and what a `Hooked`
// holds is Send.
unsafe impl Send for Slots {}
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Hooked<'_>>();
};

impl Hooked<'_> {
    fn on_log(&mut self, level: i32, line: &str, message: &str) {
        log::emit(level, line);
        if level == log::WARN {
            self.lines.warn(Warning::of_engine(message));
        } else if let Some(family) = message.strip_prefix("Version: ") {
            self.lines.family = Some(family.trim().to_owned());
        }
    }

    fn on_progress(&mut self, event: &sdcpp_progress) -> ControlFlow<()> {
        let stage = Stage::from_shim(event.stage);
        self.clock.enter(stage);
        if let Some(progress) = progress(stage, event)
            && self.panic.is_none()
            && self.watch.tell(progress).is_break()
        {
            self.stop.get_or_insert(StopReason::Cancelled);
        }
        self.stops()
    }

    /// Whether to stop. Asked after each node of a graph: an atomic and a clock are read, no more.
    fn stops(&mut self) -> ControlFlow<()> {
        if self.stop.is_none() {
            self.stop = self.asked_to_stop();
        }
        if self.stop.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn on_preview(&mut self, step: i32, frames: &[sd_image_t], noisy: bool) {
        let (Some(previews), None) = (&mut self.watch.previews, &self.panic) else { return };
        // Samplers of two stages count the second one backwards, and show a step twice.
        let step = step.unsigned_abs();
        if !previews.wanted(step) {
            return;
        }
        // SAFETY: the engine's pixels live until the hook returns.
        let frames: Vec<_> = frames.iter().filter_map(|f| unsafe { images::copy(f) }).collect();
        if !frames.is_empty() {
            previews.show(Preview { step, frames, noisy });
        }
    }

    fn asked_to_stop(&self) -> Option<StopReason> {
        if self.watch.cancel.as_ref().is_some_and(|token| token.is_cancelled()) {
            return Some(StopReason::Cancelled);
        }
        let limit = self.watch.time_limit?;
        (self.clock.elapsed() >= limit).then_some(StopReason::Deadline(limit))
    }
}

/// The shim's event as the caller sees it; the engine's numbers are not trusted to be in range.
fn progress(stage: Stage, event: &sdcpp_progress) -> Option<Progress> {
    let count = |value: i32| u32::try_from(value).unwrap_or(0);
    let (step, steps) = (count(event.step), count(event.steps));
    let (tile, tiles) = if event.tiled != 0 { (step, steps) } else { (0, 0) };
    Some(match stage {
        // The bare begin of a part says nothing yet.
        Stage::Loading if steps == 0 => return None,
        Stage::Loading => Progress::Loading { tensors: step, total: steps },
        Stage::TextEncoding | Stage::VaeEncoding => Progress::Encoding { tile, tiles },
        Stage::Sampling if event.tiled != 0 => Progress::Decoding { tile, tiles },
        Stage::Sampling if steps == 0 => return None,
        Stage::Sampling => Progress::Sampling {
            step,
            steps,
            image: count(event.image),
            images: count(event.images),
            step_time: Duration::try_from_secs_f32(event.seconds).unwrap_or_default(),
        },
        Stage::VaeDecoding => Progress::Decoding { tile, tiles },
        Stage::Upscaling => Progress::Upscaling { tile, tiles },
        Stage::Converting if steps == 0 => return None,
        Stage::Converting => Progress::Converting { tensors: step, total: steps },
        _ => return None,
    })
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Runs a hook; a panic in it (the caller's closure, a log subscriber) is kept and stops the call,
/// for it must not unwind into C++.
///
/// # Safety
/// `user` is the `Hooked` of the running call, and nothing else refers to it meanwhile.
unsafe fn hook(user: *mut c_void, body: impl FnOnce(&mut Hooked<'_>) -> ControlFlow<()>) -> i32 {
    // SAFETY: the caller vouches for it; the shim passes what `run` gave it, on the call's thread.
    let Some(hooked) = (unsafe { user.cast::<Hooked<'_>>().as_mut() }) else { return 0 };
    let flow = match panic::catch_unwind(AssertUnwindSafe(|| body(&mut *hooked))) {
        Ok(flow) => flow,
        Err(payload) => {
            hooked.stop = Some(StopReason::Panicked(panic_message(payload.as_ref())));
            hooked.panic = Some(payload);
            ControlFlow::Break(())
        }
    };
    i32::from(flow.is_break())
}

extern "C" fn on_log(
    user: *mut c_void,
    level: i32,
    text: *const c_char,
    length: usize,
    message: usize,
) {
    // SAFETY: the shim calls hooks with the `user` of the call on the call's own thread, and passes a
    // line and its length.
    unsafe {
        hook(user, |hooked| {
            let line = log::line(text, length);
            let message = line.get(message..).unwrap_or(&line);
            hooked.on_log(level, &line, message);
            ControlFlow::Continue(())
        });
    }
}

extern "C" fn on_progress(user: *mut c_void, event: *const sdcpp_progress) -> i32 {
    // SAFETY: as in `on_log`; the event is NULL or lives during the call.
    unsafe {
        hook(user, |hooked| match event.as_ref() {
            Some(event) => hooked.on_progress(event),
            None => ControlFlow::Continue(()),
        })
    }
}

extern "C" fn on_stop_wanted(user: *mut c_void) -> i32 {
    // SAFETY: as in `on_log`.
    unsafe { hook(user, |hooked| hooked.stops()) }
}

/// The engine's number of a kind of preview.
fn preview_mode(kind: PreviewKind) -> i32 {
    match kind {
        PreviewKind::Projection => sdcpp_sys::PREVIEW_PROJ as i32,
        PreviewKind::Taesd => sdcpp_sys::PREVIEW_TAE as i32,
        PreviewKind::Vae => sdcpp_sys::PREVIEW_VAE as i32,
    }
}

extern "C" fn on_preview_wanted(user: *mut c_void, step: i32) -> i32 {
    let mut wanted = false;
    // SAFETY: as in `on_log`.
    unsafe {
        hook(user, |hooked| {
            let step = u32::try_from(step).unwrap_or(0);
            wanted = hooked.watch.previews.as_ref().is_some_and(|p| p.wanted(step));
            ControlFlow::Continue(())
        });
    }
    i32::from(wanted)
}

extern "C" fn on_preview(
    user: *mut c_void,
    step: i32,
    count: i32,
    frames: *const sd_image_t,
    noisy: i32,
) {
    let count = usize::try_from(count).unwrap_or(0);
    if frames.is_null() || count == 0 {
        return;
    }
    // SAFETY: as in `on_log`; not NULL, and the shim passes as many frames as it says.
    unsafe {
        let frames = std::slice::from_raw_parts(frames, count);
        hook(user, |hooked| {
            hooked.on_preview(step, frames, noisy != 0);
            ControlFlow::Continue(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_words_of_the_engine_push_no_typed_warning_out() {
        let mut lines = Lines::default();
        for number in 0..500 {
            lines.warn(Warning::Engine(format!("tensor {number}")));
        }
        lines.warn(Warning::DecodedInTiles);
        lines.warn(Warning::NotFinite { values: 3 });
        assert_eq!(lines.warnings.len(), 102);
        let last = [Warning::DecodedInTiles, Warning::NotFinite { values: 3 }];
        assert_eq!(lines.warnings[100..], last);
    }
}
