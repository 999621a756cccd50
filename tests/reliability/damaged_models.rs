//! Damaged model files, each drawn with by a pool of worker processes.

use super::{
    application::{Row, application},
    cases, common,
    kinds::Kinds,
    random,
    random_requests::patient,
    workers,
};
use fastrand::Rng;
use sdcpp::{
    ModelConfig, ModelFile, Watch,
    isolated::{WorkerOptions, WorkerPool},
};
use sdcpp_test_support::{FloatType, Format};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// The bytes before the first tensor's.
fn header_bytes(model: &Path) -> usize {
    let file = ModelFile::open(model).unwrap();
    file.tensors().map(|tensor| tensor.offset()).min().unwrap() as usize
}

/// A file to be damaged.
struct Whole {
    bytes: Vec<u8>,
    /// Where most damage goes.
    header: usize,
    extension: &'static str,
}

/// The demo model in the two formats that are read without consent, and its decoder as a pickle,
/// which the engine reads unchecked.
fn whole_models(folder: &Path) -> [Whole; 3] {
    let (gguf, _) = common::demo_files();
    let safetensors = folder.join("whole.safetensors");
    fs::write(&safetensors, as_safetensors(&gguf)).unwrap();
    let pickle = sdcpp_test_support::tae(16, Format::Pickle(FloatType::F16)).unwrap();
    let read = |path: &Path, header, extension| {
        let bytes = fs::read(path).unwrap();
        Whole { bytes, header, extension }
    };
    [
        read(&gguf, header_bytes(&gguf), "gguf"),
        read(&safetensors, header_bytes(&safetensors), "safetensors"),
        read(&pickle, 64 << 10, PICKLE),
    ]
}

const PICKLE: &str = "ckpt";

/// A safetensors file with the names and shapes of a GGUF's tensors, and zeros of 16 bits.
fn as_safetensors(model: &Path) -> Vec<u8> {
    let model = ModelFile::open(model).unwrap();
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for tensor in model.tensors() {
        let begin = end;
        end += 2 * tensor.parameters();
        header.insert(
            tensor.name().to_owned(),
            serde_json::json!({
                "dtype": "F16", "shape": tensor.shape(), "data_offsets": [begin, end]
            }),
        );
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(&header);
    bytes.resize(bytes.len() + end as usize, 0);
    bytes
}

#[test]
fn any_damage_to_a_model_is_drawn_with_or_refused_in_words() {
    const TEST: &str = "damaged_models::any_damage_to_a_model_is_drawn_with_or_refused_in_words";
    application(TEST, |_| {
        let count = cases(16, 1000);
        let start = Instant::now();
        let kinds = draw_with_damaged_models(count);
        kinds.assert_all_are_answers(count, "not_a_model");
        Row::new(
            "damaged model files in a pool of worker processes: GGUF, safetensors, pickle",
            format!("{count} in {:.0} s", start.elapsed().as_secs_f64()),
            format!("host alive; {kinds}"),
        )
    });
}

fn draw_with_damaged_models(count: usize) -> Kinds {
    let folder = tempfile::tempdir().unwrap();
    let models = whole_models(folder.path());
    let (model, taesd) = common::demo_files();
    let request = common::quick_request("a red circle").steps(1);
    let mut kinds = Kinds::default();
    for case in 0..count {
        let mut rng = Rng::with_seed(case as u64);
        let whole = &models[case % models.len()];
        let path = folder.path().join(format!("damaged.{}", whole.extension));
        random::damaged(&mut rng, &whole.bytes, whole.header, &path).unwrap();
        let config = match whole.extension {
            PICKLE => ModelConfig::new(&model).taesd(&path).trust_pickle(true),
            _ => ModelConfig::new(&path).taesd(&taesd).mmap(rng.bool()),
        };
        let config = config.threads(1);
        let limit = || Watch::new().time_limit(Duration::from_secs(30));
        let pool = WorkerPool::open(
            workers::command(),
            config,
            WorkerOptions::default(),
            patient().size(1),
        );
        let came = pool.and_then(|pool| pool.generate_with(&request, limit()));
        let kind = kinds.add(&came);
        if let (Err(error), "worker_crashed" | "worker_start") = (came, kind) {
            println!("case {case}: {error}");
        }
    }
    kinds
}
