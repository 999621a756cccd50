//! Stable Diffusion 1.5 by candle on the processor, with random weights, for `scripts/bench.sh candle`.
//!
//! The argument is the type, `f32` or `f16`. It says `ready`, its name, version and type, and then answers each
//! line of standard input, `step SIDE` or `decode SIDE` for a picture of so many pixels to a side, with
//! seconds. As many threads as `RAYON_NUM_THREADS` says.

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};
use candle_transformers::models::stable_diffusion::{
    unet_2d::{BlockConfig, UNet2DConditionModel, UNet2DConditionModelConfig},
    vae::{AutoEncoderKL, AutoEncoderKLConfig},
};
use std::{error::Error, io::Write, time::Instant};

/// The device of all.
const CPU: Device = Device::Cpu;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let dtype = match std::env::args().nth(1).as_deref() {
        Some("f32") => DType::F32,
        Some("f16") => DType::F16,
        other => return Err(format!("the type is f32 or f16, not {other:?}").into()),
    };
    let model = Model::new(dtype)?;
    let mut out = std::io::stdout();
    let version = version().ok_or("the lock file has no candle-core")?;
    writeln!(out, "ready candle {version}, {}", dtype.as_str())?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let (phase, side) = line.split_once(' ').ok_or("a phase and a side are asked for")?;
        let latent = Tensor::randn(0_f32, 1.0, (1, 4, latent(side)?, latent(side)?), &CPU)?;
        let latent = latent.to_dtype(dtype)?;
        let begin = Instant::now();
        let result = match phase {
            "step" => model.step(&latent)?,
            "decode" => model.decode(&latent)?,
            other => return Err(format!("the phase is step or decode, not {other}").into()),
        };
        let seconds = begin.elapsed().as_secs_f64();
        let sum = result.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
        if !sum.is_finite() {
            return Err(format!("{phase} in {dtype:?} came to values that are no numbers").into());
        }
        writeln!(out, "{seconds}")?;
    }
    Ok(())
}

/// Pixels to places of the latent picture.
fn latent(side: &str) -> std::result::Result<usize, Box<dyn Error>> {
    match side.parse::<usize>() {
        Ok(side) if side > 0 && side.is_multiple_of(64) => Ok(side / 8),
        _ => Err(format!("the side is a multiple of 64, not {side}").into()),
    }
}

/// candle's, by what it was built from.
fn version() -> Option<&'static str> {
    let lock = include_str!("../Cargo.lock");
    let (_, package) = lock.split_once("name = \"candle-core\"\nversion = \"")?;
    Some(package.split_once('"')?.0)
}

struct Model {
    unet: UNet2DConditionModel,
    vae: AutoEncoderKL,
    /// Of nothing and of the prompt.
    words: Tensor,
}

impl Model {
    fn new(dtype: DType) -> Result<Self> {
        let weights = VarBuilder::from_backend(Box::new(Random), dtype, CPU);
        let block = |out_channels, use_cross_attn| BlockConfig {
            out_channels,
            use_cross_attn,
            attention_head_dim: 8,
        };
        let unet = UNet2DConditionModelConfig {
            blocks: vec![
                block(320, Some(1)),
                block(640, Some(1)),
                block(1280, Some(1)),
                block(1280, None),
            ],
            cross_attention_dim: 768,
            ..Default::default()
        };
        let vae = AutoEncoderKLConfig {
            block_out_channels: vec![128, 256, 512, 512],
            layers_per_block: 2,
            ..Default::default()
        };
        Ok(Self {
            unet: UNet2DConditionModel::new(weights.pp("unet"), 4, 4, false, unet)?,
            vae: AutoEncoderKL::new(weights.pp("vae"), 3, 3, vae)?,
            words: Tensor::randn(0_f32, 1.0, (2, 77, 768), &CPU)?.to_dtype(dtype)?,
        })
    }

    /// The noise by classifier-free guidance, in one evaluation for both, as candle's example does it.
    fn step(&self, latent: &Tensor) -> Result<Tensor> {
        let both = Tensor::cat(&[latent, latent], 0)?;
        let noise = self.unet.forward(&both, 500.0, &self.words)?;
        let without = noise.narrow(0, 0, 1)?;
        let guided = (noise.narrow(0, 1, 1)? - &without)?;
        without + (guided * 7.0)?
    }

    /// Latent picture to pixels of 0 to 255.
    fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        let pixels = self.vae.decode(&(latent / 0.18215)?)?;
        (((pixels / 2.0)? + 0.5)?.clamp(0_f32, 1.0)? * 255.0)?.to_dtype(DType::U8)
    }
}

/// Weights as for training, which leave values in their range.
struct Random;

impl SimpleBackend for Random {
    fn get(
        &self,
        shape: Shape,
        _name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        // Detached: nothing is kept for gradients.
        Ok(init.var(shape, dtype, device)?.as_detached_tensor())
    }

    fn get_unchecked(&self, name: &str, _dtype: DType, _device: &Device) -> Result<Tensor> {
        candle_core::bail!("{name} is asked for without a shape")
    }

    fn contains_tensor(&self, _name: &str) -> bool {
        true
    }
}
