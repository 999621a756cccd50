//! What video to make.

use crate::{
    Error, HighNoise, HiresFix, Lora, MAX_SIDE, Result, Sampling, StepCache, VaeTiling,
    input::on_white, lora::check_negative, sampling::sampling_setters, setters::setters, validate,
};
use image::{DynamicImage, RgbImage};

/// The most frames of a video: more than a minute at 60 a second.
pub const MAX_FRAMES: u32 = 4096;

/// A video, of a model that makes them (Wan, LTX).
///
/// ```
/// use sdcpp::VideoRequest;
///
/// let request = VideoRequest::new("waves on a beach").size(480, 320).frames(33).fps(16).seed(7);
/// # drop(request);
/// ```
///
/// Fields may be set directly or by the methods of the same names, lists also one by one; where a
/// field names no default it is absent or empty.
///
/// # From frames
/// Between a first and a last frame (Wan's first-and-last-frame models, LTX), and after a control
/// video such as depth or poses (VACE):
///
/// ```no_run
/// use sdcpp::{VideoRequest, open_picture};
///
/// # fn main() -> sdcpp::Result<()> {
/// let between = VideoRequest::new("the flower opens")
///     .init_image(open_picture("bud.png")?)
///     .end_image(open_picture("flower.png")?)
///     .frames(33);
///
/// let mut poses = Vec::new();
/// for index in 0..33 {
///     poses.push(open_picture(format!("pose-{index:04}.png"))?);
/// }
/// let dance = VideoRequest::new("a dancer on a stage")
///     .init_image(open_picture("dancer.png")?)
///     .control_frames(poses)
///     .vace_strength(0.8)
///     .frames(33);
/// # drop((between, dance));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct VideoRequest {
    /// What to show, as [`ImageRequest::prompt`](crate::ImageRequest#structfield.prompt). At most
    /// 32 KiB.
    pub prompt: String,
    /// What to avoid; at most 32 KiB. Without effect at a [`cfg_scale`](Sampling::cfg_scale) of 1.
    pub negative_prompt: String,
    /// Width in pixels, 1 to [`MAX_SIDE`]; rounded up to a multiple of 16 (Wan) or 32 (LTX).
    /// Default 512.
    pub width: u32,
    /// Height in pixels, as the width. Default 512.
    pub height: u32,
    /// Frames, 1 to [`MAX_FRAMES`]. Rounded down to one more than a multiple of 4 (Wan) or 8 (LTX).
    /// Default 33.
    pub frames: u32,
    /// Frames a second, 1 to 240. Default 16. LTX draws for it; Wan does not ask.
    pub fps: u32,
    /// Steps, guidance, sampler and scheduler.
    #[cfg_attr(feature = "schema", schemars(flatten))]
    pub sampling: Sampling,
    /// What differs for the second model of Wan 2.2.
    pub high_noise: HighNoise,
    /// Noise level at which Wan 2.2 changes from the high-noise model to the other, 0 to 1.
    /// Default 0.875.
    pub moe_boundary: f32,
    /// The seed. Absent or negative: drawn at random and reported in
    /// [`GeneratedVideo::seed`](crate::GeneratedVideo::seed).
    pub seed: Option<i64>,
    /// CLIP layers to leave out at the end, 1 to 12; the model's own when absent. 1 is none.
    pub clip_skip: Option<u32>,
    /// LoRAs, besides those that the prompt names; at most 64.
    pub loras: Vec<Lora>,
    /// The first frame, or what VACE takes as reference; stretched to the size of the request.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::json::schema::Base64Picture>"))]
    pub init_image: Option<RgbImage>,
    /// The last frame.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::json::schema::Base64Picture>"))]
    pub end_image: Option<RgbImage>,
    /// How strongly LTX keeps to the [`init_image`](Self::init_image) and
    /// [`end_image`](Self::end_image), 0 to 1. Default 0.75.
    pub conditioning_strength: f32,
    /// Frames of a control video, for VACE models; at most as many as the video has.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::json::schema::Base64Picture>"))]
    pub control_frames: Vec<RgbImage>,
    /// How strongly VACE counts, 0 to 10. Default 1.
    pub vace_strength: f32,
    /// Decodes in tiles, for less memory.
    pub vae_tiling: Option<VaeTiling>,
    /// Decodes again in tiles if memory runs out while decoding in one piece, as
    /// [`ImageRequest::vae_tiling_fallback`](crate::ImageRequest#structfield.vae_tiling_fallback);
    /// LTX's are cut in time too. Default: no.
    pub vae_tiling_fallback: bool,
    /// Skips work in steps that change little.
    pub step_cache: Option<StepCache>,
    /// LTX's second pass, by its own spatial upscaler: set [`HiresFix::model`] to that file.
    pub hires: Option<HiresFix>,
}

impl Default for VideoRequest {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            negative_prompt: String::new(),
            width: 512,
            height: 512,
            frames: 33,
            fps: 16,
            sampling: Sampling::default(),
            high_noise: HighNoise::default(),
            moe_boundary: 0.875,
            seed: None,
            clip_skip: None,
            loras: Vec::new(),
            init_image: None,
            end_image: None,
            conditioning_strength: 0.75,
            control_frames: Vec::new(),
            vace_strength: 1.0,
            vae_tiling: None,
            vae_tiling_fallback: false,
            step_cache: None,
            hires: None,
        }
    }
}

sampling_setters!(VideoRequest);

setters! {
    VideoRequest {
        into prompt: String;
        into negative_prompt: String;
        plain width: u32;
        plain height: u32;
        plain sampling: Sampling;
        into loras: Vec<Lora>;
        plain frames: u32;
        plain fps: u32;
        plain high_noise: HighNoise;
        plain moe_boundary: f32;
        plain conditioning_strength: f32;
        plain vace_strength: f32;
        plain vae_tiling_fallback: bool;
        some seed: i64;
        some clip_skip: u32;
        some vae_tiling: VaeTiling;
        some step_cache: StepCache;
        some hires: HiresFix;
    }
}

impl VideoRequest {
    /// A request for `prompt`, everything else by default.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// Sets [`width`](Self#structfield.width) and [`height`](Self#structfield.height).
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Adds a LoRA.
    #[must_use]
    pub fn lora(mut self, lora: Lora) -> Self {
        self.loras.push(lora);
        self
    }

    /// Sets [`init_image`](Self#structfield.init_image) from any picture; transparent parts are laid
    /// on white.
    #[must_use]
    pub fn init_image(mut self, picture: impl Into<DynamicImage>) -> Self {
        self.init_image = Some(on_white(picture.into()));
        self
    }

    /// Sets [`end_image`](Self#structfield.end_image) from any picture.
    #[must_use]
    pub fn end_image(mut self, picture: impl Into<DynamicImage>) -> Self {
        self.end_image = Some(on_white(picture.into()));
        self
    }

    /// Adds a frame to the [control video](Self#structfield.control_frames).
    #[must_use]
    pub fn control_frame(mut self, picture: impl Into<DynamicImage>) -> Self {
        self.control_frames.push(on_white(picture.into()));
        self
    }

    /// Sets [`control_frames`](Self#structfield.control_frames) from any pictures.
    #[must_use]
    pub fn control_frames(
        mut self,
        pictures: impl IntoIterator<Item = impl Into<DynamicImage>>,
    ) -> Self {
        self.control_frames = pictures.into_iter().map(|p| on_white(p.into())).collect();
        self
    }

    /// Checks every value that can be checked without a model.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the field, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        validate::prompt("prompt", &self.prompt)?;
        validate::prompt("negative_prompt", &self.negative_prompt)?;
        check_negative(&self.negative_prompt)?;
        validate::range("width", self.width, 1..=MAX_SIDE)?;
        validate::range("height", self.height, 1..=MAX_SIDE)?;
        validate::range("frames", self.frames, 1..=MAX_FRAMES)?;
        validate::range("fps", self.fps, 1..=240)?;
        // The engine counts the values of a video in an int.
        let values = u64::from(self.width) * u64::from(self.height) * u64::from(self.frames) * 4;
        if i32::try_from(values).is_err() {
            return Err(Error::invalid(
                "frames",
                format!("{} at {}x{}", self.frames, self.width, self.height),
                format!("at most {} pixels in all", i32::MAX / 4),
            ));
        }
        validate::range("moe_boundary", self.moe_boundary, 0.0..=1.0)?;
        validate::range("conditioning_strength", self.conditioning_strength, 0.0..=1.0)?;
        validate::range("vace_strength", self.vace_strength, 0.0..=10.0)?;
        validate::clip_skip_and_seed(self.clip_skip, self.seed)?;
        self.sampling.check()?;
        self.high_noise.check()?;
        Lora::check_all(&self.loras)?;
        for (field, picture) in
            [("init_image", self.init_image.as_ref()), ("end_image", self.end_image.as_ref())]
        {
            if let Some(picture) = picture {
                validate::picture(field, picture.dimensions())?;
            }
        }
        if self.control_frames.len() > self.frames as usize {
            return Err(Error::invalid(
                "control_frames",
                format!("a list of {}", self.control_frames.len()),
                format!("at most the number of frames, {}", self.frames),
            ));
        }
        for picture in &self.control_frames {
            validate::picture("control_frames", picture.dimensions())?;
        }
        if let Some(tiling) = &self.vae_tiling {
            tiling.check()?;
        }
        if let Some(cache) = &self.step_cache {
            cache.check()?;
        }
        match &self.hires {
            Some(hires) if hires.model.is_none() => Err(Error::invalid(
                "hires.model",
                "not set",
                "the file of LTX's spatial upscaler, for a video",
            )),
            Some(hires) => hires.check(self.width, self.height, &self.sampling),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sampler;

    #[test]
    fn every_field_is_checked_by_name() {
        let new = || VideoRequest::new("x");
        let noisy = HighNoise::default;
        assert!(new().check().is_ok());
        for (request, start) in [
            (new().size(0, 8), "width is 0"),
            (new().frames(0), "frames is 0"),
            (new().frames(5000), "frames is 5000"),
            (new().size(4096, 4096).frames(400), "frames is 400 at 4096x4096"),
            (new().fps(0), "fps is 0"),
            (new().steps(0), "steps is 0"),
            (new().moe_boundary(1.5), "moe_boundary is 1.5"),
            (new().conditioning_strength(-1.0), "conditioning_strength is -1"),
            (new().vace_strength(f32::NAN), "vace_strength is NaN"),
            (new().clip_skip(20), "clip_skip is 20"),
            (new().init_image(RgbImage::new(0, 1)), "init_image is 0x1"),
            (new().end_image(RgbImage::new(1, 0)), "end_image is 1x0"),
            (new().frames(1).control_frame(RgbImage::new(0, 1)), "control_frames is 0x1"),
            (
                new()
                    .frames(1)
                    .control_frame(RgbImage::new(1, 1))
                    .control_frame(RgbImage::new(1, 1)),
                "control_frames is a list of 2",
            ),
            (new().high_noise(noisy().steps(0)), "high_noise.steps is 0"),
            (new().high_noise(noisy().cfg_scale(f32::NAN)), "high_noise.cfg_scale is NaN"),
            (new().high_noise(noisy().sampler(Sampler::Tcd).eta(2.0)), "high_noise.eta is 2"),
            (new().hires(HiresFix::default()), "hires.model is not set"),
        ] {
            let text = request.check().unwrap_err().to_string();
            assert!(text.starts_with(start), "{text:?} should start with {start:?}");
        }
    }
}
