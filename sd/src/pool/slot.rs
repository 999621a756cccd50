//! The right to use one of a pool's models, and the model lent to a caller.

use super::{
    queue::Id,
    shared::{Shared, caught, discard},
    state::{Ended, Verdict},
};
use crate::Model;
use scopeguard::ScopeGuard;
use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// The right to use one model, or to open one. Goes back to the pool when it is dropped, whatever
/// else happened.
pub(super) struct Slot<M: Model> {
    pub(super) shared: Arc<Shared<M>>,
    pub(super) id: Id,
    model: Option<M>,
    pub(super) ended: Ended,
    returned: bool,
}

impl<M: Model> Slot<M> {
    pub(super) fn new(shared: &Arc<Shared<M>>, id: Id, model: Option<M>) -> Self {
        let ended = Ended::default();
        Self { shared: Arc::clone(shared), id, model, ended, returned: false }
    }

    /// What dropping it would give back to the pool, for the pool itself to take.
    pub(super) fn dissolve(mut self) -> (Id, Option<M>, Ended) {
        self.returned = true;
        (self.id, self.model.take(), std::mem::take(&mut self.ended))
    }

    /// The model that is open already, if there is one.
    pub(super) fn take_model(&mut self) -> Option<M> {
        self.model.take()
    }

    /// Takes a model back if it can be used again, with what its use says about it; `cause` is
    /// why, if not. Else frees it at once: the one that replaces it may need the memory.
    pub(super) fn keep(&mut self, model: M, good: Verdict, cause: impl FnOnce() -> String) {
        let usable = caught("asking whether it can be used again", || Ok(model.is_usable()));
        if matches!(usable, Ok(true)) {
            self.model = Some(model);
            self.ended.verdict = good;
        } else {
            self.replace(model, cause());
        }
    }

    /// Frees a model that cannot be used again.
    pub(super) fn replace(&mut self, model: M, cause: String) {
        tracing::warn!(cause, "a model of the pool cannot be used again");
        self.ended.verdict = Verdict::Failed(cause);
        discard(model);
        self.shared.count(|metrics| metrics.replaced += 1);
    }
}

impl<M: Model> Drop for Slot<M> {
    fn drop(&mut self) {
        if self.returned {
            return;
        }
        let ended = std::mem::take(&mut self.ended);
        self.shared.release(self.id, self.model.take(), ended);
    }
}

struct Lent<M: Model> {
    model: M,
    slot: Slot<M>,
    used: bool,
}

/// A model of a pool, for as long as it is held: it goes back to the pool when it is dropped, also
/// by a panic. One that cannot be used any more is replaced.
///
/// ```no_run
/// use sdcpp::{ContextPool, ImageRequest, ModelConfig};
/// use std::time::Duration;
///
/// # fn main() -> sdcpp::Result<()> {
/// let pool = ContextPool::new(ModelConfig::new("sd15.safetensors"))?;
/// let mut context = pool.acquire(Duration::from_secs(10))?;
/// println!("{}", context.family());
/// context.generate(&ImageRequest::new("a cat"))?.images[0].save("cat.png")?;
/// # Ok(())
/// # }
/// ```
pub struct Lease<M: Model>(ScopeGuard<Lent<M>, fn(Lent<M>)>);

impl<M: Model> Lease<M> {
    pub(super) fn new(slot: Slot<M>, model: M) -> Self {
        Self(scopeguard::guard(Lent { model, slot, used: false }, |lent| {
            let Lent { model, mut slot, used } = lent;
            let good = if used { Verdict::Good } else { Verdict::Unknown };
            slot.keep(model, good, || "a model could not be used again after a lease".to_owned());
        }))
    }
}

impl<M: Model> Deref for Lease<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0.model
    }
}

impl<M: Model> DerefMut for Lease<M> {
    fn deref_mut(&mut self) -> &mut M {
        self.0.used = true;
        &mut self.0.model
    }
}

impl<M: Model + fmt::Debug> fmt::Debug for Lease<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.0.model).finish()
    }
}
