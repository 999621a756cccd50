//! The models that are open: the one that draws by default, and those that requests named of late.

use crate::{
    error::ApiError,
    file::FileState,
    hash::ModelHash,
    model::{Active, Catalogue, ModelEntry},
    options::Options,
};
use sdcpp::Engine;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

/// The models that are open. Those that nobody draws with are closed when there are too many, or when
/// another needs their memory.
pub(crate) struct Opened {
    engine: Engine,
    settled: RwLock<Arc<Settled>>,
    /// The one used last is the last.
    models: Mutex<Vec<Arc<Active>>>,
    /// One is opened at a time.
    opening: Mutex<()>,
    hashes: Mutex<HashMap<FileState, ModelHash>>,
}

/// Which models there are, and how they are opened.
pub(crate) struct Settled {
    pub(crate) options: Arc<Options>,
    pub(crate) catalogue: Catalogue,
}

/// What was so before, to go back to it.
pub(crate) struct Before {
    settled: Arc<Settled>,
    models: Vec<Arc<Active>>,
}

impl Opened {
    pub(crate) fn new(engine: Engine, options: Arc<Options>, catalogue: Catalogue) -> Self {
        Self {
            engine,
            settled: RwLock::new(Arc::new(Settled { options, catalogue })),
            models: Mutex::default(),
            opening: Mutex::default(),
            hashes: Mutex::default(),
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn settled(&self) -> Arc<Settled> {
        Arc::clone(&self.settled.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn catalogue(&self) -> Catalogue {
        self.settled().catalogue.clone()
    }

    /// Opens models otherwise from now on. With `anew`, those that are open are opened anew when they are
    /// asked for; who draws with one of them goes on.
    pub(crate) fn settle(&self, settled: Settled, anew: bool) -> Before {
        let _no_other = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = self.settled.write().unwrap_or_else(PoisonError::into_inner);
        let settled = std::mem::replace(&mut *place, Arc::new(settled));
        let mut models = self.models();
        Before { settled, models: if anew { std::mem::take(&mut models) } else { models.clone() } }
    }

    /// Goes back.
    pub(crate) fn unsettle(&self, before: Before) {
        *self.settled.write().unwrap_or_else(PoisonError::into_inner) = before.settled;
        *self.models() = before.models;
    }

    fn models(&self) -> MutexGuard<'_, Vec<Arc<Active>>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model that is open under this name, which is the one used last then. One whose files have
    /// changed is left to who draws with it.
    fn get(&self, entry: &ModelEntry) -> Option<Arc<Active>> {
        let mut models = self.models();
        let place = models.iter().position(|model| model.name == entry.name)?;
        let found = models.remove(place);
        let is_the_same = found.config.files().any(|(_, path)| path == entry.path);
        if !is_the_same || !found.is_current() {
            return None;
        }
        models.push(Arc::clone(&found));
        Some(found)
    }

    /// The model, opened if it is not open yet. The others stay where there is memory for all; else those
    /// that nobody draws with are closed first. Reads headers.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn open(&self, entry: &ModelEntry) -> Result<Arc<Active>, ApiError> {
        let _one_at_a_time = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.get(entry) {
            return Ok(found);
        }
        let hash = self.hash(entry);
        let options = Arc::clone(&self.settled().options);
        let open = || Active::open(&self.engine, &options, entry, hash.clone());
        let opened = match open() {
            Err(error) if error.is_lack_of_memory() && self.close_idle(None) > 0 => open(),
            other => other,
        };
        let opened = Arc::new(opened?);
        self.models().push(Arc::clone(&opened));
        self.close_surplus();
        Ok(opened)
    }

    /// Whether the file of measured settings is as it was when they were opened. It is for all models of
    /// the machine, and each measurement changes it: models are not opened anew for that by themselves.
    pub(crate) fn is_tuned_as_now(&self) -> bool {
        self.models().iter().flat_map(|model| &model.tuned).all(FileState::is_current)
    }

    /// Closes what nobody draws with, where more models are open than are kept.
    pub(crate) fn close_surplus(&self) {
        let most = self.settled().options.max_models();
        while self.models().len() > most && self.close_oldest_idle(None) {}
    }

    /// Whether there is a model beside this one, which may be closed some time.
    pub(crate) fn has_others(&self, beside: &Arc<Active>) -> bool {
        self.models().iter().any(|model| !Arc::ptr_eq(model, beside))
    }

    /// Closes the models that nobody draws with, but for this one. How many there were.
    pub(crate) fn close_idle(&self, keep: Option<&Arc<Active>>) -> usize {
        let mut closed = 0;
        while self.close_oldest_idle(keep) {
            closed += 1;
        }
        closed
    }

    fn close_oldest_idle(&self, keep: Option<&Arc<Active>>) -> bool {
        let closed = {
            let mut models = self.models();
            let is_spare = |model: &Arc<Active>| {
                is_idle(model) && !keep.is_some_and(|keep| Arc::ptr_eq(model, keep))
            };
            let place = models.iter().position(is_spare);
            place.map(|place| models.remove(place))
        };
        // Without the lock: weights are freed here.
        match closed {
            Some(model) => {
                tracing::info!(model = %model.name, "closed");
                true
            }
            None => false,
        }
    }

    /// The hash of a model's file, which is computed once.
    fn hash(&self, entry: &ModelEntry) -> ModelHash {
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        hashes
            .entry(FileState::now(&entry.path))
            .or_insert_with(|| ModelHash::of(entry.path.clone()))
            .clone()
    }
}

/// Nobody draws with it: only the list has it. The one that draws by default is had by the service too.
fn is_idle(model: &Arc<Active>) -> bool {
    Arc::strong_count(model) == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_oldest_that_nobody_draws_with_is_closed() {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(demo.join("demo_tae.gguf"), folder.path().join("demo_tae.gguf")).unwrap();
        for name in ["a", "b", "c"] {
            for ending in ["gguf", "preset.json"] {
                let from = demo.join(format!("demo_q8_0.{ending}"));
                std::fs::copy(from, folder.path().join(format!("{name}.{ending}"))).unwrap();
            }
        }
        let options = Options { models: Some(folder.path().into()), ..Options::default() };
        let catalogue = Catalogue::new(&options).unwrap();
        let opened = Opened::new(Engine::auto().unwrap(), Arc::new(options), catalogue);
        let open = |name: &str| opened.open(&opened.catalogue().find(name).unwrap()).unwrap();
        let names = || opened.models().iter().map(|m| m.name.clone()).collect::<Vec<_>>().concat();
        let a = open("a");
        drop(open("b"));
        assert_eq!(names(), "ab");
        // Two are kept, and `a` is drawn with.
        drop(open("c"));
        assert_eq!(names(), "ac");
        assert!(Arc::ptr_eq(&a, &open("a")), "opened twice");
        assert_eq!(names(), "ca");
        assert!(opened.has_others(&a));
        assert_eq!((opened.close_idle(None), names().as_str()), (1, "a"));
        assert!(!opened.has_others(&a));
        // The file is hashed once.
        let hash = a.hash.clone();
        drop(a);
        assert_eq!(opened.close_idle(None), 1);
        while hash.sha256().is_none() {
            std::thread::yield_now();
        }
        let a = open("a");
        assert_eq!(a.hash.sha256(), hash.sha256(), "hashed again");
        // A file that was replaced is another model.
        let path = folder.path().join("a.gguf");
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert!(!a.is_current());
        assert!(!Arc::ptr_eq(&a, &open("a")));
    }
}
