//! What the integration tests share: models, contexts, and C++ programs on the same engine build.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod compare;
pub(crate) mod direct;
pub(crate) mod measured;
pub(crate) mod native;
pub(crate) mod transformers;

use sdcpp::{Context, ImageRequest, ModelConfig, Sampler};
use sdcpp_test_support::{Format, UNet, UNetFamily, WeightType};
use std::path::{Path, PathBuf};

/// Threads of each context. Tests run side by side, and the engine's threads wait for each other by
/// spinning, which is slow when there are more of them than cores.
pub(crate) const THREADS: u32 = 1;

/// The trained demo model and its decoder.
pub(crate) fn demo_files() -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/models");
    (folder.join("demo_q8_0.gguf"), folder.join("demo_tae.gguf"))
}

pub(crate) fn demo_config() -> ModelConfig {
    let (model, taesd) = demo_files();
    ModelConfig::new(model).taesd(taesd).threads(THREADS)
}

pub(crate) fn demo() -> Context {
    Context::new(demo_config()).expect("the demo model loads")
}

/// As the demo model was trained: 128×128, 12 steps, cfg 3, Euler.
pub(crate) fn demo_request(prompt: &str) -> ImageRequest {
    ImageRequest::new(prompt)
        .size(128, 128)
        .steps(12)
        .cfg_scale(3.0)
        .sampler(Sampler::Euler)
        .seed(42)
}

/// A demo request that takes a fraction of a second.
pub(crate) fn quick_request(prompt: &str) -> ImageRequest {
    demo_request(prompt).size(64, 64).steps(3)
}

/// A UNet of the SDXS layout with random weights, everything in one file.
pub(crate) fn sdxs_file() -> PathBuf {
    sdcpp_test_support::sdxs(32, Format::Gguf(WeightType::Q8_0)).expect("the model is written")
}

/// An SD 1.x UNet with random weights, without VAE, and a decoder for it.
pub(crate) fn sd1_files() -> (PathBuf, PathBuf) {
    let sd1 = sdcpp_test_support::Sd1 { width: 32, vae: false };
    (
        sdcpp_test_support::sd1(sd1, Format::Gguf(WeightType::Q4_0)).expect("the model is written"),
        sdcpp_test_support::tae(4, Format::Gguf(WeightType::F16)).expect("the decoder is written"),
    )
}

pub(crate) fn sd1_config() -> ModelConfig {
    let (model, taesd) = sd1_files();
    ModelConfig::new(model).taesd(taesd).threads(THREADS)
}

/// The smallest model of a family of UNets: the UNet alone, its text encoders of the real size, and
/// a TAESD. Mapped, since the files are small only because their tensors share their data.
pub(crate) fn family_config(family: UNetFamily) -> ModelConfig {
    unet_config(UNet::smallest(family))
}

/// The same with a UNet of any width.
pub(crate) fn unet_config(unet: UNet) -> ModelConfig {
    let encoders = sdcpp_test_support::text_encoders(unet.family.text_encoders());
    let taesd = sdcpp_test_support::tae(4, Format::Gguf(WeightType::F16));
    let unet = sdcpp_test_support::unet(unet, Format::GgufAliased(WeightType::Q4_0));
    let mut config = ModelConfig::new(encoders.expect("the text encoders are written"))
        .taesd(taesd.expect("the decoder is written"))
        .threads(THREADS)
        .mmap(true);
    config.diffusion_model = Some(unet.expect("the UNet is written"));
    config
}

/// A request for the random UNets.
pub(crate) fn unet_request() -> ImageRequest {
    ImageRequest::new("a cat").size(64, 64).steps(2).cfg_scale(7.0).sampler(Sampler::EulerA).seed(7)
}

/// The example of this name: `cargo test` builds examples, beside the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's program");
    let profile = test.parent().and_then(Path::parent).expect("a folder of the profile");
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "missing: cargo build --example {name}");
    path
}

/// A picture with some structure, the same everywhere.
pub(crate) fn test_picture(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, ((x ^ y) & 0xff) as u8])
    })
}

/// White on the left half.
pub(crate) fn test_mask(width: u32, height: u32) -> image::GrayImage {
    image::GrayImage::from_fn(width, height, |x, _| {
        image::Luma([if x < width / 2 { 255 } else { 0 }])
    })
}

/// Resident memory of this process but for mapped files, in KiB.
#[cfg(target_os = "linux")]
pub(crate) fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.trim().parse().ok()
        })
        .expect("RssAnon")
}

/// What the allocator has handed out, and what is resident but for mapped files.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) in_use_bytes: usize,
    pub(crate) resident_kib: u64,
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
impl Memory {
    pub(crate) fn now() -> Self {
        // SAFETY: both take no pointer and lock what they read.
        let heap = unsafe {
            libc::malloc_trim(0);
            libc::mallinfo2()
        };
        Self { in_use_bytes: heap.uordblks + heap.hblkhd, resident_kib: resident_kib() }
    }
}

/// Whether this is the process that a test of this name has to itself. If not, runs the test in one,
/// which must pass.
pub(crate) fn alone(test: &str) -> bool {
    alone_with(test, |_| ())
}

/// The same, in a process that is prepared before it starts: with other variables.
pub(crate) fn alone_with(test: &str, prepare: impl FnOnce(&mut std::process::Command)) -> bool {
    let Some(output) = ran_alone(test, prepare) else { return true };
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{test}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// What came of the process that a test of this name has to itself. None in that process.
pub(crate) fn ran_alone(
    test: &str,
    prepare: impl FnOnce(&mut std::process::Command),
) -> Option<std::process::Output> {
    const ALONE: &str = "SDCPP_TEST_ALONE";
    if std::env::var_os(ALONE).is_some_and(|name| name == test) {
        return None;
    }
    let program = std::env::current_exe().expect("the test's program");
    let mut process = std::process::Command::new(program);
    process.args(["--exact", test, "--include-ignored", "--nocapture"]).env(ALONE, test);
    prepare(&mut process);
    Some(process.output().expect("the test's program starts"))
}

/// Keeps what a subscriber writes.
#[derive(Clone, Default)]
pub(crate) struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    /// A subscriber that writes everything here.
    pub(crate) fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        // Where there is one dispatcher, `tracing` asks only the current thread's whether an event
        // that comes for the first time is wanted, and keeps the answer for all threads: a test beside
        // this one, without a subscriber, would switch events off. With two it asks all.
        static ANOTHER: std::sync::LazyLock<tracing::Dispatch> = std::sync::LazyLock::new(|| {
            tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new())
        });
        std::sync::LazyLock::force(&ANOTHER);
        let writer = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("lines are valid UTF-8")
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
