//! Frames that are cut, changed, or made up: refused, without memory beyond what is allowed.

use super::{link::Reader, round_trips::from_worker, *};
use crate::{Audio, ImageRequest, sync::Lock};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};

/// Reads all that can be read of these bytes; how many things came.
fn read_all(bytes: &[u8]) -> usize {
    let request = ImageRequest::new("x").size(64, 64).batch(2);
    let allowance = Arc::new(Lock::new(allowance::Allowance::of_image(&request)));
    let (mut reader, _inbox) = Reader::new(bytes, allowance);
    let mut count = 0;
    while reader.next().is_ok() {
        count += 1;
    }
    count
}

#[test]
fn whole_frames_are_read_and_cut_ones_are_not() {
    let whole =
        [frame_of(&FromWorker::Alive), picture(64, 64, 4), picture(1, 1, 1), frame_of(&drawn())]
            .concat();
    assert_eq!(read_all(&whole), 4);
    for cut in 0..whole.len() {
        assert!(read_all(&whole[..cut]) < 4, "cut at {cut}");
    }
}

#[test]
fn sound_is_read_sample_by_sample() {
    let sound = Audio::new(vec![0.5, -0.25], 8000, 2);
    let mut bytes = frame_of(&FromWorker::Sound { sample_rate: 8000, channels: 2, samples: 2 });
    let samples: Vec<u8> = sound.samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    frame::write_bytes(&mut bytes, &samples).unwrap();
    let video = crate::VideoRequest::new("x").frames(9);
    let allowance = Arc::new(Lock::new(allowance::Allowance::of_video(&video)));
    let (mut reader, _inbox) = Reader::new(bytes.as_slice(), allowance);
    match reader.next().unwrap() {
        link::Arrived::Sound(read) => assert_eq!(read, sound),
        other => panic!("{other:?}"),
    }
}

/// Bytes of every kind: made up, and true frames with changes.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let made_up = vec(any::<u8>(), 0..200);
    let headed = (any::<u32>(), 0_u8..4, vec(any::<u8>(), 0..200))
        .prop_map(|(length, kind, rest)| [&length.to_le_bytes()[..], &[kind], &rest].concat());
    let whole = |payload: Vec<u8>| {
        let length = (payload.len() as u32).to_le_bytes();
        [&length[..], &[1], &payload].concat()
    };
    let framed = vec(any::<u8>(), 0..300).prop_map(whole);
    // Lists and texts that say they are endless.
    let endless = (select_marker(), vec(any::<u8>(), 0..30))
        .prop_map(move |(marker, rest)| whole([&[0x81][..], b"\xa3Log", &marker, &rest].concat()));
    let changed = (vec(from_worker(), 1..4), vec(any::<(usize, u8)>(), 0..4), any::<usize>())
        .prop_map(|(messages, changes, cut)| {
            let mut bytes: Vec<u8> = messages.iter().flat_map(frame_of).collect();
            for (at, with) in changes {
                let at = at % bytes.len();
                bytes[at] = with;
            }
            if cut % 2 == 0 {
                bytes.truncate(cut % (bytes.len() + 1));
            }
            bytes
        });
    prop_oneof![made_up, headed, framed, endless, changed]
}

fn select_marker() -> impl Strategy<Value = Vec<u8>> {
    let marker = |first: u8| vec![first, 0xff, 0xff, 0xff, 0xff];
    // str32, bin32, array32, map32.
    proptest::sample::select([0xdb, 0xc6, 0xdd, 0xdf].map(marker).to_vec())
}

/// In a process of its own, in which an allocation of more than 64 MiB ends it: a message has 1 MiB,
/// and what is made of it a multiple.
#[cfg(target_os = "linux")]
#[test]
fn no_bytes_panic_or_take_memory_without_bound() {
    const NAME: &str = "isolated::tests::frames::no_bytes_panic_or_take_memory_without_bound";
    if std::env::var_os("SDCPP_TEST_FRAMES").is_none() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("SDCPP_TEST_FRAMES", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let tried = String::from_utf8_lossy(&output.stdout);
        assert!(tried.contains("all tried"), "{tried}{text}");
        return;
    }
    // The most that a message can be made of: a list of texts without letters.
    let lines = vec![String::new(); (1 << 20) - 100];
    let report = Box::new(crate::EngineReport { message: String::new(), lines });
    let error = crate::Error::Sampling { report }.into();
    let many = frame_of(&FromWorker::Failed { error, usable: true });

    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let data = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
    let data: u64 = data.trim().trim_end_matches(" kB").parse().unwrap();
    system::limit_memory((data << 10) + (64 << 20)).unwrap();
    assert!(Vec::<u8>::new().try_reserve_exact(128 << 20).is_err(), "the limit holds");
    assert_eq!(read_all(&many), 1);

    let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..Default::default() };
    TestRunner::new(config)
        .run(&bytes(), |bytes| {
            read_all(&bytes);
            Ok(())
        })
        .unwrap();
    println!("all tried");
}
