//! A model without an engine, and what there is to see of it.

use crate::{
    CancelToken, Error, Generated, GeneratedVideo, ImageRequest, Model, Pool, PoolOptions, Result,
    Stage, Timings, VideoRequest, Watch,
    sync::{Monitor, now},
};
use std::{sync::Arc, time::Duration};

/// How long one generation says it took.
pub(super) const SAMPLING: Duration = Duration::from_millis(7);

/// What all models of one pool share with the test.
#[derive(Default)]
pub(super) struct Seen {
    /// Models there are now, and were at most.
    pub(super) models: usize,
    pub(super) most_models: usize,
    /// Generations that run now.
    pub(super) running: usize,
    /// The prompts, in the order they were begun.
    pub(super) begun: Vec<String>,
    /// Openings that will fail, and how.
    pub(super) bad_openings: usize,
    pub(super) opening_panics: bool,
    /// The next opening waits for its own time limit, which nobody gave it.
    pub(super) slow_opening: bool,
    /// How long each opening and each dropping takes.
    pub(super) opening_takes: Duration,
    pub(super) dropping_takes: Duration,
    /// Models opened so far, and how many of the first have died.
    pub(super) opened: usize,
    pub(super) dead: usize,
    /// Whether `hold` may end.
    pub(super) released: bool,
}

#[derive(Clone)]
pub(super) struct World(pub(super) Monitor<Seen>);

impl World {
    pub(super) fn new() -> Self {
        Self(Monitor::new(Seen::default()))
    }

    pub(super) fn pool(&self, options: PoolOptions) -> Pool<Fake> {
        let world = self.clone();
        Pool::with_factory(options, move |watch| world.open(&watch)).unwrap()
    }

    fn open(&self, watch: &Watch<'_>) -> Result<Fake> {
        if watch.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Error::Cancelled { stage: Stage::Opening });
        }
        let takes = self.0.lock().opening_takes;
        if !takes.is_zero() {
            std::thread::sleep(takes);
        }
        let mut seen = self.0.lock();
        if std::mem::take(&mut seen.slow_opening) {
            let limit = Duration::from_secs(5);
            return Err(Error::DeadlineExceeded { stage: Stage::Opening, limit });
        }
        if seen.opening_panics {
            drop(seen);
            panic!("no luck");
        }
        if seen.bad_openings > 0 {
            seen.bad_openings -= 1;
            return Err(Error::Unsupported { what: "this".to_owned(), reason: "bad".to_owned() });
        }
        seen.models += 1;
        seen.opened += 1;
        let number = seen.opened;
        seen.most_models = seen.most_models.max(seen.models);
        Ok(Fake { world: self.clone(), usable: true, number })
    }

    pub(super) fn release(&self) {
        self.0.lock().released = true;
        self.0.notify_all();
    }

    /// Waits until so many generations run.
    pub(super) fn wait_running(&self, count: usize) {
        let mut seen = self.0.lock();
        while seen.running != count {
            seen = self.0.wait_until(seen, None);
        }
    }
}

pub(super) struct Fake {
    world: World,
    pub(super) usable: bool,
    /// From 1, in the order they were opened.
    number: usize,
}

impl Drop for Fake {
    fn drop(&mut self) {
        let takes = self.world.0.lock().dropping_takes;
        if !takes.is_zero() {
            std::thread::sleep(takes);
        }
        self.world.0.lock().models -= 1;
    }
}

impl Fake {
    fn hold(&self, watch: &Watch<'_>) -> Result<()> {
        let world = self.world.clone();
        let _wakes = watch.cancel.as_ref().map(|token| token.on_cancel(move || wake(&world)));
        let until = watch.time_limit.map(|limit| now() + limit);
        let mut seen = self.world.0.lock();
        while !seen.released {
            let stage = Stage::Sampling;
            if watch.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
                return Err(Error::Cancelled { stage });
            }
            if until.is_some_and(|until| now() >= until) {
                return Err(Error::DeadlineExceeded { stage, limit: Duration::ZERO });
            }
            seen = self.world.0.wait_until(seen, until);
        }
        Ok(())
    }

    fn obey(&mut self, command: &str, watch: &Watch<'_>) -> Result<()> {
        match command {
            "hold" => self.hold(watch),
            // As a worker, which is ended if it does not stop in time.
            "hold to the death" => self.hold(watch).inspect_err(|_| self.usable = false),
            "callback" => {
                self.usable = false;
                Err(Error::CallbackPanicked { message: "as asked".to_owned() })
            }
            "load" | "<lora:x:1> load" => {
                Err(Error::ModelLoad { path: "model".into(), report: Box::default() })
            }
            "fail" => Err(Error::Sampling { report: Box::default() }),
            "break" => {
                self.usable = false;
                Err(Error::Poisoned { cause: "it broke".to_owned() })
            }
            "panic" => panic!("as asked"),
            _ => Ok(()),
        }
    }

    fn work(&mut self, command: &str, watch: &Watch<'_>) -> Result<()> {
        let mut seen = self.world.0.lock();
        seen.running += 1;
        seen.begun.push(command.to_owned());
        drop(seen);
        self.world.0.notify_all();
        let _count = scopeguard::guard(self.world.clone(), |world| {
            world.0.lock().running -= 1;
            world.0.notify_all();
        });
        self.obey(command, watch)
    }
}

/// With the lock, so that nobody is between looking and waiting.
fn wake(world: &World) {
    drop(world.0.lock());
    world.0.notify_all();
}

impl Model for Fake {
    fn generate_with(&mut self, request: &ImageRequest, watch: Watch<'_>) -> Result<Generated> {
        self.work(&request.prompt, &watch)?;
        let timings = Timings { sampling: SAMPLING, total: SAMPLING, ..Timings::default() };
        let (width, height) = (request.width, request.height);
        let (images, seeds, warnings) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Generated { images, seeds, width, height, timings, warnings })
    }

    fn generate_video_with(
        &mut self,
        request: &VideoRequest,
        watch: Watch<'_>,
    ) -> Result<GeneratedVideo> {
        self.work(&request.prompt, &watch)?;
        let timings = Timings { sampling: SAMPLING, total: SAMPLING, ..Timings::default() };
        let (frames, warnings) = (Vec::new(), Vec::new());
        Ok(GeneratedVideo { frames, fps: 8, audio: None, seed: 1, timings, warnings })
    }

    fn is_usable(&self) -> bool {
        self.usable && self.number > self.world.0.lock().dead
    }
}

pub(super) fn ask(command: &str) -> ImageRequest {
    ImageRequest::new(command)
}

pub(super) fn options() -> PoolOptions {
    PoolOptions::default()
}

/// Counts how often it is woken, and can be waited for.
pub(super) struct Woken(Monitor<usize>);

impl Woken {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Monitor::new(0)))
    }

    pub(super) fn count(&self) -> usize {
        *self.0.lock()
    }

    /// Waits until it was woken another time than `seen`.
    pub(super) fn wait(&self, seen: usize) -> usize {
        let mut count = self.0.lock();
        while *count == seen {
            count = self.0.wait_until(count, None);
        }
        *count
    }
}

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        *self.0.lock() += 1;
        self.0.notify_all();
    }
}

/// The smallest executor.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let woken = Woken::new();
    let waker = Arc::clone(&woken).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = Box::pin(future);
    let mut seen = 0;
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        seen = woken.wait(seen);
    }
}
