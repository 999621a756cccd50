//! Log lines, in a process of their own: the subscriber is the whole process's.

use crate::{asked::*, common, jobs};
use sdcpp_capi::*;
use std::{
    ffi::{c_char, c_void},
    ptr::null_mut,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    thread,
    time::Duration,
};

/// What a callback got: its `user`, the level, where it came from, the line.
static LINES: Mutex<Vec<(usize, i32, String, String)>> = Mutex::new(Vec::new());

unsafe extern "C" fn keep(
    user: *mut c_void,
    level: i32,
    target: *const c_char,
    line: *const c_char,
) {
    // SAFETY: texts of the library, during the call.
    let (target, line) = unsafe { (text(target), text(line)) };
    LINES.lock().unwrap().push((user.addr(), level, target, line));
    // Calls of its own log nothing, and cannot replace it.
    // SAFETY: no pointer is followed.
    assert_eq!(unsafe { sdcpp_set_log(SDCPP_LOG_OFF, None, null_mut()) }, SDCPP_BUSY);
    let mut info = std::ptr::null();
    // SAFETY: a place for a text.
    assert_eq!(unsafe { sdcpp_system_info(&raw mut info) }, SDCPP_OK);
}

fn set(level: i32, callback: sdcpp_on_log, user: usize) -> i32 {
    // SAFETY: `user` is a number that the callbacks do not follow.
    unsafe { sdcpp_set_log(level, callback, std::ptr::without_provenance_mut(user)) }
}

fn taken() -> Vec<(usize, i32, String, String)> {
    std::mem::take(&mut LINES.lock().unwrap())
}

#[test]
fn lines_come_to_the_callback_that_is_set() {
    if !common::alone("logs::lines_come_to_the_callback_that_is_set") {
        return;
    }
    fails(set(6, Some(keep), 0), SDCPP_INVALID_PARAMETER);
    works(set(SDCPP_LOG_DEBUG, None, 0));
    let context = open();
    works(set(SDCPP_LOG_INFO, Some(keep), 1));
    let drawn = || {
        let (code, result) = draw(context, &quick(1), None);
        works(code);
        works(sdcpp_result_free(result));
        taken()
    };
    let info = drawn();
    assert!(info.len() > 2 && info.iter().all(|line| line.0 == 1 && line.1 <= SDCPP_LOG_INFO));
    assert!(info.iter().any(|line| line.2 == "sdcpp::engine" && line.3.contains("sampling")));
    works(set(SDCPP_LOG_DEBUG, Some(keep), 2));
    let debug = drawn();
    assert!(debug.len() > info.len() && debug.iter().all(|line| line.0 == 2));
    assert!(debug.iter().any(|line| line.1 == SDCPP_LOG_DEBUG));
    works(set(SDCPP_LOG_OFF, Some(keep), 3));
    assert!(drawn().is_empty());
    works(set(SDCPP_LOG_TRACE, None, 4));
    assert!(drawn().is_empty());
    works(sdcpp_context_free(context));
    replaced_while_it_runs();
}

/// A callback that was replaced is not called any more, and who replaces it waits for its end.
fn replaced_while_it_runs() {
    static INSIDE: AtomicBool = AtomicBool::new(false);
    static SEEN: AtomicBool = AtomicBool::new(false);
    unsafe extern "C" fn slow(_: *mut c_void, _: i32, _: *const c_char, _: *const c_char) {
        INSIDE.store(true, Ordering::SeqCst);
        SEEN.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        INSIDE.store(false, Ordering::SeqCst);
    }
    works(set(SDCPP_LOG_TRACE, Some(slow), 0));
    let drawing = thread::spawn(|| {
        let context = open();
        works(draw(context, &quick(3), None).0);
        works(sdcpp_context_free(context));
    });
    while !SEEN.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
    works(set(SDCPP_LOG_OFF, None, 0));
    for _ in 0..100 {
        assert!(!INSIDE.load(Ordering::SeqCst));
        thread::sleep(Duration::from_millis(1));
    }
    drawing.join().unwrap();
}

#[test]
fn the_callback_cannot_wait_for_a_pool() {
    if !common::alone("logs::the_callback_cannot_wait_for_a_pool") {
        return;
    }
    static ANSWER: AtomicI32 = AtomicI32::new(-1);
    unsafe extern "C" fn shut_down(pool: *mut c_void, _: i32, _: *const c_char, _: *const c_char) {
        let code = sdcpp_pool_shutdown(pool.cast(), SDCPP_SHUTDOWN_FINISH, SDCPP_FOREVER);
        ANSWER.store(code, Ordering::SeqCst);
    }
    let pool = jobs::pool();
    works(set(SDCPP_LOG_TRACE, Some(shut_down), pool.addr()));
    let (request, mut result) = (quick(1), null_mut());
    // SAFETY: pointers to what lives.
    works(unsafe {
        sdcpp_pool_generate(pool, &raw const request, std::ptr::null(), &raw mut result)
    });
    assert_eq!(ANSWER.load(Ordering::SeqCst), SDCPP_BUSY);
    works(set(SDCPP_LOG_OFF, None, 0));
    works(sdcpp_result_free(result));
    works(sdcpp_pool_shutdown(pool, SDCPP_SHUTDOWN_FINISH, SDCPP_FOREVER));
    works(sdcpp_pool_free(pool));
}
