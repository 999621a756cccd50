//! What the parameters of pictures and videos have in common.

use super::{Strings, count, int, list};
use crate::{
    DbCache, EasyCache, HighNoise, HiresFix, Lora, Result, Sampler, Sampling, Scheduler,
    SkipLayers, Spectrum, StepCache, TaylorSeer, UCache, VaeTiling,
};
use sdcpp_sys::{
    sd_cache_params_t, sd_guidance_params_t, sd_hires_params_t, sd_lora_t, sd_sample_params_t,
    sd_slg_params_t, sd_tiling_params_t,
};
use std::ptr;

/// Memory that the structs made here point to. A vector's elements stay where they are when the
/// vector moves.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) strings: Strings,
    layers: Vec<Vec<i32>>,
    sigmas: Vec<Vec<f32>>,
    loras: Vec<sd_lora_t>,
}

/// LoRAs that count; the engine would load the others for nothing.
pub(super) fn loras(memory: &mut Memory, loras: &[Lora]) -> Result<(*const sd_lora_t, u32)> {
    let mut raw = Vec::with_capacity(loras.len());
    for lora in loras.iter().filter(|lora| lora.multiplier != 0.0) {
        raw.push(sd_lora_t {
            is_high_noise: lora.high_noise,
            multiplier: lora.multiplier,
            path: memory.strings.path("loras", Some(&lora.path))?,
        });
    }
    memory.loras = raw;
    Ok((list(&mut memory.loras).cast_const(), count("loras", memory.loras.len())?))
}

pub(super) fn sampling(
    memory: &mut Memory,
    sampling: &Sampling,
    sampler: Sampler,
) -> Result<sd_sample_params_t> {
    let (custom_sigmas, custom_sigmas_count) = sigmas(memory, &sampling.custom_sigmas)?;
    Ok(sd_sample_params_t {
        guidance: sd_guidance_params_t {
            txt_cfg: sampling.cfg_scale,
            img_cfg: sampling.image_cfg_scale.unwrap_or(f32::INFINITY),
            distilled_guidance: sampling.distilled_guidance,
            slg: skip_layers(memory, sampling.skip_layers.as_ref())?,
        },
        scheduler: sampling.scheduler.map_or(Scheduler::AUTO, Scheduler::to_engine) as _,
        sample_method: sampler.to_engine() as _,
        // With own sigmas the engine wants their number of steps.
        sample_steps: int("steps", sampling.effective_steps())?,
        eta: sampling.eta.unwrap_or(f32::INFINITY),
        shifted_timestep: int("shifted_timestep", sampling.shifted_timestep)?,
        custom_sigmas,
        custom_sigmas_count,
        flow_shift: sampling.flow_shift.unwrap_or(f32::INFINITY),
        extra_sample_args: memory
            .strings
            .optional("extra_sample_args", sampling.extra_sample_args.as_deref())?,
    })
}

/// Of these the engine takes the scheduler, own sigmas, and shifts from the other model's.
pub(super) fn high_noise(
    memory: &mut Memory,
    high_noise: &HighNoise,
) -> Result<sd_sample_params_t> {
    Ok(sd_sample_params_t {
        guidance: sd_guidance_params_t {
            txt_cfg: high_noise.cfg_scale,
            img_cfg: high_noise.image_cfg_scale.unwrap_or(f32::INFINITY),
            distilled_guidance: high_noise.distilled_guidance,
            slg: skip_layers(memory, high_noise.skip_layers.as_ref())?,
        },
        scheduler: Scheduler::AUTO as _,
        sample_method: high_noise.sampler.map_or(Sampler::AUTO, Sampler::to_engine) as _,
        sample_steps: high_noise.steps.map_or(Ok(-1), |steps| int("high_noise.steps", steps))?,
        eta: high_noise.eta.unwrap_or(f32::INFINITY),
        shifted_timestep: 0,
        custom_sigmas: ptr::null_mut(),
        custom_sigmas_count: 0,
        flow_shift: f32::INFINITY,
        extra_sample_args: memory
            .strings
            .optional("high_noise.extra_sample_args", high_noise.extra_sample_args.as_deref())?,
    })
}

fn skip_layers(memory: &mut Memory, skip: Option<&SkipLayers>) -> Result<sd_slg_params_t> {
    let Some(skip) = skip else {
        return Ok(sd_slg_params_t {
            layers: ptr::null_mut(),
            layer_count: 0,
            layer_start: 0.0,
            layer_end: 0.0,
            scale: 0.0,
        });
    };
    let layers: Result<Vec<i32>> =
        skip.layers.iter().map(|layer| int("skip_layers.layers", *layer)).collect();
    memory.layers.push(layers?);
    let layers = memory.layers.last_mut().map_or(&mut [][..], Vec::as_mut_slice);
    Ok(sd_slg_params_t {
        layer_count: layers.len(),
        layers: list(layers),
        layer_start: skip.start,
        layer_end: skip.end,
        scale: skip.scale,
    })
}

fn sigmas(memory: &mut Memory, sigmas: &[f32]) -> Result<(*mut f32, i32)> {
    memory.sigmas.push(sigmas.to_vec());
    let sigmas = memory.sigmas.last_mut().map_or(&mut [][..], Vec::as_mut_slice);
    Ok((list(sigmas), count("custom_sigmas", sigmas.len())?))
}

/// What `vendor/fixes/vae-fallback.toml` looks for. The C struct has no field for it.
const TILES_IF_OUT_OF_MEMORY: &str = "sdcpp:tiles-if-out-of-memory";

pub(super) fn vae_tiling(
    memory: &mut Memory,
    tiling: Option<&VaeTiling>,
    fallback: bool,
) -> Result<sd_tiling_params_t> {
    let enabled = tiling.is_some();
    let mut tiling = tiling.cloned().unwrap_or_default();
    if fallback && !enabled {
        tiling.extra_args = Some(TILES_IF_OUT_OF_MEMORY.to_owned());
    }
    let (rel_size_x, rel_size_y) = tiling.relative_size.unwrap_or((0.0, 0.0));
    Ok(sd_tiling_params_t {
        enabled,
        temporal_tiling: tiling.temporal,
        tile_size_x: int("vae_tiling.tile_size", tiling.tile_size.0)?,
        tile_size_y: int("vae_tiling.tile_size", tiling.tile_size.1)?,
        target_overlap: tiling.overlap,
        rel_size_x,
        rel_size_y,
        extra_tiling_args: memory
            .strings
            .optional("vae_tiling.extra_args", tiling.extra_args.as_deref())?,
    })
}

pub(super) fn step_cache(
    memory: &mut Memory,
    cache: Option<&StepCache>,
) -> Result<sd_cache_params_t> {
    use sdcpp_sys::{
        SD_CACHE_CACHE_DIT, SD_CACHE_DBCACHE, SD_CACHE_DISABLED, SD_CACHE_EASYCACHE,
        SD_CACHE_SPECTRUM, SD_CACHE_TAYLORSEER, SD_CACHE_UCACHE,
    };
    // Each mode reads its own settings; the others have their defaults.
    let (mut easy, mut unet) = (EasyCache::default(), UCache::default());
    let (mut blocks, mut series) = (DbCache::default(), TaylorSeer::default());
    let mut spectrum = Spectrum::default();
    let mode = match cache.cloned() {
        None => SD_CACHE_DISABLED,
        Some(StepCache::EasyCache(own)) => {
            easy = own;
            SD_CACHE_EASYCACHE
        }
        Some(StepCache::UCache(own)) => {
            unet = own;
            SD_CACHE_UCACHE
        }
        Some(StepCache::DbCache(own)) => {
            blocks = own;
            SD_CACHE_DBCACHE
        }
        Some(StepCache::TaylorSeer(own)) => {
            series = own;
            SD_CACHE_TAYLORSEER
        }
        Some(StepCache::CacheDit { blocks: own, series: own_series }) => {
            (blocks, series) = (own, own_series);
            SD_CACHE_CACHE_DIT
        }
        Some(StepCache::Spectrum(own)) => {
            spectrum = own;
            SD_CACHE_SPECTRUM
        }
    };
    let is_unet = mode == SD_CACHE_UCACHE;
    let most = |steps: Option<u32>| steps.map_or(Ok(-1), |n| int("step_cache", n));
    Ok(sd_cache_params_t {
        mode,
        reuse_threshold: if is_unet { unet.reuse_threshold } else { easy.reuse_threshold },
        start_percent: if is_unet { unet.start } else { easy.start },
        end_percent: if is_unet { unet.end } else { easy.end },
        error_decay_rate: unet.error_decay_rate,
        use_relative_threshold: unet.relative,
        reset_error_on_compute: unet.reset_on_compute,
        Fn_compute_blocks: int("step_cache.first_blocks", blocks.first_blocks)?,
        Bn_compute_blocks: int("step_cache.last_blocks", blocks.last_blocks)?,
        residual_diff_threshold: blocks.residual_threshold,
        max_warmup_steps: int("step_cache.warmup_steps", blocks.warmup_steps)?,
        max_cached_steps: most(blocks.max_cached_steps)?,
        max_continuous_cached_steps: most(blocks.max_continuous_cached_steps)?,
        taylorseer_n_derivatives: int("step_cache.derivatives", series.derivatives)?,
        taylorseer_skip_interval: int("step_cache.skip_interval", series.skip_interval)?,
        scm_mask: memory
            .strings
            .optional("step_cache.steps_mask", blocks.mask_text().as_deref())?,
        scm_policy_dynamic: blocks.dynamic_mask,
        spectrum_w: spectrum.weight,
        spectrum_m: int("step_cache.order", spectrum.order)?,
        spectrum_lam: spectrum.lambda,
        spectrum_window_size: int("step_cache.window_size", spectrum.window_size)?,
        spectrum_flex_window: spectrum.flex_window,
        spectrum_warmup_steps: int("step_cache.warmup_steps", spectrum.warmup_steps)?,
        spectrum_stop_percent: spectrum.stop,
    })
}

pub(super) fn hires(
    memory: &mut Memory,
    hires: Option<&HiresFix>,
    sampling: &Sampling,
) -> Result<sd_hires_params_t> {
    let enabled = hires.is_some();
    let hires = hires.cloned().unwrap_or_default();
    let (width, height) = hires.target_size.unwrap_or((0, 0));
    let (custom_sigmas, custom_sigmas_count) = sigmas(memory, &hires.custom_sigmas)?;
    Ok(sd_hires_params_t {
        enabled,
        upscaler: hires.upscaler.to_engine() as _,
        model_path: memory.strings.path("hires.model", hires.model.as_deref())?,
        scale: hires.scale,
        target_width: int("hires.target_size", width)?,
        target_height: int("hires.target_size", height)?,
        steps: int("hires.steps", hires.steps_after(sampling))?,
        denoising_strength: hires.denoising_strength,
        upscale_tile_size: int("hires.tile_size", hires.tile_size)?,
        custom_sigmas,
        custom_sigmas_count,
    })
}
