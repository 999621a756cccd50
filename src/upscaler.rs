//! Enlarging pictures.

use crate::{
    context::OneAtATime,
    engine,
    error::{self, Failure, Result},
    handle::{self, Handle},
    pixels::{self, sdcpp_pixels},
    pointer::{self, Out},
    result::{Made, sdcpp_result},
    sized::{self, sized},
    watch::{Following, sdcpp_watch},
};
use sdcpp::{Upscaler, UpscalerConfig};
use serde_json::json;
use std::{ffi::c_char, ptr};

/// An ESRGAN model, used by one call at a time, from any thread.
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_upscaler {
    _opaque: [u8; 0],
}

impl Handle for sdcpp_upscaler {
    type Object = OneAtATime<Upscaler>;
    const NAME: &'static str = "sdcpp_upscaler";
}

/// What an upscaler is opened from. Fill it by `sdcpp_upscaler_config_init`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_upscaler_config {
    /// `sizeof(sdcpp_upscaler_config)`.
    pub size: usize,
    /// An ESRGAN file: safetensors or GGUF. Must be set.
    pub model: *const c_char,
    /// The device to compute on; NULL: the engine's choice.
    pub backend: *const c_char,
    /// The device to keep the weights on; NULL: where they are used.
    pub params_backend: *const c_char,
    /// CPU threads; 0: the physical cores. Default 0.
    pub threads: u32,
    /// Side of the tiles it works in, in pixels of the input, 16 to 4096; 0: the whole picture at
    /// once. Default 128.
    pub tile_size: u32,
    /// Direct convolution, for less memory: 1 on, 0 off, -1 where it computes on the processor, which is
    /// faster so too. Default -1.
    pub conv_direct: i32,
    /// 1: allows pickle files (`.pth`), which can crash the process if hostile. Default 0.
    pub trust_pickle: i32,
}

sized!(sdcpp_upscaler_config, first 48, {
    model: ptr::null(),
    backend: ptr::null(),
    params_backend: ptr::null(),
    threads: 0,
    tile_size: 128,
    conv_direct: -1,
    trust_pickle: 0,
});

/// Fills `config` with defaults. `size` is `sizeof(sdcpp_upscaler_config)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_upscaler_config_init(
    config: *mut sdcpp_upscaler_config,
    size: usize,
) -> i32 {
    // SAFETY: the pointers are as the documentation of this crate asks.
    error::call(|| unsafe { sized::init(config, size, "config") })
}

/// The configuration that the caller's struct stands for.
///
/// # Safety
/// `pointer` is NULL or leads to a struct whose pointers are as its documentation says.
unsafe fn read(pointer: *const sdcpp_upscaler_config) -> Result<UpscalerConfig> {
    // SAFETY: the caller vouches for it.
    let asked = unsafe { sized::read(pointer, "config") }?;
    // SAFETY: as above.
    unsafe {
        let mut config = UpscalerConfig::new(pointer::path(asked.model, "config.model")?);
        config.threads = Some(asked.threads).filter(|threads| *threads > 0);
        config.tile_size = asked.tile_size;
        let text = |pointer, name| pointer::optional_text(pointer, name);
        config.backend = text(asked.backend, "backend")?.map(str::to_owned);
        config.params_backend = text(asked.params_backend, "params_backend")?.map(str::to_owned);
        config.conv_direct = pointer::switch(asked.conv_direct, "conv_direct")?;
        config.trust_pickle = pointer::switch(asked.trust_pickle, "trust_pickle")?.unwrap_or(false);
        Ok(config)
    }
}

/// Opens an upscaler. `watch` may be NULL. Free `*out` by `sdcpp_upscaler_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_upscaler_open(
    config: *const sdcpp_upscaler_config,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_upscaler,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, config, (watch, _following)) = unsafe {
            let out = Out::new(out, ptr::null_mut(), "out")?;
            (out, read(config)?, Following::read(watch, None)?)
        };
        let upscaler = Upscaler::open(&engine::engine()?, &config, watch)?;
        let info = json!(upscaler.factor());
        out.put(handle::put(OneAtATime::new(upscaler, info))?);
        Ok(())
    })
}

/// How many times as wide and high its pictures are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_upscaler_factor(
    upscaler: *const sdcpp_upscaler,
    out: *mut u32,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, 0, "out") }?;
        let factor = handle::get(upscaler)?.info.as_u64().unwrap_or_default();
        out.put(u32::try_from(factor).unwrap_or_default());
        Ok(())
    })
}

/// Enlarges a picture; transparent parts are laid on white. `watch` may be NULL. Free `*out` by
/// `sdcpp_result_free`.
///
/// Errors: `SDCPP_BUSY` at once if another call uses the upscaler; `SDCPP_INVALID_PARAMETER`,
/// `SDCPP_CANCELLED`, `SDCPP_OUT_OF_MEMORY` and others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_upscaler_upscale(
    upscaler: *const sdcpp_upscaler,
    picture: *const sdcpp_pixels,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_result,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, picture, (watch, _following)) = unsafe {
            let out = Out::new(out, ptr::null_mut(), "out")?;
            (out, pixels::optional(picture, "picture")?, Following::read(watch, None)?)
        };
        let picture = picture.ok_or_else(|| Failure::null("picture"))?;
        let upscaler = handle::get(upscaler)?;
        let made = upscaler.with(|upscaler| upscaler.upscale_with(picture, watch))?;
        out.put(handle::put(Made::from(made))?);
        Ok(())
    })
}

/// Frees an upscaler. A call that uses it meanwhile goes on. Results stay.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_upscaler_free(upscaler: *mut sdcpp_upscaler) -> i32 {
    error::call(|| handle::take(upscaler).map(drop))
}
