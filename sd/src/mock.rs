//! An engine without a model: draws patterns, reports progress, and fails on request.
//!
//! For tests of applications, and of this crate's handling of failures that a real engine shows
//! only when memory runs out. It fills the same [`Table`] as the real one, so everything above the
//! table is the real code.
//!
//! ```
//! use sdcpp::{Context, ImageRequest, ModelConfig, Watch, mock};
//!
//! # fn main() -> sdcpp::Result<()> {
//! let mut context = Context::open(&mock::engine(), ModelConfig::new("any"), Watch::new())?;
//! let generated = context.generate(&ImageRequest::new("anything").size(64, 64).seed(1))?;
//! assert_eq!(generated.images[0].width(), 64);
//!
//! let failing = ImageRequest::new("x").extra_sample_args(mock::fault("decode-out-of-memory"));
//! assert!(context.generate(&failing).unwrap_err().is_out_of_memory());
//! # Ok(())
//! # }
//! ```

use crate::engine::{Engine, text};
use sdcpp_sys::*;
use std::{
    ffi::{CString, c_char},
    ptr,
};

/// The names [`fault`] takes.
pub const FAULTS: &[&str] = &[
    "assert",
    "exception",
    "bad-alloc",
    "text-encoder",
    "sampling",
    "sampling-out-of-memory",
    "decode",
    "decode-out-of-memory",
    "weights",
    "no-images",
    "null-pixels",
    "huge-image",
    "unknown-status",
    "one-channel",
    "four-channels",
];

/// A mock engine. Model files are not looked at.
pub fn engine() -> Engine {
    Engine { mock: true, ..Engine::of(TABLE) }
}

/// The value of [`ImageRequest::extra_sample_args`](crate::ImageRequest::extra_sample_args) that
/// makes a generation fail, or draw in another form, as named in [`FAULTS`]; other names do nothing. To make opening fail, set
/// [`ModelConfig::backend`](crate::ModelConfig::backend) to a name that does not begin with `cpu`.
pub fn fault(name: &str) -> String {
    format!("mock.fault={name}")
}

const STEP_SECONDS: f32 = 0.001;

const TABLE: Table = Table {
    version: mock_version,
    commit: mock_version,
    system_info: mock_version,
    physical_cores,
    sample_method_name: no_name,
    scheduler_name: no_name,
    prediction_name: no_name,
    rng_type_name: no_name,
    type_name: no_name,
    preview_name: no_name,
    lora_apply_mode_name: no_name,
    hires_upscaler_name: no_name,
    set_default_log,
    report_clear,
    device_count,
    device_get,
    context_params_init: leave_zeroed,
    image_params_init: leave_zeroed,
    video_params_init: leave_zeroed,
    context_new,
    context_free,
    context_makes_images: yes,
    context_makes_video: no,
    default_sample_method,
    default_scheduler,
    generate_image,
    generate_video,
    images_free,
    audio_free,
    upscaler_new,
    upscaler_free,
    upscaler_factor,
    upscale,
    convert,
    pattern_check,
    preprocess_canny,
};

extern "C" fn mock_version() -> *const c_char {
    c"mock".as_ptr()
}

extern "C" fn no_name(_: i32) -> *const c_char {
    ptr::null()
}

extern "C" fn physical_cores() -> i32 {
    1
}

extern "C" fn set_default_log(_: sdcpp_default_log_t) {}

extern "C" fn device_count() -> usize {
    0
}

extern "C" fn device_get(_: usize, _: *mut sdcpp_device, report: *mut sdcpp_report) -> i32 {
    unsupported(report)
}

/// The crate zeroes parameters before it asks for defaults; the mock reads none of them.
extern "C" fn leave_zeroed<T>(_: *mut T) {}

extern "C" fn yes(_: *const sd_ctx_t) -> i32 {
    1
}

extern "C" fn no(_: *const sd_ctx_t) -> i32 {
    0
}

extern "C" fn default_sample_method(_: *const sd_ctx_t) -> i32 {
    EULER_SAMPLE_METHOD as i32
}

extern "C" fn default_scheduler(_: *const sd_ctx_t, _: i32) -> i32 {
    DISCRETE_SCHEDULER as i32
}

/// Fills a report, and returns its status.
fn ends(report: *mut sdcpp_report, status: i32, stage: i32, message: &str, errors: &str) -> i32 {
    let owned = |text: &str| CString::new(text).map_or(ptr::null_mut(), CString::into_raw);
    // SAFETY: the caller of the table passes NULL or a report it owns.
    if let Some(report) = unsafe { report.as_mut() } {
        report.status = status;
        report.stage = stage;
        report.message = owned(message);
        report.errors = owned(errors);
    }
    status
}

fn unsupported(report: *mut sdcpp_report) -> i32 {
    ends(report, SDCPP_STATUS_INVALID, SDCPP_STAGE_NONE, "the mock engine cannot do this", "")
}

extern "C" fn report_clear(report: *mut sdcpp_report) {
    // SAFETY: as in `ends`; the strings are NULL or from `CString::into_raw`.
    unsafe {
        let Some(report) = report.as_mut() else { return };
        for text in [&mut report.message, &mut report.errors] {
            if !text.is_null() {
                drop(CString::from_raw(*text));
                *text = ptr::null_mut();
            }
        }
    }
}

/// What stands behind a context pointer.
struct Model(#[allow(dead_code)] u8);

unsafe extern "C" fn context_new(
    params: *const sd_ctx_params_t,
    _: *const sdcpp_hooks,
    out: *mut *mut sd_ctx_t,
    report: *mut sdcpp_report,
) -> i32 {
    // SAFETY: the caller passes valid parameters and a place for the result.
    unsafe {
        let backend = text((*params).backend);
        if !backend.is_empty() && !backend.starts_with("cpu") {
            let line = format!("backend '{backend}' was not found");
            return ends(report, SDCPP_STATUS_FAILED, SDCPP_STAGE_OPENING, "", &line);
        }
        *out = Box::into_raw(Box::new(Model(0))).cast();
    }
    ends(report, SDCPP_STATUS_OK, SDCPP_STAGE_OPENING, "", "")
}

unsafe extern "C" fn context_free(context: *mut sd_ctx_t, report: *mut sdcpp_report) -> i32 {
    if !context.is_null() {
        // SAFETY: contexts come from `context_new` and are freed once.
        drop(unsafe { Box::from_raw(context.cast::<Model>()) });
    }
    ends(report, SDCPP_STATUS_OK, SDCPP_STAGE_NONE, "", "")
}

/// How a named fault ends a generation.
fn fault_of(name: &str) -> Option<(i32, i32, &'static str, &'static str)> {
    Some(match name {
        "assert" => {
            (SDCPP_STATUS_ASSERT, SDCPP_STAGE_SAMPLING, "ggml.c:1: GGML_ASSERT(mock) failed", "")
        }
        "exception" => (SDCPP_STATUS_EXCEPTION, SDCPP_STAGE_TEXT_ENCODING, "stof", ""),
        "bad-alloc" => (SDCPP_STATUS_OUT_OF_MEMORY, SDCPP_STAGE_SAMPLING, "std::bad_alloc", ""),
        "text-encoder" => (SDCPP_STATUS_FAILED, SDCPP_STAGE_TEXT_ENCODING, "", "clip failed"),
        "sampling" => {
            (SDCPP_STATUS_FAILED, SDCPP_STAGE_SAMPLING, "", "diffusion model compute failed")
        }
        "sampling-out-of-memory" => (
            SDCPP_STATUS_FAILED,
            SDCPP_STAGE_SAMPLING,
            "",
            "allocating 1024.00 MiB on device 0: cudaMalloc failed: out of memory",
        ),
        "decode" => {
            (SDCPP_STATUS_FAILED, SDCPP_STAGE_VAE_DECODING, "", "vae decode compute failed")
        }
        "decode-out-of-memory" => (
            SDCPP_STATUS_FAILED,
            SDCPP_STAGE_VAE_DECODING,
            "",
            "failed to allocate CPU buffer of size 4294967296\nvae decode compute failed",
        ),
        "weights" => (SDCPP_STATUS_FAILED, SDCPP_STAGE_SAMPLING, "", "read tensor data failed"),
        "no-images" => (SDCPP_STATUS_OK, SDCPP_STAGE_NONE, "", ""),
        "unknown-status" => (99, 99, "", ""),
        _ => return None,
    })
}

unsafe extern "C" fn generate_image(
    _: *mut sd_ctx_t,
    params: *const sd_img_gen_params_t,
    hooks: *const sdcpp_hooks,
    out: *mut *mut sd_image_t,
    report: *mut sdcpp_report,
) -> i32 {
    // SAFETY: the caller passes valid parameters, hooks, and a place for the result.
    let (params, hooks) = unsafe { (&*params, &*hooks) };
    // SAFETY: NULL or a string of the caller.
    let args = unsafe { text(params.sample_params.extra_sample_args) };
    let fault = args.strip_prefix("mock.fault=").unwrap_or_default();
    let tell = |stage: i32, step: i32, steps: i32, image: i32| {
        let event = sdcpp_progress {
            stage,
            step,
            steps,
            image,
            images: params.batch_count,
            tiled: 0,
            seconds: STEP_SECONDS,
        };
        // SAFETY: the hook is called with its own user pointer, on the calling thread.
        hooks.progress.is_some_and(|hook| unsafe { hook(hooks.user, &event) } != 0)
    };
    tell(SDCPP_STAGE_TEXT_ENCODING, 0, 0, 0);
    if let Some((status, stage, message, errors)) = fault_of(fault) {
        return ends(report, status, stage, message, errors);
    }
    let steps = params.sample_params.sample_steps;
    for image in 1..=params.batch_count {
        for step in 0..=steps {
            if tell(SDCPP_STAGE_SAMPLING, step, steps, image) {
                return ends(report, SDCPP_STATUS_STOPPED, SDCPP_STAGE_SAMPLING, "", "");
            }
        }
    }
    if tell(SDCPP_STAGE_VAE_DECODING, 0, 0, 0) {
        return ends(report, SDCPP_STATUS_STOPPED, SDCPP_STAGE_VAE_DECODING, "", "");
    }
    let pictures: Vec<_> =
        (0..params.batch_count).map(|index| picture(params, index, fault)).collect();
    // SAFETY: the caller passed a place for the result.
    unsafe { *out = Box::into_raw(pictures.into_boxed_slice()).cast() };
    ends(report, SDCPP_STATUS_OK, SDCPP_STAGE_VAE_DECODING, "", "")
}

/// A gradient whose colours come from prompt and seed.
///
/// Not inlined: `scripts/instructions.sh` leaves it out by its name.
#[inline(never)]
fn picture(params: &sd_img_gen_params_t, index: i32, fault: &str) -> sd_image_t {
    // SAFETY: NULL or a string of the caller.
    let prompt = unsafe { text(params.prompt) };
    let seed = params.seed.wrapping_add(i64::from(index)) as u64;
    let tint = prompt.bytes().fold(seed, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
    let (width, height) = (params.width.max(0) as u32, params.height.max(0) as u32);
    let channel = match fault {
        "one-channel" => 1,
        "four-channels" => 4,
        _ => 3,
    };
    let pixels: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let (x, y) = ((x * 255 / width.max(1)) as u8, (y * 255 / height.max(1)) as u8);
            [x, y, tint as u8, 128].into_iter().take(channel as usize)
        })
        .collect();
    let data = Box::into_raw(pixels.into_boxed_slice()).cast::<u8>();
    let image = sd_image_t { width, height, channel, data };
    match fault {
        "null-pixels" | "huge-image" => {
            free_pixels(&image);
            let width = if fault == "huge-image" { u32::MAX } else { width };
            sd_image_t { width, data: ptr::null_mut(), ..image }
        }
        _ => image,
    }
}

fn free_pixels(image: &sd_image_t) {
    if !image.data.is_null() {
        let length = image.width as usize * image.height as usize * image.channel as usize;
        // SAFETY: from `picture`, as a boxed slice of this length.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(image.data, length)) });
    }
}

unsafe extern "C" fn images_free(images: *mut sd_image_t, count: i32) {
    if images.is_null() || count <= 0 {
        return;
    }
    // SAFETY: from `generate_image`, as a boxed slice of this length.
    let images = unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(images, count as usize)) };
    images.iter().for_each(free_pixels);
}

extern "C" fn generate_video(
    _: *mut sd_ctx_t,
    _: *const sd_vid_gen_params_t,
    _: *const sdcpp_hooks,
    _: *mut *mut sd_image_t,
    _: *mut i32,
    _: *mut *mut sd_audio_t,
    report: *mut sdcpp_report,
) -> i32 {
    unsupported(report)
}

extern "C" fn audio_free(_: *mut sd_audio_t) {}

extern "C" fn upscaler_new(
    _: *const c_char,
    _: i32,
    _: i32,
    _: i32,
    _: *const c_char,
    _: *const c_char,
    _: *const sdcpp_hooks,
    _: *mut *mut upscaler_ctx_t,
    report: *mut sdcpp_report,
) -> i32 {
    unsupported(report)
}

extern "C" fn upscaler_free(_: *mut upscaler_ctx_t, report: *mut sdcpp_report) -> i32 {
    unsupported(report)
}

extern "C" fn upscaler_factor(_: *mut upscaler_ctx_t) -> i32 {
    0
}

extern "C" fn upscale(
    _: *mut upscaler_ctx_t,
    _: *const sd_image_t,
    _: u32,
    _: *const sdcpp_hooks,
    _: *mut *mut sd_image_t,
    report: *mut sdcpp_report,
) -> i32 {
    unsupported(report)
}

extern "C" fn convert(
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
    _: i32,
    _: *const c_char,
    _: i32,
    _: *const sdcpp_hooks,
    report: *mut sdcpp_report,
) -> i32 {
    unsupported(report)
}

extern "C" fn pattern_check(_: *const c_char, report: *mut sdcpp_report) -> i32 {
    ends(report, SDCPP_STATUS_OK, SDCPP_STAGE_NONE, "", "")
}

extern "C" fn preprocess_canny(
    _: *mut sd_image_t,
    _: f32,
    _: f32,
    _: f32,
    _: f32,
    _: i32,
    _: *const sdcpp_hooks,
    report: *mut sdcpp_report,
) -> i32 {
    unsupported(report)
}
