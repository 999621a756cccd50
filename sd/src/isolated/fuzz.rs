//! The readers of both sides for the fuzz target in `tests/fuzz`; no part of the API.

use super::{
    allowance::Allowance,
    frame::{self, MAX_REQUEST},
    link::{Arrived, Reader},
    message::ToWorker,
};
use crate::{ImageRequest, sync::Lock};
use std::sync::Arc;

/// Reads the bytes as a host reads those of a worker that draws two pictures of 64×64, to their end.
#[doc(hidden)]
pub fn read_any_from_worker(bytes: &[u8]) {
    let request = ImageRequest::new("").size(64, 64).batch(2);
    let allowance = Arc::<Lock<Allowance>>::default();
    *allowance.lock() = Allowance::of_image(&request);
    let (mut reader, _inbox) = Reader::new(bytes, allowance);
    let mut pictures = 0;
    loop {
        match reader.next() {
            Ok(Arrived::Picture(picture)) => {
                pictures += 1;
                let bytes = picture.as_bytes().len();
                assert!(pictures <= 2 && bytes <= 64 * 64 * 4, "picture {pictures}: {bytes} bytes");
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
}

/// Reads the bytes as a worker reads those of its host, to their end.
#[doc(hidden)]
pub fn read_any_from_host(mut bytes: &[u8]) {
    while frame::read_message::<ToWorker<'_>>(&mut bytes, MAX_REQUEST).is_ok() {}
}
