//! Fetches one file: goes on where it stopped, and puts it in place when size and hash are right.

use super::{
    client::{Hub, RemoteFile},
    error::{Again, Backoff, HubError},
    folder::{Folder, Record},
    part::Part,
    progress::Progress,
};
use std::io::Read;
use ureq::{
    Body,
    http::{HeaderName, Response, StatusCode, header},
};

const BUFFER: usize = 256 << 10;

/// Fetches a file, under its lock.
pub(crate) fn download(
    hub: &Hub,
    folder: &Folder,
    name: &str,
    remote: &RemoteFile,
    anew: bool,
) -> Result<Record, HubError> {
    let mut part = folder.part(name, remote, anew)?;
    let mut resumed = part.length() > 0;
    let mut progress = Progress::begin(name, remote.size, part.length());
    loop {
        let mut backoff = Backoff::default();
        while part.length() < remote.size {
            let before = part.length();
            if let Err(error) = advance(hub, remote, &mut part, &mut progress) {
                progress.leave();
                if part.length() > before {
                    backoff.reset();
                }
                backoff.wait(error)?;
            }
        }
        progress.leave();
        let sha256 = part.sha256();
        match &remote.sha256 {
            Some(told) if *told != sha256 && resumed => {
                eprintln!("{name}: what was there of it is not right; all of it is fetched again");
                part.restart()?;
                resumed = false;
            }
            Some(told) if *told != sha256 => {
                part.discard()?;
                let message = format!(
                    "what came as {} of {} has the SHA-256 {sha256}, and the hub told {told}; nothing \
                     was kept",
                    remote.path, remote.repo.id
                );
                return Err(HubError::new(message)
                    .advise("try again; if it stays so, the hub's file or a proxy is wrong"));
            }
            _ => {
                let record = Record::new(remote, sha256);
                part.finish(&folder.file(name)?)?;
                folder.write_record(name, &record)?;
                return Ok(record);
            }
        }
    }
}

/// Fetches as much as one answer brings.
fn advance(
    hub: &Hub,
    remote: &RemoteFile,
    part: &mut Part,
    progress: &mut Progress,
) -> Result<(), HubError> {
    let mut answer = hub.fetch(remote, part.length(), part.etag())?;
    let lost = |why: String| {
        HubError::new(format!("{}: the connection was lost: {why}", remote.path)).again(Again::Soon)
    };
    let other = |size: u64| {
        let (path, told) = (&remote.path, remote.size);
        HubError::new(format!("{path} has {size} bytes where it is kept, and the hub told {told}"))
    };
    match answer.status() {
        StatusCode::PARTIAL_CONTENT => match content_range(&answer) {
            Some((from, size)) if from == part.length() && size == remote.size => {}
            Some((_, size)) if size != remote.size => return Err(other(size)),
            _ => {
                part.restart()?;
                return Err(lost("an answer to another question came".to_owned()));
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE => {
            part.restart()?;
            return Err(lost("the rest is not there; starting anew".to_owned()));
        }
        // All of it, asked for or not: the file is another one, or the server knows no ranges.
        _ => {
            part.restart()?;
            let length = text(&answer, &header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
            if let Some(size) = length.filter(|size| *size != remote.size) {
                return Err(other(size));
            }
        }
    }
    part.set_etag(text(&answer, &header::ETAG))?;
    let mut reader = answer.body_mut().as_reader();
    let mut buffer = vec![0; BUFFER];
    while part.length() < remote.size {
        let read = reader.read(&mut buffer).map_err(|error| lost(error.to_string()))?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Err(lost(format!("{} of {} bytes came", part.length(), remote.size)));
        }
        if part.length() + bytes.len() as u64 > remote.size {
            part.restart()?;
            return Err(other(part.length() + bytes.len() as u64));
        }
        part.push(bytes)?;
        progress.at(part.length());
    }
    Ok(())
}

fn text<'a>(answer: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// Where an answer begins, and the size of the whole: of `bytes 5-9/10` 5 and 10.
fn content_range(answer: &Response<Body>) -> Option<(u64, u64)> {
    let range = text(answer, &header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (range, size) = range.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some((from.trim().parse().ok()?, size.trim().parse().ok()?))
}
