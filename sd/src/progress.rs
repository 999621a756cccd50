//! Watching an operation, and stopping it.

use crate::{CancelToken, Preview, PreviewOptions, preview::Previews};
use crossbeam_channel::{Sender, TrySendError};
use std::{fmt, ops::ControlFlow, time::Duration};

/// What an operation has come to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// Weights are being read; at the first use of each part of the model.
    Loading {
        /// Tensors read so far.
        tensors: u32,
        /// Tensors to read, of the part being loaded.
        total: u32,
    },
    /// Prompts go through the text encoder, or input pictures through the VAE.
    Encoding {
        /// Tiles of the picture done; 0 without tiling.
        tile: u32,
        /// Tiles in all; 0 without tiling and for text.
        tiles: u32,
    },
    /// The diffusion model runs.
    Sampling {
        /// Steps done; 0 when sampling begins.
        step: u32,
        /// Steps in all.
        steps: u32,
        /// The picture of the batch, from 1.
        image: u32,
        /// Pictures in the batch.
        images: u32,
        /// How long the last step took.
        step_time: Duration,
    },
    /// Latents go through the VAE's decoder.
    Decoding {
        /// Tiles done; 0 without tiling.
        tile: u32,
        /// Tiles in all; 0 without tiling.
        tiles: u32,
    },
    /// A picture is being enlarged.
    Upscaling {
        /// Tiles done; 0 where it needs no tiles.
        tile: u32,
        /// Tiles in all; 0 where it needs none.
        tiles: u32,
    },
    /// A model file is being converted.
    Converting {
        /// Tensors done.
        tensors: u32,
        /// Tensors in all.
        total: u32,
    },
}

type OnProgress<'a> = Box<dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a>;

/// How one operation is watched and stopped. The default neither watches nor stops.
///
/// ```
/// use sdcpp::{CancelToken, Progress, Watch};
/// use std::{ops::ControlFlow, time::Duration};
///
/// let token = CancelToken::new();
/// let watch = Watch::new()
///     .on_progress(|progress| {
///         if let Progress::Sampling { step, steps, .. } = progress {
///             println!("step {step} of {steps}");
///         }
///         ControlFlow::Continue(())
///     })
///     .cancel_with(token.clone())
///     .time_limit(Duration::from_secs(120));
/// # drop(watch);
/// ```
#[derive(Default)]
pub struct Watch<'a> {
    on_progress: Option<OnProgress<'a>>,
    channel: Option<Sender<Progress>>,
    pub(crate) previews: Option<Previews<'a>>,
    pub(crate) cancel: Option<CancelToken>,
    pub(crate) time_limit: Option<Duration>,
}

impl<'a> Watch<'a> {
    /// Neither watches nor stops.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `callback` at each event, on the thread the engine runs on, or with a worker process on
    /// the one that waits for it. `Break` stops as [`CancelToken::cancel`] does. A panic in it is
    /// caught, stops the operation, and is reported as
    /// [`Error::CallbackPanicked`](crate::Error::CallbackPanicked). Replaces an earlier callback.
    #[must_use]
    pub fn on_progress(
        mut self,
        callback: impl FnMut(Progress) -> ControlFlow<()> + Send + 'a,
    ) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    /// Sends each event into a channel. An event is dropped when a bounded channel is full, so that
    /// a slow reader never holds the engine up; a reader that is gone is no reason to stop.
    #[must_use]
    pub fn send_to(mut self, sender: Sender<Progress>) -> Self {
        self.channel = Some(sender);
        self
    }

    /// Calls `callback` with what the latent looks like, as often as `options` say, on the thread
    /// the engine runs on. A panic in it is treated as one in
    /// [`on_progress`](Self::on_progress). Replaces an earlier callback.
    ///
    /// ```
    /// use sdcpp::{PreviewKind, PreviewOptions, Watch};
    ///
    /// let watch = Watch::new().on_preview(PreviewOptions::new(PreviewKind::Projection), |preview| {
    ///     println!("step {}: {:?}", preview.step, preview.frames[0].dimensions());
    /// });
    /// # drop(watch);
    /// ```
    #[must_use]
    pub fn on_preview(
        mut self,
        options: PreviewOptions,
        callback: impl FnMut(Preview) + Send + 'a,
    ) -> Self {
        self.previews = Some(Previews::new(options, callback));
        self
    }

    /// Stops when `token` is cancelled.
    #[must_use]
    pub fn cancel_with(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Stops with [`Error::DeadlineExceeded`](crate::Error::DeadlineExceeded) when `limit` has
    /// passed since the operation began; in a [`Pool`](crate::Pool), since it was asked for. Takes
    /// effect where cancelling does.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Tells everyone who watches.
    pub(crate) fn tell(&mut self, progress: Progress) -> ControlFlow<()> {
        if let Some(channel) = &self.channel {
            match channel.try_send(progress.clone()) {
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => self.channel = None,
            }
        }
        match &mut self.on_progress {
            Some(callback) => callback(progress),
            None => ControlFlow::Continue(()),
        }
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("on_progress", &self.on_progress.is_some())
            .field("channel", &self.channel.is_some())
            .field("previews", &self.previews.as_ref().map(|p| &p.options))
            .field("cancel", &self.cancel)
            .field("time_limit", &self.time_limit)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_or_closed_channel_stops_nothing() {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let mut watch = Watch::new().send_to(sender);
        let event = Progress::Encoding { tile: 0, tiles: 0 };
        assert!(watch.tell(event.clone()).is_continue());
        assert!(watch.tell(event.clone()).is_continue());
        assert_eq!(receiver.len(), 1);
        drop(receiver);
        assert!(watch.tell(event.clone()).is_continue());
        assert!(watch.channel.is_none());
    }
}
