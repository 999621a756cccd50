//! Sound.

use super::{
    file::{self, Target},
    wav,
};
use crate::{Error, Result, named::choice_names, validate};
use std::{
    io::{Seek, Write},
    path::Path,
    time::Duration,
};

/// Sound: samples of all channels in turn, −1 to 1.
///
/// ```
/// use sdcpp::{Audio, WavSamples};
///
/// # fn main() -> sdcpp::Result<()> {
/// let beep: Vec<f32> = (0..8000).map(|i| (i as f32 * 0.35).sin() * 0.5).collect();
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("beep.wav");
/// Audio::new(beep, 16_000, 1).save_wav(&path, WavSamples::Pcm16)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Audio {
    /// The samples, as many as a multiple of [`channels`](Self::channels), at least one each. Finite;
    /// where samples are written as 16 bits, those beyond −1 to 1 become −1 or 1.
    pub samples: Vec<f32>,
    /// Samples a second of each channel, 1 to 768000.
    pub sample_rate: u32,
    /// Channels, 1 to 8; the left one first.
    pub channels: u16,
}

/// How WAV files hold samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WavSamples {
    /// 16-bit integers: plays everywhere. Samples beyond −1 to 1 become −1 or 1. The default.
    #[default]
    Pcm16,
    /// 32-bit floats, exactly as they are: for further work.
    Float32,
}

choice_names! {
    WavSamples as "wav_samples" {
        Pcm16 = "pcm16";
        Float32 = "float32";
    }
}

impl Audio {
    /// Samples of `channels` in turn.
    pub fn new(samples: impl Into<Vec<f32>>, sample_rate: u32, channels: u16) -> Self {
        Self { samples: samples.into(), sample_rate, channels }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the field, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        validate::range("audio.sample_rate", self.sample_rate, 1..=768_000)?;
        validate::range("audio.channels", self.channels, 1..=8)?;
        let count = self.samples.len();
        if count == 0 || !count.is_multiple_of(usize::from(self.channels)) {
            return Err(Error::invalid(
                "audio.samples",
                format!("a list of {count}"),
                format!("as many for each channel, of which there are {}", self.channels),
            ));
        }
        if let Some((index, bad)) = self.samples.iter().enumerate().find(|(_, s)| !s.is_finite()) {
            let value = format!("a list with {bad} at {index}");
            return Err(Error::invalid("audio.samples", value, "finite numbers"));
        }
        Ok(())
    }

    /// Saves a WAV file. It appears when it is whole, as with [`Animation::save`].
    ///
    /// # Errors
    /// As [`check`](Self::check); [`Error::InvalidParameter`] if the name has an extension other than
    /// `wav` or the sound is more than a WAV file can hold, 4 GiB; [`Error::Io`] with the path.
    ///
    /// [`Animation::save`]: crate::Animation::save
    pub fn save_wav(&self, path: impl AsRef<Path>, samples: WavSamples) -> Result<()> {
        let path = path.as_ref();
        if path.extension().is_some_and(|e| !e.eq_ignore_ascii_case("wav")) {
            return Err(Error::invalid("path", path.display(), "a name that ends in .wav"));
        }
        self.check()?;
        let target = Target::new(path);
        file::save(&target, |file| wav::write(self, file, samples, &target))
    }

    /// Writes a WAV file's bytes.
    ///
    /// # Errors
    /// As [`save_wav`](Self::save_wav).
    pub fn write_wav(&self, writer: impl Write + Seek, samples: WavSamples) -> Result<()> {
        self.check()?;
        wav::write(self, writer, samples, &Target::new(Path::new("to memory")))
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.length() as f64 / f64::from(self.sample_rate.max(1)))
    }

    /// How many samples each channel has.
    pub(super) fn length(&self) -> u64 {
        self.samples.len() as u64 / u64::from(self.channels.max(1))
    }
}

/// A sample as 16-bit files hold it.
pub(super) fn pcm16(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audio")
            .field("samples", &self.samples.len())
            .field("sample_rate", &self.sample_rate)
            .field("channels", &self.channels)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_count_each_channel_once() {
        assert_eq!(Audio::new(vec![0.0; 300], 100, 2).duration(), Duration::from_millis(1500));
    }
}
