//! Handles: numbers in the form of pointers, which are looked up and never followed.
//!
//! A number is given out once. So one that was freed, or that is none, is told from one that is in
//! use, and a call that is running keeps its object when another thread frees the handle.

use crate::error::{Failure, Result};
use std::{
    any::Any,
    collections::BTreeMap,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A type of C that stands for an object of Rust.
pub(crate) trait Handle {
    /// What it stands for.
    type Object: Send + Sync + 'static;
    /// Its name in messages.
    const NAME: &'static str;
}

struct Entry {
    kind: &'static str,
    object: Arc<dyn Any + Send + Sync>,
}

struct Registry {
    next: usize,
    entries: BTreeMap<usize, Entry>,
}

/// Handles are odd: the address of no struct is one.
static REGISTRY: Mutex<Registry> = Mutex::new(Registry { next: 1, entries: BTreeMap::new() });

/// Locks what stays whole even if a thread panics that holds it.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// The object's key, checked.
    fn find<H: Handle>(&self, handle: *const H) -> Result<(usize, Arc<H::Object>)> {
        let (key, wanted) = (handle.addr(), H::NAME);
        let Some(entry) = self.entries.get(&key) else {
            return Err(Failure::handle(match key {
                0 => format!("the handle of a {wanted} is NULL"),
                key if key % 2 == 1 && key < self.next => {
                    format!("the handle of a {wanted}, {key:#x}, was freed")
                }
                key => format!("{key:#x} is no handle of a {wanted}"),
            }));
        };
        let other = || Failure::handle(format!("{key:#x} is a {}, and no {wanted}", entry.kind));
        Arc::clone(&entry.object).downcast().map(|object| (key, object)).map_err(|_| other())
    }
}

/// Gives out a handle.
pub(crate) fn put<H: Handle>(object: H::Object) -> Result<*mut H> {
    let entry = Entry { kind: H::NAME, object: Arc::new(object) };
    let mut registry = lock(&REGISTRY);
    let key = registry.next;
    let none_left = || sdcpp::Error::Unsupported {
        what: format!("a further {}", H::NAME),
        reason: "all handles have been given out".to_owned(),
    };
    registry.next = key.checked_add(2).ok_or_else(none_left)?;
    registry.entries.insert(key, entry);
    Ok(ptr::without_provenance_mut(key))
}

/// What a handle stands for; it lives for as long as the caller holds it, freed or not.
pub(crate) fn get<H: Handle>(handle: *const H) -> Result<Arc<H::Object>> {
    lock(&REGISTRY).find(handle).map(|(_, object)| object)
}

/// Takes a handle back. NULL is none, as with `free`.
pub(crate) fn take<H: Handle>(handle: *const H) -> Result<Option<Arc<H::Object>>> {
    if handle.is_null() {
        return Ok(None);
    }
    let mut registry = lock(&REGISTRY);
    let (key, object) = registry.find(handle)?;
    registry.entries.remove(&key);
    Ok(Some(object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{code, error};
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Left;
    struct Right;
    struct Dropped(Arc<AtomicBool>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            // Objects are dropped without the lock: they may use the library. It hangs otherwise.
            drop(lock(&REGISTRY));
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl Handle for Left {
        type Object = Dropped;
        const NAME: &'static str = "left";
    }

    impl Handle for Right {
        type Object = u8;
        const NAME: &'static str = "right";
    }

    fn message<T>(result: Result<T>) -> String {
        let code = error::call(|| result.map(drop));
        assert_eq!(code, code::SDCPP_INVALID_HANDLE);
        // SAFETY: this thread makes no call meanwhile.
        unsafe { std::ffi::CStr::from_ptr((*error::sdcpp_last_error()).message) }
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn each_mistake_has_its_words() {
        let gone = Arc::new(AtomicBool::new(false));
        let left = put::<Left>(Dropped(Arc::clone(&gone))).unwrap();
        let right = put::<Right>(7).unwrap();
        assert_eq!(*get(right).unwrap(), 7);
        assert!(message(get(left.cast::<Right>())).ends_with("is a left, and no right"));
        assert!(message(get(ptr::null::<Left>())).ends_with("of a left is NULL"));
        let local = 7_u64;
        assert!(message(get((&raw const local).cast::<Left>())).contains("is no handle of a left"));
        let far = ptr::without_provenance::<Left>(usize::MAX);
        assert!(message(get(far)).contains("is no handle of a left"));

        let held = get(left).unwrap();
        drop(take(left).unwrap());
        assert!(!gone.load(Ordering::Relaxed), "a call that runs keeps it");
        drop(held);
        assert!(gone.load(Ordering::Relaxed));
        assert!(message(get(left)).ends_with("was freed"));
        assert!(message(take(left)).ends_with("was freed"));
        assert!(take(ptr::null::<Left>()).unwrap().is_none());
        assert_ne!(put::<Right>(8).unwrap().addr(), left.addr(), "never given out again");
    }
}
