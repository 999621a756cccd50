//! Replays the corpus, and changes of it: all in CI, as many changes as `SDCPP_FUZZ_CASES` says for
//! each target.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use fastrand::Rng;
use sdcpp_fuzz::{Target, mutate, targets};
use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    time::Instant,
};

fn inputs(target: Target) -> Vec<(String, Vec<u8>)> {
    let folder = target.corpus();
    let mut inputs: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

/// Runs one input; one that breaks a promise is kept in the folder for temporary files.
fn run(target: Target, what: &str, input: &[u8]) {
    if let Err(panicked) = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        let kept = std::env::temp_dir().join(format!("sdcpp-fuzz-{}.bin", target.name));
        fs::write(&kept, input).unwrap();
        eprintln!("{}: {what} fails; the input is {}", target.name, kept.display());
        panic::resume_unwind(panicked);
    }
}

#[test]
fn the_corpus_and_changes_of_it_break_no_promise() {
    let cases: usize = match std::env::var("SDCPP_FUZZ_CASES") {
        Ok(text) => text.parse().expect("SDCPP_FUZZ_CASES is a number"),
        Err(_) => 2_000,
    };
    for target in targets() {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        let start = Instant::now();
        for (name, input) in &inputs {
            run(target, name, input);
        }
        for seed in 0..cases as u64 {
            let mut rng = Rng::with_seed(seed);
            let (name, input) = &inputs[rng.usize(..inputs.len())];
            let (_, other) = &inputs[rng.usize(..inputs.len())];
            let changed = mutate(&mut rng, input, other);
            run(target, &format!("{name} changed by seed {seed}"), &changed);
        }
        let (inputs, spent) = (inputs.len(), start.elapsed());
        println!("{}: {inputs} inputs and {cases} changes in {spent:.1?}", target.name);
    }
}
