//! The engine's C API without this crate: the program of tests/native/direct.cpp, linked with the same
//! objects.

use crate::{Outcome, models::threads, native};
use sdcpp::{ImageRequest, ModelConfig};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

pub(crate) struct Direct {
    program: PathBuf,
    folder: tempfile::TempDir,
    huge_pages: bool,
    repeat: u32,
}

/// What comes before the picture that counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Warm {
    /// Nothing: the weights are read with it.
    No,
    /// The same picture in two steps.
    Same,
    /// A picture of the smallest size in one step, which reads the weights.
    Small,
}

/// What it drew, and how long it took.
pub(crate) struct Drawn {
    /// RGB.
    pub(crate) pixels: Vec<u8>,
    /// The call that draws, after a shorter one that reads the weights; the fastest, of several.
    pub(crate) picture: Duration,
    /// The whole process.
    pub(crate) process: Duration,
}

impl Direct {
    /// On the engine that the crate is linked with.
    pub(crate) fn new() -> Outcome<Self> {
        Self::of(native::program("direct"))
    }

    /// This program, on whatever engine it is linked with.
    pub(crate) fn of(program: PathBuf) -> Outcome<Self> {
        Ok(Self { program, folder: tempfile::tempdir()?, huge_pages: true, repeat: 1 })
    }

    /// Where the system has no huge pages for it. Linux; elsewhere nothing changes.
    pub(crate) fn without_huge_pages(self) -> Self {
        Self { huge_pages: false, ..self }
    }

    /// Each process draws the picture so many times.
    pub(crate) fn repeated(self, repeat: u32) -> Self {
        Self { repeat, ..self }
    }

    /// Draws in a process of its own.
    pub(crate) fn draw(
        &self,
        config: &ModelConfig,
        request: &ImageRequest,
        warm: Warm,
    ) -> Outcome<Drawn> {
        let timed = match warm {
            Warm::No => 1,
            Warm::Same => 2,
            Warm::Small => 3,
        };
        let out = self.folder.path().join("out");
        let begin = Instant::now();
        let mut command = Command::new(&self.program);
        command
            .args(arguments(config, request)?)
            .arg(format!("out={}", out.display()))
            .arg(format!("timed={timed}"))
            .arg(format!("repeat={}", self.repeat));
        #[cfg(target_os = "linux")]
        if !self.huge_pages {
            use std::os::unix::process::CommandExt as _;
            let switch_off = || {
                // SAFETY: this option takes numbers alone, and changes nothing but the calling process.
                match unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) } {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            };
            // SAFETY: between fork and exec it makes one system call, and allocates nothing.
            unsafe { command.pre_exec(switch_off) };
        }
        let output = command.output()?;
        let process = begin.elapsed();
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("the C++ program ended with {}: {told}", output.status).into());
        }
        let file = fs::read(out.with_extension("0"))?;
        // The header of a binary PPM has three lines.
        let pixels = file.splitn(4, |byte| *byte == b'\n').nth(3).ok_or("no pixels")?.to_vec();
        let times = fs::read_to_string(out.with_extension("times"))?;
        let mut picture = None;
        for line in times.lines() {
            if let Some(seconds) = line.strip_prefix("picture ") {
                let took = Duration::try_from_secs_f64(seconds.parse()?)?;
                picture = Some(picture.map_or(took, |fastest| took.min(fastest)));
            }
        }
        Ok(Drawn { pixels, picture: picture.ok_or("no time was told")?, process })
    }
}

fn arguments(config: &ModelConfig, request: &ImageRequest) -> Outcome<Vec<String>> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let flag = |value: bool| Some(u8::from(value).to_string());
    let sampling = &request.sampling;
    let threads = config.threads.map_or_else(threads, Ok)?;
    let all = [
        ("model_path", path(&config.model)),
        ("taesd_path", path(&config.taesd)),
        ("vae_path", path(&config.vae)),
        ("backend", config.backend.clone()),
        ("n_threads", Some(threads.to_string())),
        ("diffusion_flash_attn", flag(config.diffusion_flash_attention)),
        // The crate's default on the processor.
        ("diffusion_conv_direct", flag(config.diffusion_conv_direct.unwrap_or(true))),
        ("vae_conv_direct", flag(config.vae_conv_direct.unwrap_or(true))),
        ("prompt", Some(request.prompt.clone())),
        ("width", Some(request.width.to_string())),
        ("height", Some(request.height.to_string())),
        ("seed", request.seed.map(|seed| seed.to_string())),
        ("sample_steps", Some(sampling.steps.to_string())),
        ("sample_method", sampling.sampler.map(|sampler| sampler.to_string())),
        ("txt_cfg", Some(sampling.cfg_scale.to_string())),
    ];
    let given = all.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?)));
    Ok(given.collect())
}
