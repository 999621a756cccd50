//! What every loaded model can do, wherever its engine runs.

use crate::{Context, Generated, GeneratedVideo, ImageRequest, Result, VideoRequest, Watch};

/// A loaded model: a [`Context`] in this process, or a worker process that holds one.
///
/// A [`Pool`](crate::Pool) keeps any of them.
pub trait Model: Send + 'static {
    /// Draws, watched by `watch`, which can stop it.
    ///
    /// # Errors
    /// As [`Context::generate_with`].
    fn generate_with(&mut self, request: &ImageRequest, watch: Watch<'_>) -> Result<Generated>;

    /// Makes a video, watched by `watch`, which can stop it.
    ///
    /// # Errors
    /// As [`Context::generate_video_with`].
    fn generate_video_with(
        &mut self,
        request: &VideoRequest,
        watch: Watch<'_>,
    ) -> Result<GeneratedVideo>;

    /// Whether it can be used again: no assertion, exception or crash left it in an unknown state.
    fn is_usable(&self) -> bool;
}

impl Model for Context {
    fn generate_with(&mut self, request: &ImageRequest, watch: Watch<'_>) -> Result<Generated> {
        Context::generate_with(self, request, watch)
    }

    fn generate_video_with(
        &mut self,
        request: &VideoRequest,
        watch: Watch<'_>,
    ) -> Result<GeneratedVideo> {
        Context::generate_video_with(self, request, watch)
    }

    fn is_usable(&self) -> bool {
        !self.is_poisoned()
    }
}
