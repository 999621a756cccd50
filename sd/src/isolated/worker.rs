//! A model in a process of its own.

use super::{
    WorkerCommand, WorkerOptions,
    allowance::Allowance,
    frame::{self, MAX_REQUEST},
    lines::{Lines, printable},
    link::{Arrived, Link},
    log,
    message::{Drawn, FromWorker, PROTOCOL, Ready, ToWorker, Watched},
    operation::{Operation, Waiting},
    process::Process,
    streams::{Hangup, Streams},
    wire::{WirePreviews, WireWarning},
};
use crate::{
    Audio, Error, Generated, GeneratedVideo, ImageRequest, Model, ModelConfig, Picture, Result,
    Stage, Timings, VideoRequest, Warning, Watch,
};
use std::{
    borrow::{Borrow, Cow},
    fmt, io,
    path::PathBuf,
    process::Child,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A model in a process of its own: what the engine does there, a crash included, ends no more than
/// that process.
///
/// It is used as a [`Context`](crate::Context) is, and draws the same pictures. After
/// [`Error::WorkerCrashed`], and where a worker had to be killed to stop it, it answers
/// [`Error::Poisoned`]; drop it and start another, as a pool does. Dropping it ends the process.
///
/// Closures of a [`Watch`] run on the thread that waits in `generate`, and log lines go to `tracing`
/// from there.
///
/// ```no_run
/// use sdcpp::{ImageRequest, ModelConfig, Watch};
/// use sdcpp::isolated::{Worker, WorkerCommand, WorkerOptions, worker_main};
///
/// fn main() -> sdcpp::Result<()> {
///     worker_main(); // does not return in a worker
///     let command = WorkerCommand::this_program();
///     let config = ModelConfig::new("sd15.safetensors");
///     let mut worker = Worker::start(&command, config, &WorkerOptions::default(), Watch::new())?;
///     worker.generate(&ImageRequest::new("a lighthouse"))?.images[0].save("lighthouse.png")?;
///     Ok(())
/// }
/// ```
pub struct Worker {
    connected: Connected,
    config: ModelConfig,
    ready: Ready,
    /// Why it cannot be used any more.
    broken: Option<String>,
}

/// A process and what leads to it. The streams are ended before the process is waited for.
pub(super) struct Connected {
    _hangup: Hangup,
    pub(super) link: Link,
    pub(super) process: Process,
    pub(super) lines: Lines,
    pub(super) options: WorkerOptions,
    stderr: JoinHandle<()>,
    program: PathBuf,
}

impl Connected {
    pub(super) fn new(
        child: Child,
        streams: Streams,
        options: &WorkerOptions,
        program: PathBuf,
    ) -> io::Result<Self> {
        // First, so that an early return ends it.
        let process = Process::new(child);
        let lines = Lines::default();
        let hangup = Hangup::of(&streams)?;
        let link = Link::new(streams.to, streams.from)?;
        let (reader, stderr) = (lines.clone(), streams.lines);
        let stderr = thread::Builder::new()
            .name("sdcpp-worker-lines".to_owned())
            .spawn(move || reader.read(stderr))?;
        Ok(Self {
            _hangup: hangup,
            link,
            process,
            lines,
            options: options.clone(),
            stderr,
            program,
        })
    }

    /// The last lines of a worker that has ended, once all are read; waits no longer than `most`.
    pub(super) fn last_lines(&self, most: Duration) -> Vec<String> {
        let start = Instant::now();
        while !self.stderr.is_finished() && start.elapsed() < most {
            thread::sleep(Duration::from_millis(2));
        }
        self.lines.last()
    }

    fn greeted(&self, operation: &mut Operation<'_, '_>, nonce: &str) -> Result<()> {
        let refused = |reason: String| Error::WorkerStart { program: self.program.clone(), reason };
        let start_timeout = self.options.start_timeout;
        match operation.answer(Waiting::Greeting(start_timeout)) {
            Ok(Arrived::Message(FromWorker::Hello { protocol, version, nonce: said })) => {
                let own = env!("CARGO_PKG_VERSION");
                if protocol != PROTOCOL || version != own {
                    let version = printable(&version, 40);
                    return Err(refused(format!("it is of version {version}, and not {own}")));
                }
                if said == nonce { Ok(()) } else { Err(refused("it greets another host".into())) }
            }
            Ok(_) => Err(refused("it did not greet first".into())),
            Err(Error::WorkerCrashed { reason, lines, .. }) => {
                let last = lines.last().map(|line| format!("; its last line: {line}"));
                Err(refused(format!(
                    "it {reason}{}; a worker calls sdcpp::isolated::worker_main() first thing in main",
                    last.unwrap_or_default()
                )))
            }
            Err(stopped) => Err(stopped),
        }
    }
}

impl Worker {
    /// Starts a process, and opens a model in it, watched by `watch`. The configuration is checked
    /// there; its relative paths start at the folder this process is in now.
    ///
    /// # Errors
    /// [`Error::WorkerStart`] if the program cannot be started or is no worker of this version;
    /// [`Error::InvalidParameter`] or [`Error::Unsupported`] for the options; those of
    /// [`Context::open`](crate::Context::open); [`Error::WorkerCrashed`].
    pub fn start(
        command: &WorkerCommand,
        config: impl Borrow<ModelConfig>,
        options: &WorkerOptions,
        watch: Watch<'_>,
    ) -> Result<Self> {
        Self::start_for(None, command, config.borrow(), options, watch)
    }

    /// As [`start`](Self::start); with a number of models, for a pool that has so many side by side.
    pub(super) fn start_for(
        models: Option<usize>,
        command: &WorkerCommand,
        config: &ModelConfig,
        options: &WorkerOptions,
        watch: Watch<'_>,
    ) -> Result<Self> {
        options.check()?;
        let nonce = format!("{:032x}", fastrand::u128(..));
        let program = command.path();
        let (child, streams) = command.spawn(&nonce)?;
        let refused = |reason: String| Error::WorkerStart { program: command.path(), reason };
        let connected = Connected::new(child, streams, options, program)
            .map_err(|e| refused(format!("no thread or stream for it: {e}")))?;
        Self::open(connected, config, models, &nonce, watch)
    }

    /// Opens a model in a process that was just started.
    pub(super) fn open(
        connected: Connected,
        config: &ModelConfig,
        models: Option<usize>,
        nonce: &str,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let watched = watched(&watch);
        let mut operation = Operation::new(&connected, watch, Stage::Opening);
        connected.greeted(&mut operation, nonce)?;
        let open = ToWorker::Open {
            config: Cow::Borrowed(config),
            models,
            memory_limit: connected.options.memory_limit,
            watched,
        };
        let frame = frame::encode(&open, MAX_REQUEST);
        connected.link.send(frame.map_err(|e| unsendable("config", &e))?);
        let ready = match operation.answer(Waiting::Answer)? {
            Arrived::Message(FromWorker::Ready(ready)) => match operation.panicked() {
                Some(panicked) => return Err(panicked),
                None => ready,
            },
            Arrived::Message(FromWorker::Failed { error, .. }) => {
                return Err(failed(&operation, error.into()));
            }
            _ => return Err(operation.misbehaved("something else than a model")),
        };
        drop(operation);
        let ready = Ready { family: printable(&ready.family, 100), ..ready };
        let config = ModelConfig { threads: ready.threads, mmap: ready.mmap, ..config.clone() };
        Ok(Self { connected, config, ready, broken: None })
    }

    /// The model family, as [`Context::family`](crate::Context::family).
    pub fn family(&self) -> &str {
        &self.ready.family
    }

    /// What the model was opened with.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Whether the model draws pictures; one that does not makes videos.
    pub fn makes_images(&self) -> bool {
        self.ready.makes_images
    }

    /// Whether the model makes videos.
    pub fn makes_video(&self) -> bool {
        self.ready.makes_video
    }

    /// How long opening the model took, without starting the process.
    pub fn load_timings(&self) -> Timings {
        self.ready.load
    }

    /// The number of its process.
    pub fn process_id(&self) -> u32 {
        self.connected.process.id()
    }

    /// Draws.
    ///
    /// # Errors
    /// As [`Context::generate`](crate::Context::generate), and [`Error::WorkerCrashed`].
    pub fn generate(&mut self, request: &ImageRequest) -> Result<Generated> {
        self.generate_with(request, Watch::new())
    }

    /// Draws, watched by `watch`, which can stop it. A worker that does not stop within
    /// [`WorkerOptions::grace`] is killed, and ends with the same error.
    ///
    /// # Errors
    /// As [`Context::generate_with`](crate::Context::generate_with), and [`Error::WorkerCrashed`].
    /// [`Error::InvalidParameter`] if the request's pictures have more than 1 GiB, or a path in it
    /// is no Unicode.
    pub fn generate_with(&mut self, request: &ImageRequest, watch: Watch<'_>) -> Result<Generated> {
        self.check_usable()?;
        request.check()?;
        let watched = watched(&watch);
        let message = ToWorker::Image { request: Cow::Borrowed(request), watched };
        let result = self.run(&message, Allowance::of_image(request), watch)?;
        let size = result.pictures.first().map(|first| (first.width(), first.height()));
        let (width, height) = size.unwrap_or_default();
        Ok(Generated {
            seeds: result.pictures.iter().map(Picture::seed).collect(),
            images: result.pictures,
            width,
            height,
            timings: result.drawn.timings,
            warnings: warnings(result.drawn.warnings),
        })
    }

    /// Makes a video.
    ///
    /// # Errors
    /// As [`Context::generate_video`](crate::Context::generate_video), and [`Error::WorkerCrashed`].
    pub fn generate_video(&mut self, request: &VideoRequest) -> Result<GeneratedVideo> {
        self.generate_video_with(request, Watch::new())
    }

    /// Makes a video, watched by `watch`, which can stop it, as in
    /// [`generate_with`](Self::generate_with).
    ///
    /// # Errors
    /// As [`Context::generate_video_with`](crate::Context::generate_video_with), and as
    /// [`generate_with`](Self::generate_with).
    pub fn generate_video_with(
        &mut self,
        request: &VideoRequest,
        watch: Watch<'_>,
    ) -> Result<GeneratedVideo> {
        self.check_usable()?;
        request.check()?;
        let watched = watched(&watch);
        let message = ToWorker::Video { request: Cow::Borrowed(request), watched };
        let result = self.run(&message, Allowance::of_video(request), watch)?;
        Ok(GeneratedVideo {
            frames: result.pictures,
            fps: request.fps,
            audio: result.sound,
            seed: result.drawn.seed,
            timings: result.drawn.timings,
            warnings: warnings(result.drawn.warnings),
        })
    }

    /// Whether it can be used again: its process lives, and no failure left it in an unknown state.
    pub fn is_usable(&self) -> bool {
        self.broken.is_none() && self.connected.process.ended().is_none()
    }

    fn check_usable(&self) -> Result<()> {
        match &self.broken {
            Some(cause) => Err(Error::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    fn run(
        &mut self,
        message: &ToWorker<'_>,
        allowance: Allowance,
        watch: Watch<'_>,
    ) -> Result<Answered> {
        let frame = frame::encode(message, MAX_REQUEST).map_err(|e| unsendable("request", &e))?;
        // Until it has answered: a panic on the way here leaves it in the middle.
        self.broken = Some("an operation on it was left half-way".to_owned());
        let link = &self.connected.link;
        link.allow(allowance);
        let mut operation = Operation::new(&self.connected, watch, Stage::Preparing);
        link.send(frame);
        let (result, usable) = collect(&mut operation);
        drop(operation);
        link.allow(Allowance::default());
        self.broken = match &result {
            Err(error) if !usable => Some(error.to_string()),
            _ => None,
        };
        result
    }
}

/// The result of an operation.
struct Answered {
    pictures: Vec<Picture>,
    sound: Option<Audio>,
    drawn: Drawn,
}

/// Waits for the result of an operation; tells too whether the model can be used again.
fn collect(operation: &mut Operation<'_, '_>) -> (Result<Answered>, bool) {
    let (mut pictures, mut sound) = (Vec::new(), None);
    loop {
        match operation.answer(Waiting::Answer) {
            Ok(Arrived::Picture(picture)) => pictures.push(picture),
            Ok(Arrived::Sound(came)) => sound = Some(came),
            Ok(Arrived::Message(FromWorker::Drawn(drawn))) if !pictures.is_empty() => {
                let result = operation.panicked().map_or(Ok(()), Err);
                return (result.map(|()| Answered { pictures, sound, drawn }), true);
            }
            Ok(Arrived::Message(FromWorker::Failed { error, usable })) => {
                return (Err(failed(operation, error.into())), usable);
            }
            Ok(_) => return (Err(operation.misbehaved("no result of the operation")), false),
            Err(lost) => return (Err(lost), false),
        }
    }
}

/// What the host makes of a failure in the worker.
fn failed(operation: &Operation<'_, '_>, error: Error) -> Error {
    match error {
        Error::Cancelled { stage } => operation.stopped(stage),
        other => operation.panicked().unwrap_or(other),
    }
}

fn watched(watch: &Watch<'_>) -> Watched {
    let previews = watch.previews.as_ref().map(|p| WirePreviews(p.options.clone()));
    Watched { previews, log: log::wanted() }
}

fn warnings(warnings: Vec<WireWarning>) -> Vec<Warning> {
    warnings.into_iter().map(|warning| warning.0).collect()
}

fn unsendable(field: &'static str, why: &str) -> Error {
    Error::invalid(field, why, "Unicode paths, and pictures of at most 1 GiB together")
}

impl Model for Worker {
    fn generate_with(&mut self, request: &ImageRequest, watch: Watch<'_>) -> Result<Generated> {
        Worker::generate_with(self, request, watch)
    }

    fn generate_video_with(
        &mut self,
        request: &VideoRequest,
        watch: Watch<'_>,
    ) -> Result<GeneratedVideo> {
        Worker::generate_video_with(self, request, watch)
    }

    fn is_usable(&self) -> bool {
        Worker::is_usable(self)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("program", &self.connected.program)
            .field("process_id", &self.process_id())
            .field("family", &self.ready.family)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}
