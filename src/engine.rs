//! Which engine everything runs on: the one in this library, or one that is opened at run time.

use crate::{
    error::{self, Failure, Result},
    memory,
    pointer::{self, Out},
};
use once_cell::sync::OnceCell;
use sdcpp::{Backend, Engine};
use serde_json::{Value, json};
use std::{cell::Cell, ffi::c_char, path::Path};

/// The engine, and why it is none of a better backend.
struct Chosen {
    engine: Engine,
    /// Empty where nothing was searched for.
    passed_over: Vec<(Backend, sdcpp::Error)>,
}

impl From<Engine> for Chosen {
    fn from(engine: Engine) -> Self {
        Self { engine, passed_over: Vec::new() }
    }
}

#[cfg(feature = "dynamic")]
impl From<sdcpp::Best> for Chosen {
    fn from(best: sdcpp::Best) -> Self {
        Self { engine: best.engine, passed_over: best.passed_over }
    }
}

/// The engine of this process, chosen once.
static ENGINE: OnceCell<Chosen> = OnceCell::new();

/// The engine that everything runs on.
pub(crate) fn engine() -> Result<Engine> {
    Ok(chosen()?.engine.clone())
}

fn chosen() -> Result<&'static Chosen> {
    if let Some(chosen) = ENGINE.get() {
        return Ok(chosen);
    }
    let _choosing = Choosing::begin()?;
    ENGINE.get_or_try_init(choose)
}

thread_local! {
    static CHOOSING: Cell<bool> = const { Cell::new(false) };
}

/// While the engine is chosen it writes log lines: a callback for these that needs an engine would wait for its
/// own caller.
struct Choosing;

impl Choosing {
    fn begin() -> Result<Self> {
        if CHOOSING.replace(true) {
            return Err(Failure::busy(
                "the engine is being chosen, and this is a callback of that",
                "call sdcpp_engine_json once before, or not in a log callback",
            ));
        }
        Ok(Self)
    }
}

impl Drop for Choosing {
    fn drop(&mut self) {
        CHOOSING.set(false);
    }
}

#[cfg(not(feature = "dynamic"))]
fn choose() -> Result<Chosen> {
    Ok(Engine::auto()?.into())
}

#[cfg(feature = "dynamic")]
fn choose() -> Result<Chosen> {
    // The linked engine, unless the user names another.
    #[cfg(feature = "static")]
    if std::env::var_os("SDCPP_LIBRARY").is_none_or(|value| value.is_empty()) {
        return Ok(Engine::linked()?.into());
    }
    Ok(search().best()?.into())
}

/// Engine libraries lie beside this library too.
#[cfg(feature = "dynamic")]
fn search() -> sdcpp::LibrarySearch {
    let search = sdcpp::LibrarySearch::new();
    match crate::place::library().as_deref().and_then(Path::parent) {
        Some(folder) => search.folder(folder).folder(folder.join("sdcpp")),
        None => search,
    }
}

/// Chooses the engine that everything in this process runs on. Call it before anything else; without
/// it the engine in this library is used or, if it has none or `SDCPP_LIBRARY` is set, as by `auto`.
///
/// `engine` is `auto` (the best backend that has a driver, a device and an engine, in this library or
/// in one that is found), the name of a backend (`cuda`, `hip`, `sycl`, `metal`, `vulkan`, `cpu`), or
/// the path of an engine library, in which a backend's name would be `./cuda`. Libraries are looked for
/// in `SDCPP_LIBRARY`, beside this library and in `sdcpp/` there, beside the program, and where the
/// system looks.
///
/// Errors: `SDCPP_BUSY` if an engine is in use already; `SDCPP_BACKEND_UNAVAILABLE`,
/// `SDCPP_LIBRARY_NOT_FOUND`, `SDCPP_LIBRARY` with the reason; `SDCPP_UNSUPPORTED` if this library was
/// built without run-time loading.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_engine_choose(engine: *const c_char) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let name = unsafe { pointer::path(engine, "engine") }?;
        let busy = || {
            Failure::busy(
                "an engine is in use already",
                "choose the engine before the first call that needs one",
            )
        };
        // A library stays open for good, so that none is opened in vain.
        if ENGINE.get().is_some() {
            return Err(busy());
        }
        let _choosing = Choosing::begin()?;
        ENGINE.set(named(&name)?).map_err(|_| busy())
    })
}

#[cfg(feature = "dynamic")]
fn named(name: &Path) -> Result<Chosen> {
    let text = name.to_str();
    if text == Some("auto") {
        return Ok(search().best()?.into());
    }
    if let Some(Ok(backend)) = text.map(str::parse) {
        return Ok(search().engine(backend)?.into());
    }
    // SAFETY: the documentation asks for an engine library of this project; others are told by their
    // lacking its one function.
    Ok(unsafe { Engine::load(name) }?.into())
}

#[cfg(not(feature = "dynamic"))]
fn named(name: &Path) -> Result<Chosen> {
    match name.to_str() {
        Some("auto") => Ok(Engine::auto()?.into()),
        _ => Err(sdcpp::Error::Unsupported {
            what: "an engine of another library".to_owned(),
            reason: "this library was built without the feature `dynamic`".to_owned(),
        }
        .into()),
    }
}

/// Why the engine cannot compute on this backend.
fn why_not(backend: Backend, chosen: &Chosen) -> Option<String> {
    // That of the search says more: perhaps a library is there, and cannot be used.
    if let Some((_, why)) = chosen.passed_over.iter().find(|(passed, _)| *passed == backend) {
        return Some(why.to_string());
    }
    #[cfg(feature = "dynamic")]
    if let Err(why) = backend.check_driver() {
        return Some(why.to_string());
    }
    backend.check(&chosen.engine).err().map(|why| why.to_string())
}

/// Tells which engine is used, as a JSON object: `version`, `commit`, `system_info`, `library` (its path,
/// where it was opened at run time); and in `backends` the `name` of each, `usable`, and the `reason`
/// where it is not. Free `*out` by `sdcpp_free`.
///
/// Chooses the engine, as the first call that needs one does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_engine_json(out: *mut *mut c_char) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, memory::NO_TEXT, "out") }?;
        let chosen = chosen()?;
        let engine = &chosen.engine;
        let backend = |backend: Backend| -> Value {
            match why_not(backend, chosen) {
                None => json!({ "name": backend.name(), "usable": true }),
                Some(why) => json!({ "name": backend.name(), "usable": false, "reason": why }),
            }
        };
        out.put(memory::lend_json(&json!({
            "version": engine.version(),
            "commit": engine.commit(),
            "system_info": engine.system_info(),
            "library": engine.library().map(|path| path.to_string_lossy()),
            "backends": Backend::ALL.map(backend),
        })));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chooses_the_engine_cannot_need_it() {
        let choosing = Choosing::begin().unwrap();
        assert!(Choosing::begin().is_err());
        let elsewhere = std::thread::spawn(|| Choosing::begin().map(drop).is_ok());
        assert!(elsewhere.join().unwrap(), "another thread waits for it");
        drop(choosing);
        assert!(Choosing::begin().is_ok());
    }
}
