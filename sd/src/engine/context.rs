//! A model the engine holds.

use super::{
    Engine, Images,
    call::{self, Outcome},
    params::{ContextParams, ImageParams},
    report::{Report, Status},
};
use crate::{ImageRequest, ModelConfig, Result, Sampler, Scheduler, Watch, stage::Stage};
use sdcpp_sys::{Table, sd_ctx_t, sd_image_t};
use std::ptr::{self, NonNull};

/// An engine context, owned.
#[derive(Debug)]
pub(crate) struct RawContext {
    pointer: NonNull<sd_ctx_t>,
    table: Table,
}

// SAFETY: the engine binds nothing of a context to a thread; it only must not be used from two at
// once, which `&mut self` in `generate` and the missing Sync see to.
unsafe impl Send for RawContext {}

/// A pointer that the engine's thread writes and the caller reads once the thread has ended.
struct Out<T>(*mut T);

// SAFETY: only one thread uses it at a time; see above.
unsafe impl<T> Send for Out<T> {}

impl RawContext {
    /// Creates a context; none if the engine refuses, with the reason in the outcome.
    pub(crate) fn new(
        engine: &Engine,
        config: &ModelConfig,
        watch: Watch<'_>,
    ) -> Result<(Option<Self>, Outcome)> {
        let threads = config.threads.unwrap_or_else(|| engine.physical_cores());
        let table = engine.table;
        let params = ContextParams::new(table, config, threads)?;
        let mut made: *mut sd_ctx_t = ptr::null_mut();
        let out = Out(&raw mut made);
        let params = &params;
        let outcome = call::run(table, watch, Stage::Opening, move |hooks, report| {
            let out = out;
            // SAFETY: all pointers lead to values that live until the call's thread is joined.
            unsafe { (table.context_new)(params.as_ptr(), hooks, out.0, report) }
        })?;
        let context = NonNull::new(made).map(|pointer| Self { pointer, table });
        Ok((context, outcome))
    }

    pub(crate) fn makes_images(&self) -> bool {
        // SAFETY: the context is alive.
        unsafe { (self.table.context_makes_images)(self.pointer.as_ptr()) != 0 }
    }

    /// The sampler the engine would choose, which tells transformers from UNets.
    pub(crate) fn default_sampler(&self) -> Option<Sampler> {
        // SAFETY: the context is alive.
        let value = unsafe { (self.table.default_sample_method)(self.pointer.as_ptr()) };
        Sampler::from_engine(value)
    }

    /// The scheduler the engine would choose.
    pub(crate) fn default_scheduler(&self, sampler: Sampler) -> Option<Scheduler> {
        let (table, context) = (self.table, self.pointer.as_ptr());
        // SAFETY: the context is alive, and the number is of the engine's enum.
        Scheduler::from_engine(unsafe { (table.default_scheduler)(context, sampler.to_engine()) })
    }

    /// Draws. The pictures, or what is wrong with them, come with how the call ended.
    pub(crate) fn generate(
        &mut self,
        request: &ImageRequest,
        sampler: Sampler,
        seed: i64,
        watch: Watch<'_>,
    ) -> Result<(Result<Images, String>, Outcome)> {
        let table = self.table;
        let params = ImageParams::new(table, request, sampler, seed)?;
        let mut made: *mut sd_image_t = ptr::null_mut();
        let (context, out) = (Out(self.pointer.as_ptr()), Out(&raw mut made));
        let params = &params;
        let outcome = call::run(table, watch, Stage::Preparing, move |hooks, report| {
            let (context, out) = (context, out);
            // SAFETY: the context is alive and, by `&mut self`, in no other call; the other pointers
            // lead to values that live until the call's thread is joined.
            unsafe { (table.generate_image)(context.0, params.as_ptr(), hooks, out.0, report) }
        })?;
        // SAFETY: NULL, or an array of `batch` pictures by the contract of the shim.
        let images = unsafe { Images::take(table, made, request.batch) };
        Ok((images, outcome))
    }
}

impl Drop for RawContext {
    fn drop(&mut self) {
        let mut report = Report::new(self.table);
        // SAFETY: the context is ours and freed once.
        let status =
            unsafe { (self.table.context_free)(self.pointer.as_ptr(), report.as_mut_ptr()) };
        if Status::from_shim(status) != Status::Ok {
            let ended = report.take();
            tracing::error!(report = %ended.report, "freeing a context failed");
        }
    }
}
