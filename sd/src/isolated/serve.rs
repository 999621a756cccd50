//! The worker's side: opens the model, draws what it is asked for, and ends with its host.

use super::{
    frame::{self, Broken, MAX_REQUEST},
    log::Forward,
    message::{Drawn, FromWorker, PROTOCOL, Ready, ToWorker, Watched},
    outbox::{Outbox, Unsent},
    system,
    wire::WireWarning,
};
use crate::{
    Audio, CancelToken, Context, Engine, EngineReport, Error, ModelConfig, Picture, Preview,
    Progress, Result, Stage, Timings, Warning, Watch, pool::shared_out,
};
use crossbeam_channel::{Receiver, Sender};
use std::{
    env,
    io::{self, Read, Write},
    ops::ControlFlow,
    panic, process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

/// The variable by which a program knows that it is a worker: the protocol and a number that the
/// host does not know the worker without.
pub(super) const VARIABLE: &str = "SDCPP_WORKER";

/// How often a worker looks whether its host lives.
const LOOK: Duration = Duration::from_millis(500);

/// Whether this process called [`worker_main`].
static CALLED: AtomicBool = AtomicBool::new(false);

pub(super) fn called_first() -> bool {
    CALLED.load(Ordering::Relaxed)
}

/// Becomes a worker if this process was started as one, and returns at once if it was not.
///
/// Call it first thing in `main`, before arguments are read, threads started, or anything is
/// printed. In a worker it never returns.
///
/// ```no_run
/// // The first line of `main`:
/// sdcpp::isolated::worker_main();
/// // What follows runs in the host only.
/// ```
pub fn worker_main() {
    CALLED.store(true, Ordering::Relaxed);
    let Some(value) = env::var_os(VARIABLE) else { return };
    let nonce = value.to_str().and_then(|value| value.split_once(':'));
    let Some((_, nonce)) = nonce.filter(|(protocol, _)| *protocol == PROTOCOL.to_string()) else {
        eprintln!("{VARIABLE} is {value:?}, which this version of the worker does not know");
        process::exit(2);
    };
    // A panic must not reach the caller, who would go on as a host.
    let ended = panic::catch_unwind(|| work(nonce));
    if let Ok(Err(error)) = &ended {
        eprintln!("the worker cannot work: {error}");
    }
    process::exit(1);
}

/// Works until the host is gone.
fn work(nonce: &str) -> io::Result<()> {
    let host = system::parent();
    system::no_dump();
    let (input, output) = system::take_pipes()?;
    let worker = Server::new(output);
    let forward =
        Forward { outbox: Arc::clone(&worker.outbox), level: Arc::clone(&worker.log_level) };
    tracing::subscriber::set_global_default(forward).map_err(io::Error::other)?;
    let outbox = Arc::clone(&worker.outbox);
    thread::Builder::new().name("sdcpp-outbox".to_owned()).spawn(move || {
        outbox.run();
        system::end_now();
    })?;
    // The end of the input comes first as a rule; not if another child of the host has it too. This
    // thread waits for nothing, least of all for a host that does not read.
    thread::Builder::new().name("sdcpp-host".to_owned()).spawn(move || {
        while system::parent() == host {
            thread::sleep(LOOK);
        }
        system::end_now();
    })?;
    worker.serve(Engine::auto, input, nonce, || system::end_now())
}

/// What a worker sends, and to which level it logs.
pub(super) struct Server {
    pub(super) outbox: Arc<Outbox>,
    log_level: Arc<AtomicU8>,
}

/// A message of the host, and what cancels it.
struct Job {
    /// Or why it cannot be read.
    message: Result<ToWorker<'static>>,
    token: CancelToken,
}

impl Server {
    pub(super) fn new(output: impl Write + Send + 'static) -> Self {
        Self { outbox: Arc::new(Outbox::new(output)), log_level: Arc::default() }
    }

    /// Does what comes in, and calls `at_end` as soon as nothing more can come, whatever is being
    /// done then.
    pub(super) fn serve(
        &self,
        engine: impl FnOnce() -> Result<Engine>,
        input: impl Read + Send + 'static,
        nonce: &str,
        at_end: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let (sender, jobs) = crossbeam_channel::unbounded();
        thread::Builder::new().name("sdcpp-input".to_owned()).spawn(move || {
            receive(input, &sender);
            at_end();
        })?;
        let hello = FromWorker::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            nonce: nonce.to_owned(),
        };
        // If the host is gone, the input has its end too.
        let (Ok(()) | Err(Unsent::Gone)) = self.outbox.send(&hello) else {
            return Err(io::Error::other("the greeting is too large"));
        };
        self.work(engine, &jobs);
        Ok(())
    }

    fn work(&self, engine: impl FnOnce() -> Result<Engine>, jobs: &Receiver<Job>) {
        let mut engine = Some(engine);
        let mut context = None;
        for Job { message, token } in jobs {
            let message = match message {
                Ok(message) => message,
                Err(error) => {
                    self.failed(error, usable(&context));
                    continue;
                }
            };
            let result = match (message, &mut context) {
                (ToWorker::Open { config, models, memory_limit, watched }, None) => {
                    let Some(engine) = engine.take() else { continue };
                    let watch = self.watch(watched, token);
                    let opened = memory_limit
                        .map_or(Ok(()), system::limit_memory)
                        .and_then(|()| engine())
                        .and_then(|engine| open(&engine, config.into_owned(), models, watch));
                    opened.map(|opened| self.ready(context.insert(opened)))
                }
                (ToWorker::Image { request, watched }, Some(context)) => context
                    .generate_with(&request, self.watch(watched, token))
                    .map(|made| self.result(&made.images, None, made.timings, made.warnings)),
                (ToWorker::Video { request, watched }, Some(context)) => {
                    context.generate_video_with(&request, self.watch(watched, token)).map(|made| {
                        self.result(&made.frames, made.audio.as_ref(), made.timings, made.warnings)
                    })
                }
                // The host opens one model first, and cancels by way of `receive`.
                _ => continue,
            };
            let usable = usable(&context);
            match result {
                Ok(Ok(()) | Err(Unsent::Gone)) => {}
                Ok(Err(Unsent::TooLarge(why))) => self.failed(too_large(why), usable),
                Err(error) => self.failed(error, usable),
            }
        }
    }

    /// What the host wants to be told, and what stops.
    fn watch(&self, watched: Watched, token: CancelToken) -> Watch<'static> {
        self.log_level.store(watched.log, Ordering::Relaxed);
        let outbox = Arc::clone(&self.outbox);
        let watch =
            Watch::new().cancel_with(token).on_progress(move |progress| tell(&outbox, progress));
        let Some(previews) = watched.previews else { return watch };
        let outbox = Arc::clone(&self.outbox);
        watch.on_preview(previews.0, move |preview| show(&outbox, &preview))
    }

    fn ready(&self, context: &Context) -> Result<(), Unsent> {
        self.outbox.send(&FromWorker::Ready(Ready {
            family: context.family().to_owned(),
            makes_images: context.makes_images(),
            makes_video: context.makes_video(),
            threads: context.config().threads,
            mmap: context.config().mmap,
            load: context.load_timings(),
        }))
    }

    /// Sends a result, the pixels from where the engine has them.
    fn result(
        &self,
        pictures: &[Picture],
        sound: Option<&Audio>,
        timings: Timings,
        warnings: Vec<Warning>,
    ) -> Result<(), Unsent> {
        for picture in pictures {
            let announced = FromWorker::Picture {
                width: picture.width(),
                height: picture.height(),
                channels: picture.channels(),
                seed: picture.seed(),
                parameters: picture.parameters().to_owned(),
            };
            self.outbox.send_with(&announced, &[picture.as_bytes()])?;
        }
        if let Some(sound) = sound {
            let bytes: Vec<u8> = sound.samples.iter().flat_map(|s| s.to_le_bytes()).collect();
            let samples = u32::try_from(sound.samples.len())
                .map_err(|_| Unsent::TooLarge("more than 4 billion samples of sound".to_owned()))?;
            let Audio { sample_rate, channels, .. } = *sound;
            let announced = FromWorker::Sound { sample_rate, channels, samples };
            self.outbox.send_with(&announced, &[&bytes])?;
        }
        self.outbox.send(&FromWorker::Drawn(Drawn {
            timings,
            warnings: warnings.into_iter().map(WireWarning).collect(),
            seed: pictures.first().map_or(0, Picture::seed),
        }))
    }

    fn failed(&self, error: Error, usable: bool) {
        let failed = |error: Error| FromWorker::Failed { error: error.into(), usable };
        if let Err(Unsent::TooLarge(why)) = self.outbox.send(&failed(error)) {
            // Short, so it can be sent; and if the host is gone, nobody waits for it.
            let _ = self.outbox.send(&failed(too_large(why)));
        }
    }
}

/// Opens a model; one of a pool's with its share of what the engine finds here. The host cannot tell it: its
/// engine may be another, or none, and the system counts threads of processors, not the cores.
fn open(
    engine: &Engine,
    config: ModelConfig,
    models: Option<usize>,
    watch: Watch<'_>,
) -> Result<Context> {
    let config = match models {
        Some(models) => shared_out(engine, config, models)?,
        None => config,
    };
    Context::open(engine, config, watch)
}

fn usable(context: &Option<Context>) -> bool {
    context.as_ref().is_some_and(|context| !context.is_poisoned())
}

/// Reads what the host sends until its end. A cancel takes effect at once, on what came last.
fn receive(mut input: impl Read, jobs: &Sender<Job>) {
    let mut last = CancelToken::new();
    loop {
        let message = match frame::read_message(&mut input, MAX_REQUEST) {
            Ok(ToWorker::Cancel) => {
                last.cancel();
                continue;
            }
            Ok(message) => Ok(message),
            Err(Broken::Unknown(why)) => {
                Err(Error::invalid("request", why, "what the worker can read"))
            }
            Err(Broken::NoMemory(bytes)) => {
                // The next frame begins behind it.
                if io::copy(&mut input.by_ref().take(bytes), &mut io::sink()).is_err() {
                    return;
                }
                Err(no_memory(bytes))
            }
            Err(Broken::Closed) => return,
            Err(broken @ Broken::Malformed(_)) => {
                eprintln!("the host sent what the worker cannot read: {broken:?}");
                return;
            }
        };
        last = CancelToken::new();
        if jobs.send(Job { message, token: last.clone() }).is_err() {
            return;
        }
    }
}

fn no_memory(bytes: u64) -> Error {
    let message = "the worker has no memory for the request".to_owned();
    let report = Box::new(EngineReport { message, ..EngineReport::default() });
    Error::OutOfMemory { stage: Stage::Preparing, device: None, requested: Some(bytes), report }
}

fn tell(outbox: &Outbox, progress: Progress) -> ControlFlow<()> {
    match outbox.send(&FromWorker::Progress(progress)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

fn show(outbox: &Outbox, preview: &Preview) {
    let frames: Vec<&[u8]> = preview.frames.iter().map(|frame| frame.as_raw().as_slice()).collect();
    let announced = FromWorker::Preview {
        step: preview.step,
        noisy: preview.noisy,
        frames: preview.frames.iter().map(image::RgbImage::dimensions).collect(),
    };
    // A host that is gone ends the worker by its input.
    let _ = outbox.send_with(&announced, &frames);
}

fn too_large(why: String) -> Error {
    let message = format!("the worker cannot send its answer: {why}");
    let report = EngineReport { message, ..EngineReport::default() };
    Error::Engine { stage: Stage::Preparing, report: Box::new(report) }
}
