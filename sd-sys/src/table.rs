//! The table of functions through which the engine is reached.

use crate::bindings::*;
use core::{error, fmt};

/// Why a table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// There is no table.
    Null,
    /// The table was built for another version of the shim.
    Abi {
        /// What the table says.
        found: u32,
        /// What this crate was built for ([`SDCPP_SHIM_ABI`]).
        expected: u32,
    },
    /// The table has another size than this crate knows.
    Size {
        /// What the table says, in bytes.
        found: u32,
        /// The size of [`sdcpp_api`] here, in bytes.
        expected: usize,
    },
    /// The library was built with other headers: its structs may differ.
    Headers {
        /// Fingerprint of the library's headers.
        found: String,
        /// Fingerprint of those that this crate's bindings were made from.
        expected: &'static str,
    },
    /// A function is missing.
    Missing(&'static str),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("the engine library has no function table"),
            Self::Abi { found, expected } => {
                write!(f, "the engine's shim has ABI {found}, and {expected} is needed")
            }
            Self::Size { found, expected } => {
                write!(f, "the engine's table has {found} bytes, and {expected} are needed")
            }
            Self::Headers { found, expected } => write!(
                f,
                "the engine was built with other headers ({found}) than this crate ({expected})"
            ),
            Self::Missing(name) => write!(f, "the engine's table lacks `{name}`"),
        }
    }
}

impl error::Error for TableError {}

macro_rules! table {
    ($($name:ident: $type:ty,)*) => {
        /// Every function of the shim, checked to be there. A plain value: each user holds its own
        /// copy, so that engines of different origin live side by side.
        ///
        /// The fields are documented in `shim/sdcpp_shim.h`.
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs)]
        pub struct Table {
            $(pub $name: $type,)*
        }

        impl Table {
            /// Takes over the functions of a C table.
            ///
            /// # Errors
            /// The ABI number, the size or the headers differ from this crate's, or a function is
            /// NULL.
            ///
            /// # Safety
            /// If ABI number and size are this crate's, `headers` is NULL or a string.
            pub unsafe fn from_api(api: &sdcpp_api) -> Result<Self, TableError> {
                if api.abi != SDCPP_SHIM_ABI as u32 {
                    let expected = SDCPP_SHIM_ABI as u32;
                    return Err(TableError::Abi { found: api.abi, expected });
                }
                if api.size as usize != size_of::<sdcpp_api>() {
                    return Err(TableError::Size {
                        found: api.size,
                        expected: size_of::<sdcpp_api>(),
                    });
                }
                // SAFETY: the caller vouches for it.
                let found = unsafe { headers(api) };
                if found != HEADERS {
                    return Err(TableError::Headers { found, expected: HEADERS });
                }
                Ok(Self {
                    $($name: api.$name.ok_or(TableError::Missing(stringify!($name)))?,)*
                })
            }
        }
    };
}

/// Fingerprint of the headers that the bindings were made from.
const HEADERS: &str = env!("SDCPP_HEADERS");

/// # Safety
/// `api.headers` is NULL or a string.
unsafe fn headers(api: &sdcpp_api) -> String {
    if api.headers.is_null() {
        return "none".to_owned();
    }
    // SAFETY: not NULL, and the caller vouches that it is a string.
    unsafe { core::ffi::CStr::from_ptr(api.headers) }.to_string_lossy().into_owned()
}

#[cfg(feature = "static")]
impl Table {
    /// The engine linked into this program.
    ///
    /// # Errors
    /// The linked shim does not fit this crate, which a build of one source cannot produce.
    pub fn linked() -> Result<Self, TableError> {
        // SAFETY: the function has no arguments, and returns NULL or a table in static memory that
        // is never written to.
        let api = unsafe { sdcpp_shim_api().as_ref() };
        let api = api.ok_or(TableError::Null)?;
        // SAFETY: the shim in this program is of the same header, and names its headers.
        unsafe { Self::from_api(api) }
    }
}

type Text = unsafe extern "C" fn() -> *const core::ffi::c_char;
type Name = unsafe extern "C" fn(value: i32) -> *const core::ffi::c_char;

table! {
    version: Text,
    commit: Text,
    system_info: Text,
    physical_cores: unsafe extern "C" fn() -> i32,
    sample_method_name: Name,
    scheduler_name: Name,
    prediction_name: Name,
    rng_type_name: Name,
    type_name: Name,
    preview_name: Name,
    lora_apply_mode_name: Name,
    hires_upscaler_name: Name,
    set_default_log: unsafe extern "C" fn(log: sdcpp_default_log_t),
    report_clear: unsafe extern "C" fn(report: *mut sdcpp_report),
    device_count: unsafe extern "C" fn() -> usize,
    device_get: unsafe extern "C" fn(usize, *mut sdcpp_device, *mut sdcpp_report) -> i32,
    context_params_init: unsafe extern "C" fn(*mut sd_ctx_params_t),
    image_params_init: unsafe extern "C" fn(*mut sd_img_gen_params_t),
    video_params_init: unsafe extern "C" fn(*mut sd_vid_gen_params_t),
    context_new: unsafe extern "C" fn(
        params: *const sd_ctx_params_t,
        hooks: *const sdcpp_hooks,
        out: *mut *mut sd_ctx_t,
        report: *mut sdcpp_report,
    ) -> i32,
    context_free: unsafe extern "C" fn(*mut sd_ctx_t, *mut sdcpp_report) -> i32,
    context_makes_images: unsafe extern "C" fn(*const sd_ctx_t) -> i32,
    context_makes_video: unsafe extern "C" fn(*const sd_ctx_t) -> i32,
    default_sample_method: unsafe extern "C" fn(*const sd_ctx_t) -> i32,
    default_scheduler: unsafe extern "C" fn(*const sd_ctx_t, sample_method: i32) -> i32,
    generate_image: unsafe extern "C" fn(
        context: *mut sd_ctx_t,
        params: *const sd_img_gen_params_t,
        hooks: *const sdcpp_hooks,
        out: *mut *mut sd_image_t,
        report: *mut sdcpp_report,
    ) -> i32,
    generate_video: unsafe extern "C" fn(
        context: *mut sd_ctx_t,
        params: *const sd_vid_gen_params_t,
        hooks: *const sdcpp_hooks,
        frames: *mut *mut sd_image_t,
        count: *mut i32,
        audio: *mut *mut sd_audio_t,
        report: *mut sdcpp_report,
    ) -> i32,
    images_free: unsafe extern "C" fn(images: *mut sd_image_t, count: i32),
    audio_free: unsafe extern "C" fn(audio: *mut sd_audio_t),
    upscaler_new: unsafe extern "C" fn(
        path: *const core::ffi::c_char,
        direct_convolution: i32,
        threads: i32,
        tile_size: i32,
        backend: *const core::ffi::c_char,
        params_backend: *const core::ffi::c_char,
        hooks: *const sdcpp_hooks,
        out: *mut *mut upscaler_ctx_t,
        report: *mut sdcpp_report,
    ) -> i32,
    upscaler_free: unsafe extern "C" fn(*mut upscaler_ctx_t, *mut sdcpp_report) -> i32,
    upscaler_factor: unsafe extern "C" fn(*mut upscaler_ctx_t) -> i32,
    upscale: unsafe extern "C" fn(
        upscaler: *mut upscaler_ctx_t,
        image: *const sd_image_t,
        factor: u32,
        hooks: *const sdcpp_hooks,
        out: *mut *mut sd_image_t,
        report: *mut sdcpp_report,
    ) -> i32,
    convert: unsafe extern "C" fn(
        input: *const core::ffi::c_char,
        vae: *const core::ffi::c_char,
        output: *const core::ffi::c_char,
        weight_type: i32,
        tensor_type_rules: *const core::ffi::c_char,
        convert_names: i32,
        hooks: *const sdcpp_hooks,
        report: *mut sdcpp_report,
    ) -> i32,
    pattern_check: unsafe extern "C" fn(*const core::ffi::c_char, *mut sdcpp_report) -> i32,
    preprocess_canny: unsafe extern "C" fn(
        image: *mut sd_image_t,
        high_threshold: f32,
        low_threshold: f32,
        weak: f32,
        strong: f32,
        inverse: i32,
        hooks: *const sdcpp_hooks,
        report: *mut sdcpp_report,
    ) -> i32,
}
