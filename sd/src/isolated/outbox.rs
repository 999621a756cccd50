//! What a worker sends: messages at once, log lines when there is time, a sign of life each second.

use super::{
    frame::{self, MAX_MESSAGE},
    log,
    message::FromWorker,
};
use crate::sync::{self, Lock, Monitor};
use std::{
    collections::VecDeque,
    io::{self, Write},
    time::Duration,
};

/// Log lines that wait while the host does not read; more are dropped, and counted.
const MOST_LINES: usize = 256;

const BEAT: Duration = Duration::from_secs(1);

/// Why a message was not sent.
#[derive(Debug)]
pub(super) enum Unsent {
    /// The host is gone.
    Gone,
    /// It cannot be written, and why.
    TooLarge(String),
}

impl From<io::Error> for Unsent {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<FromWorker>,
    dropped: u64,
}

/// The pipe to the host, and the lines that wait for it.
pub(super) struct Outbox {
    pipe: Lock<Box<dyn Write + Send>>,
    waiting: Monitor<Waiting>,
}

impl Outbox {
    pub(super) fn new(pipe: impl Write + Send + 'static) -> Self {
        Self { pipe: Lock::new(Box::new(pipe)), waiting: Monitor::new(Waiting::default()) }
    }

    /// Sends a message, after the lines that came before it.
    pub(super) fn send(&self, message: &FromWorker) -> Result<(), Unsent> {
        self.send_with(message, &[])
    }

    /// Sends a message and the bytes it announces.
    pub(super) fn send_with(&self, message: &FromWorker, bytes: &[&[u8]]) -> Result<(), Unsent> {
        let frame = frame::encode(message, MAX_MESSAGE).map_err(Unsent::TooLarge)?;
        let mut pipe = self.pipe.lock();
        self.send_lines(&mut **pipe)?;
        pipe.write_all(&frame)?;
        for bytes in bytes {
            frame::write_bytes(&mut *pipe, bytes)?;
        }
        pipe.flush()?;
        Ok(())
    }

    /// Keeps a line to be sent soon; never waits for the host.
    pub(super) fn log(&self, level: u8, target: String, text: String) {
        let mut waiting = self.waiting.lock();
        if waiting.lines.len() < MOST_LINES {
            waiting.lines.push_back(FromWorker::Log { level, target, text });
            self.waiting.notify_all();
        } else {
            waiting.dropped += 1;
        }
    }

    /// With the pipe in hand, so that lines stay in order.
    fn send_lines(&self, pipe: &mut (dyn Write + Send)) -> Result<(), Unsent> {
        let Waiting { lines, dropped } = std::mem::take(&mut *self.waiting.lock());
        let lost = (dropped > 0).then(|| FromWorker::Log {
            level: log::WARN,
            target: "sdcpp::worker".to_owned(),
            text: format!("{dropped} log lines were dropped, because the host did not read them"),
        });
        for line in lines.iter().chain(&lost) {
            match frame::encode(line, MAX_MESSAGE) {
                Ok(frame) => pipe.write_all(&frame)?,
                // Lines are cut long before that.
                Err(why) => return Err(Unsent::TooLarge(why)),
            }
        }
        Ok(())
    }

    /// Sends lines when there are some, and a sign of life each second, until the host is gone.
    pub(super) fn run(&self) {
        let mut next_beat = sync::now() + BEAT;
        loop {
            let mut waiting = self.waiting.lock();
            while waiting.lines.is_empty() && sync::now() < next_beat {
                waiting = self.waiting.wait_until(waiting, Some(next_beat));
            }
            drop(waiting);
            let sent = if sync::now() >= next_beat {
                next_beat = sync::now() + BEAT;
                self.send(&FromWorker::Alive)
            } else {
                let mut pipe = self.pipe.lock();
                self.send_lines(&mut **pipe).and_then(|()| Ok(pipe.flush()?))
            };
            if sent.is_err() {
                break;
            }
        }
    }
}
