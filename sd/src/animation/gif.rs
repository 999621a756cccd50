//! Animated GIF.

use super::{Animation, file::Target, timing};
use crate::Result;
use gif::{Encoder, EncodingError, Frame, Repeat};
use std::io::Write;

/// Of 1 to 30, how much of a frame's pixels the choice of colours leaves out: the crate's advice.
const SPEED: i32 = 10;

pub(super) fn write(
    animation: &Animation<'_>,
    writer: impl Write,
    target: &Target<'_>,
) -> Result<()> {
    let fail = |error| match error {
        EncodingError::Io(source) => target.io(source),
        other => target.codec(other),
    };
    let (width, height) = animation.size();
    // The size was checked; should it not fit, the encoder refuses the frames.
    let [width, height] = [width, height].map(|side| u16::try_from(side).unwrap_or(0));
    let mut encoder = Encoder::new(writer, width, height, &[]).map_err(fail)?;
    match animation.plays {
        0 => encoder.set_repeat(Repeat::Infinite).map_err(fail)?,
        1 => {}
        plays => encoder.set_repeat(Repeat::Finite(plays - 1)).map_err(fail)?,
    }
    for (index, frame) in animation.frames.iter().enumerate() {
        let expected = usize::from(width) * usize::from(height) * 3;
        if frame.as_bytes().len() != expected {
            return Err(target.codec("a frame of another size"));
        }
        let mut frame = Frame::from_rgb_speed(width, height, frame.as_bytes(), SPEED);
        let delay = timing::duration(index, animation.fps, 100.0);
        frame.delay = u16::try_from(delay).unwrap_or(u16::MAX);
        encoder.write_frame(&frame).map_err(fail)?;
    }
    // Dropped, it would write the end of the file and say nothing of a failure.
    encoder.into_inner().map_err(fail).and_then(|mut w| w.flush().map_err(|e| target.io(e)))
}
