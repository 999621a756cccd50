//! A model the engine holds.

use super::{
    Engine, Images,
    call::{self, Outcome},
    params::{ContextParams, ImageJob, ImageParams, VideoJob, VideoParams},
    report::{Report, Status},
};
use crate::{Audio, ModelConfig, Result, Sampler, Scheduler, Watch, stage::Stage};
use sdcpp_sys::{Table, sd_audio_t, sd_ctx_t, sd_image_t};
use std::{
    ptr::{self, NonNull},
    slice,
};

/// An engine context, owned.
pub(crate) struct RawContext {
    pointer: NonNull<sd_ctx_t>,
    table: Table,
}

impl std::fmt::Debug for RawContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RawContext").field(&self.pointer).finish()
    }
}

// SAFETY: the engine binds nothing of a context to a thread; it only must not be used from two at
// once, which `&mut self` in `generate` and the missing Sync see to.
unsafe impl Send for RawContext {}

/// A pointer that the engine's thread uses, and the caller again once the thread has ended.
pub(super) struct Out<T>(pub(super) *mut T);

// SAFETY: only one thread uses it at a time; see above.
unsafe impl<T> Send for Out<T> {}

/// The frames of a video, and the sound.
pub(crate) struct RawVideo {
    pub(crate) frames: Images,
    pub(crate) audio: Option<Audio>,
}

impl RawContext {
    /// Creates a context; none if the engine refuses, with the reason in the outcome.
    pub(crate) fn new(
        engine: &Engine,
        config: &ModelConfig,
        watch: Watch<'_>,
    ) -> Result<(Option<Self>, Outcome)> {
        let threads = config.threads.unwrap_or_else(|| engine.physical_cores());
        let table = engine.table;
        let params = ContextParams::new(config, threads)?;
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

    pub(crate) fn makes_video(&self) -> bool {
        // SAFETY: the context is alive.
        unsafe { (self.table.context_makes_video)(self.pointer.as_ptr()) != 0 }
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
        job: &ImageJob<'_>,
        watch: Watch<'_>,
    ) -> Result<(Result<Images, String>, Outcome)> {
        let table = self.table;
        let params = ImageParams::new(job)?;
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
        let images = unsafe { Images::take(table, made, job.request.batch) };
        Ok((images, outcome))
    }

    /// Draws a video. The frames, or what is wrong with them, come with how the call ended.
    pub(crate) fn generate_video(
        &mut self,
        job: &VideoJob<'_>,
        watch: Watch<'_>,
    ) -> Result<(Result<RawVideo, String>, Outcome)> {
        let table = self.table;
        let params = VideoParams::new(job)?;
        let mut frames: *mut sd_image_t = ptr::null_mut();
        let mut count = 0_i32;
        let mut audio: *mut sd_audio_t = ptr::null_mut();
        let context = Out(self.pointer.as_ptr());
        let outs = (Out(&raw mut frames), Out(&raw mut count), Out(&raw mut audio));
        let params = &params;
        let outcome = call::run(table, watch, Stage::Preparing, move |hooks, report| {
            let (context, (frames, count, audio)) = (context, outs);
            let params = params.as_ptr();
            // SAFETY: as in `generate`.
            unsafe {
                (table.generate_video)(context.0, params, hooks, frames.0, count.0, audio.0, report)
            }
        })?;
        // SAFETY: NULL, or the engine's own, which is freed here.
        let audio = unsafe { take_audio(table, audio) };
        let video = u32::try_from(count).map_err(|_| format!("the engine returned {count} frames"));
        let video = video.and_then(|count| {
            // SAFETY: NULL, or an array of as many frames as the engine said.
            let frames = unsafe { Images::take(table, frames, count) }?;
            match frames.len() {
                0 => Err("the engine returned no frames".to_owned()),
                _ => Ok(RawVideo { frames, audio: audio? }),
            }
        });
        Ok((video, outcome))
    }
}

/// Copies the engine's sound, and frees it.
///
/// # Safety
/// `audio` is NULL, or the engine's own with `sample_count` × `channels` samples, and is used by
/// nobody else.
unsafe fn take_audio(table: Table, audio: *mut sd_audio_t) -> Result<Option<Audio>, String> {
    // SAFETY: the caller vouches for it.
    let Some(raw) = (unsafe { audio.as_ref() }) else { return Ok(None) };
    let samples = usize::try_from(raw.sample_count)
        .ok()
        .and_then(|count| count.checked_mul(raw.channels as usize))
        .filter(|all| *all > 0 && *all <= isize::MAX as usize / size_of::<f32>())
        .filter(|_| !raw.data.is_null());
    let copied = match (samples, u16::try_from(raw.channels)) {
        (Some(count), Ok(channels)) => {
            // SAFETY: not NULL, and the caller vouches for the length.
            let samples = unsafe { slice::from_raw_parts(raw.data, count) };
            Ok(Some(Audio::new(samples, raw.sample_rate, channels)))
        }
        _ => Err(format!(
            "the engine's sound has {} samples of {} channels",
            raw.sample_count, raw.channels
        )),
    };
    // SAFETY: the engine's own, freed once.
    unsafe { (table.audio_free)(audio) };
    copied
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
