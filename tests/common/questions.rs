//! Stands between the engine, which asks after each node of a graph whether to stop, and the crate, which
//! answers. Only for a test binary of its own.

use sdcpp::Engine;
use sdcpp_sys::*;
use std::{
    ffi::{c_char, c_void},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Where the engine asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// After a node of a graph.
    Graph,
    /// At an event of progress.
    Event,
}

type Listener = Box<dyn FnMut(i32, Place) + Send>;

static LISTENER: Mutex<Option<Listener>> = Mutex::new(None);

fn listener() -> MutexGuard<'static, Option<Listener>> {
    LISTENER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has `listener` told of every question, with the stage the engine is in, before it is answered; until
/// the next one.
pub(crate) fn listen(to: impl FnMut(i32, Place) + Send + 'static) {
    *listener() = Some(Box::new(to));
}

/// The crate's hooks, and what they do not tell.
struct Between {
    hooks: sdcpp_hooks,
    stage: i32,
}

impl Between {
    /// The hooks to pass to the engine in place of the crate's.
    fn wrap(&mut self) -> sdcpp_hooks {
        let hooks = self.hooks;
        sdcpp_hooks {
            user: (&raw mut *self).cast(),
            log: Some(log),
            progress: Some(progress),
            stop_wanted: Some(stop_wanted),
            preview_wanted: hooks.preview_wanted.map(|_| preview_wanted as _),
            preview: hooks.preview.map(|_| preview as _),
            ..hooks
        }
    }

    fn asked(&self, place: Place) {
        if let Some(listener) = listener().as_mut() {
            listener(self.stage, place);
        }
    }
}

/// # Safety
/// `user` is the `Between` of the running call, which only its thread uses.
unsafe fn between<'a>(user: *mut c_void) -> &'a mut Between {
    // SAFETY: the caller vouches for it.
    unsafe { &mut *user.cast() }
}

unsafe extern "C" fn log(user: *mut c_void, level: i32, text: *const c_char, n: usize, at: usize) {
    // SAFETY: passed on as it came, as in all of these.
    unsafe {
        let hooks = between(user).hooks;
        hooks.log.unwrap()(hooks.user, level, text, n, at);
    }
}

unsafe extern "C" fn progress(user: *mut c_void, event: *const sdcpp_progress) -> i32 {
    // SAFETY: as in `log`.
    unsafe {
        let between = between(user);
        between.asked(Place::Event);
        between.stage = (*event).stage;
        between.hooks.progress.unwrap()(between.hooks.user, event)
    }
}

unsafe extern "C" fn stop_wanted(user: *mut c_void) -> i32 {
    // SAFETY: as in `log`.
    unsafe {
        let between = between(user);
        between.asked(Place::Graph);
        between.hooks.stop_wanted.unwrap()(between.hooks.user)
    }
}

unsafe extern "C" fn preview_wanted(user: *mut c_void, step: i32) -> i32 {
    // SAFETY: as in `log`.
    unsafe {
        let hooks = between(user).hooks;
        hooks.preview_wanted.unwrap()(hooks.user, step)
    }
}

unsafe extern "C" fn preview(
    user: *mut c_void,
    step: i32,
    count: i32,
    frames: *const sd_image_t,
    noisy: i32,
) {
    // SAFETY: as in `log`.
    unsafe {
        let hooks = between(user).hooks;
        hooks.preview.unwrap()(hooks.user, step, count, frames, noisy);
    }
}

unsafe extern "C" fn generate_image(
    context: *mut sd_ctx_t,
    params: *const sd_img_gen_params_t,
    hooks: *const sdcpp_hooks,
    out: *mut *mut sd_image_t,
    report: *mut sdcpp_report,
) -> i32 {
    // SAFETY: the caller's pointers are passed on, with hooks of the same kind, as in the others.
    unsafe {
        let mut between = Between { hooks: *hooks, stage: SDCPP_STAGE_NONE };
        let hooks = between.wrap();
        (Table::linked().unwrap().generate_image)(context, params, &hooks, out, report)
    }
}

unsafe extern "C" fn generate_video(
    context: *mut sd_ctx_t,
    params: *const sd_vid_gen_params_t,
    hooks: *const sdcpp_hooks,
    frames: *mut *mut sd_image_t,
    count: *mut i32,
    audio: *mut *mut sd_audio_t,
    report: *mut sdcpp_report,
) -> i32 {
    // SAFETY: as in `generate_image`.
    unsafe {
        let mut between = Between { hooks: *hooks, stage: SDCPP_STAGE_NONE };
        let hooks = between.wrap();
        let table = Table::linked().unwrap();
        (table.generate_video)(context, params, &hooks, frames, count, audio, report)
    }
}

unsafe extern "C" fn upscale(
    upscaler: *mut upscaler_ctx_t,
    image: *const sd_image_t,
    factor: u32,
    hooks: *const sdcpp_hooks,
    out: *mut *mut sd_image_t,
    report: *mut sdcpp_report,
) -> i32 {
    // SAFETY: as in `generate_image`.
    unsafe {
        let mut between = Between { hooks: *hooks, stage: SDCPP_STAGE_UPSCALING };
        let hooks = between.wrap();
        (Table::linked().unwrap().upscale)(upscaler, image, factor, &hooks, out, report)
    }
}

/// The linked engine, listened to.
pub(crate) fn engine() -> Engine {
    let linked = Table::linked().unwrap();
    let table = Table { generate_image, generate_video, upscale, ..linked };
    // SAFETY: every function is the linked engine's, or calls it.
    unsafe { Engine::from_table(table) }
}
