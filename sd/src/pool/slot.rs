//! The right to use one of a pool's models, and the model lent to a caller.

use super::{
    metrics::Ending,
    queue::Id,
    shared::{Shared, caught, discard},
    state::{Ended, Verdict},
    turn::Kind,
};
use crate::{Model, Result};
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
    pub(super) fn new(shared: &Arc<Shared<M>>, id: Id, model: Option<M>, kind: Kind) -> Self {
        // Until it is known better.
        let ending = (kind != Kind::Lease).then_some(Ending::Failed);
        let ended = Ended { ending, ..Ended::default() };
        Self { shared: Arc::clone(shared), id, model, ended, returned: false }
    }

    /// What dropping it would give back to the pool, for the pool itself to take.
    pub(super) fn dissolve(mut self) -> (Id, Option<M>, Ended) {
        self.returned = true;
        (self.id, self.model.take(), std::mem::take(&mut self.ended))
    }

    /// Exchanges it for another one, which `wait` brings, in the queue again. If it brings none,
    /// nothing is left to give back.
    pub(super) fn exchange(&mut self, wait: impl FnOnce(Id) -> Result<Self>) -> Result<()> {
        self.returned = true;
        *self = wait(self.id)?;
        Ok(())
    }

    /// Whether it has not been given up for another, which did not come.
    pub(super) fn is_held(&self) -> bool {
        !self.returned
    }

    /// A model that is open already, if there is one. One that broke while nobody used it, such as
    /// a worker that the system ended for lack of memory, is dropped.
    pub(super) fn take_open(&mut self) -> Option<M> {
        loop {
            let model = self.model.take()?;
            if is_usable(&model) {
                return Some(model);
            }
            self.replace(model, Verdict::Unknown);
            self.model = self.shared.take_idle(self.id);
        }
    }

    /// Takes a model back if it can be used again, with what its use says about it. Else frees it at
    /// once, since the one that replaces it may need the memory, and `broken` is what that says.
    pub(super) fn keep(&mut self, model: M, verdict: Verdict, broken: impl FnOnce() -> Verdict) {
        if is_usable(&model) {
            self.model = Some(model);
            self.ended.verdict = verdict;
        } else {
            self.replace(model, broken());
        }
    }

    /// Frees a model that cannot be used again.
    pub(super) fn replace(&mut self, model: M, verdict: Verdict) {
        discard(model);
        self.shared.replaced(self.id);
        self.ended.verdict = verdict;
        tracing::warn!(verdict = ?self.ended.verdict, "a model of the pool cannot be used again");
    }
}

fn is_usable<M: Model>(model: &M) -> bool {
    caught("asking whether a model can be used", || Ok(model.is_usable()))
        .is_ok_and(|usable| usable)
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
}

/// A model of a pool, for as long as it is held: it goes back to the pool when it is dropped, also
/// by a panic. One that cannot be used any more is replaced, and counts as a failure.
///
/// What is done with it otherwise is not known to the pool, and says nothing about the model: it
/// neither sets the count of failures to zero nor, after a cool-down, lets more than one operation
/// at a time through again. The next operation decides that then.
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
        Self(scopeguard::guard(Lent { model, slot }, |Lent { model, mut slot }| {
            let broken = "a model could not be used again after a lease";
            slot.keep(model, Verdict::Unknown, || Verdict::Failed(broken.to_owned()));
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
        &mut self.0.model
    }
}

impl<M: Model + fmt::Debug> fmt::Debug for Lease<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.0.model).finish()
    }
}
