//! Which model draws.

use super::{Service, blocking};
use crate::{
    error::ApiError,
    model::{Active, MOCK},
};
use std::sync::{Arc, PoisonError};

impl Service {
    /// Has another model draw by default. Jobs that were accepted before are drawn by the one before. That
    /// one stays open where there is memory for both, and is closed first where there is not.
    ///
    /// # Errors
    /// There is no model of this name, or why it cannot be used; the one before goes on then.
    pub async fn choose(&self, name: &str) -> Result<Arc<Active>, ApiError> {
        let (this, name) = (self.clone(), name.to_owned());
        // A client that goes away does not leave it half done.
        let choosing = tokio::spawn(async move { this.chosen(&name).await });
        choosing.await.map_err(|error| ApiError::internal(error.to_string()))?
    }

    async fn chosen(&self, name: &str) -> Result<Arc<Active>, ApiError> {
        let _one_at_a_time = self.0.choosing.lock().await;
        let chosen = match self.opened(name).await {
            Err(error) if error.is_lack_of_memory() => self.exchange(name, error).await?,
            other => other?,
        };
        let before = self.set_active(Ok(Arc::clone(&chosen)));
        if before.is_none_or(|before| before.name != chosen.name) {
            tracing::info!(model = %chosen.name, "another model draws");
        }
        Ok(chosen)
    }

    /// Closes the model that draws, to have its memory for another; opens it again if that is not enough.
    async fn exchange(&self, name: &str, why: ApiError) -> Result<Arc<Active>, ApiError> {
        let Ok(before) = self.active() else { return Err(why) };
        tracing::info!(model = %before.name, "closed for want of memory, to open {name}");
        let own = before.name.clone();
        // Nothing is drawn meanwhile.
        drop(before);
        drop(self.set_active(Err(self.hidden().clean_error(why))));
        let chosen = self.opened(name).await;
        if chosen.is_err() {
            let again = self.opened(&own).await;
            self.set_active(again.map_err(|why| self.hidden().clean_error(why)));
        }
        chosen
    }

    /// The one before, if there was one.
    pub(super) fn set_active(&self, active: Result<Arc<Active>, ApiError>) -> Option<Arc<Active>> {
        let mut place = self.0.active.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *place, active).ok()
    }

    /// The model of this name, opened if it is not; without a name, the one that draws by default, which
    /// stays the same. Where there is not memory for both, the named one takes its place, as A1111's does.
    ///
    /// # Errors
    /// There is no model of this name, why it cannot be used, and why there is none.
    pub async fn model(&self, name: Option<&str>) -> Result<Arc<Active>, ApiError> {
        let Some(name) = name else { return self.active() };
        match self.opened(name).await {
            Err(error) if error.is_lack_of_memory() => self.choose(name).await,
            other => other,
        }
    }

    async fn opened(&self, name: &str) -> Result<Arc<Active>, ApiError> {
        let active = self.active();
        if self.options().is_mock() {
            return match active {
                Ok(active) if active.name == name => Ok(active),
                _ => Err(ApiError::not_found(format!("model `{name}`; there is: {MOCK}"))),
            };
        }
        let (opened, name) = (Arc::clone(&self.0.opened), name.to_owned());
        // Files are looked at.
        blocking(move || {
            if let Ok(active) = active
                && active.name == name
                && active.is_current()
            {
                return Ok(active);
            }
            opened.catalogue().find(&name).and_then(|entry| opened.open(&entry))
        })
        .await
    }
}
