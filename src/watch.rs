//! Following an operation from C, and stopping it.

use crate::{
    cancel::sdcpp_cancel,
    error::{self, Failure, Result},
    gate::{Gate, HeldUp},
    handle,
    pixels::sdcpp_pixels,
    pointer,
    sized::{self, sized},
};
use sdcpp::{Preview, PreviewKind, PreviewOptions, Progress, Watch};
use std::{
    ffi::{c_char, c_void},
    ops::ControlFlow,
    ptr,
    sync::Arc,
    time::Duration,
};

/// Something that has no name here yet.
pub const SDCPP_STAGE_OTHER: i32 = 0;
/// Weights are being read: `done` and `total` count tensors.
pub const SDCPP_STAGE_LOADING: i32 = 1;
/// The prompt or an input picture is being encoded: `done` and `total` count tiles, 0 without.
pub const SDCPP_STAGE_ENCODING: i32 = 2;
/// The diffusion model runs: `done` and `total` count steps.
pub const SDCPP_STAGE_SAMPLING: i32 = 3;
/// The picture is being decoded: `done` and `total` count tiles, 0 without.
pub const SDCPP_STAGE_DECODING: i32 = 4;
/// A picture is being enlarged: `done` and `total` count tiles, 0 without.
pub const SDCPP_STAGE_UPSCALING: i32 = 5;
/// A file is being converted: `done` and `total` count tensors.
pub const SDCPP_STAGE_CONVERTING: i32 = 6;

/// What an operation has come to. The library's; valid during the callback.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_progress {
    /// Bytes of this struct, as the library has it.
    pub size: usize,
    /// The name of the stage, as in `sampling`.
    pub stage_name: *const c_char,
    /// How long the last step took, in seconds; 0 outside of sampling.
    pub step_seconds: f64,
    /// One of the `SDCPP_STAGE_` numbers.
    pub stage: i32,
    /// How much of the stage is done.
    pub done: u32,
    /// How much there is in all; 0 where that is not told.
    pub total: u32,
    /// The picture of the batch that is being sampled, from 1; 0 in other stages.
    pub image: u32,
    /// Pictures in the batch; 0 in other stages.
    pub images: u32,
    /// 0.
    pub reserved: u32,
}

impl From<&Progress> for sdcpp_progress {
    fn from(progress: &Progress) -> Self {
        let (stage, name, done, total) = match *progress {
            Progress::Loading { tensors, total } => {
                (SDCPP_STAGE_LOADING, c"loading", tensors, total)
            }
            Progress::Encoding { tile, tiles } => (SDCPP_STAGE_ENCODING, c"encoding", tile, tiles),
            Progress::Sampling { step, steps, .. } => {
                (SDCPP_STAGE_SAMPLING, c"sampling", step, steps)
            }
            Progress::Decoding { tile, tiles } => (SDCPP_STAGE_DECODING, c"decoding", tile, tiles),
            Progress::Upscaling { tile, tiles } => {
                (SDCPP_STAGE_UPSCALING, c"upscaling", tile, tiles)
            }
            Progress::Converting { tensors, total } => {
                (SDCPP_STAGE_CONVERTING, c"converting", tensors, total)
            }
            _ => (SDCPP_STAGE_OTHER, c"other", 0, 0),
        };
        let (image, images, step_seconds) = match *progress {
            Progress::Sampling { image, images, step_time, .. } => {
                (image, images, step_time.as_secs_f64())
            }
            _ => (0, 0, 0.0),
        };
        Self {
            size: size_of::<Self>(),
            stage_name: name.as_ptr(),
            step_seconds,
            stage,
            done,
            total,
            image,
            images,
            reserved: 0,
        }
    }
}

/// What a latent looks like so far. The library's; valid during the callback.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_preview {
    /// Bytes of this struct, as the library has it.
    pub size: usize,
    /// The picture, or the frames of a video: RGB without gaps.
    pub frames: *const sdcpp_pixels,
    /// How many there are; one at least.
    pub frame_count: usize,
    /// The sampling step, from 1.
    pub step: u32,
    /// 1 if it has its noise still, else 0.
    pub noisy: i32,
}

/// Is told of progress. Anything but 0 stops the operation, which then fails with `SDCPP_CANCELLED`.
#[allow(non_camel_case_types, reason = "its name in C")]
pub type sdcpp_on_progress =
    Option<unsafe extern "C" fn(user: *mut c_void, progress: *const sdcpp_progress) -> i32>;

/// Is shown a preview.
#[allow(non_camel_case_types, reason = "its name in C")]
pub type sdcpp_on_preview =
    Option<unsafe extern "C" fn(user: *mut c_void, preview: *const sdcpp_preview)>;

/// How one operation is followed and stopped. It is copied by the call it is given to.
///
/// Callbacks are called one at a time, on a thread of the library as a rule, and never after the
/// operation has ended: its function has returned, `sdcpp_job_wait` has given its result or error,
/// or `sdcpp_job_free` has returned. They must return by themselves: neither a C++ exception nor
/// `longjmp` may leave them. The operation waits while they run. They may call this library;
/// what would wait for their own operation or its pool is refused with `SDCPP_BUSY`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_watch {
    /// `sizeof(sdcpp_watch)`.
    pub size: usize,
    /// The callbacks' first argument. It may be used on another thread.
    pub user: *mut c_void,
    /// Is told of progress; NULL: nobody.
    pub on_progress: sdcpp_on_progress,
    /// Is shown previews; NULL: nobody, and none are made.
    pub on_preview: sdcpp_on_preview,
    /// `proj` (rough, small, next to no cost), `tae` (needs a `taesd`) or `vae` (slow). NULL: `proj`.
    pub preview_kind: *const c_char,
    /// Stops the operation when it is cancelled; NULL: nothing. It may be freed meanwhile.
    pub cancel: *const sdcpp_cancel,
    /// Stops the operation with `SDCPP_DEADLINE_EXCEEDED` after this many milliseconds, in a pool
    /// with the time it waits; 0: never. Default 0.
    pub time_limit_ms: u64,
    /// A preview at every so many steps; 0 counts as 1. Default 1.
    pub preview_every: u32,
    /// And at least so many milliseconds after the one before. Default 0.
    pub preview_interval_ms: u32,
    /// 1: previews with the noise that is still in them. Default 0.
    pub preview_noisy: i32,
    /// Must be 0.
    pub reserved: u32,
}

sized!(sdcpp_watch, first 72, {
    user: ptr::null_mut(),
    on_progress: None,
    on_preview: None,
    preview_kind: ptr::null(),
    cancel: ptr::null(),
    time_limit_ms: 0,
    preview_every: 1,
    preview_interval_ms: 0,
    preview_noisy: 0,
    reserved: 0,
});

/// Fills `watch` with defaults: nothing is followed, nothing stops. `size` is `sizeof(sdcpp_watch)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_watch_init(watch: *mut sdcpp_watch, size: usize) -> i32 {
    // SAFETY: the pointers are as the documentation of this crate asks.
    error::call(|| unsafe { sized::init(watch, size, "watch") })
}

/// What callbacks get first.
#[derive(Clone, Copy)]
pub(crate) struct User(*mut c_void);

// SAFETY: it is given to callbacks and not followed; the documentation says that these may run on
// other threads.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl User {
    pub(crate) fn new(user: *mut c_void) -> Self {
        Self(user)
    }

    /// A method, so that closures capture the whole.
    pub(crate) fn pointer(self) -> *mut c_void {
        self.0
    }
}

/// An operation whose callbacks end with it: whoever drops this has the end of the operation, and no
/// callback comes after it.
pub(crate) struct Following(Arc<Gate>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Following {
    /// Follows an operation as the caller's struct says; NULL is not at all. `pool` is the one whose
    /// operation it is.
    ///
    /// # Safety
    /// `pointer` is NULL or leads to a watch whose pointers are as its documentation says.
    pub(crate) unsafe fn read(
        pointer: *const sdcpp_watch,
        pool: Option<u64>,
    ) -> Result<(Watch<'static>, Self)> {
        let gate = Arc::new(Gate::holding_up(pool.map_or(HeldUp::Nobody, HeldUp::Pool)));
        if pointer.is_null() {
            return Ok((Watch::new(), Self(gate)));
        }
        // SAFETY: the caller vouches for it.
        let asked = unsafe { sized::read(pointer, "watch") }?;
        if asked.reserved != 0 {
            return Err(Failure::invalid("watch.reserved", asked.reserved, "0"));
        }
        let (user, mut watch) = (User::new(asked.user), Watch::new());
        if let Some(callback) = asked.on_progress {
            let gate = Arc::clone(&gate);
            watch = watch.on_progress(move |progress| {
                let progress = sdcpp_progress::from(&progress);
                // SAFETY: a callback of the caller, with what it asked for and what lives until it
                // returns.
                let call = || unsafe { callback(user.pointer(), &raw const progress) };
                match gate.pass(call) {
                    None | Some(0) => ControlFlow::Continue(()),
                    Some(_) => ControlFlow::Break(()),
                }
            });
        }
        // SAFETY: the caller vouches for it.
        let kind = unsafe {
            pointer::optional_name::<PreviewKind>(asked.preview_kind, "watch.preview_kind")
        }?;
        let noisy = pointer::switch(asked.preview_noisy, "watch.preview_noisy")?;
        if let Some(callback) = asked.on_preview {
            let options = PreviewOptions::new(kind.unwrap_or_default())
                .every(asked.preview_every)
                .min_interval(Duration::from_millis(asked.preview_interval_ms.into()))
                .noisy(noisy.unwrap_or(false));
            let gate = Arc::clone(&gate);
            watch = watch.on_preview(options, move |preview| {
                let frames = frames(&preview);
                let preview = sdcpp_preview {
                    size: size_of::<sdcpp_preview>(),
                    frames: frames.as_ptr(),
                    frame_count: frames.len(),
                    step: preview.step,
                    noisy: preview.noisy.into(),
                };
                // SAFETY: as above; the frames live until it returns.
                gate.pass(|| unsafe { callback(user.pointer(), &raw const preview) });
            });
        }
        if !asked.cancel.is_null() {
            watch = watch.cancel_with((*handle::get(asked.cancel)?).clone());
        }
        if asked.time_limit_ms > 0 {
            watch = watch.time_limit(Duration::from_millis(asked.time_limit_ms));
        }
        Ok((watch, Self(gate)))
    }

    /// Lets no callback in any more, and waits for one that runs on another thread.
    pub(crate) fn end(&self) {
        self.0.close();
    }
}

fn frames(preview: &Preview) -> Vec<sdcpp_pixels> {
    let view = |frame: &sdcpp::image::RgbImage| {
        sdcpp_pixels::of(frame.as_raw(), frame.width(), frame.height(), 3)
    };
    preview.frames.iter().map(view).collect()
}
