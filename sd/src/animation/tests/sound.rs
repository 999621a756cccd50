//! WAV files, read back.

use super::*;
use hound::{SampleFormat, WavReader};

fn wav(audio: &Audio, samples: WavSamples) -> WavReader<Cursor<Vec<u8>>> {
    let mut bytes = Cursor::new(Vec::new());
    audio.write_wav(&mut bytes, samples).unwrap();
    WavReader::new(Cursor::new(bytes.into_inner())).unwrap()
}

#[test]
fn sixteen_bits_are_rounded_and_limited() {
    let samples = [0.0, 1.0, -1.0, 0.5, 7.0, f32::MIN];
    let mut reader = wav(&Audio::new(samples, 44_100, 2), WavSamples::Pcm16);
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 44_100, 16));
    assert_eq!(reader.duration(), 3);
    let read: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    assert_eq!(read, [0, 32_767, -32_767, 16_384, 32_767, -32_767]);
}

#[test]
fn floats_are_exact() {
    let samples = [0.1, -3.5, f32::MIN_POSITIVE];
    let mut reader = wav(&Audio::new(samples, 768_000, 1), WavSamples::Float32);
    assert_eq!(reader.spec().sample_format, SampleFormat::Float);
    assert!(reader.samples::<f32>().map(Result::unwrap).eq(samples));
    let eight = wav(&Audio::new([0.0; 8], 768_000, 8), WavSamples::Float32);
    assert_eq!((eight.spec().channels, eight.duration()), (8, 1));
}

#[test]
fn files_appear_whole_and_by_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let samples = [0.25; 30];
    let audio = Audio::new(samples, 8000, 3);
    let path = folder.path().join("a.WAV");
    audio.save_wav(&path, WavSamples::default()).unwrap();
    assert_eq!(WavReader::open(&path).unwrap().duration(), 10);
    let text = audio.save_wav(folder.path().join("a.mp3"), WavSamples::Pcm16).unwrap_err();
    assert!(text.to_string().contains("a name that ends in .wav"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn sound_is_checked_by_name() {
    let cases = [
        (Audio::new([], 8000, 1), "audio.samples is a list of 0"),
        (Audio::new([0.0; 3], 8000, 2), "audio.samples is a list of 3"),
        (Audio::new([0.0, f32::INFINITY], 8000, 2), "audio.samples is a list with inf at 1"),
        (Audio::new([0.0], 0, 1), "audio.sample_rate is 0"),
        (Audio::new([0.0], u32::MAX, 1), "audio.sample_rate is 4294967295"),
        (Audio::new([0.0], 8000, 0), "audio.channels is 0"),
        (Audio::new([0.0; 9], 8000, 9), "audio.channels is 9"),
    ];
    for (audio, start) in cases {
        let text = audio.check().unwrap_err().to_string();
        assert!(text.starts_with(start), "{text}");
        assert!(audio.write_wav(Cursor::new(Vec::new()), WavSamples::Float32).is_err());
    }
}
