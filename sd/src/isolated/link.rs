//! The host's end of the pipes: a thread that writes, and one that reads.

use super::{
    allowance::Allowance,
    frame::{self, Broken, MAX_MESSAGE},
    message::FromWorker,
};
use crate::{Audio, Picture, Preview, engine::Shape, sync::Lock};
use crossbeam_channel::{Receiver, Sender};
use image::RgbImage;
use std::{
    io::{self, Read, Write},
    sync::Arc,
    thread,
};

/// The most bytes of a picture's "parameters": both prompts have 32 KiB, and the rest is less.
const MOST_PARAMETERS: usize = 256 << 10;

/// What came from a worker.
#[derive(Debug)]
pub(super) enum Arrived {
    /// A message without pixels.
    Message(FromWorker),
    Picture(Picture),
    Preview(Preview),
    Sound(Audio),
    /// Nothing more will come.
    Ended(Broken),
}

/// The pipes to a worker, and the threads on them. Neither blocks the host: what it sends waits here
/// while the worker does not read, and what it does not take waits in the pipe.
pub(super) struct Link {
    /// Dropped to close the worker's standard input.
    outbox: Sender<Vec<u8>>,
    /// Without a place to wait in: at most one message is in memory that nobody took yet.
    pub(super) inbox: Receiver<Arrived>,
    allowance: Arc<Lock<Allowance>>,
}

impl Link {
    pub(super) fn new(
        mut to: impl Write + Send + 'static,
        from: impl Read + Send + 'static,
    ) -> io::Result<Self> {
        // At most a request and its cancel wait in it.
        let (outbox, to_write) = crossbeam_channel::unbounded::<Vec<u8>>();
        thread::Builder::new().name("sdcpp-to-worker".to_owned()).spawn(move || {
            for frame in to_write {
                // A worker that is gone is seen by the thread that reads.
                if to.write_all(&frame).and_then(|()| to.flush()).is_err() {
                    break;
                }
            }
        })?;
        let allowance = Arc::<Lock<Allowance>>::default();
        let (mut reader, inbox) = Reader::new(from, Arc::clone(&allowance));
        thread::Builder::new().name("sdcpp-from-worker".to_owned()).spawn(move || reader.run())?;
        Ok(Self { outbox, inbox, allowance })
    }

    /// Sends a frame, sooner or later; one to a worker that is gone is lost, which what is read tells.
    pub(super) fn send(&self, frame: Vec<u8>) {
        let _ = self.outbox.send(frame);
    }

    /// From now on the worker may send this much.
    pub(super) fn allow(&self, allowance: Allowance) {
        *self.allowance.lock() = allowance;
    }
}

/// Makes of a worker's frames what came.
pub(super) struct Reader<R> {
    from: R,
    allowance: Arc<Lock<Allowance>>,
    arrived: Sender<Arrived>,
}

impl<R: Read> Reader<R> {
    /// With where it puts what came, which has no place to wait in.
    pub(super) fn new(from: R, allowance: Arc<Lock<Allowance>>) -> (Self, Receiver<Arrived>) {
        let (arrived, inbox) = crossbeam_channel::bounded(0);
        (Self { from, allowance, arrived }, inbox)
    }

    fn run(&mut self) {
        loop {
            let next = self.next().unwrap_or_else(Arrived::Ended);
            let ended = matches!(next, Arrived::Ended(_));
            let gone = match next {
                // Only of interest while somebody waits.
                Arrived::Message(FromWorker::Alive) => {
                    alive(&self.arrived);
                    false
                }
                next => self.arrived.send(next).is_err(),
            };
            if ended || gone {
                break;
            }
        }
    }

    pub(super) fn next(&mut self) -> Result<Arrived, Broken> {
        let message = frame::read_message(&mut self.from, MAX_MESSAGE)?;
        let refused = Broken::Malformed;
        Ok(match message {
            FromWorker::Picture { parameters, .. } if parameters.len() > MOST_PARAMETERS => {
                return Err(refused(format!("{} bytes of parameters", parameters.len())));
            }
            FromWorker::Picture { width, height, channels, seed, parameters } => {
                let length = self.allowance.lock().picture(width, height, channels);
                let pixels = self.bytes(length.map_err(refused)?)?;
                let shape = Shape { width, height, channels };
                Arrived::Picture(Picture::of_bytes(shape, pixels, seed, parameters))
            }
            FromWorker::Preview { step, noisy, frames } => {
                let lengths = self.allowance.lock().preview(&frames).map_err(refused)?;
                let frames = frames.iter().zip(lengths).map(|((width, height), length)| {
                    RgbImage::from_raw(*width, *height, self.bytes(length)?)
                        .ok_or_else(|| refused("a frame without pixels".to_owned()))
                });
                let frames = frames.collect::<Result<_, _>>()?;
                Arrived::Preview(Preview { step, frames, noisy })
            }
            FromWorker::Sound { sample_rate, channels, samples } => {
                let length = self.allowance.lock().sound(samples).map_err(refused)?;
                let bytes = self.bytes(length)?;
                let sample = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
                let mut floats = Vec::new();
                let room = floats.try_reserve_exact(samples as usize);
                room.map_err(|_| Broken::NoMemory(length.into()))?;
                floats.extend(bytes.as_chunks::<4>().0.iter().map(sample));
                let sound = Audio::new(floats, sample_rate, channels);
                sound.check().map_err(|error| refused(error.to_string()))?;
                Arrived::Sound(sound)
            }
            other => Arrived::Message(other),
        })
    }

    fn bytes(&mut self, length: u32) -> Result<Vec<u8>, Broken> {
        frame::read_bytes(&mut self.from, length, || alive(&self.arrived))
    }
}

/// Tells who waits, if somebody does, that the worker lives.
fn alive(arrived: &Sender<Arrived>) {
    let _ = arrived.try_send(Arrived::Message(FromWorker::Alive));
}
