//! Other options while the service runs.

use super::{Service, blocking};
use crate::{
    error::ApiError,
    hub,
    job::Limits,
    model::{Active, Catalogue},
    opened::{Opened, Settled},
    options::Options,
};
use std::sync::{Arc, PoisonError};

impl Service {
    /// Goes on with other options; jobs that were accepted before end as they began. What cannot change
    /// while it runs stays as it is: the names of these options are told.
    ///
    /// The model is opened anew if the options say otherwise how models are opened, or the file of
    /// measured settings does, and another if they name another. A model that clients chose stays, if it
    /// is there still.
    ///
    /// # Errors
    /// The options are wrong, or the model cannot be opened; everything stays as it was.
    pub async fn reload(&self, options: Options) -> Result<Vec<&'static str>, ApiError> {
        let _one_at_a_time = self.0.choosing.lock().await;
        let old = self.options();
        let mut options = options.checked()?;
        let fixed = keep_fixed(&old, &mut options);
        let options = blocking(move || match hub::fetch_first(options) {
            (options, None) => Ok(Arc::new(options)),
            (_, Some(why)) => Err(why.into()),
        })
        .await?;
        let (opened, before, new) =
            (Arc::clone(&self.0.opened), self.active(), Arc::clone(&options));
        let after = blocking(move || {
            let catalogue = Catalogue::new(&new)?;
            let anew = opened_by(&old) != opened_by(&new) || !opened.is_tuned_as_now();
            let settled = Settled { options: Arc::clone(&new), catalogue };
            let undo = opened.settle(settled, anew);
            let after = match &before {
                Ok(active) if !anew => return Ok(Ok(Arc::clone(active))),
                Ok(active) => {
                    let chosen = (old.model == new.model).then_some(active.name.as_str());
                    open(&opened, &new, chosen)
                }
                // There was none, and there may be none again.
                Err(_) => return Ok(open(&opened, &new, None)),
            };
            if after.is_err() {
                opened.unsettle(undo);
            }
            after.map(Ok)
        })
        .await?;
        self.0.hidden.add(&options);
        if let Err(why) = &after {
            tracing::warn!(code = %why.code, "no pictures can be drawn: {}", why.message);
        }
        self.set_active(after.map_err(|why| self.0.hidden.clean_error(why)));
        self.0.rates.set(&options);
        self.jobs().set_limits(Limits::of(&options));
        *self.0.options.write().unwrap_or_else(PoisonError::into_inner) = options;
        Ok(fixed)
    }
}

/// The model of this name, or the one to start with.
fn open(opened: &Opened, options: &Options, name: Option<&str>) -> Result<Arc<Active>, ApiError> {
    if options.is_mock() {
        return Active::mock(options).map(Arc::new);
    }
    let catalogue = opened.catalogue();
    // A client may have chosen one that is not there any more.
    let chosen = name.and_then(|name| catalogue.find(name).ok());
    opened.open(&chosen.map_or_else(|| catalogue.first(), Ok)?)
}

/// What says how models are opened, and which is first.
fn opened_by(options: &Options) -> impl PartialEq + use<> {
    (
        (options.model.clone(), options.models.clone(), options.loras.clone()),
        options.uses_tuned(),
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
                new.$field.clone_from(&old.$field);
            }
        )+};
    }
    keep! {
        listen: "listen",
        port: "port",
        mock: "mock",
        isolated: "isolated",
        upscalers: "upscalers",
        data: "data",
        no_history: "no-history",
        cache: "cache",
        safety_filter_command: "safety-filter-command",
        safety_filter_url: "safety-filter-url",
        max_connections: "max-connections",
        log_format: "log-format",
    }
    changed
}
