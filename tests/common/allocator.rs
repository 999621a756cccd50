//! Stands before the C library's allocator, for the engine's threads: says what is allocated, and fails
//! as it is told. Only for a test binary of its own.

use sdcpp::Engine;
use sdcpp_sys::*;
use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed},
};

/// What counts as much.
pub(crate) const LARGE: usize = 128 << 10;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Allocations of so many bytes and more fail, but for those of [`GRAPH`].
pub(crate) static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
/// What the engine allocates to build a graph in, 135 MB whatever the graph. If it cannot, an
/// assertion fails.
pub(crate) static GRAPH: AtomicUsize = AtomicUsize::new(0);
/// This one of the large allocations fails, counted from 0; none below 0.
pub(crate) static FAILING: AtomicI32 = AtomicI32::new(-1);
/// The largest so far, but for those of [`GRAPH`].
pub(crate) static LARGEST: AtomicUsize = AtomicUsize::new(0);

/// Whether allocations of this thread may fail from now on.
pub(crate) fn arm(armed: bool) {
    ARMED.with(|cell| cell.set(armed));
}

fn fails(size: usize) -> bool {
    if size < LARGE || !ARMED.try_with(Cell::get).unwrap_or(false) {
        return false;
    }
    let graph = size == GRAPH.load(Relaxed);
    if !graph {
        LARGEST.fetch_max(size, Relaxed);
    }
    !graph && size >= LIMIT.load(Relaxed) || FAILING.fetch_sub(1, Relaxed) == 0
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    if fails(size) {
        return std::ptr::null_mut();
    }
    // SAFETY: the C library's own `malloc`, whose memory its `free` takes.
    unsafe { __libc_malloc(size) }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    if fails(count.saturating_mul(size)) {
        return std::ptr::null_mut();
    }
    // SAFETY: as in `malloc`.
    unsafe { __libc_calloc(count, size) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(out: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    if fails(size) {
        return libc::ENOMEM;
    }
    // SAFETY: the C library's own; the caller passes a place for the result.
    unsafe {
        let memory = __libc_memalign(alignment, size);
        if memory.is_null() {
            return libc::ENOMEM;
        }
        *out = memory;
    }
    0
}

/// The linked engine, with its calls under the allocator's eye.
pub(crate) fn watched_engine() -> Engine {
    unsafe extern "C" fn context_new(
        params: *const sd_ctx_params_t,
        hooks: *const sdcpp_hooks,
        out: *mut *mut sd_ctx_t,
        report: *mut sdcpp_report,
    ) -> i32 {
        arm(true);
        // SAFETY: the caller's pointers are passed on.
        let status = unsafe { (Table::linked().unwrap().context_new)(params, hooks, out, report) };
        arm(false);
        status
    }
    unsafe extern "C" fn generate_image(
        context: *mut sd_ctx_t,
        params: *const sd_img_gen_params_t,
        hooks: *const sdcpp_hooks,
        out: *mut *mut sd_image_t,
        report: *mut sdcpp_report,
    ) -> i32 {
        arm(true);
        // SAFETY: the caller's pointers are passed on.
        let status = unsafe {
            (Table::linked().unwrap().generate_image)(context, params, hooks, out, report)
        };
        arm(false);
        status
    }
    let table = Table { context_new, generate_image, ..Table::linked().unwrap() };
    // SAFETY: every function is the linked engine's, or calls it.
    unsafe { Engine::from_table(table) }
}
