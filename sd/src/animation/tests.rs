use super::*;
use image::{AnimationDecoder, Rgb, RgbImage, codecs};
use proptest::prelude::*;
use std::{fs, io::Cursor};

mod riff;
mod sound;

/// Frames of four quarters in different colours, each frame's a little other.
fn frames(count: usize, width: u32, height: u32) -> Vec<RgbImage> {
    let frame = |i: usize| {
        RgbImage::from_fn(width, height, |x, y| {
            let red = if x < width / 2 { 20 } else { 220 };
            let green = if y < height / 2 { 40 } else { 200 };
            Rgb([red, green, (i * 9 % 256) as u8])
        })
    };
    (0..count).map(frame).collect()
}

fn bytes(animation: &Animation<'_>, format: AnimationFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    animation.write(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn refused(animation: &Animation<'_>, format: AnimationFormat) -> String {
    let error = animation.check(format).unwrap_err();
    let written = animation.write(Cursor::new(Vec::new()), format).unwrap_err();
    assert_eq!(error.to_string(), written.to_string());
    error.to_string()
}

/// Pictures and how many milliseconds each is shown.
fn decoded<'a>(decoder: impl AnimationDecoder<'a>) -> Vec<(RgbImage, u32)> {
    let decode = |frame: image::Frame| {
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        let picture = image::DynamicImage::from(frame.into_buffer()).into_rgb8();
        (picture, numerator / denominator)
    };
    decoder.into_frames().map(|frame| decode(frame.unwrap())).collect()
}

#[test]
fn gif_has_every_frame_and_the_right_time() {
    let frames = frames(16, 20, 10);
    let gif = bytes(&Animation::new(&frames, 16.0), AnimationFormat::Gif);
    let decoded = decoded(codecs::gif::GifDecoder::new(Cursor::new(&gif)).unwrap());
    // Four colours a frame are held exactly.
    assert!(decoded.iter().map(|(picture, _)| picture).eq(&frames));
    let times: Vec<u32> = decoded.iter().map(|(_, time)| *time).collect();
    assert_eq!(times[..4], [60, 70, 60, 60]);
    assert_eq!(times.iter().sum::<u32>(), 1000);
    assert!(gif.windows(11).any(|w| w == b"NETSCAPE2.0") && gif.ends_with(&[0x3b]));
    let once = bytes(&Animation::new(&frames, 16.0).plays(1), AnimationFormat::Gif);
    assert!(!once.windows(11).any(|w| w == b"NETSCAPE2.0"));
}

#[test]
fn gif_of_many_colours_is_near() {
    let frame = RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8 * 4, y as u8 * 4, 128]));
    let gif = bytes(&Animation::new([&frame], 1.0), AnimationFormat::Gif);
    let decoded = decoded(codecs::gif::GifDecoder::new(Cursor::new(&gif)).unwrap());
    let differences = decoded[0].0.iter().zip(frame.iter()).map(|(a, b)| u64::from(a.abs_diff(*b)));
    assert!(differences.sum::<u64>() / (64 * 64 * 3) < 8);
}

#[test]
fn apng_is_exact() {
    let frames = frames(7, 5, 9);
    let apng = bytes(&Animation::new(&frames, 30_000.0 / 1001.0).plays(3), AnimationFormat::Apng);
    let decoder = codecs::png::PngDecoder::new(Cursor::new(&apng)).unwrap();
    assert!(decoder.is_apng().unwrap());
    let decoded = decoded(decoder.apng().unwrap());
    assert!(decoded.iter().map(|(picture, _)| picture).eq(&frames));
    let reader = png::Decoder::new(Cursor::new(&apng)).read_info().unwrap();
    let info = reader.info();
    let control = info.animation_control.unwrap();
    assert_eq!((control.num_frames, control.num_plays), (7, 3));
    let frame = info.frame_control.unwrap();
    assert_eq!((frame.delay_num, frame.delay_den), (1001, 30_000));
}

#[cfg(feature = "webp")]
#[test]
fn webp_is_near_and_has_the_right_time() {
    let frames = frames(16, 32, 24);
    let webp = bytes(&Animation::new(&frames, 16.0).plays(2), AnimationFormat::WebP);
    let decoded = decoded(codecs::webp::WebPDecoder::new(Cursor::new(&webp)).unwrap());
    assert_eq!(decoded.len(), 16);
    let times: Vec<u32> = decoded.iter().map(|(_, time)| *time).collect();
    assert_eq!(times[..3], [63, 62, 63]);
    assert_eq!(times.iter().sum::<u32>(), 1000);
    for ((picture, _), frame) in decoded.iter().zip(&frames) {
        let differences = picture.iter().zip(frame.iter()).map(|(a, b)| u64::from(a.abs_diff(*b)));
        assert!(differences.sum::<u64>() / (32 * 24 * 3) < 8);
    }
    let small = bytes(&Animation::new(&frames, 16.0).quality(1), AnimationFormat::WebP);
    assert!(small.len() < webp.len());
    let wide = RgbImage::new(16_384, 1);
    let text = refused(&Animation::new([&wide], 1.0), AnimationFormat::WebP);
    assert!(text.ends_with("1 to 16383 pixels a side for webp"), "{text}");
}

#[cfg(not(feature = "webp"))]
#[test]
fn webp_needs_its_feature() {
    let frames = frames(1, 2, 2);
    let text = refused(&Animation::new(&frames, 1.0), AnimationFormat::WebP);
    assert!(text.contains("feature `webp`"), "{text}");
}

#[test]
fn numbered_frames_are_exact_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let frames = frames(12, 6, 4);
    let saved = Animation::new(&frames, 8.0).save(folder.path().join("clip.png")).unwrap();
    assert_eq!(saved.len(), 12);
    assert_eq!(saved[0], folder.path().join("clip-0001.png"));
    assert_eq!(saved[11], folder.path().join("clip-0012.png"));
    for (path, frame) in saved.iter().zip(&frames) {
        assert_eq!(&crate::open_picture(path).unwrap().into_rgb8(), frame);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 12);
    let one = bytes_refused(&Animation::new(&frames, 8.0), AnimationFormat::PngFrames);
    assert!(one.starts_with("animation_format is png; allowed: a format of one file"), "{one}");
}

fn bytes_refused(animation: &Animation<'_>, format: AnimationFormat) -> String {
    animation.write(Cursor::new(Vec::new()), format).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_written_is_refused_by_name() {
    use AnimationFormat::{Apng, Avi, Gif};
    let frames = frames(2, 4, 4);
    let none: [&RgbImage; 0] = [];
    let new = |fps| Animation::new(&frames, fps);
    assert_eq!(refused(&Animation::new(none, 8.0), Gif), "frames is 0; allowed: 1..=100000");
    let empty = RgbImage::new(0, 3);
    assert!(
        refused(&Animation::new([&empty], 8.0), Avi)
            .starts_with("frames is pictures of 0x3; allowed: 1 to 16384")
    );
    let other = RgbImage::new(4, 5);
    assert_eq!(
        refused(&Animation::new([&frames[0], &other], 8.0), Apng),
        "frames is 4x5 at frame 2; allowed: the size of the first frame, 4x4"
    );
    for fps in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 0.001] {
        assert!(refused(&new(fps), Apng).starts_with("fps is"), "{fps}");
    }
    assert_eq!(refused(&new(60.0), Gif), "fps is 60; allowed: 0.01..=50.0");
    assert!(refused(&new(8.0).quality(0), Avi).starts_with("quality is 0"));
    assert!(refused(&new(8.0).quality(101), Avi).starts_with("quality is 101"));
    let bad = Audio::new([0.0, f32::NAN], 8000, 1);
    assert!(
        refused(&new(8.0).audio(&bad), Avi).starts_with("audio.samples is a list with NaN at 1")
    );
    assert!(Frame::new(2, 2, &[0; 11]).unwrap_err().to_string().contains("2x2 pixels"));
    assert!(Frame::new(u32::MAX, u32::MAX, &[]).is_err());
}

#[test]
fn a_failure_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.gif");
    fs::write(&path, "before").unwrap();
    let frames = frames(2, 4, 4);
    let target = Target::new(&path);
    let failed = file::save(&target, |file| {
        gif::write(&Animation::new(&frames, 8.0), &mut *file, &target)?;
        Err(target.codec("stopped"))
    });
    assert!(matches!(failed.unwrap_err(), Error::ImageCodec { .. }));
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    Animation::new(&frames, 8.0).save(&path).unwrap();
    assert!(fs::read(&path).unwrap().starts_with(b"GIF89a"));
    let nowhere = folder.path().join("none").join("clip.avi");
    let error = Animation::new(&frames, 8.0).save(&nowhere).unwrap_err();
    assert!(matches!(&error, Error::Io { doing, .. } if doing.contains("clip.avi")), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Takes this many bytes, then fails.
struct Narrow(Cursor<Vec<u8>>, usize);

impl std::io::Write for Narrow {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        if data.len() > self.1 {
            return Err(std::io::Error::other("the disk is full"));
        }
        self.1 -= data.len();
        self.0.write(data)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::io::Seek for Narrow {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn every_failed_write_is_an_error() {
    let frames = frames(2, 4, 4);
    let audio = Audio::new([0.5; 100], 400, 1);
    for format in [AnimationFormat::Gif, AnimationFormat::Apng, AnimationFormat::Avi] {
        let mut animation = Animation::new(&frames, 8.0);
        animation.audio = format.has_sound().then_some(&audio);
        let whole = bytes(&animation, format).len();
        for room in 0..whole {
            let error = animation.write(Narrow(Cursor::new(Vec::new()), room), format);
            let text = error.unwrap_err().to_string();
            assert!(text.contains("the disk is full"), "{format} {room}: {text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_size_and_rate_is_written(
        size in (1..=40_u32, 1..=40_u32), count in 1..=5_usize, fps in 0.01..=50.0_f64,
        quality in 1..=100_u8, plays: u16,
    ) {
        let frames = frames(count, size.0, size.1);
        let animation = Animation::new(&frames, fps).quality(quality).plays(plays);
        for format in [AnimationFormat::Gif, AnimationFormat::Apng, AnimationFormat::Avi] {
            prop_assert!(!bytes(&animation, format).is_empty());
        }
        #[cfg(feature = "webp")]
        prop_assert!(!bytes(&animation, AnimationFormat::WebP).is_empty());
        let gif = bytes(&animation, AnimationFormat::Gif);
        let decoded = decoded(codecs::gif::GifDecoder::new(Cursor::new(&gif)).unwrap());
        let shown: u32 = decoded.iter().map(|(_, time)| time).sum();
        prop_assert!((f64::from(shown) - count as f64 / fps * 1000.0).abs() <= 5.001);
        prop_assert!(decoded.iter().map(|(picture, _)| picture).eq(&frames));
    }

    #[test]
    fn noise_is_written_in_any_size(size in (1..=40_u32, 1..=40_u32), seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut frame = RgbImage::new(size.0, size.1);
        random.fill(&mut frame);
        let animation = Animation::new([&frame, &frame], 10.0);
        for format in AnimationFormat::ALL {
            if *format != AnimationFormat::PngFrames && format.check_built().is_ok() {
                prop_assert!(image::load_from_memory(&bytes(&animation, *format)).is_ok()
                    || *format == AnimationFormat::Avi);
            }
        }
    }

    #[test]
    fn no_animation_panics(
        width in 0..5_u32, height in 0..5_u32, count in 0..4_usize, fps: f64, quality: u8,
        samples in proptest::collection::vec(any::<f32>(), 0..9), rate: u32, channels in 0..12_u16,
    ) {
        let frames = frames(count, width, height);
        let audio = Audio::new(samples, rate, channels);
        for format in AnimationFormat::ALL {
            let mut animation = Animation::new(&frames, fps).quality(quality);
            if format.has_sound() {
                animation.audio = Some(&audio);
            }
            let _ = animation.write(Cursor::new(Vec::new()), *format);
        }
    }
}
