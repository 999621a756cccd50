//! The models that draw while tuning: one by the best settings so far, one by a candidate.

use crate::{
    CancelToken, Error, ImageRequest, Model, ModelConfig, Result, Timings, Watch, stage::Stage,
};
use std::time::{Duration, Instant};

/// Open models, by their configurations.
pub(super) struct Models<M, F> {
    open: F,
    loaded: Vec<(ModelConfig, M)>,
    /// How many may be open at once: two, or one where there is no memory for two.
    most: usize,
}

impl<M: Model, F: FnMut(&ModelConfig, Watch<'_>, bool) -> Result<M>> Models<M, F> {
    /// `open` is told whether another model is open.
    pub(super) fn new(open: F) -> Self {
        Self { open, loaded: Vec::new(), most: 2 }
    }

    /// Closes all but this one.
    pub(super) fn keep(&mut self, config: &ModelConfig) {
        self.loaded.retain(|(loaded, _)| loaded == config);
    }

    /// How long a picture took. A model that is opened for it draws one before, for which it reads its
    /// weights and which does not count.
    ///
    /// Where two models do not fit into memory, one is closed for the other from then on.
    pub(super) fn draw(
        &mut self,
        config: &ModelConfig,
        request: &ImageRequest,
        session: &mut Session<'_>,
    ) -> Result<Timings> {
        let first = self.draw_once(config, request, session);
        let others = !self.loaded.is_empty();
        match first {
            Err(error) if error.is_out_of_memory() && others => {
                self.loaded.clear();
                let before = std::mem::replace(&mut self.most, 1);
                let alone = self.draw_once(config, request, session);
                if alone.as_ref().is_err_and(Error::is_out_of_memory) {
                    // It was not the other one's fault.
                    self.most = before;
                }
                alone
            }
            other => other,
        }
    }

    /// A model that failed is closed.
    fn draw_once(
        &mut self,
        config: &ModelConfig,
        request: &ImageRequest,
        session: &mut Session<'_>,
    ) -> Result<Timings> {
        let at = self.loaded.iter().position(|(loaded, _)| loaded == config);
        let (config, mut model) = match at {
            Some(at) => self.loaded.swap_remove(at),
            None => {
                if self.most == 1 {
                    self.loaded.clear();
                }
                let mut model = (self.open)(config, session.watch(), !self.loaded.is_empty())?;
                model.generate_with(request, session.watch())?;
                (config.clone(), model)
            }
        };
        let generated = model.generate_with(request, session.watch())?;
        self.loaded.push((config, model));
        session.pictures += 1;
        Ok(generated.timings)
    }
}

/// How the whole of tuning is watched and stopped, and how long it may take.
pub(super) struct Session<'w> {
    watch: Watch<'w>,
    cancel: CancelToken,
    start: Instant,
    budget: Duration,
    /// Pictures that counted.
    pub(super) pictures: u32,
}

/// How a picture that failed ends the tuning, or a candidate.
pub(super) enum End {
    /// The budget is spent.
    Spent(Error),
    /// Somebody stopped it.
    Stopped(Error),
    /// These settings do not work.
    Failed(Error),
}

impl<'w> Session<'w> {
    pub(super) fn new(watch: Watch<'w>, budget: Duration) -> Self {
        let cancel = watch.cancel.clone().unwrap_or_default();
        Self { watch, cancel, start: Instant::now(), budget, pictures: 0 }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether no time is left.
    pub(super) fn is_spent(&self) -> bool {
        self.elapsed() >= self.budget
    }

    /// An error if it was cancelled, or its time limit has passed.
    pub(super) fn check(&self) -> Result<()> {
        let stage = Stage::Preparing;
        if self.cancel.is_cancelled() {
            return Err(Error::Cancelled { stage });
        }
        match self.watch.time_limit {
            Some(limit) if self.elapsed() >= limit => Err(Error::DeadlineExceeded { stage, limit }),
            _ => Ok(()),
        }
    }

    /// Watches one operation of many.
    fn watch(&mut self) -> Watch<'_> {
        let end = self.watch.time_limit.map_or(self.budget, |limit| limit.min(self.budget));
        let rest = end.saturating_sub(self.start.elapsed());
        let (whole, cancel) = (&mut self.watch, self.cancel.clone());
        Watch::new()
            .on_progress(move |progress| whole.tell(progress))
            .cancel_with(cancel)
            .time_limit(rest)
    }

    /// What an error means.
    pub(super) fn end(&self, error: Error) -> End {
        match (error, self.watch.time_limit) {
            (Error::DeadlineExceeded { stage, .. }, Some(limit)) if self.elapsed() >= limit => {
                End::Stopped(Error::DeadlineExceeded { stage, limit })
            }
            (Error::DeadlineExceeded { stage, .. }, _) => {
                End::Spent(Error::DeadlineExceeded { stage, limit: self.budget })
            }
            (error @ (Error::Cancelled { .. } | Error::CallbackPanicked { .. }), _) => {
                End::Stopped(error)
            }
            (error, _) => End::Failed(error),
        }
    }
}
