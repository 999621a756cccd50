//! Frames: what crosses the streams between a host and its worker.
//!
//! A frame is the length of its payload (four bytes, the lowest first), its kind (one byte), and the
//! payload: a message in MessagePack, or the bare bytes that a message announced. A length is judged
//! before anything is allocated for it.

use crate::json::MOST_BYTES;
use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, Read, Write};

/// The most bytes of a worker's message. Pixels are not in messages.
pub(super) const MAX_MESSAGE: u32 = 1 << 20;

/// The most bytes of a host's message: the pictures of a request, and 16 MiB for the rest.
pub(super) const MAX_REQUEST: u32 = MOST_BYTES as u32 + (16 << 20);

/// Read at a time, so that a reader can tell that something arrives.
const CHUNK: u64 = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Message = 1,
    Bytes = 2,
}

/// Why nothing more can be read.
#[derive(Debug)]
pub(super) enum Broken {
    /// The other side is gone: at the end of a frame, or in the middle of one.
    Closed,
    /// It sends what is no frame, or one that was not to come.
    Malformed(String),
    /// It sends a frame whose payload cannot be read. The next one can.
    Unknown(String),
    /// There is no memory for what it sends: for so many bytes, none of which was read.
    NoMemory(u64),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        // A pipe that cannot be read is of no more use than one that was closed.
        Self::Closed
    }
}

/// A message as a whole frame.
///
/// # Errors
/// Why it cannot be written: it is larger than `most`, or a path in it is no Unicode.
pub(super) fn encode(message: &impl Serialize, most: u32) -> Result<Vec<u8>, String> {
    let mut frame = vec![0; HEAD];
    rmp_serde::encode::write(&mut frame, message).map_err(|e| e.to_string())?;
    let length = u32::try_from(frame.len() - HEAD).ok().filter(|length| *length <= most);
    let Some(length) = length else {
        return Err(format!("{} bytes, and at most {most} can be sent", frame.len() - HEAD));
    };
    for (to, from) in frame.iter_mut().zip(head(Kind::Message, length)) {
        *to = from;
    }
    Ok(frame)
}

const HEAD: usize = 5;

fn head(kind: Kind, length: u32) -> [u8; HEAD] {
    let [a, b, c, d] = length.to_le_bytes();
    [a, b, c, d, kind as u8]
}

/// Writes bare bytes that a message announced.
pub(super) fn write_bytes(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    to.write_all(&head(Kind::Bytes, length))?;
    to.write_all(bytes)
}

/// Reads a message.
pub(super) fn read_message<T: DeserializeOwned>(
    from: &mut impl Read,
    most: u32,
) -> Result<T, Broken> {
    let length = read_head(from, Kind::Message)?;
    if length > most {
        let text = format!("a message of {length} bytes, where {most} are the most");
        return Err(Broken::Malformed(text));
    }
    let payload = read_payload(from, length, || {})?;
    decode(&payload).map_err(|text| Broken::Unknown(format!("no known message: {text}")))
}

/// Reads bare bytes, of which there must be `length`; calls `alive` whenever some have come.
pub(super) fn read_bytes(
    from: &mut impl Read,
    length: u32,
    alive: impl FnMut(),
) -> Result<Vec<u8>, Broken> {
    match read_head(from, Kind::Bytes)? {
        found if found == length => read_payload(from, length, alive),
        found => Err(Broken::Malformed(format!("{found} bytes where {length} were announced"))),
    }
}

fn read_head(from: &mut impl Read, kind: Kind) -> Result<u32, Broken> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    let [a, b, c, d, found] = head;
    if found != kind as u8 {
        return Err(Broken::Malformed(format!("a frame of kind {found}, and not {}", kind as u8)));
    }
    Ok(u32::from_le_bytes([a, b, c, d]))
}

fn read_payload(
    from: &mut impl Read,
    length: u32,
    mut alive: impl FnMut(),
) -> Result<Vec<u8>, Broken> {
    let mut payload = Vec::new();
    let wanted = length as usize;
    payload.try_reserve_exact(wanted).map_err(|_| Broken::NoMemory(length.into()))?;
    while payload.len() < wanted {
        let chunk = CHUNK.min((wanted - payload.len()) as u64);
        // Into what was reserved: the pixels are copied out of the pipe and nowhere else.
        if from.by_ref().take(chunk).read_to_end(&mut payload)? == 0 {
            return Err(Broken::Closed);
        }
        alive();
    }
    Ok(payload)
}

/// Reads the payload of a message. serde allocates for what is there, and not for what a list or a
/// text says it has.
pub(super) fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    let mut rest = payload;
    let message = rmp_serde::from_read(&mut rest).map_err(|e| e.to_string())?;
    if rest.is_empty() { Ok(message) } else { Err(format!("{} bytes too many", rest.len())) }
}
