//! Animated WebP, by libwebp.

use super::{Animation, file::Target};
use crate::Result;
use std::io::Write;

#[cfg(feature = "webp")]
pub(super) fn write(
    animation: &Animation<'_>,
    mut writer: impl Write,
    target: &Target<'_>,
) -> Result<()> {
    use super::timing;
    use webp_animation::{AnimParams, ColorMode, Encoder, EncoderOptions, EncodingConfig};

    let fail = |error: webp_animation::Error| target.codec(error);
    let start = |index: usize| {
        i32::try_from(timing::start(index, animation.fps, 1000.0))
            .map_err(|_| target.codec("longer than 24 days"))
    };
    let options = EncoderOptions {
        anim_params: AnimParams { loop_count: animation.plays.into() },
        color_mode: ColorMode::Rgb,
        encoding_config: Some(EncodingConfig::new_lossy(animation.quality.into())),
        ..EncoderOptions::default()
    };
    let mut encoder = Encoder::new_with_options(animation.size(), options).map_err(fail)?;
    for (index, frame) in animation.frames.iter().enumerate() {
        encoder.add_frame(frame.as_bytes(), start(index)?).map_err(fail)?;
    }
    let bytes = encoder.finalize(start(animation.frames.len())?).map_err(fail)?;
    writer.write_all(&bytes).and_then(|()| writer.flush()).map_err(|e| target.io(e))
}

/// [`Animation::check`] refuses the format before it comes here.
#[cfg(not(feature = "webp"))]
pub(super) fn write(_: &Animation<'_>, _: impl Write, target: &Target<'_>) -> Result<()> {
    Err(target.codec("this build lacks the cargo feature `webp`"))
}
