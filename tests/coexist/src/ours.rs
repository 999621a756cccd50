//! sdcpp, opened at run time: the C library, or the engine's by the Rust crate.

use crate::Failure;
use sdcpp::{Context, Engine, ImageRequest, ModelConfig, Sampler, Watch};
use std::{
    ffi::{CStr, CString, OsStr, c_char, c_int, c_void},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

const MESSAGE: usize = 1024;

/// The functions of picture.c.
#[repr(C)]
struct CDrawer {
    opaque: [u8; 0],
}

unsafe extern "C" {
    fn coexist_drawer_open(
        library: *const c_char,
        global: c_int,
        model: *const c_char,
        taesd: *const c_char,
        message: *mut c_char,
        size: usize,
    ) -> *mut CDrawer;
    fn coexist_drawer_draw(
        drawer: *const CDrawer,
        json: *const c_char,
        take: extern "C" fn(*mut c_void, *const u8, usize),
        user: *mut c_void,
        message: *mut c_char,
        size: usize,
    ) -> c_int;
    fn coexist_drawer_close(drawer: *mut CDrawer);
}

/// The demo model, open.
pub(crate) enum Ours {
    /// By the C library.
    C(COwned),
    /// By the crate.
    Rust(Box<Context>),
}

/// A drawer that is closed when it goes.
pub(crate) struct COwned(*mut CDrawer);

// SAFETY: the C library's contexts may be used by any thread.
unsafe impl Send for COwned {}

impl Drop for COwned {
    fn drop(&mut self) {
        // SAFETY: it is whole, and used no more.
        unsafe { coexist_drawer_close(self.0) }
    }
}

impl Ours {
    /// Opens library and model. `way`: `c-local`, `c-global` or `rust`.
    pub(crate) fn open(
        way: &str,
        library: &OsStr,
        model: &OsStr,
        taesd: &OsStr,
    ) -> Result<Self, Failure> {
        match way {
            "c-local" => Self::open_c(library, false, model, taesd),
            "c-global" => Self::open_c(library, true, model, taesd),
            "rust" => {
                // SAFETY: the caller names a library of this repository.
                let engine = unsafe { Engine::load(Path::new(library)) }?;
                let config = ModelConfig::new(model).taesd(taesd).threads(1);
                Ok(Self::Rust(Box::new(Context::open(&engine, config, Watch::new())?)))
            }
            other => Err(format!("{other}: c-local, c-global or rust").into()),
        }
    }

    fn open_c(
        library: &OsStr,
        global: bool,
        model: &OsStr,
        taesd: &OsStr,
    ) -> Result<Self, Failure> {
        let text = |path: &OsStr| CString::new(path.as_bytes());
        let (library, model, taesd) = (text(library)?, text(model)?, text(taesd)?);
        let mut message = [0; MESSAGE];
        // SAFETY: the texts are NUL-terminated, and `message` has the length that is told.
        let drawer = unsafe {
            coexist_drawer_open(
                library.as_ptr(),
                c_int::from(global),
                model.as_ptr(),
                taesd.as_ptr(),
                message.as_mut_ptr(),
                MESSAGE,
            )
        };
        if drawer.is_null() { Err(told(&message)) } else { Ok(Self::C(COwned(drawer))) }
    }

    /// Draws `demo_request` of tests/common/mod.rs.
    pub(crate) fn draw(&mut self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::C(drawer) => draw_c(drawer),
            Self::Rust(context) => {
                let request = ImageRequest::new("a red circle")
                    .size(128, 128)
                    .steps(12)
                    .cfg_scale(3.0)
                    .sampler(Sampler::Euler)
                    .seed(42);
                let pictures = context.generate(&request)?;
                let picture = pictures.images.first().ok_or("no picture")?;
                Ok(picture.as_bytes().to_vec())
            }
        }
    }
}

fn draw_c(drawer: &COwned) -> Result<Vec<u8>, Failure> {
    let json = c"{\"prompt\":\"a red circle\",\"width\":128,\"height\":128,\"steps\":12,\
        \"cfg_scale\":3,\"sampler\":\"euler\",\"seed\":42}";
    let mut pixels = Vec::new();
    let mut message = [0; MESSAGE];
    // SAFETY: the drawer is whole, `json` is NUL-terminated, `take` gets a pointer to `pixels` during
    // the call, and `message` has the length that is told.
    let code = unsafe {
        coexist_drawer_draw(
            drawer.0,
            json.as_ptr(),
            take,
            (&raw mut pixels).cast(),
            message.as_mut_ptr(),
            MESSAGE,
        )
    };
    if code == 0 { Ok(pixels) } else { Err(told(&message)) }
}

extern "C" fn take(user: *mut c_void, pixels: *const u8, length: usize) {
    // SAFETY: `user` is the vector of `draw_c`, which nothing else uses meanwhile; there are `length`
    // bytes at `pixels`.
    unsafe { (*user.cast::<Vec<u8>>()).extend(std::slice::from_raw_parts(pixels, length)) }
}

fn told(message: &[c_char]) -> Failure {
    // SAFETY: picture.c writes the messages by `vsnprintf`, and they were all 0 before.
    let text = unsafe { CStr::from_ptr(message.as_ptr()) };
    text.to_string_lossy().into_owned().into()
}
