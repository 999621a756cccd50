//! What a worker may send: no more pixels than were asked for.

use crate::{HiresFix, ImageRequest, VideoRequest, canvas::rounded_up};

/// The largest multiple that a family of models rounds sizes up to.
const MULTIPLE: u32 = 64;

/// Frames that a model may add when it rounds their number.
const MORE_FRAMES: u32 = 8;

/// What a running operation may bring; without one, nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Allowance {
    pictures: u32,
    preview_frames: u32,
    width: u32,
    height: u32,
    sound: u64,
}

impl Allowance {
    pub(super) fn of_image(request: &ImageRequest) -> Self {
        let mut size = Size::of(request.width, request.height, request.hires.as_ref());
        if let Some(init) = &request.init_image {
            // Only a part of it may be drawn, and laid back.
            size.widen(init.dimensions());
            if let Some(outpaint) = &request.outpaint {
                let sum = |side: u32, a: u32, b: u32| side.saturating_add(a).saturating_add(b);
                size.widen((
                    sum(init.width(), outpaint.left, outpaint.right),
                    sum(init.height(), outpaint.top, outpaint.bottom),
                ));
            }
        }
        let Size(width, height) = size;
        Self { pictures: request.batch, preview_frames: 1, width, height, sound: 0 }
    }

    pub(super) fn of_video(request: &VideoRequest) -> Self {
        /// LTX makes at most 48 kHz, stereo.
        const MOST_SAMPLES_A_SECOND: u64 = 48_000 * 2;
        let mut size = Size::of(request.width, request.height, request.hires.as_ref());
        if request.hires.is_some() {
            // LTX's upscaler has a factor of its own.
            size.widen((size.0.saturating_mul(2), size.1.saturating_mul(2)));
        }
        let Size(width, height) = size;
        let frames = request.frames.saturating_add(MORE_FRAMES);
        let seconds = u64::from(frames / request.fps.max(1)) + 1;
        Self {
            pictures: frames,
            preview_frames: frames,
            width,
            height,
            sound: seconds * MOST_SAMPLES_A_SECOND,
        }
    }

    /// Bytes of one more picture.
    ///
    /// # Errors
    /// Why it was not asked for.
    pub(super) fn picture(&mut self, w: u32, h: u32, channels: u32) -> Result<u32, String> {
        if !matches!(channels, 1 | 3 | 4) {
            return Err(format!("a picture of {channels} channels"));
        }
        let bytes = self.bytes(w, h, channels)?;
        self.pictures = self.pictures.checked_sub(1).ok_or("more pictures than were asked for")?;
        Ok(bytes)
    }

    /// Bytes of each frame of a preview.
    ///
    /// # Errors
    /// Why it was not asked for.
    pub(super) fn preview(&self, frames: &[(u32, u32)]) -> Result<Vec<u32>, String> {
        if frames.is_empty() || frames.len() > self.preview_frames as usize {
            return Err(format!("a preview of {} frames", frames.len()));
        }
        frames.iter().map(|(width, height)| self.bytes(*width, *height, 3)).collect()
    }

    /// Bytes of the sound, of which there is one.
    ///
    /// # Errors
    /// Why it was not asked for.
    pub(super) fn sound(&mut self, samples: u32) -> Result<u32, String> {
        let most = std::mem::take(&mut self.sound);
        let bytes = samples.checked_mul(4).filter(|_| (1..=most).contains(&samples.into()));
        bytes.ok_or_else(|| format!("{samples} samples of sound"))
    }

    fn bytes(&self, width: u32, height: u32, channels: u32) -> Result<u32, String> {
        let inside = (1..=self.width).contains(&width) && (1..=self.height).contains(&height);
        // The largest picture of four channels is 1 GiB.
        let bytes = width.checked_mul(height).and_then(|n| n.checked_mul(channels));
        bytes.filter(|_| inside).ok_or_else(|| {
            let Self { width: most_width, height: most_height, .. } = self;
            format!("a picture of {width}x{height}, where {most_width}x{most_height} is the most")
        })
    }
}

/// The largest size that a request may lead to.
struct Size(u32, u32);

impl Size {
    fn of(width: u32, height: u32, hires: Option<&HiresFix>) -> Self {
        let first = rounded_up(width, height, MULTIPLE);
        let mut size = Self(first.0, first.1);
        if let Some(hires) = hires {
            size.widen(hires.size(first.0, first.1));
        }
        size
    }

    fn widen(&mut self, (width, height): (u32, u32)) {
        let (width, height) = rounded_up(width, height, MULTIPLE);
        (self.0, self.1) = (self.0.max(width), self.1.max(height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outpaint;
    use image::RgbImage;

    #[test]
    fn what_was_not_asked_for_is_refused() {
        let none = Allowance::default();
        assert!(none.clone().picture(1, 1, 3).is_err() && none.preview(&[(1, 1)]).is_err());
        let mut two = Allowance::of_image(&ImageRequest::new("x").size(100, 64).batch(2));
        assert!(two.picture(129, 64, 3).is_err() && two.picture(128, 65, 3).is_err());
        assert!(two.picture(0, 64, 3).is_err() && two.picture(64, 64, 2).is_err());
        assert!(two.sound(1).is_err() && two.preview(&[(8, 8), (8, 8)]).is_err());
        assert_eq!(two.preview(&[(128, 64)]), Ok(vec![128 * 64 * 3]));
        assert_eq!(two.picture(128, 64, 4), Ok(128 * 64 * 4));
        assert_eq!(two.picture(100, 64, 1), Ok(6400));
        assert!(two.picture(1, 1, 3).is_err(), "the third of two");
    }

    #[test]
    fn second_passes_margins_and_sound_are_counted_in() {
        let allowed = |request: &ImageRequest| {
            let Allowance { width, height, .. } = Allowance::of_image(request);
            (width, height)
        };
        let small = || ImageRequest::new("x").size(64, 64);
        assert_eq!(allowed(&small().hires(HiresFix::scaled_by(2.5))), (192, 192));
        let wide = small().init_image(RgbImage::new(300, 20));
        assert_eq!(allowed(&wide), (320, 64));
        assert_eq!(allowed(&wide.outpaint(Outpaint::new(10, 30, 60, 0))), (384, 128));
        let request = VideoRequest::new("x").size(64, 64).frames(9).fps(8);
        let mut video = Allowance::of_video(&request);
        assert_eq!(video.preview_frames, 17);
        assert!(video.sound(10_000_000).is_err());
        let mut video = Allowance::of_video(&request);
        assert_eq!(video.sound(48_000), Ok(192_000));
        assert!(video.sound(1).is_err(), "the second");
    }
}
