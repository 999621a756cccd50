//! What a video request brought: frames, and the sound some models make with them.

use crate::{Animation, Audio, Frame, Picture, Result, Timings, Warning};
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
    /// The seed it was drawn with, for a request that draws it again.
    pub seed: i64,
    /// How long each phase took.
    pub timings: Timings,
    /// What is worth knowing: a number of frames that was rounded, a frame that is all black.
    pub warnings: Vec<Warning>,
}

impl GeneratedVideo {
    /// How long it plays.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.frames.len() as f64 / f64::from(self.fps.max(1)))
    }

    /// The frames and the sound as something that can be saved as GIF, APNG, WebP, AVI or numbered
    /// pictures. Of these AVI has sound; the others leave it out, and a WAV file can hold it.
    ///
    /// ```no_run
    /// # use sdcpp::{Context, ModelConfig, VideoRequest};
    /// # fn main() -> sdcpp::Result<()> {
    /// # let mut context = Context::new(ModelConfig::new("ltx.gguf"))?;
    /// let video = context.generate_video(&VideoRequest::new("a river"))?;
    /// let animation = video.animation()?;
    /// animation.save("river.avi")?;
    /// animation.save("river.gif")?;
    /// if let Some(audio) = &video.audio {
    ///     audio.save_wav("river.wav", sdcpp::WavSamples::Pcm16)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidParameter`](crate::Error::InvalidParameter) if a frame is not RGB.
    pub fn animation(&self) -> Result<Animation<'_>> {
        let frames: Vec<_> = self.frames.iter().map(Frame::try_from).collect::<Result<_>>()?;
        let mut animation = Animation::new(frames, f64::from(self.fps));
        animation.audio = self.audio.as_ref();
        Ok(animation)
    }
}

#[cfg(all(test, feature = "mock"))]
mod tests {
    use super::*;
    use crate::{AnimationFormat, Context, ImageRequest, ModelConfig, Watch, mock};

    #[test]
    fn an_animation_has_the_frames_and_the_sound() {
        let mut context =
            Context::open(&mock::engine(), ModelConfig::new("any"), Watch::new()).unwrap();
        let request = ImageRequest::new("x").size(64, 64).seed(1).batch(3);
        let frames = context.generate(&request).unwrap().images;
        let mut video = GeneratedVideo {
            frames,
            fps: 6,
            audio: Some(Audio::new([0.25; 100], 8000, 1)),
            seed: 1,
            timings: Timings::default(),
            warnings: Vec::new(),
        };
        assert_eq!(video.duration(), Duration::from_millis(500));
        let animation = video.animation().unwrap();
        assert_eq!((animation.frames.len(), animation.fps), (3, 6.0));
        assert_eq!(animation.audio, video.audio.as_ref());
        for format in [AnimationFormat::Avi, AnimationFormat::Gif, AnimationFormat::Apng] {
            assert!(animation.check(format).is_ok(), "{format}");
        }
        video.audio = None;
        assert_eq!(video.animation().unwrap().audio, None);
    }
}
