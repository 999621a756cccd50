//! What a video request brought: frames, and the sound some models make with them.

use crate::{Animation, Audio, Frame, Picture, Result, Timings};
use std::time::Duration;

/// A video, and how it came to be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GeneratedVideo {
    /// The frames, in order; one at least.
    pub frames: Vec<Picture>,
    /// Frames a second.
    pub fps: u32,
    /// The sound, of models that make some.
    pub audio: Option<Audio>,
    /// The seed it was drawn with.
    pub seed: i64,
    /// How long each phase took.
    pub timings: Timings,
    /// What the engine warned of meanwhile, such as a number of frames that was rounded.
    pub warnings: Vec<String>,
}

impl GeneratedVideo {
    /// How long it plays.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.frames.len() as f64 / f64::from(self.fps.max(1)))
    }

    /// The frames as something that can be saved as GIF, APNG, WebP, AVI or numbered pictures, with
    /// the sound where the format has some.
    ///
    /// ```no_run
    /// # use sdcpp::{Context, ModelConfig, VideoRequest};
    /// # fn main() -> sdcpp::Result<()> {
    /// # let mut context = Context::new(ModelConfig::new("ltx.gguf"))?;
    /// let video = context.generate_video(&VideoRequest::new("a river"))?;
    /// video.animation()?.save("river.gif")?;
    /// if let Some(audio) = &video.audio {
    ///     audio.save_wav("river.wav", sdcpp::WavSamples::Pcm16)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] if a frame is not RGB.
    pub fn animation(&self) -> Result<Animation<'_>> {
        let frames: Result<Vec<_>> =
            self.frames.iter().map(|f| Frame::new(f.width(), f.height(), f.as_bytes())).collect();
        Ok(Animation::new(frames?, f64::from(self.fps)))
    }
}
