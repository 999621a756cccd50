//! AVI: a JPEG for each frame, and uncompressed sound.
//!
//! The container is of 1992: chunks of a four-letter name, a 32-bit size and the contents, padded to
//! an even length. An index at the end says where each frame is.

use super::{
    Animation,
    audio::{Audio, pcm16},
    file::Target,
    timing,
};
use crate::Result;
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use std::io::{self, Seek, SeekFrom, Write};

const VIDEO: &[u8; 4] = b"00dc";
const SOUND: &[u8; 4] = b"01wb";
const HAS_INDEX: u32 = 0x10;
const IS_INTERLEAVED: u32 = 0x100;
/// Of an index entry: can be shown without the frames before it.
const KEY_FRAME: u32 = 0x10;
const PCM: u16 = 1;

pub(super) fn write(
    animation: &Animation<'_>,
    mut writer: impl Write + Seek,
    target: &Target<'_>,
) -> Result<()> {
    let fail = |e| target.io(e);
    let (frames, seconds) = timing::fraction(animation.fps);
    let begin = writer.stream_position().map_err(fail)?;
    writer.write_all(&header(animation, &Contents::default())).map_err(fail)?;

    let mut contents = Contents::default();
    let (mut jpeg, mut sound) = (Vec::new(), Vec::new());
    let mut blocks = animation.audio.map(Blocks::new);
    for (index, frame) in animation.frames.iter().enumerate() {
        jpeg.clear();
        JpegEncoder::new_with_quality(&mut jpeg, animation.quality)
            .encode(frame.as_bytes(), frame.width(), frame.height(), ExtendedColorType::Rgb8)
            .map_err(|e| target.codec(e))?;
        contents.add(&mut writer, VIDEO, &jpeg).map_err(fail)?;
        if let Some(blocks) = &mut blocks {
            let shown = (index as u64 + 1) * u64::from(seconds);
            blocks.take_until(shown, u64::from(frames), &mut sound);
            contents.add(&mut writer, SOUND, &sound).map_err(fail)?;
        }
    }
    // Sound may go on after the last frame.
    while let Some(blocks) = blocks.as_mut().filter(|b| !b.samples.is_empty()) {
        blocks.take_a_second(&mut sound);
        contents.add(&mut writer, SOUND, &sound).map_err(fail)?;
    }

    writer.write_all(&chunk(b"idx1", &contents.index)).map_err(fail)?;
    let size = writer.stream_position().map_err(fail)?.saturating_sub(begin);
    contents.file = u32::try_from(size.saturating_sub(8)).map_err(|_| fail(too_large()))?;
    writer.seek(SeekFrom::Start(begin)).map_err(fail)?;
    writer.write_all(&header(animation, &contents)).map_err(fail)?;
    writer.seek(SeekFrom::Start(begin + size)).map_err(fail)?;
    writer.flush().map_err(fail)
}

/// What has been written, for the header and the index.
#[derive(Default)]
struct Contents {
    /// Bytes in the list of frames and sound.
    movie: u32,
    /// Bytes in the file after its first size.
    file: u32,
    largest_frame: u32,
    largest_sound: u32,
    index: Vec<u8>,
}

impl Contents {
    /// Writes one frame or piece of sound. Empty sound is left out.
    fn add(&mut self, writer: &mut impl Write, name: &[u8; 4], data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let size = u32::try_from(data.len()).map_err(|_| too_large())?;
        let largest = if name == VIDEO { &mut self.largest_frame } else { &mut self.largest_sound };
        *largest = size.max(*largest);
        // Places are counted from the word `movi`, four bytes before the first chunk.
        self.index.extend_from_slice(name);
        self.index.extend(words([KEY_FRAME, self.movie + 4, size]));
        let padded = u64::from(size) + u64::from(size % 2) + 8;
        // Room for the header and the index stays below 32 bits.
        let movie = u64::from(self.movie) + padded;
        if movie + self.index.len() as u64 + 4096 > u64::from(u32::MAX) {
            return Err(too_large());
        }
        self.movie = u32::try_from(movie).map_err(|_| too_large())?;
        writer.write_all(name)?;
        writer.write_all(&size.to_le_bytes())?;
        writer.write_all(data)?;
        if size % 2 == 1 { writer.write_all(&[0]) } else { Ok(()) }
    }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "an AVI file holds at most 4 GiB")
}

/// Sound not yet written.
struct Blocks<'a> {
    samples: &'a [f32],
    audio: &'a Audio,
    /// Samples of each channel that were written.
    done: u64,
}

impl<'a> Blocks<'a> {
    fn new(audio: &'a Audio) -> Self {
        Self { samples: &audio.samples, audio, done: 0 }
    }

    /// The sound up to `seconds / per` seconds.
    fn take_until(&mut self, seconds: u64, per: u64, sound: &mut Vec<u8>) {
        let until = u64::from(self.audio.sample_rate).saturating_mul(seconds) / per.max(1);
        self.take(until.saturating_sub(self.done), sound);
    }

    fn take_a_second(&mut self, sound: &mut Vec<u8>) {
        self.take(u64::from(self.audio.sample_rate), sound);
    }

    fn take(&mut self, count: u64, sound: &mut Vec<u8>) {
        let wanted = count.saturating_mul(u64::from(self.audio.channels));
        let at = usize::try_from(wanted).unwrap_or(usize::MAX).min(self.samples.len());
        let (taken, rest) = self.samples.split_at(at);
        self.samples = rest;
        self.done += count;
        sound.clear();
        sound.extend(taken.iter().flat_map(|sample| pcm16(*sample).to_le_bytes()));
    }
}

/// All that comes before the first frame; of the same length whatever the contents.
fn header(animation: &Animation<'_>, contents: &Contents) -> Vec<u8> {
    let mut lists = chunk(b"avih", &main_header(animation, contents));
    lists.extend(list(b"strl", &video_stream(animation, contents)));
    if let Some(audio) = animation.audio {
        lists.extend(list(b"strl", &sound_stream(audio, contents)));
    }
    let mut header = b"RIFF".to_vec();
    header.extend(contents.file.to_le_bytes());
    header.extend(b"AVI ");
    header.extend(list(b"hdrl", &lists));
    header.extend(b"LIST");
    header.extend((contents.movie + 4).to_le_bytes());
    header.extend(b"movi");
    header
}

fn main_header(animation: &Animation<'_>, contents: &Contents) -> Vec<u8> {
    let (width, height) = animation.size();
    let (flags, streams) = match animation.audio {
        Some(_) => (HAS_INDEX | IS_INTERLEAVED, 2),
        None => (HAS_INDEX, 1),
    };
    words([
        (1e6 / animation.fps).round() as u32,
        bytes_a_second(animation, contents),
        0,
        flags,
        animation.frames.len() as u32,
        0,
        streams,
        contents.largest_frame.max(contents.largest_sound) + 8,
        width,
        height,
        0,
        0,
        0,
        0,
    ])
    .collect()
}

fn bytes_a_second(animation: &Animation<'_>, contents: &Contents) -> u32 {
    let sound = animation.audio.map_or(0, |a| a.sample_rate * u32::from(a.channels) * 2);
    let video = (f64::from(contents.largest_frame) * animation.fps).ceil() as u32;
    video.saturating_add(sound)
}

fn video_stream(animation: &Animation<'_>, contents: &Contents) -> Vec<u8> {
    let (width, height) = animation.size();
    let (frames, seconds) = timing::fraction(animation.fps);
    let mut head = b"vidsMJPG".to_vec();
    head.extend(words([
        0,
        0,
        0,
        seconds.into(),
        frames.into(),
        0,
        animation.frames.len() as u32,
        contents.largest_frame,
        u32::MAX,
        0,
    ]));
    // The rectangle it is shown in: left, top, right, bottom.
    for edge in [0, 0, width, height] {
        head.extend((edge as u16).to_le_bytes());
    }
    let planes_and_bits = 1 | 24 << 16;
    let mut format: Vec<u8> = words([40, width, height, planes_and_bits]).collect();
    format.extend(b"MJPG");
    format.extend(words([width.saturating_mul(height).saturating_mul(3), 0, 0, 0, 0]));
    [chunk(b"strh", &head), chunk(b"strf", &format)].concat()
}

fn sound_stream(audio: &Audio, contents: &Contents) -> Vec<u8> {
    let block = audio.channels * 2;
    let bytes_a_second = audio.sample_rate * u32::from(block);
    let mut head = b"auds\0\0\0\0".to_vec();
    head.extend(words([
        0,
        0,
        0,
        block.into(),
        bytes_a_second,
        0,
        u32::try_from(audio.length()).unwrap_or(u32::MAX),
        contents.largest_sound,
        u32::MAX,
        block.into(),
        0,
        0,
    ]));
    let mut format = Vec::new();
    format.extend([PCM, audio.channels].map(u16::to_le_bytes).concat());
    format.extend(words([audio.sample_rate, bytes_a_second]));
    format.extend([block, 16, 0].map(u16::to_le_bytes).concat());
    [chunk(b"strh", &head), chunk(b"strf", &format)].concat()
}

fn words<const N: usize>(values: [u32; N]) -> impl Iterator<Item = u8> {
    values.into_iter().flat_map(u32::to_le_bytes)
}

/// A small chunk: headers, and the index of a file known to fit.
fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = name.to_vec();
    chunk.extend((data.len() as u32).to_le_bytes());
    chunk.extend_from_slice(data);
    if data.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

fn list(kind: &[u8; 4], chunks: &[u8]) -> Vec<u8> {
    chunk(b"LIST", &[kind.as_slice(), chunks].concat())
}
