//! An upscaler the engine holds.

use super::{
    Engine, Images,
    call::{self, Outcome},
    context::Out,
    params::{Strings, int, rgb},
    report::{Report, Status},
};
use crate::{Result, Watch, stage::Stage};
use image::RgbImage;
use sdcpp_sys::{Table, sd_image_t, upscaler_ctx_t};
use std::{
    path::Path,
    ptr::{self, NonNull},
};

/// An engine upscaler, owned.
pub(crate) struct RawUpscaler {
    pointer: NonNull<upscaler_ctx_t>,
    table: Table,
}

impl std::fmt::Debug for RawUpscaler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RawUpscaler").field(&self.pointer).finish()
    }
}

// SAFETY: as `RawContext`.
unsafe impl Send for RawUpscaler {}

/// What an upscaler is made of; checked by the caller.
pub(crate) struct UpscalerOptions<'a> {
    pub(crate) model: &'a Path,
    pub(crate) threads: u32,
    pub(crate) tile_size: u32,
    pub(crate) conv_direct: bool,
    pub(crate) backend: Option<&'a str>,
    pub(crate) params_backend: Option<&'a str>,
}

impl RawUpscaler {
    /// Creates an upscaler; none if the engine refuses, with the reason in the outcome.
    pub(crate) fn new(
        engine: &Engine,
        options: &UpscalerOptions<'_>,
        watch: Watch<'_>,
    ) -> Result<(Option<Self>, Outcome)> {
        let table = engine.table;
        let mut strings = Strings::default();
        let model = Out(strings.path("upscaler", Some(options.model))?.cast_mut());
        let backend = Out(strings.optional("backend", options.backend)?.cast_mut());
        let params = Out(strings.optional("params_backend", options.params_backend)?.cast_mut());
        let direct = i32::from(options.conv_direct);
        let threads = int("threads", options.threads)?;
        let tile_size = int("tile_size", options.tile_size)?;
        let mut made: *mut upscaler_ctx_t = ptr::null_mut();
        let out = Out(&raw mut made);
        let outcome = call::run(table, watch, Stage::Opening, move |hooks, report| {
            let (model, backend, params, out) = (model, backend, params, out);
            // SAFETY: the strings and the place for the result live until the call's thread is
            // joined.
            unsafe {
                (table.upscaler_new)(
                    model.0, direct, threads, tile_size, backend.0, params.0, hooks, out.0, report,
                )
            }
        })?;
        drop(strings);
        Ok((NonNull::new(made).map(|pointer| Self { pointer, table }), outcome))
    }

    /// The model's factor; 1 at least.
    pub(crate) fn factor(&self) -> u32 {
        // SAFETY: the upscaler is alive.
        let factor = unsafe { (self.table.upscaler_factor)(self.pointer.as_ptr()) };
        u32::try_from(factor).unwrap_or(1).max(1)
    }

    /// Enlarges. The picture, or what is wrong with it, comes with how the call ended.
    pub(crate) fn upscale(
        &mut self,
        picture: &RgbImage,
        watch: Watch<'_>,
    ) -> Result<(Result<Images, String>, Outcome)> {
        let table = self.table;
        let factor = self.factor();
        let mut input = rgb(picture);
        let mut made: *mut sd_image_t = ptr::null_mut();
        let (upscaler, input) = (Out(self.pointer.as_ptr()), Out(&raw mut input));
        let out = Out(&raw mut made);
        let outcome = call::run(table, watch, Stage::Upscaling, move |hooks, report| {
            let (upscaler, input, out) = (upscaler, input, out);
            // SAFETY: the upscaler is alive and, by `&mut self`, in no other call; the other
            // pointers lead to values that live until the call's thread is joined.
            unsafe { (table.upscale)(upscaler.0, input.0, factor, hooks, out.0, report) }
        })?;
        // SAFETY: NULL, or an array of one picture by the contract of the shim.
        Ok((unsafe { Images::take(table, made, 1) }, outcome))
    }
}

impl Drop for RawUpscaler {
    fn drop(&mut self) {
        let mut report = Report::new(self.table);
        // SAFETY: the upscaler is ours and freed once.
        let status =
            unsafe { (self.table.upscaler_free)(self.pointer.as_ptr(), report.as_mut_ptr()) };
        if Status::from_shim(status) != Status::Ok {
            let ended = report.take();
            tracing::error!(report = %ended.report, "freeing an upscaler failed");
        }
    }
}
