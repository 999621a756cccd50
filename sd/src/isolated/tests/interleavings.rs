//! Orders in which a worker's threads may come to its outbox, tried by shuttle: `scripts/shuttle.sh`.

use super::{drawn, hello};
use crate::{
    isolated::{
        frame::{self, MAX_MESSAGE},
        message::FromWorker,
        outbox::Outbox,
    },
    sync::{Monitor, explore},
};
use shuttle::thread;
use std::{
    io::{self, Write},
    sync::Arc,
};

/// What a host has read, until it is gone.
#[derive(Default)]
struct Host {
    bytes: Vec<u8>,
    gone: bool,
}

#[derive(Clone)]
struct Pipe(Monitor<Host>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut host = self.0.lock();
        if host.gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        host.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Seconds pass at once here: without this, signs of life could keep all others from running.
        thread::yield_now();
        Ok(())
    }
}

#[test]
fn lines_and_messages_come_whole_once_and_in_order() {
    explore(|| {
        let pipe = Pipe(Monitor::new(Host::default()));
        let outbox = Arc::new(Outbox::new(pipe.clone()));
        let line = |outbox: &Outbox, target: &str, number: u32| {
            outbox.log(3, target.to_owned(), number.to_string());
        };
        let runs = Arc::clone(&outbox);
        let runs = thread::spawn(move || runs.run());
        let other = Arc::clone(&outbox);
        let other = thread::spawn(move || (0..3).for_each(|number| line(&other, "other", number)));
        line(&outbox, "own", 0);
        outbox.send(&drawn()).unwrap();
        line(&outbox, "own", 1);
        other.join().unwrap();
        outbox.send(&hello()).unwrap();
        // The next sign of life finds out.
        pipe.0.lock().gone = true;
        runs.join().unwrap();
        assert!(outbox.send(&hello()).is_err());

        let host = pipe.0.lock();
        let mut bytes = host.bytes.as_slice();
        let (mut own, mut others) = (Vec::new(), Vec::new());
        while !bytes.is_empty() {
            match frame::read_message(&mut bytes, MAX_MESSAGE).unwrap() {
                FromWorker::Alive => {}
                FromWorker::Log { target, text, .. } if target == "other" => others.push(text),
                FromWorker::Log { text, .. } => own.push(text),
                FromWorker::Drawn(_) => own.push("drawn".to_owned()),
                FromWorker::Hello { .. } => own.push("hello".to_owned()),
                message => panic!("{message:?}"),
            }
        }
        assert_eq!(own, ["0", "drawn", "1", "hello"]);
        assert_eq!(others, ["0", "1", "2"]);
    });
}
