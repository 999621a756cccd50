//! Texts in files.

use super::*;
use std::fs;

const TEXT: &str = "a cat\nSteps: 20, Seed: 1, Size: 8x8";

/// A PNG file with one chunk of text, before or after the pixels.
fn png(kind: &[u8; 4], data: &[u8], after: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[0]).unwrap();
    let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
    chunk.extend([kind.as_slice(), data, &[0; 4]].concat());
    let at = if after { bytes.len() - 12 } else { 33 };
    bytes.splice(at..at, chunk);
    bytes
}

fn packed(text: &str) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 6)
}

fn read(bytes: &[u8]) -> Option<String> {
    Parameters::from_bytes(bytes).unwrap().map(|p| p.request.prompt)
}

fn refused(bytes: &[u8]) -> String {
    Parameters::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn every_kind_of_text_chunk_is_read() {
    let text = TEXT.as_bytes();
    let zipped = packed(TEXT);
    for (kind, parts) in [
        (b"tEXt", [b"parameters\0".as_slice(), text]),
        (b"zTXt", [b"parameters\0\0", &zipped]),
        (b"iTXt", [b"parameters\0\0\0\0\0", text]),
        (b"iTXt", [b"parameters\0\x01\0en\0Parameter\0", &zipped]),
    ] {
        for after in [false, true] {
            assert_eq!(read(&png(kind, &parts.concat(), after)).as_deref(), Some("a cat"));
        }
    }
    assert_eq!(read(&png(b"tEXt", b"Comment\0a, Steps: 1", false)), None);
    assert_eq!(read(&png(b"tEXt", b"parameters2\0a", false)), None);
    assert_eq!(read(&png(b"tEXt", b"parameters\0\xe9", false)).as_deref(), Some("é"));
    assert_eq!(read(&png(b"tEXt", "parameters\0雪".as_bytes(), false)).as_deref(), Some("雪"));
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let bomb = packed(&"x".repeat(64 << 20));
    assert!(bomb.len() < 1 << 20);
    let file = png(b"zTXt", &[b"parameters\0\0".as_slice(), &bomb].concat(), false);
    assert!(refused(&file).contains("too long"), "{}", refused(&file));
    let long = [b"parameters\0".as_slice(), &vec![b'x'; (1 << 20) + 1]].concat();
    assert!(refused(&png(b"tEXt", &long, false)).contains("longer than a mebibyte"));
    assert!(refused(b"GIF89a").contains("neither PNG, JPEG nor WebP"));
    let mut cut = png(b"tEXt", b"parameters\0a", false);
    cut.truncate(40);
    assert!(Parameters::from_bytes(&cut).is_err());
}

#[test]
fn own_files_are_read() {
    let mut context =
        Context::open(&mock::engine(), ModelConfig::new("demo.gguf"), Watch::new()).unwrap();
    for prompt in ["a cat", "a café", "no cafÃ©", "雪"] {
        let request = ImageRequest::new(prompt).size(64, 64).seed(3).steps(2);
        let generated = context.generate(&request).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        generated.images[0].save(&path).unwrap();
        let read = Parameters::read(&path).unwrap().unwrap();
        assert_eq!(read.request, request.clone().sampler(read.request.sampling.sampler.unwrap()));
        assert_eq!(read.get("Model"), Some("demo"));
        assert_eq!(Parameters::from_bytes(&fs::read(&path).unwrap()).unwrap(), Some(read));
    }
    let missing = Parameters::read("/no/such.png");
    assert!(matches!(missing, Err(Error::FileNotFound { .. })));
    assert!(matches!(Parameters::read("/"), Err(Error::ImageCodec { .. })));
}

/// EXIF data with a user comment, as piexif writes them.
fn exif(comment: &[u8], big: bool) -> Vec<u8> {
    let u16 = |v: u16| if big { v.to_be_bytes() } else { v.to_le_bytes() };
    let u32 = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
    let mut bytes = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    bytes.extend(u32(8));
    for (tag, kind, count, value) in [(0x8769, 4, 1, 26), (0x9286, 7, comment.len() as u32, 44)] {
        bytes.extend(u16(1));
        bytes.extend(u16(tag));
        bytes.extend(u16(kind));
        bytes.extend(u32(count));
        bytes.extend(u32(value));
        bytes.extend(u32(0));
    }
    bytes.extend(comment);
    bytes
}

#[test]
fn user_comments_of_jpeg_and_webp_are_read() {
    let utf16 = |unit: fn(u16) -> [u8; 2]| {
        let units = TEXT.encode_utf16().flat_map(unit);
        b"UNICODE\0".iter().copied().chain(units).collect::<Vec<_>>()
    };
    for comment in [
        utf16(u16::to_be_bytes),
        utf16(u16::to_le_bytes),
        [b"ASCII\0\0\0", TEXT.as_bytes()].concat(),
    ] {
        for big in [true, false] {
            let data = exif(&comment, big);
            let mut jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xe1".to_vec();
            jpeg.extend((data.len() as u16 + 8).to_be_bytes());
            jpeg.extend([b"Exif\0\0", data.as_slice(), b"\xff\xd9"].concat());
            assert_eq!(read(&jpeg).as_deref(), Some("a cat"));
            let mut webp = b"RIFF\0\0\0\0WEBPVP8X\x03\0\0\0abc\0EXIF".to_vec();
            webp.extend((data.len() as u32).to_le_bytes());
            webp.extend(data);
            assert_eq!(read(&webp).as_deref(), Some("a cat"));
        }
    }
    assert_eq!(read(b"\xff\xd8\xff\xe0\0\x04ab\xff\xda"), None);
    assert_eq!(read(b"RIFF\0\0\0\0WEBPVP8 \x02\0\0\0ab"), None);
}

proptest! {
    #[test]
    fn broken_files_do_not_panic(
        at in 0_usize..200, byte: u8, cut in 0_usize..200, which in 0..3,
    ) {
        let data = exif(&[b"ASCII\0\0\0", TEXT.as_bytes()].concat(), true);
        let mut bytes = match which {
            0 => png(b"iTXt", &[b"parameters\0\x01\0en\0P\0", packed(TEXT).as_slice()].concat(), true),
            1 => [b"\xff\xd8\xff\xe1\0\x80Exif\0\0", data.as_slice()].concat(),
            _ => [b"RIFF\0\0\0\0WEBPEXIF\x80\0\0\0", data.as_slice()].concat(),
        };
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = Parameters::from_bytes(&bytes);
        bytes.truncate(cut);
        let _ = Parameters::from_bytes(&bytes);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, start in 0..3) {
        let start: &[u8] = [b"\x89PNG\r\n\x1a\n".as_slice(), b"\xff\xd8\xff", b"RIFF1234WEBP"][start as usize];
        let _ = Parameters::from_bytes(&[start, &bytes].concat());
    }
}
