//! The text out of the files of pictures. Pixels are passed over; memory is bounded.

use super::exif;
use crate::{Error, Result};
use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    path::Path,
};

/// The longest text, packed or not.
const MOST_BYTES: usize = 1 << 20;
const KEYWORD: &[u8] = b"parameters\0";

pub(super) fn read(path: &Path) -> Result<Option<String>> {
    const ROLE: &str = "picture";
    let doing = || format!("read the parameters of {}", path.display());
    let unreadable = |source| Error::file(ROLE, path, source);
    // A pipe would block when it is opened.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(Error::ImageCodec {
            doing: doing(),
            reason: "it is no regular file".to_owned(),
        });
    }
    let file = File::open(path).map_err(unreadable)?;
    find(BufReader::new(file))
        .map_err(|e| Error::ImageCodec { doing: doing(), reason: e.to_string() })
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Option<String>> {
    find(Cursor::new(bytes)).map_err(|e| Error::ImageCodec {
        doing: "read the parameters of a picture".to_owned(),
        reason: e.to_string(),
    })
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn find(mut file: impl Read + Seek) -> io::Result<Option<String>> {
    const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
    let mut start = Vec::new();
    file.by_ref().take(12).read_to_end(&mut start)?;
    if start.starts_with(&PNG) {
        file.seek(SeekFrom::Start(8))?;
        in_png(file)
    } else if start.starts_with(b"\xff\xd8\xff") {
        file.seek(SeekFrom::Start(2))?;
        in_jpeg(file)
    } else if start.starts_with(b"RIFF") && start.ends_with(b"WEBP") {
        in_webp(file)
    } else {
        Err(invalid("neither PNG, JPEG nor WebP"))
    }
}

fn array<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn block(file: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(invalid("the file is cut off")) }
}

/// The first chunk "parameters", which may come after the pixels.
fn in_png(mut file: impl Read + Seek) -> io::Result<Option<String>> {
    loop {
        let length = u64::from(u32::from_be_bytes(array(&mut file)?));
        let kind: [u8; 4] = array(&mut file)?;
        let mut left = length;
        if matches!(&kind, b"tEXt" | b"zTXt" | b"iTXt") && length >= KEYWORD.len() as u64 {
            let keyword: [u8; KEYWORD.len()] = array(&mut file)?;
            left -= KEYWORD.len() as u64;
            if keyword == *KEYWORD {
                if left > MOST_BYTES as u64 {
                    return Err(invalid("the text is longer than a mebibyte"));
                }
                let data = block(&mut file, left)?;
                return match &kind {
                    b"tEXt" => Ok(Some(any_text(&data))),
                    b"zTXt" => match data.split_first() {
                        Some((0, packed)) => inflate(packed).map(|text| Some(any_text(&text))),
                        _ => Err(invalid("a text packed in an unknown way")),
                    },
                    _ => international(&data).map(Some),
                };
            }
        }
        if &kind == b"IEND" {
            return Ok(None);
        }
        // The checksum of the chunk has four bytes.
        file.seek_relative((left + 4) as i64)?;
    }
}

/// The standard says Latin-1, and so does this crate, but stable-diffusion.cpp and others write UTF-8.
fn any_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(", Version: sdcpp ") => text.to_owned(),
        _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// `iTXt`: whether and how it is packed, language, translated keyword, UTF-8.
fn international(data: &[u8]) -> io::Result<String> {
    let broken = || invalid("a broken text chunk");
    let (packed, rest) = data.split_first().ok_or_else(broken)?;
    let (method, rest) = rest.split_first().ok_or_else(broken)?;
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let text = parts.nth(2).ok_or_else(broken)?;
    let bytes = match (packed, method) {
        (0, _) => text.to_owned(),
        (1, 0) => inflate(text)?,
        _ => return Err(invalid("a text packed in an unknown way")),
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn inflate(packed: &[u8]) -> io::Result<Vec<u8>> {
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, MOST_BYTES)
        .map_err(|e| invalid(&format!("the packed text cannot be read, or is too long: {e}")))
}

/// The EXIF segment is one of those before the pixels.
fn in_jpeg(mut file: impl Read + Seek) -> io::Result<Option<String>> {
    loop {
        let [mark, mut kind]: [u8; 2] = array(&mut file)?;
        if mark != 0xff {
            return Err(invalid("a broken JPEG file"));
        }
        while kind == 0xff {
            [kind] = array(&mut file)?;
        }
        match kind {
            // These have no length.
            0x01 | 0xd0..=0xd8 => continue,
            // The pixels, or the end.
            0xd9 | 0xda => return Ok(None),
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes(array(&mut file)?));
        let length = length.checked_sub(2).ok_or_else(|| invalid("a broken JPEG file"))?;
        let data = block(&mut file, length)?;
        if let (0xe1, Some(tiff)) = (kind, data.strip_prefix(b"Exif\0\0")) {
            return Ok(exif::user_comment(tiff));
        }
    }
}

fn in_webp(mut file: impl Read + Seek) -> io::Result<Option<String>> {
    loop {
        let mut kind = Vec::new();
        // The last chunk is followed by nothing.
        if file.by_ref().take(4).read_to_end(&mut kind)? == 0 {
            return Ok(None);
        }
        let length = u64::from(u32::from_le_bytes(array(&mut file)?));
        if kind == b"EXIF" {
            if length > MOST_BYTES as u64 * 2 {
                return Err(invalid("the EXIF data are longer than two mebibytes"));
            }
            let data = block(&mut file, length)?;
            // Some programs put JPEG's prefix here too.
            return Ok(exif::user_comment(data.strip_prefix(b"Exif\0\0").unwrap_or(&data)));
        }
        // Chunks are padded to even lengths.
        file.seek_relative((length + length % 2) as i64)?;
    }
}
