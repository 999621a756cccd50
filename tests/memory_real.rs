//! Memory at the size of a real model: Stable Diffusion 1.5 in f16, of random weights (2.1 GB, written
//! once). Ignored by default; `scripts/memory.sh` runs it and prints its tables.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{test_picture, unet_request};
use sdcpp::{Component, Context, MemoryEstimate, ModelConfig, ProcessMemory};
use sdcpp_test_support::{FloatType, Format, Sd1};
use std::{collections::BTreeMap, process::Command};

/// The file, and as many threads as the machine has cores.
fn config() -> ModelConfig {
    let real = Sd1 { width: 320, vae: true };
    let file = sdcpp_test_support::sd1(real, Format::Safetensors(FloatType::F16));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    ModelConfig::new(file.expect("the model is written")).threads(threads)
}

/// What a child process does, as words with numbers: `contexts=2 mmap=1 size=64 encode=0`.
type Task = BTreeMap<&'static str, u32>;

fn variable(name: &str) -> u32 {
    std::env::var(format!("MEMORY_TEST_{name}")).unwrap().parse().unwrap()
}

/// Runs this test binary again to do a task, and reads the numbers that it prints.
fn in_child(task: &Task) -> BTreeMap<String, u64> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "child", "--nocapture"]);
    for (name, value) in task {
        command.env(format!("MEMORY_TEST_{name}"), value.to_string());
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let numbers = text.lines().filter_map(|line| line.strip_prefix("number: ")?.split_once('='));
    numbers.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

/// The child's part: opens contexts, draws a picture with each, and prints its own memory.
#[test]
#[ignore = "run by the others, in a process of its own"]
fn child() {
    if std::env::var_os("MEMORY_TEST_contexts").is_none() {
        return;
    }
    let size = variable("size");
    let config = config().mmap(variable("mmap") == 1);
    let mut request = unet_request().size(size, size).steps(1).cfg_scale(1.0);
    if variable("encode") == 1 {
        request = request.init_image(test_picture(size, size)).steps(2).denoising_strength(0.5);
    }
    let before = ProcessMemory::now().unwrap();
    let mut contexts: Vec<_> =
        (0..variable("contexts")).map(|_| Context::new(&config).unwrap()).collect();
    for context in &mut contexts {
        context.generate(&request).unwrap();
    }
    let after = ProcessMemory::now().unwrap();
    for (name, value) in [
        ("growth", after.peak.unwrap() - before.resident),
        ("resident", after.resident),
        ("proportional", after.proportional.unwrap()),
        ("anonymous", after.anonymous.unwrap()),
    ] {
        println!("number: {name}={value}");
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[test]
#[ignore = "takes minutes and 2.1 GB of disk"]
fn the_peak_is_within_30_percent_of_the_estimate() {
    println!("| size | mmap | input picture | estimated MB | measured MB | ratio |");
    println!("|---|---|---|---|---|---|");
    for (size, mmap, encode) in
        [(256, 0, 0), (256, 1, 0), (256, 0, 1), (512, 0, 0), (512, 1, 0), (512, 0, 1), (768, 0, 0)]
    {
        let config = config().mmap(mmap == 1);
        let mut request = unet_request().size(size, size);
        if encode == 1 {
            request = request.init_image(test_picture(size, size));
        }
        let estimate = MemoryEstimate::of(&config, &request).unwrap();
        // Mapped weights are resident too, once they are used.
        let estimated = estimate.peak() + estimate.mapped();
        let task =
            Task::from([("contexts", 1), ("mmap", mmap), ("size", size), ("encode", encode)]);
        let measured = in_child(&task)["growth"];
        let ratio = estimated as f64 / measured as f64;
        println!(
            "| {size} | {mmap} | {encode} | {:.0} | {:.0} | {ratio:.2} |",
            megabytes(estimated),
            megabytes(measured)
        );
        assert!((1.0 / 1.3..1.3).contains(&ratio), "{size}: {ratio:.2}");
    }
}

/// A pool maps weights, so that its second context costs little.
#[test]
#[ignore = "takes minutes and 2.1 GB of disk"]
fn two_contexts_of_a_mapped_file_cost_at_most_a_twentieth_more() {
    println!("| mmap | contexts | PSS MB | RSS MB | anonymous MB |");
    println!("|---|---|---|---|---|");
    let mut ratios = Vec::new();
    for mmap in [1, 0] {
        let mut proportional = Vec::new();
        for contexts in [1, 2] {
            let task =
                Task::from([("contexts", contexts), ("mmap", mmap), ("size", 64), ("encode", 0)]);
            let numbers = in_child(&task);
            proportional.push(numbers["proportional"] as f64);
            println!(
                "| {mmap} | {contexts} | {:.0} | {:.0} | {:.0} |",
                megabytes(numbers["proportional"]),
                megabytes(numbers["resident"]),
                megabytes(numbers["anonymous"]),
            );
        }
        ratios.push(proportional[1] / proportional[0]);
    }
    println!("two contexts take {:.3} times one with mmap, {:.3} without", ratios[0], ratios[1]);
    assert!(ratios[0] <= 1.05, "{:.3}", ratios[0]);
    assert!(ratios[1] > 1.5, "without mmap nothing is shared: {:.3}", ratios[1]);
    let estimate = MemoryEstimate::of(&config().mmap(true), &unet_request().size(64, 64)).unwrap();
    let mapped =
        estimate.weights.iter().find(|p| p.component == Component::DiffusionModel).unwrap();
    assert!(mapped.mapped > 50 * mapped.allocated, "{mapped:?}");
}
