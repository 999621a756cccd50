//! What the tests ask the library for, and what it says.

use crate::common;
use sdcpp_capi::*;
use std::{
    ffi::{CStr, CString, c_char, c_void},
    path::Path,
    ptr,
};

/// What went wrong in this thread's last call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failed {
    pub(crate) code: i32,
    pub(crate) kind: String,
    pub(crate) stage: String,
    pub(crate) message: String,
    pub(crate) advice: String,
    pub(crate) lines: String,
}

pub(crate) fn last() -> Failed {
    // SAFETY: the struct and its texts are this thread's, which makes no call meanwhile.
    unsafe {
        let error = &*sdcpp_last_error();
        assert_eq!(error.size, size_of::<sdcpp_error>());
        Failed {
            code: error.code,
            kind: text(error.kind),
            stage: text(error.stage),
            message: text(error.message),
            advice: text(error.advice),
            lines: text(error.engine_lines),
        }
    }
}

/// That a call has failed with this code, and what it said.
#[track_caller]
pub(crate) fn fails(returned: i32, code: i32) -> Failed {
    let failed = last();
    assert_eq!((returned, failed.code), (code, code), "{failed:?}");
    assert!(!failed.message.is_empty() && !failed.kind.is_empty(), "{failed:?}");
    failed
}

/// That a call has succeeded.
#[track_caller]
pub(crate) fn works(returned: i32) {
    assert_eq!(returned, SDCPP_OK, "{:?}", last());
    assert_eq!(last().code, SDCPP_OK);
}

/// # Safety
/// `pointer` leads to a text.
pub(crate) unsafe fn text(pointer: *const c_char) -> String {
    assert!(!pointer.is_null());
    // SAFETY: the caller vouches for it.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap().to_owned()
}

/// A text of the library as JSON, freed.
pub(crate) fn json(pointer: *mut c_char) -> serde_json::Value {
    // SAFETY: the library gave it out, and it is not freed yet.
    let value = serde_json::from_str(&unsafe { text(pointer) }).unwrap();
    works(sdcpp_free(pointer.cast()));
    value
}

pub(crate) fn path(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

/// Texts that structs point to.
#[derive(Default)]
pub(crate) struct Texts(Vec<CString>);

impl Texts {
    pub(crate) fn keep(&mut self, text: &str) -> *const c_char {
        self.0.push(CString::new(text).unwrap());
        self.0.last().unwrap().as_ptr()
    }
}

pub(crate) fn model_config() -> sdcpp_model_config {
    // SAFETY: numbers and pointers, for which zeros are a value; the function fills it.
    unsafe {
        let mut config: sdcpp_model_config = std::mem::zeroed();
        works(sdcpp_model_config_init(&raw mut config, size_of::<sdcpp_model_config>()));
        config
    }
}

/// The demo model, as [`common::demo_config`].
pub(crate) fn demo_config(texts: &mut Texts) -> sdcpp_model_config {
    let (model, taesd) = common::demo_files();
    let mut config = model_config();
    config.model = texts.keep(model.to_str().unwrap());
    config.taesd = texts.keep(taesd.to_str().unwrap());
    config.threads = common::THREADS;
    config
}

pub(crate) fn image_request() -> sdcpp_image_request {
    // SAFETY: as above.
    unsafe {
        let mut request: sdcpp_image_request = std::mem::zeroed();
        works(sdcpp_image_request_init(&raw mut request, size_of::<sdcpp_image_request>()));
        request
    }
}

/// As [`common::quick_request`] of a red circle, with as many steps.
pub(crate) fn quick(steps: u32) -> sdcpp_image_request {
    let mut request = image_request();
    request.prompt = c"a red circle".as_ptr();
    request.sampler = c"euler".as_ptr();
    (request.width, request.height, request.steps) = (64, 64, steps);
    (request.cfg_scale, request.seed) = (3.0, 42);
    request
}

pub(crate) fn video_request() -> sdcpp_video_request {
    // SAFETY: as above.
    unsafe {
        let mut request: sdcpp_video_request = std::mem::zeroed();
        works(sdcpp_video_request_init(&raw mut request, size_of::<sdcpp_video_request>()));
        request
    }
}

pub(crate) fn watch() -> sdcpp_watch {
    // SAFETY: as above.
    unsafe {
        let mut watch: sdcpp_watch = std::mem::zeroed();
        works(sdcpp_watch_init(&raw mut watch, size_of::<sdcpp_watch>()));
        watch
    }
}

pub(crate) fn pool_options() -> sdcpp_pool_options {
    // SAFETY: as above.
    unsafe {
        let mut options: sdcpp_pool_options = std::mem::zeroed();
        works(sdcpp_pool_options_init(&raw mut options, size_of::<sdcpp_pool_options>()));
        options
    }
}

/// A watch that calls a closure at each event; it must live as long as the operation.
pub(crate) fn telling(on_progress: &mut Box<OnProgress<'_>>) -> sdcpp_watch {
    unsafe extern "C" fn call(user: *mut c_void, progress: *const sdcpp_progress) -> i32 {
        // SAFETY: `user` is the closure below, and the library's struct is valid during the call.
        unsafe { (*user.cast::<Box<OnProgress<'_>>>())(&*progress) }
    }
    let mut watch = watch();
    watch.user = ptr::from_mut(on_progress).cast();
    watch.on_progress = Some(call);
    watch
}

pub(crate) type OnProgress<'a> = dyn FnMut(&sdcpp_progress) -> i32 + Send + 'a;

pub(crate) fn open() -> *mut sdcpp_context {
    let (mut texts, mut context) = (Texts::default(), ptr::null_mut());
    let config = demo_config(&mut texts);
    // SAFETY: all pointers are to what lives.
    works(unsafe { sdcpp_context_open(&raw const config, ptr::null(), &raw mut context) });
    context
}

/// Draws with a context.
pub(crate) fn draw(
    context: *const sdcpp_context,
    request: &sdcpp_image_request,
    watch: Option<&sdcpp_watch>,
) -> (i32, *mut sdcpp_result) {
    let mut result = ptr::dangling_mut();
    let watch = watch.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: all pointers are to what lives.
    let code = unsafe { sdcpp_context_generate(context, request, watch, &raw mut result) };
    assert_eq!(code == SDCPP_OK, !result.is_null());
    (code, result)
}

pub(crate) fn image(result: *const sdcpp_result, index: usize) -> sdcpp_image {
    // SAFETY: numbers and pointers, for which zeros are a value; the function fills it.
    unsafe {
        let mut image: sdcpp_image = std::mem::zeroed();
        image.size = size_of::<sdcpp_image>();
        works(sdcpp_result_image(result, index, &raw mut image));
        image
    }
}

/// A copy of a picture's pixels.
pub(crate) fn pixels(result: *const sdcpp_result, index: usize) -> Vec<u8> {
    let image = image(result, index);
    assert_eq!(image.length, (image.width * image.height * image.channels) as usize);
    // SAFETY: the result's own, until it is freed.
    unsafe { std::slice::from_raw_parts(image.data, image.length) }.to_vec()
}

/// What `common::demo` draws for `quick(3)`.
pub(crate) fn expected() -> Vec<u8> {
    static PIXELS: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let request = common::quick_request("a red circle");
        common::demo().generate(&request).unwrap().images[0].as_bytes().to_vec()
    });
    PIXELS.clone()
}
