//! WAV files.

use super::{
    audio::{Audio, WavSamples, pcm16},
    file::Target,
};
use crate::{Error, Result};
use hound::{SampleFormat, WavSpec, WavWriter};
use std::io::{Seek, Write};

/// What a 32-bit size leaves for samples, after the headers.
const MAX_BYTES: u64 = u32::MAX as u64 - 1024;

pub(super) fn write(
    audio: &Audio,
    writer: impl Write + Seek,
    samples: WavSamples,
    target: &Target<'_>,
) -> Result<()> {
    let fail = |error| match error {
        hound::Error::IoError(source) => target.io(source),
        other => target.codec(other),
    };
    let (bits_per_sample, sample_format) = match samples {
        WavSamples::Pcm16 => (16, SampleFormat::Int),
        WavSamples::Float32 => (32, SampleFormat::Float),
    };
    let bytes = audio.samples.len() as u64 * u64::from(bits_per_sample / 8);
    if bytes > MAX_BYTES {
        let allowed = format!("at most {MAX_BYTES} bytes in a WAV file");
        return Err(Error::invalid("audio.samples", format!("{bytes} bytes"), allowed));
    }
    let Audio { sample_rate, channels, .. } = *audio;
    let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
    let mut writer = WavWriter::new(writer, spec).map_err(fail)?;
    match samples {
        WavSamples::Pcm16 => {
            audio.samples.iter().try_for_each(|s| writer.write_sample(pcm16(*s))).map_err(fail)?;
        }
        WavSamples::Float32 => {
            audio.samples.iter().try_for_each(|s| writer.write_sample(*s)).map_err(fail)?;
        }
    }
    writer.finalize().map_err(fail)
}
