//! Other options while the service runs.

use super::{Service, blocking};
use crate::{
    error::ApiError,
    job::Limits,
    model::{Active, Catalogue, ModelEntry},
    options::Options,
};
use sdcpp::Engine;
use std::sync::{Arc, PoisonError};

impl Service {
    /// Goes on with other options; jobs that were accepted before end as they began. What cannot change
    /// while it runs stays as it is. The options that this is so of are told.
    ///
    /// The model is opened anew if the options say how it is opened, and another if they name another. A
    /// model that clients chose stays, if it is there still.
    ///
    /// # Errors
    /// The options are wrong, or the model cannot be opened; everything stays as it was.
    pub async fn reload(&self, options: Options) -> Result<Vec<&'static str>, ApiError> {
        let _one_at_a_time = self.0.switching.lock().await;
        let old = self.options();
        let mut options = options.checked()?;
        let fixed = keep_fixed(&old, &mut options);
        let catalogue = Catalogue::new(&options)?;
        let before = self.active();
        let (options, catalogue, after) = {
            let (engine, same_model) = (self.0.engine.clone(), old.model == options.model);
            let stays = before.is_ok() && opened_by(&old) == opened_by(&options);
            let before = before.clone();
            blocking(move || {
                let after = match before {
                    Ok(active) if stays => Ok(active),
                    Ok(active) => {
                        let chosen =
                            same_model.then(|| catalogue.find(&active.name).ok()).flatten();
                        Ok(Arc::new(open(&engine, &options, &catalogue, chosen)?))
                    }
                    // There was none, and there may be none again.
                    Err(_) => open(&engine, &options, &catalogue, None).map(Arc::new),
                };
                Ok((options, catalogue, after))
            })
            .await?
        };
        self.0.hidden.add(&options);
        match &after {
            Ok(active) => {
                let mut opened = self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
                opened.retain(|_, active| active.strong_count() > 0);
                opened.insert(active.name.clone(), Arc::downgrade(active));
            }
            Err(why) => {
                tracing::warn!(code = %why.code, "no pictures can be drawn: {}", why.message)
            }
        }
        self.0.rates.set(&options);
        self.0.jobs.set_limits(Limits::of(&options));
        let after = after.map_err(|why| self.0.hidden.clean_error(why));
        *self.0.active.write().unwrap_or_else(PoisonError::into_inner) = after;
        *self.0.catalogue.write().unwrap_or_else(PoisonError::into_inner) = catalogue;
        *self.0.options.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
        Ok(fixed)
    }
}

/// The model of this entry, or the one to start with.
fn open(
    engine: &Engine,
    options: &Options,
    catalogue: &Catalogue,
    entry: Option<ModelEntry>,
) -> Result<Active, ApiError> {
    if options.is_mock() {
        return Active::mock(options);
    }
    let entry = entry.map_or_else(|| catalogue.first(), Ok)?;
    Active::open(engine, options, &entry)
}

/// What says how a model is opened, and which.
fn opened_by(options: &Options) -> impl PartialEq + use<> {
    (
        (options.model.clone(), options.models.clone(), options.loras.clone()),
        (options.threads, options.max_concurrent, options.queue_limit(), options.time_limit()),
    )
}

/// Keeps what only a new start changes. The names of those that were to change.
fn keep_fixed(old: &Options, new: &mut Options) -> Vec<&'static str> {
    let mut changed = Vec::new();
    macro_rules! keep {
        ($($field:ident: $name:literal),+ $(,)?) => {$(
            if old.$field != new.$field {
                changed.push($name);
                new.$field = old.$field.clone();
            }
        )+};
    }
    keep! {
        listen: "listen",
        port: "port",
        mock: "mock",
        isolated: "isolated",
        max_connections: "max-connections",
        log_format: "log-format",
    }
    changed
}
