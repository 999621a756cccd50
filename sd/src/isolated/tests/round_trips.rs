//! Every message is read as it was written.

use super::{
    message::{ToWorker, Watched},
    wire::{WirePreviews, WireWarning},
    *,
};
use crate::{
    Architecture, Backend, EngineReport, Error, Mismatch, MissingParts, Part, PreviewKind,
    PreviewOptions, Progress, Stage, TextEncoder, VaeKind, VaeOperation, Warning, arbitrary,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::{borrow::Cow, fmt, io::ErrorKind};

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,30}"
}

fn time() -> impl Strategy<Value = Duration> {
    any::<(u64, u32)>().prop_map(|(secs, nanos)| Duration::new(secs / 2, nanos % 1_000_000_000))
}

fn stage() -> impl Strategy<Value = Stage> {
    use Stage::*;
    select(vec![
        Preparing,
        Opening,
        Loading,
        TextEncoding,
        VaeEncoding,
        Sampling,
        VaeDecoding,
        Upscaling,
        Converting,
        Preprocessing,
        Queued,
    ])
}

fn report() -> impl Strategy<Value = Box<EngineReport>> {
    (text(), vec(text(), 0..3))
        .prop_map(|(message, lines)| Box::new(EngineReport { message, lines }))
}

fn system_error() -> impl Strategy<Value = io::Error> {
    let kind = select(vec![ErrorKind::NotFound, ErrorKind::InvalidData, ErrorKind::Other]);
    let known = (1_i32..100).prop_map(io::Error::from_raw_os_error);
    prop_oneof![known, (kind, text()).prop_map(|(kind, text)| io::Error::new(kind, text))]
}

fn mismatch() -> impl Strategy<Value = Box<Mismatch>> {
    let found = || {
        select(vec![
            Architecture::Sd1,
            Architecture::Vae(VaeKind::Wan),
            Architecture::TextEncoder(TextEncoder::Qwen3),
        ])
    };
    let shape = || vec(any::<u64>(), 0..4);
    prop_oneof![
        (text(), shape(), shape()).prop_map(|(tensor, given, model)| Mismatch::Shape {
            tensor,
            given,
            model
        }),
        (any::<usize>(), text())
            .prop_map(|(modules, example)| Mismatch::NoKeyMatches { modules, example }),
        (text(), found())
            .prop_map(|(text, found)| Mismatch::WrongKind { expected: text.into(), found }),
        (text(), found()).prop_map(|(text, family)| Mismatch::Family { what: text.into(), family }),
    ]
    .prop_map(Box::new)
}

fn missing() -> impl Strategy<Value = MissingParts> {
    let part = || {
        select(vec![
            Part::DiffusionModel,
            Part::TextEncoder(TextEncoder::T5Xxl),
            Part::Vae(VaeKind::Channels16),
        ])
    };
    (vec(part(), 0..3), vec(part(), 0..3))
        .prop_map(|(required, optional)| MissingParts { required, optional })
}

/// Errors of files and of values.
fn error_before() -> impl Strategy<Value = Error> {
    let path = || text().prop_map(std::path::PathBuf::from);
    let role = || text().prop_map(Cow::from);
    prop_oneof![
        (role(), text(), text()).prop_map(|(field, value, allowed)| Error::InvalidParameter {
            field,
            value,
            allowed
        }),
        (role(), path()).prop_map(|(role, path)| Error::FileNotFound { role, path }),
        (role(), path(), system_error()).prop_map(|(role, path, source)| Error::FileUnreadable {
            role,
            path,
            source
        }),
        (role(), path(), text()).prop_map(|(role, path, reason)| Error::NotAModel {
            role,
            path,
            reason
        }),
        (path(), missing()).prop_map(|(path, missing)| Error::MissingParts { path, missing }),
        (role(), path(), mismatch()).prop_map(|(role, path, mismatch)| Error::DoesNotFit {
            role,
            path,
            mismatch
        }),
        (text(), text()).prop_map(|(what, reason)| Error::Unsupported { what, reason }),
        (text(), system_error()).prop_map(|(doing, source)| Error::Io { doing, source }),
        (text(), text()).prop_map(|(doing, reason)| Error::ImageCodec { doing, reason }),
        (text(), text(), any::<(u64, u64)>()).prop_map(|(doing, device, (needed, available))| {
            Error::InsufficientMemory { doing, device, needed, available }
        }),
    ]
}

/// Errors of the engine.
fn error_within() -> impl Strategy<Value = Error> {
    let operation = select(vec![VaeOperation::Encode, VaeOperation::Decode]);
    prop_oneof![
        (text(), report())
            .prop_map(|(path, report)| Error::ModelLoad { path: path.into(), report }),
        (stage(), option::of(text()), any::<Option<u64>>(), report()).prop_map(
            |(stage, device, requested, report)| Error::OutOfMemory {
                stage,
                device,
                requested,
                report
            }
        ),
        (operation, report()).prop_map(|(operation, report)| Error::Vae { operation, report }),
        report().prop_map(|report| Error::TextEncoder { report }),
        report().prop_map(|report| Error::Sampling { report }),
        (stage(), report()).prop_map(|(stage, report)| Error::EngineAssertion { stage, report }),
        (stage(), report()).prop_map(|(stage, report)| Error::Engine { stage, report }),
        stage().prop_map(|stage| Error::Cancelled { stage }),
        (stage(), time()).prop_map(|(stage, limit)| Error::DeadlineExceeded { stage, limit }),
        text().prop_map(|cause| Error::Poisoned { cause }),
        text().prop_map(|message| Error::CallbackPanicked { message }),
    ]
}

/// Errors of pools and workers, which no worker has so far.
fn error_around() -> impl Strategy<Value = Error> {
    prop_oneof![
        time().prop_map(|waited| Error::AcquireTimeout { waited }),
        any::<usize>().prop_map(|limit| Error::QueueFull { limit }),
        Just(()).prop_map(|()| Error::ShutDown),
        (any::<u32>(), time(), text()).prop_map(|(failures, retry_in, cause)| {
            Error::CircuitOpen { failures, retry_in, cause }
        }),
        (any::<Option<i32>>(), text(), stage(), vec(text(), 0..3)).prop_map(
            |(signal, reason, stage, lines)| Error::WorkerCrashed { signal, reason, stage, lines }
        ),
        (text(), text())
            .prop_map(|(path, reason)| Error::WorkerStart { program: path.into(), reason }),
        (text(), vec(text(), 0..3)).prop_map(|(name, searched)| {
            let searched = searched.into_iter().map(Into::into).collect();
            Error::LibraryNotFound { name, searched }
        }),
        (text(), text()).prop_map(|(path, reason)| Error::Library { path: path.into(), reason }),
        (select(&Backend::ALL[..]), text())
            .prop_map(|(backend, reason)| Error::BackendUnavailable { backend, reason }),
    ]
}

fn progress() -> impl Strategy<Value = Progress> {
    let count = || any::<(u32, u32)>();
    prop_oneof![
        count().prop_map(|(tensors, total)| Progress::Loading { tensors, total }),
        count().prop_map(|(tile, tiles)| Progress::Encoding { tile, tiles }),
        (count(), count(), time()).prop_map(|((step, steps), (image, images), step_time)| {
            Progress::Sampling { step, steps, image, images, step_time }
        }),
        count().prop_map(|(tile, tiles)| Progress::Decoding { tile, tiles }),
        count().prop_map(|(tile, tiles)| Progress::Upscaling { tile, tiles }),
        count().prop_map(|(tensors, total)| Progress::Converting { tensors, total }),
    ]
}

fn timings() -> impl Strategy<Value = Timings> {
    (time(), time(), time(), time(), time(), time(), time()).prop_map(
        |(load, text_encoding, image_encoding, sampling, decoding, upscaling, total)| Timings {
            load,
            text_encoding,
            image_encoding,
            sampling,
            decoding,
            upscaling,
            total,
        },
    )
}

fn warnings() -> impl Strategy<Value = Vec<WireWarning>> {
    let one = prop_oneof![
        text().prop_map(Warning::Engine),
        (any::<usize>(), vec(any::<u8>(), 0..5))
            .prop_map(|(image, color)| Warning::Uniform { image, color }),
        any::<u64>().prop_map(|values| Warning::NotFinite { values }),
        Just(Warning::DecodedInTiles),
    ];
    vec(one.prop_map(WireWarning), 0..4)
}

pub(super) fn from_worker() -> impl Strategy<Value = FromWorker> {
    let error = prop_oneof![error_before(), error_within(), error_around()];
    prop_oneof![
        (any::<u32>(), text(), text()).prop_map(|(protocol, version, nonce)| {
            FromWorker::Hello { protocol, version, nonce }
        }),
        Just(()).prop_map(|()| FromWorker::Alive),
        (any::<u8>(), text(), text()).prop_map(|(level, target, text)| FromWorker::Log {
            level,
            target,
            text
        }),
        progress().prop_map(FromWorker::Progress),
        (any::<u32>(), any::<bool>(), vec(any::<(u32, u32)>(), 0..4))
            .prop_map(|(step, noisy, frames)| FromWorker::Preview { step, noisy, frames }),
        (text(), any::<(bool, bool)>(), any::<(Option<u32>, Option<bool>)>(), timings()).prop_map(
            |(family, (makes_images, makes_video), (threads, mmap), load)| FromWorker::Ready(
                Ready { family, makes_images, makes_video, threads, mmap, load }
            )
        ),
        (any::<(u32, u32, u32)>(), any::<i64>(), text()).prop_map(
            |((width, height, channels), seed, parameters)| FromWorker::Picture {
                width,
                height,
                channels,
                seed,
                parameters
            }
        ),
        any::<(u32, u16, u32)>().prop_map(|(sample_rate, channels, samples)| {
            FromWorker::Sound { sample_rate, channels, samples }
        }),
        (timings(), warnings(), any::<i64>()).prop_map(|(timings, warnings, seed)| {
            FromWorker::Drawn(Drawn { timings, warnings, seed })
        }),
        (error, any::<bool>())
            .prop_map(|(error, usable)| FromWorker::Failed { error: error.into(), usable }),
    ]
}

fn watched() -> impl Strategy<Value = Watched> {
    let kind = select(PreviewKind::ALL);
    let options = (kind, any::<u32>(), time(), any::<bool>()).prop_map(
        |(kind, every, min_interval, noisy)| {
            WirePreviews(PreviewOptions { kind, every, min_interval, noisy })
        },
    );
    (option::of(options), any::<u8>()).prop_map(|(previews, log)| Watched { previews, log })
}

fn to_worker() -> impl Strategy<Value = ToWorker<'static>> {
    let config = (arbitrary::words(), any::<Option<u32>>(), any::<bool>()).prop_map(
        |(model, threads, mmap)| {
            let mut config = ModelConfig::new(model).mmap(mmap);
            config.threads = threads;
            Cow::Owned(config)
        },
    );
    prop_oneof![
        (config, any::<Option<usize>>(), any::<Option<u64>>(), watched()).prop_map(
            |(config, models, memory_limit, watched)| ToWorker::Open {
                config,
                models,
                memory_limit,
                watched
            }
        ),
        (arbitrary::image_request(), watched()).prop_map(|(request, watched)| ToWorker::Image {
            request: Cow::Owned(request),
            watched
        }),
        (arbitrary::video_request(), watched()).prop_map(|(request, watched)| ToWorker::Video {
            request: Cow::Owned(request),
            watched
        }),
        Just(()).prop_map(|()| ToWorker::Cancel),
    ]
}

fn is_read_again<T>(message: &T) -> Result<(), TestCaseError>
where
    T: serde::Serialize + serde::de::DeserializeOwned + fmt::Debug,
{
    let frame = frame::encode(message, frame::MAX_REQUEST).unwrap();
    let read: T = frame::read_message(&mut frame.as_slice(), frame::MAX_REQUEST).unwrap();
    prop_assert_eq!(format!("{message:?}"), format!("{read:?}"));
    Ok(())
}

proptest! {
    #[test]
    fn of_the_worker(message in from_worker()) {
        is_read_again(&message)?;
    }

    #[test]
    fn of_the_host(message in to_worker()) {
        is_read_again(&message)?;
    }
}

#[test]
fn an_engine_that_does_not_fit_is_told_in_words() {
    let error = Error::from(sdcpp_sys::TableError::Missing("upscale"));
    let told = Error::from(wire_error::WireError::from(error)).to_string();
    assert!(told.contains("lacks `upscale`"), "{told}");
}
