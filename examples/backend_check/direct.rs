//! The same pictures by the engine's C API alone: the program `direct` of `tests/native`, which knows
//! neither the shim nor Rust. It tells what the binding costs on this machine.

use sdcpp::{ImageRequest, ModelConfig};
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

pub(crate) struct Direct {
    pub(crate) program: PathBuf,
}

/// What the program drew, and how long it took.
pub(crate) struct Drawn {
    pub(crate) pixels: Vec<u8>,
    pub(crate) steps: Vec<Duration>,
    pub(crate) picture: Duration,
}

impl Direct {
    /// Draws in a process of its own; with `warm`, after a shorter picture, as kernels are made ready and
    /// weights are read with the first.
    pub(crate) fn draw(
        &self,
        config: &ModelConfig,
        request: &ImageRequest,
        warm: bool,
    ) -> Result<Drawn, Box<dyn Error>> {
        let out = std::env::temp_dir().join(format!("backend_check-{}", std::process::id()));
        let mut command = Command::new(&self.program);
        command.args(arguments(config, request)?);
        command.arg(format!("out={}", out.display())).arg(format!("timed={}", u8::from(warm) + 1));
        let output = command
            .output()
            .map_err(|error| format!("{} does not start: {error}", self.program.display()))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{}: {}: {errors}", self.program.display(), output.status).into());
        }
        let pixels = read_pixels(&taken(&out, "0")?)?;
        let times = String::from_utf8(taken(&out, "times")?)?;
        let (mut steps, mut picture) = (Vec::new(), None);
        for line in times.lines() {
            match line.split_once(' ') {
                Some(("step", seconds)) => {
                    steps.push(Duration::try_from_secs_f64(seconds.parse()?)?)
                }
                Some(("picture", seconds)) => {
                    picture = Some(Duration::try_from_secs_f64(seconds.parse()?)?);
                }
                _ => return Err(format!("{} says {line:?}", self.program.display()).into()),
            }
        }
        Ok(Drawn { pixels, steps, picture: picture.ok_or("no time was told")? })
    }
}

fn arguments(config: &ModelConfig, request: &ImageRequest) -> Result<Vec<String>, Box<dyn Error>> {
    let mut arguments = Vec::new();
    let mut add =
        |key: &str, value: &dyn std::fmt::Display| arguments.push(format!("{key}={value}"));
    for (key, path) in [
        ("model_path", &config.model),
        ("diffusion_model_path", &config.diffusion_model),
        ("vae_path", &config.vae),
        ("taesd_path", &config.taesd),
    ] {
        if let Some(path) = path {
            add(key, &path.display());
        }
    }
    let device = config.backend.as_ref().ok_or("the device is named")?;
    add("backend", device);
    // As the crate chooses.
    let on_processor = device.to_ascii_lowercase().starts_with("cpu");
    let direct = |set: Option<bool>| u8::from(set.unwrap_or(on_processor));
    add("diffusion_conv_direct", &direct(config.diffusion_conv_direct));
    add("vae_conv_direct", &direct(config.vae_conv_direct));
    add("n_threads", &config.threads.ok_or("the number of threads is given")?);
    add("diffusion_flash_attn", &u8::from(config.diffusion_flash_attention));
    add("prompt", &request.prompt);
    add("width", &request.width);
    add("height", &request.height);
    add("seed", &request.seed.ok_or("the seed is given")?);
    add("sample_steps", &request.sampling.steps);
    add("sample_method", &request.sampling.sampler.ok_or("the sampler is named")?);
    add("txt_cfg", &request.sampling.cfg_scale);
    Ok(arguments)
}

/// What the program wrote, which is removed.
fn taken(out: &Path, name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = PathBuf::from(format!("{}.{name}", out.display()));
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    fs::remove_file(path)?;
    Ok(bytes)
}

/// The pixels of a binary PPM, whose header is three lines.
fn read_pixels(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let pixels = bytes.splitn(4, |byte| *byte == b'\n').nth(3).ok_or("no pixels")?;
    Ok(pixels.to_vec())
}
