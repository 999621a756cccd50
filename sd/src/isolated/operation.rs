//! One operation, as the host sees it: what the worker sends goes to who watches, and what stops it
//! goes to the worker.

use super::{
    frame::{self, Broken, MAX_REQUEST},
    lines::printable,
    link::Arrived,
    log,
    message::{FromWorker, ToWorker},
    worker::Connected,
};
use crate::{Error, Progress, Result, Stage, Watch, cancel::Subscription, engine::panic_message};
use crossbeam_channel::{Receiver, Select, Sender};
use std::{
    any::Any,
    ops::ControlFlow,
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

/// How long the end of a worker's process and of its standard error is waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The signal of [`Process::kill`](super::process::Process::kill).
const OWN_SIGNAL: i32 = 9;

/// A pause of the host (Ctrl-Z, a container that was frozen) counts as so much of a worker's silence.
const SLICE: Duration = Duration::from_secs(1);

/// Time that passes while the host runs. It is looked at once in a [`SLICE`] at least.
struct Clock {
    last: Instant,
    passed: Duration,
}

impl Clock {
    fn start() -> Self {
        Self { last: Instant::now(), passed: Duration::ZERO }
    }

    fn passed(&mut self) -> Duration {
        let now = Instant::now();
        self.passed += now.duration_since(self.last).min(SLICE);
        self.last = now;
        self.passed
    }
}

/// Why the host asked the worker to stop.
enum Stop {
    Cancelled,
    Deadline(Duration),
    Panicked(String),
}

/// What the host waits for, next to what an operation tells on the way.
pub(super) enum Waiting {
    /// The greeting, so long in all. The program may be no worker, and is killed if it is to stop.
    Greeting(Duration),
    /// The answer, however long it takes, while there is a sign of life.
    Answer,
}

pub(super) struct Operation<'a, 'w> {
    worker: &'a Connected,
    watch: Watch<'w>,
    began: Instant,
    stage: Stage,
    /// Why it is to stop, and when it is killed if it has not, for a grace that ends.
    stop: Option<(Stop, Option<Instant>)>,
    /// What a callback panicked with. It is not called again.
    panic: Option<Box<dyn Any + Send>>,
    /// Wakes who waits; here too, so that the channel stays open without a token.
    _wake: Sender<()>,
    woken: Receiver<()>,
    _subscription: Option<Subscription>,
}

impl<'a, 'w> Operation<'a, 'w> {
    pub(super) fn new(worker: &'a Connected, watch: Watch<'w>, stage: Stage) -> Self {
        let (wake, woken) = crossbeam_channel::bounded(1);
        let subscription = watch.cancel.as_ref().map(|token| {
            let wake = wake.clone();
            token.on_cancel(move || {
                // Full means that it is woken already.
                let _ = wake.try_send(());
            })
        });
        Self {
            worker,
            watch,
            began: Instant::now(),
            stage,
            stop: None,
            panic: None,
            _wake: wake,
            woken,
            _subscription: subscription,
        }
    }

    /// What the worker answers. Progress, previews and log lines are passed on meanwhile.
    ///
    /// # Errors
    /// [`Error::WorkerCrashed`] if no answer comes, and as [`stopped`](Self::stopped) if that is
    /// because the worker was killed for not stopping.
    pub(super) fn answer(&mut self, waiting: Waiting) -> Result<Arrived> {
        let mut clock = Clock::start();
        let greeted = matches!(waiting, Waiting::Answer);
        loop {
            if greeted {
                clock = Clock::start();
            }
            match self.wait(&waiting, &mut clock)? {
                Arrived::Message(FromWorker::Alive) => {}
                Arrived::Message(FromWorker::Log { level, target, text }) => {
                    if level == log::ERROR {
                        self.worker.lines.error(&text);
                    }
                    self.guarded(|_| {
                        log::emit(level, &target, &text);
                        ControlFlow::Continue(())
                    });
                }
                Arrived::Message(FromWorker::Progress(progress)) if greeted => {
                    self.stage = stage_of(&progress);
                    self.guarded(|watch| watch.tell(progress));
                }
                Arrived::Preview(preview) if greeted => self.guarded(|watch| {
                    if let Some(previews) = &mut watch.previews {
                        previews.show(preview);
                    }
                    ControlFlow::Continue(())
                }),
                Arrived::Ended(broken) => return Err(self.lost(broken)),
                answer => return Ok(answer),
            }
        }
    }

    /// The next thing that comes, while it is worth waiting for.
    fn wait(&mut self, waiting: &Waiting, clock: &mut Clock) -> Result<Arrived> {
        let silence = match waiting {
            Waiting::Greeting(most) => *most,
            Waiting::Answer => self.worker.options.heartbeat_timeout,
        };
        loop {
            self.look_whether_to_stop(waiting);
            let passed = clock.passed();
            if passed >= silence {
                return Err(self.silent(waiting, silence));
            }
            let mut until = Instant::now().checked_add((silence - passed).min(SLICE));
            if let Some((_, killed)) = &self.stop {
                if killed.is_some_and(|killed| killed <= Instant::now()) {
                    self.worker.process.kill();
                    return Err(self.stopped(self.stage));
                }
                until = earlier(until, *killed);
            } else if let Some(limit) = self.watch.time_limit {
                until = earlier(until, self.began.checked_add(limit));
            }
            let mut select = Select::new();
            let from_worker = select.recv(&self.worker.link.inbox);
            select.recv(&self.woken);
            let ready = match until {
                Some(until) => select.select_deadline(until),
                None => Ok(select.select()),
            };
            match ready {
                Ok(ready) if ready.index() == from_worker => {
                    let arrived = ready.recv(&self.worker.link.inbox);
                    return Ok(arrived.unwrap_or(Arrived::Ended(Broken::Closed)));
                }
                Ok(ready) => {
                    // The token was cancelled, which is looked at next.
                    let _ = ready.recv(&self.woken);
                }
                // If it has ended, this ends what it left behind on its streams, and so these.
                Err(_) => drop(self.worker.process.ended()),
            }
        }
    }

    fn look_whether_to_stop(&mut self, waiting: &Waiting) {
        if self.stop.is_some() {
            return;
        }
        if self.watch.cancel.as_ref().is_some_and(crate::CancelToken::is_cancelled) {
            self.ask_to_stop(Stop::Cancelled);
        } else if let Some(limit) = self.watch.time_limit
            && self.began.elapsed() >= limit
        {
            self.ask_to_stop(Stop::Deadline(limit));
        }
        if let (Some((_, killed)), Waiting::Greeting(_)) = (&mut self.stop, waiting) {
            *killed = Some(Instant::now());
        }
    }

    fn ask_to_stop(&mut self, stop: Stop) {
        let killed = Instant::now().checked_add(self.worker.options.grace);
        match &mut self.stop {
            // A panic is told, whatever else there was.
            Some((earlier, _)) => {
                if matches!(stop, Stop::Panicked(_)) {
                    *earlier = stop;
                }
            }
            None => {
                self.stop = Some((stop, killed));
                if let Ok(cancel) = frame::encode(&ToWorker::Cancel, MAX_REQUEST) {
                    self.worker.link.send(cancel);
                }
            }
        }
    }

    /// Calls what belongs to the host. A panic in it stops the operation.
    fn guarded(&mut self, call: impl FnOnce(&mut Watch<'w>) -> ControlFlow<()>) {
        if self.panic.is_some() {
            return;
        }
        match panic::catch_unwind(AssertUnwindSafe(|| call(&mut self.watch))) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => {
                if self.stop.is_none() {
                    self.ask_to_stop(Stop::Cancelled);
                }
            }
            Err(payload) => {
                self.ask_to_stop(Stop::Panicked(panic_message(payload.as_ref())));
                self.panic = Some(payload);
            }
        }
    }

    /// Whether a callback panicked, which counts for more than what the worker answered.
    pub(super) fn panicked(&self) -> Option<Error> {
        match &self.stop {
            Some((Stop::Panicked(message), _)) => {
                Some(Error::CallbackPanicked { message: message.clone() })
            }
            _ => None,
        }
    }

    /// The error of an operation that was stopped in this stage.
    pub(super) fn stopped(&self, stage: Stage) -> Error {
        match &self.stop {
            Some((Stop::Panicked(message), _)) => {
                Error::CallbackPanicked { message: message.clone() }
            }
            Some((Stop::Deadline(limit), _)) => Error::DeadlineExceeded { stage, limit: *limit },
            Some((Stop::Cancelled, _)) | None => Error::Cancelled { stage },
        }
    }

    /// What the worker sent does not belong here: it is no longer to be trusted.
    pub(super) fn misbehaved(&self, what: &str) -> Error {
        self.worker.process.kill();
        self.crashed(None, format!("was ended, because it sent {}", printable(what, 300)))
    }

    fn lost(&self, broken: Broken) -> Error {
        match broken {
            Broken::Malformed(what) | Broken::Unknown(what) => self.misbehaved(&what),
            Broken::NoMemory(bytes) => {
                self.worker.process.kill();
                let reason =
                    format!("was ended, because the host has no {bytes} bytes for a picture");
                self.crashed(None, reason)
            }
            Broken::Closed => {
                let (signal, reason) = match self.worker.process.wait(LAST_WORDS) {
                    Some(status) => super::process::how(status),
                    None => {
                        self.worker.process.kill();
                        (None, "was ended, because it closed its standard output".to_owned())
                    }
                };
                self.crashed(signal, reason)
            }
        }
    }

    fn silent(&self, waiting: &Waiting, silence: Duration) -> Error {
        let before = self.worker.process.ended();
        self.worker.process.kill();
        let ended = self.worker.process.wait(LAST_WORDS).map(super::process::how);
        if let Some((signal, reason)) = ended
            && (before.is_some() || signal.is_some_and(|signal| signal != OWN_SIGNAL))
        {
            // It crashed, and something kept its streams open, or it was slow to end.
            return self.crashed(signal, reason);
        }
        let what = match waiting {
            Waiting::Greeting(_) => "was ended, because it did not greet within",
            Waiting::Answer => "was ended, because it did not answer for",
        };
        self.crashed(None, format!("{what} {silence:?}"))
    }

    fn crashed(&self, signal: Option<i32>, reason: String) -> Error {
        Error::WorkerCrashed {
            signal,
            reason,
            stage: self.stage,
            lines: self.worker.last_lines(LAST_WORDS),
        }
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The stage that an event is of; which input is encoded, it does not tell.
fn stage_of(progress: &Progress) -> Stage {
    match progress {
        Progress::Loading { .. } => Stage::Loading,
        Progress::Encoding { tiles: 0, .. } => Stage::TextEncoding,
        Progress::Encoding { .. } => Stage::VaeEncoding,
        Progress::Sampling { .. } => Stage::Sampling,
        Progress::Decoding { .. } => Stage::VaeDecoding,
        Progress::Upscaling { .. } => Stage::Upscaling,
        Progress::Converting { .. } => Stage::Converting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_the_host_counts_as_one_slice() {
        let minute = Duration::from_secs(60);
        let mut clock =
            Clock { last: Instant::now().checked_sub(minute).unwrap(), passed: Duration::ZERO };
        assert_eq!(clock.passed(), SLICE);
        std::thread::sleep(Duration::from_millis(5));
        let passed = clock.passed();
        assert!(passed >= SLICE + Duration::from_millis(5) && passed <= 2 * SLICE, "{passed:?}");
    }
}
