//! AVI files, taken apart again.

use super::*;

/// A chunk: its name, where its contents begin in the file, and the contents.
type Chunk<'a> = (&'a [u8], usize, &'a [u8]);

fn word(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes(bytes[index * 4..index * 4 + 4].try_into().unwrap())
}

fn chunks(bytes: &[u8], mut at: usize, end: usize) -> Vec<Chunk<'_>> {
    let mut found = Vec::new();
    while at < end {
        let size = word(&bytes[at + 4..], 0) as usize;
        found.push((&bytes[at..at + 4], at + 8, &bytes[at + 8..at + 8 + size]));
        at += 8 + size + size % 2;
    }
    assert_eq!(at, end, "a chunk leaves its list");
    found
}

/// The chunks of a list that begins with its kind.
fn inside<'a>(bytes: &'a [u8], list: &Chunk<'_>, kind: &[u8]) -> Vec<Chunk<'a>> {
    assert_eq!((list.0, &list.2[..4]), (&b"LIST"[..], kind));
    chunks(bytes, list.1 + 4, list.1 + list.2.len())
}

/// The sizes of JPEGs and of pieces of sound, after all of the file was checked.
fn checked(bytes: &[u8], animation: &Animation<'_>) -> (Vec<usize>, Vec<usize>) {
    assert_eq!((&bytes[..4], &bytes[8..12]), (&b"RIFF"[..], &b"AVI "[..]));
    assert_eq!(word(bytes, 1) as usize, bytes.len() - 8);
    let top = chunks(bytes, 12, bytes.len());
    let [headers, movie, index] = &top[..] else { panic!("{} chunks", top.len()) };

    let headers = inside(bytes, headers, b"hdrl");
    let (name, _, main) = headers[0];
    assert_eq!((name, main.len()), (&b"avih"[..], 56));
    let (width, height) = animation.size();
    assert_eq!(
        [word(main, 4), word(main, 8), word(main, 9)],
        [animation.frames.len() as u32, width, height]
    );
    assert_eq!(word(main, 6) as usize, headers.len() - 1);
    let video = inside(bytes, &headers[1], b"strl");
    assert_eq!(
        (video[0].0, video[0].2.len(), &video[0].2[..8]),
        (&b"strh"[..], 56, &b"vidsMJPG"[..])
    );
    let (seconds, frames) = (word(video[0].2, 5), word(video[0].2, 6));
    assert!((f64::from(frames) / f64::from(seconds) - animation.fps).abs() < animation.fps * 1e-3);
    assert_eq!(word(video[0].2, 8) as usize, animation.frames.len());
    assert_eq!((video[1].0, video[1].2.len(), word(video[1].2, 0)), (&b"strf"[..], 40, 40));
    if let Some(audio) = animation.audio {
        let sound = inside(bytes, &headers[2], b"strl");
        assert_eq!((sound[0].2.len(), &sound[0].2[..4]), (56, &b"auds"[..]));
        assert_eq!(u64::from(word(sound[0].2, 8)), audio.length());
        assert_eq!(word(sound[0].2, 6) / word(sound[0].2, 5), audio.sample_rate);
        assert_eq!((sound[1].2.len(), word(sound[1].2, 1)), (18, audio.sample_rate));
    }

    let pieces = inside(bytes, movie, b"movi");
    assert_eq!(index.2.len(), pieces.len() * 16);
    let mut sizes = (Vec::new(), Vec::new());
    for ((name, at, data), entry) in pieces.iter().zip(index.2.chunks(16)) {
        assert_eq!((*name, word(entry, 1), word(entry, 3) as usize), (&entry[..4], 16, data.len()));
        assert_eq!(movie.1 + word(entry, 2) as usize, at - 8);
        let sizes = if *name == b"00dc" { &mut sizes.0 } else { &mut sizes.1 };
        sizes.push(data.len());
    }
    let jpegs = pieces.iter().filter(|(name, ..)| *name == b"00dc");
    for ((_, _, data), frame) in jpegs.zip(&animation.frames) {
        let picture = image::load_from_memory(data).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (width, height));
        let differences =
            picture.iter().zip(frame.as_bytes()).map(|(a, b)| a.abs_diff(*b) as usize);
        assert!(differences.sum::<usize>() / frame.as_bytes().len() < 40);
    }
    sizes
}

#[test]
fn frames_alone() {
    let frames = frames(5, 33, 17);
    let animation = Animation::new(&frames, 24_000.0 / 1001.0);
    let (jpegs, sound) = checked(&bytes(&animation, AnimationFormat::Avi), &animation);
    assert_eq!((jpegs.len(), sound.len()), (5, 0));
}

#[test]
fn sound_goes_with_the_frames_and_on_after_them() {
    let frames = frames(4, 16, 16);
    let samples = vec![0.5; 2 * 350];
    let audio = Audio::new(samples.as_slice(), 100, 2);
    let animation = Animation::new(&frames, 8.0).audio(&audio);
    let (_, sound) = checked(&bytes(&animation, AnimationFormat::Avi), &animation);
    // Blocks of four bytes: half a second with the frames, then the rest by seconds.
    assert_eq!(sound, [12 * 4, 13 * 4, 12 * 4, 13 * 4, 400, 400, 400]);

    let audio = Audio::new(&samples[..30], 100, 2);
    let short = Animation::new(&frames, 8.0).audio(&audio);
    let (jpegs, sound) = checked(&bytes(&short, AnimationFormat::Avi), &short);
    assert_eq!((jpegs.len(), sound), (4, vec![12 * 4, 3 * 4]));
}

#[test]
fn is_written_where_the_writer_stands() {
    let frames = frames(2, 8, 8);
    let animation = Animation::new(&frames, 8.0);
    let mut writer = Cursor::new(b"before".to_vec());
    writer.set_position(6);
    animation.write(&mut writer, AnimationFormat::Avi).unwrap();
    assert_eq!(writer.position() as usize, writer.get_ref().len());
    let written = writer.into_inner();
    assert_eq!(&written[..6], b"before");
    checked(&written[6..], &animation);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_file_is_well_formed(
        size in (1..=30_u32, 1..=30_u32), count in 1..=6_usize, fps in 0.01..=1000.0_f64,
        blocks in 0..=300_usize, rate in 1..=768_000_u32, channels in 1..=8_u16,
    ) {
        let frames = frames(count, size.0, size.1);
        let samples = vec![0.1; blocks * usize::from(channels)];
        let audio = Audio::new(samples.as_slice(), rate, channels);
        let mut animation = Animation::new(&frames, fps);
        animation.audio = (blocks > 0).then_some(&audio);
        let (jpegs, sound) = checked(&bytes(&animation, AnimationFormat::Avi), &animation);
        prop_assert_eq!(jpegs.len(), count);
        prop_assert_eq!(sound.iter().sum::<usize>(), samples.len() * 2);
    }
}
