//! A model in this process.

use crate::{
    config::{self, sdcpp_model_config},
    engine,
    error::{self, Failure, Result},
    handle::{self, Handle},
    memory,
    pointer::Out,
    request::{self, sdcpp_image_request},
    result::{Made, sdcpp_result, seconds},
    video::{self, sdcpp_video_request},
    watch::{Following, sdcpp_watch},
};
use sdcpp::Context;
use serde_json::{Value, json};
use std::{
    ffi::c_char,
    ptr,
    sync::{Mutex, TryLockError},
};

/// A model in this process, used by one call at a time, from any thread.
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_context {
    _opaque: [u8; 0],
}

impl Handle for sdcpp_context {
    type Object = OneAtATime<Context>;
    const NAME: &'static str = "sdcpp_context";
}

/// What one call uses at a time, and what can be told of it meanwhile.
#[derive(Debug)]
pub(crate) struct OneAtATime<T> {
    object: Mutex<T>,
    pub(crate) info: Value,
}

impl<T> OneAtATime<T> {
    pub(crate) fn new(object: T, info: Value) -> Self {
        Self { object: Mutex::new(object), info }
    }

    /// Uses it, unless another call does.
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> sdcpp::Result<R>) -> Result<R> {
        match self.object.try_lock() {
            Ok(mut object) => Ok(body(&mut object)?),
            Err(TryLockError::WouldBlock) => Err(Failure::busy(
                "another call uses it at this moment",
                "use it from one thread at a time, or use a pool",
            )),
            Err(TryLockError::Poisoned(_)) => {
                let cause = "an earlier call panicked".to_owned();
                Err(sdcpp::Error::Poisoned { cause }.into())
            }
        }
    }
}

/// Opens a model. `watch` may be NULL. Loading cannot be left half-way: a stop takes effect when it
/// has ended. Free `*out` by `sdcpp_context_free`.
///
/// Errors: `SDCPP_INVALID_PARAMETER`, `SDCPP_FILE_NOT_FOUND`, `SDCPP_NOT_A_MODEL`,
/// `SDCPP_MISSING_PARTS`, `SDCPP_MODEL_LOAD`, `SDCPP_OUT_OF_MEMORY`, `SDCPP_INSUFFICIENT_MEMORY` and
/// others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_context_open(
    config: *const sdcpp_model_config,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_context,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, config, (watch, _following)) = unsafe {
            let out = Out::new(out, ptr::null_mut(), "out")?;
            (out, config::read(config)?, Following::read(watch, None)?)
        };
        let context = Context::open(&engine::engine()?, &config, watch)?;
        let info = json!({
            "family": context.family(),
            "makes_images": context.makes_images(),
            "makes_video": context.makes_video(),
            "default_sampler": context.default_sampler().name(),
            "load_seconds": seconds(&context.load_timings()),
        });
        out.put(handle::put(OneAtATime::new(context, info))?);
        Ok(())
    })
}

/// Draws. `watch` may be NULL. Free `*out` by `sdcpp_result_free`.
///
/// The callbacks of `watch` are called on a thread of the library, while this one waits.
///
/// Errors: `SDCPP_BUSY` at once if another call uses the context, also one that this is a callback
/// of; `SDCPP_INVALID_PARAMETER`; `SDCPP_CANCELLED` and `SDCPP_DEADLINE_EXCEEDED`, after which the
/// context can be used again; `SDCPP_OUT_OF_MEMORY`; `SDCPP_POISONED` and others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_context_generate(
    context: *const sdcpp_context,
    request: *const sdcpp_image_request,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_result,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, request, (watch, _following)) = unsafe {
            let out = Out::new(out, ptr::null_mut(), "out")?;
            (out, request::read(request)?, Following::read(watch, None)?)
        };
        let context = handle::get(context)?;
        let made = context.with(|context| context.generate_with(&request, watch))?;
        out.put(handle::put(Made::from(made))?);
        Ok(())
    })
}

/// Makes a video, as `sdcpp_context_generate` makes pictures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_context_generate_video(
    context: *const sdcpp_context,
    request: *const sdcpp_video_request,
    watch: *const sdcpp_watch,
    out: *mut *mut sdcpp_result,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, request, (watch, _following)) = unsafe {
            let out = Out::new(out, ptr::null_mut(), "out")?;
            (out, video::read(request)?, Following::read(watch, None)?)
        };
        let context = handle::get(context)?;
        let made = context.with(|context| context.generate_video_with(&request, watch))?;
        out.put(handle::put(Made::from(made))?);
        Ok(())
    })
}

/// Tells of the model as JSON: `family`, `makes_images`, `makes_video`, `default_sampler`,
/// `load_seconds`. Also while the context is busy. Free `*out` by `sdcpp_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_context_info_json(
    context: *const sdcpp_context,
    out: *mut *mut c_char,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, memory::NO_TEXT, "out") }?;
        out.put(memory::lend_json(&handle::get(context)?.info));
        Ok(())
    })
}

/// Frees the model. A call that uses it meanwhile goes on, and the model is freed after it. Results
/// stay.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_context_free(context: *mut sdcpp_context) -> i32 {
    error::call(|| handle::take(context).map(drop))
}
